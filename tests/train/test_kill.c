/*
 * A run that is killed (SIGKILL) at any moment and resumed, again and again, leaves the bytes of
 * one that was left alone. The runs are processes of this same program: "test_kill CONFIG RESUME".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "model/scratch.h"
#include "train/fixture.h"

#define ROUNDS 4

/* --- the child -------------------------------------------------------------------------- */

static int child(const char *run, bool resume)
{
    lcal_config *config = NULL;
    lcal_train_result result;
    lcal_error err = {0};
    lcal_status status;
    char path[4096];
    snprintf(path, sizeof(path), "%s.yaml", run);
    status = resume ? lcal_train_resume_config(run, NULL, 0, &config, &err)
                    : lcal_config_open(path, NULL, 0, &config, &err);
    if (status == LCAL_OK)
        status = lcal_train(config, resume ? LCAL_EXISTING_RESUME : LCAL_EXISTING_REFUSE, NULL,
                            &result, &err);
    lcal_config_close(&config);
    if (status != LCAL_OK)
        fprintf(stderr, "%s: %s\n", run, err.message);
    return status == LCAL_OK ? 0 : 1;
}

/* --- the parent ------------------------------------------------------------------------- */

static pid_t start(const char *run, bool resume)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_kill", run, resume ? "resume" : "new", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int finish(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void sleep_for(double seconds)
{
    struct timespec span = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&span, NULL);
}

/* Temporary files of killed writers are swept up too. */
static size_t count_files(const char *name)
{
    size_t count = 0;
    DIR *entries = opendir(scratch_path("%s", name));
    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void write_config(const char *name)
{
    job j = job_new(name);
    lcal_config *config = NULL;
    lcal_error err = {0};
    const char *pointers[JOB_KEYS];
    char *text = NULL, file[64];
    job_set(&j, "data.valid=%s", scratch_path("valid.jsonl"));
    job_set(&j, "train.steps=40");
    job_set(&j, "train.eval_every=5");
    for (size_t i = 0; i < j.count; i++)
        pointers[i] = j.keys[i];
    if (lcal_config_open(NULL, pointers, j.count, &config, &err) != LCAL_OK
        || lcal_config_dump(config, &text, &err) != LCAL_OK)
        fail_msg("%s", err.message);
    snprintf(file, sizeof(file), "%s.yaml", name);
    scratch_text(file, text);
    lcal_text_free(text);
    lcal_config_close(&config);
}

static void test_killed_anywhere(void **state)
{
    (void)state;
    write_config("whole");
    const double begin = lcal__seconds();
    assert_int_equal(finish(start(scratch_path("whole"), false)), 0);
    const double whole = lcal__seconds() - begin;
    lcal__rng rng = {(uint64_t)getpid(), 0, 0}; /* a failure can be at any moment: look at others */
    for (size_t round = 0; round < ROUNDS; round++) {
        char name[32];
        size_t kills = 0;
        snprintf(name, sizeof(name), "killed%zu", round);
        write_config(name);
        /* Ever longer, so that it ends. */
        for (double patience = 0.5;; patience *= 1.2) {
            bool held = lcal__path_is_file(scratch_path("%s/config.resolved.yaml", name));
            pid_t pid = start(scratch_path("%s", name), held);
            const double delay = lcal__rng_uniform(&rng) * patience * whole;
            sleep_for(delay);
            kill(pid, SIGKILL);
            int status = finish(pid);
            if (WIFEXITED(status)) {
                assert_int_equal(WEXITSTATUS(status), 0);
                break;
            }
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            kills++;
        }
        print_message("%s: killed %zu times\n", name, kills);
        assert_same_run("whole", name);
        assert_int_equal(count_files(name), count_files("whole"));
    }
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return child(argv[1], strcmp(argv[2], "resume") == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_anywhere, train_open, train_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
