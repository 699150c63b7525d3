#include "train/resume.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/options.h"
#include "lcal/train.h"
#include "train/run_dir.h"

#define CONFIG_MAX ((size_t)1 << 20)

/* Keys without influence on any result, each with the value that stands for all others. */
static const struct {
    const char *key, *override;
} free_keys[] = {
    {"out", "out=/"}, /* any directory: it must only exist */
    {"train.threads", "train.threads=0"},
    {"train.log_every", "train.log_every=1"},
    {"train.save_every", "train.save_every=1"},
    {"train.recompute", "train.recompute=auto"},
    {"train.memory_budget", "train.memory_budget=0"},
    /* Of evaluation alone. */
    {"columns.objective", "columns.objective=supervised"},
    {"columns.main_train", "columns.main_train=null"},
    {"columns.aux_train", "columns.aux_train=null"},
    {"columns.temperature", "columns.temperature=2"},
    {"columns.overlap", "columns.overlap=0.01"},
    {"eval.test", "eval.test=null"},
    {"eval.prompt", "eval.prompt=null"},
    {"eval.main_prompt", "eval.main_prompt=null"},
    {"eval.aux_prompt", "eval.aux_prompt=null"},
    {"eval.shots", "eval.shots=5"},
    {"eval.limit", "eval.limit=0"},
    {"eval.max_tokens", "eval.max_tokens=256"},
    {"eval.batch", "eval.batch=16"},
    {"eval.stem", "eval.stem=false"},
    {"eval.resamples", "eval.resamples=1000"},
    {"cocktail.temperature", "cocktail.temperature=5"},
    {"lorahub.budget", "lorahub.budget=40"},
    {"lorahub.bound", "lorahub.bound=1.5"},
    {"lorahub.radius", "lorahub.radius=0.5"},
    {"lorahub.penalty", "lorahub.penalty=0.05"},
};
#define FREE_KEYS (sizeof(free_keys) / sizeof(free_keys[0]))

lcal_status lcal__resume_identity(const lcal_config *config, char **text, lcal_error *err)
{
    const char *overrides[FREE_KEYS];
    char *whole;
    lcal_config *plain = NULL;
    for (size_t i = 0; i < FREE_KEYS; i++)
        overrides[i] = free_keys[i].override;
    LCAL_TRY(lcal_config_dump(config, &whole, err));
    lcal_status status =
        lcal__config_parse_for(LCAL_FOR_TRAINER, whole, strlen(whole), "the configuration", "",
                               overrides, FREE_KEYS, &plain, err);
    lcal__free(whole);
    if (status == LCAL_OK)
        status = lcal_config_dump(plain, text, err);
    lcal_config_close(&plain);
    return status;
}

static bool may_change(const char *key)
{
    for (size_t i = 0; i < FREE_KEYS; i++)
        if (strcmp(key, free_keys[i].key) == 0)
            return true;
    return false;
}

lcal_status lcal__resume_check(const lcal_config *before, const lcal_config *now,
                               const char *source, lcal_error *err)
{
    const char *keys[LCAL__OPTION_COUNT];
    const uint64_t steps_before = lcal__config_settings(before)->train.steps;
    const uint64_t steps_now = lcal__config_settings(now)->train.steps;
    size_t count = lcal__config_diff(before, now, keys, LCAL__OPTION_COUNT);
    lcal__strbuf changed = {0};
    for (size_t i = 0; i < count; i++) {
        if (may_change(keys[i])
            || (strcmp(keys[i], "train.steps") == 0 && steps_now > steps_before))
            continue;
        lcal__strbuf_printf(&changed, "%s%s", changed.length ? ", " : "", keys[i]);
    }
    lcal_status status = LCAL_OK;
    if (changed.failed)
        status = lcal__fail_nomem(err, source);
    else if (changed.length)
        status = lcal__fail(err, LCAL_CONFIG,
                            "%s: a resumed run must compute the same, but these keys differ: %s; "
                            "only threads, logging, saving, memory, keys of evaluation and a larger "
                            "train.steps may change (a new run: another out, or --overwrite)",
                            source, changed.text);
    lcal__strbuf_free(&changed);
    return status;
}

lcal_status lcal__resume_check_identity(const char *identity, const lcal_config *now,
                                        const char *source, lcal_error *err)
{
    lcal_config *before = NULL;
    LCAL_TRY(lcal__config_parse(identity, strlen(identity), source, "", NULL, 0, &before, err));
    lcal_status status = lcal__resume_check(before, now, source, err);
    lcal_config_close(&before);
    return status;
}

/* The run's own configuration, its out set to where the run now is, with overrides. */
static lcal_status parse_run(const char *text, size_t size, const char *path, const char *run,
                             const char *const *overrides, size_t count, lcal_config **out,
                             lcal_error *err)
{
    lcal__strbuf place = {0};
    const char **all = lcal__calloc(count + 1, sizeof(*all));
    lcal__strbuf_add(&place, "out=");
    lcal__strbuf_add_json(&place, run); /* a JSON string is a YAML string */
    lcal_status status = all && !place.failed ? LCAL_OK : lcal__fail_nomem(err, path);
    if (status == LCAL_OK) {
        all[0] = place.text;
        for (size_t i = 0; i < count; i++)
            all[i + 1] = overrides[i];
        status = lcal__config_parse(text, size, path, run, all, count + 1, out, err);
    }
    lcal__strbuf_free(&place);
    lcal__free(all);
    return status;
}

static lcal_status resume_config(const char *text, size_t size, const char *path, const char *run,
                                 const char *const *overrides, size_t count, lcal_config **out,
                                 lcal_error *err)
{
    lcal_config *before = NULL, *now = NULL;
    lcal_status status = parse_run(text, size, path, run, NULL, 0, &before, err);
    if (status == LCAL_OK)
        status = parse_run(text, size, path, run, overrides, count, &now, err);
    if (status == LCAL_OK)
        status = lcal__resume_check(before, now, path, err);
    if (status == LCAL_OK
        && strcmp(lcal__config_settings(before)->out, lcal__config_settings(now)->out) != 0)
        status = lcal__fail(err, LCAL_CONFIG, "%s: key out: a run is resumed where it is, in %s",
                            path, run);
    lcal_config_close(&before);
    if (status == LCAL_OK)
        *out = now;
    else
        lcal_config_close(&now);
    return status;
}

lcal_status lcal_train_resume_config(const char *run, const char *const *overrides, size_t count,
                                     lcal_config **out, lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    char *path = lcal__path_join(run, LCAL__RUN_CONFIG);
    if (!path)
        return lcal__fail_nomem(err, run);
    lcal_status status = LCAL_OK;
    if (!lcal__path_is_file(path))
        status = lcal__fail(err, LCAL_CONFIG,
                            "%s: holds no run to resume (no " LCAL__RUN_CONFIG ")", run);
    if (status == LCAL_OK)
        status = lcal__file_read(path, CONFIG_MAX, &text, &size, err);
    if (status == LCAL_OK)
        status = resume_config((const char *)text, size, path, run, overrides, count, out, err);
    lcal__free(text);
    lcal__free(path);
    return status;
}
