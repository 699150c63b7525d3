/* After the first step, a step of training allocates nothing by our code: counted by the linker's
 * --wrap, whatever the method, packing and accumulation, rows of metrics included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "allocations.h"
#include "model/scratch.h"
#include "train/fixture.h"

/* What was counted after the first step, and after the last but one: the last also saves. */
typedef struct counter {
    size_t first, last;
} counter;

static void count_step(void *user, const lcal_progress *progress)
{
    counter *c = user;
    assert_true(progress->logged);
    if (progress->step == 1)
        c->first = allocations;
    if (progress->step + 1 == progress->steps)
        c->last = allocations;
}

static void test_steps_do_not_allocate(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"method=lc", "data.pack=false"},      {"method=lcpp", "train.accumulate=3"},
        {"method=columns", "train.threads=2"}, {"method=lora", "train.recompute=always"},
        {"method=base", "adapters=[]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        counter c = {0};
        const lcal_train_hooks hooks = {.progress = count_step, .user = &c};
        job j = job_new("run");
        job_set(&j, "data.valid=%s", scratch_path("valid.jsonl"));
        job_set(&j, "train.steps=25"); /* several epochs */
        job_set(&j, "train.eval_every=4");
        job_set(&j, "train.save_every=1000");
        job_set(&j, "%s", cases[i][0]);
        job_set(&j, "%s", cases[i][1]);
        job_run(&j, LCAL_EXISTING_OVERWRITE, &hooks);
        assert_true(c.first > 0);
        if (c.last != c.first)
            fail_msg("%s, %s: %zu allocations in 23 steps", cases[i][0], cases[i][1],
                     c.last - c.first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps_do_not_allocate, train_open, train_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
