#include "methods/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "config/options.h"
#include "methods/rows.h"
#include "train/resume.h"

void lcal__members_close(lcal__members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        lcal_config_close(&members->items[i].config);
        lcal__free(members->items[i].identity);
    }
    lcal__free(members->items);
    lcal__free(members->identity);
    *members = (lcal__members){0};
}

static void change_path(lcal__changes *changes, const char *key, const char *path)
{
    if (path[0])
        lcal__changes_text(changes, key, path);
    else
        lcal__changes_add(changes, "%s=null", key);
}

/* settings: whose adapters count. */
static lcal_status open_member(const lcal__job *job, const lcal__settings *settings,
                               const char *train, const char *valid, lcal__member *out,
                               lcal_error *err)
{
    double weights[LCAL__CONFIG_ADAPTERS_MAX];
    lcal__changes changes = {0};
    for (size_t i = 0; i < settings->adapter_count; i++)
        weights[i] = settings->adapters[i].weight;
    lcal__changes_adapters(&changes, settings, 0, settings->adapter_count, weights);
    lcal__changes_merge(&changes, lcal__row_rule(job));
    change_path(&changes, "data.train", train);
    change_path(&changes, "data.valid", valid);
    lcal__changes_add(&changes,
                      "columns.objective=supervised"); /* the teacher is no key's matter */
    lcal__changes_add(&changes, "method=%s", lcal__method_name(job->row->method));
    lcal__changes_add(&changes, "out=null");
    lcal_status status = lcal__derive(job->config, LCAL_FOR_TRAINER, &changes, &out->config, err);
    lcal__changes_free(&changes);
    if (status == LCAL_OK)
        status = lcal__resume_identity(out->config, &out->identity, err);
    return status;
}

static lcal_status open_other(const lcal__job *job, const char *path, lcal__member *out,
                              lcal_error *err)
{
    lcal_config *config = NULL;
    LCAL_TRY(lcal_config_open_for(LCAL_FOR_EVAL, path, NULL, 0, &config, err));
    const lcal__settings *settings = lcal__config_settings(config);
    lcal_status status = LCAL_OK;
    if (strcmp(settings->model, job->settings->model) != 0)
        status = lcal__fail(err, LCAL_CONFIG,
                            "%s: key model: sub-tasks that share a calibration have one base, "
                            "expected %s, found %s",
                            path, job->settings->model, settings->model);
    if (status == LCAL_OK)
        status = open_member(job, settings, settings->data.train, settings->data.valid, out, err);
    lcal_config_close(&config);
    return status;
}

static int by_identity(const void *a, const void *b)
{
    return strcmp(((const lcal__member *)a)->identity, ((const lcal__member *)b)->identity);
}

static lcal_status sort(lcal__members *m, lcal_error *err)
{
    lcal__strbuf all = {0};
    qsort(m->items, m->count, sizeof(*m->items), by_identity);
    for (size_t i = 1; i < m->count; i++)
        if (by_identity(&m->items[i - 1], &m->items[i]) == 0)
            return lcal__fail(err, LCAL_CONFIG,
                              "sub-tasks that share a calibration: two configurations have the "
                              "same adapters and data; each counts once");
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].own)
            m->own = i;
        char hex[LCAL__SHA256_HEX];
        lcal_status status =
            lcal__sha256(m->items[i].identity, strlen(m->items[i].identity), hex, err);
        if (status != LCAL_OK) {
            lcal__strbuf_free(&all);
            return status;
        }
        lcal__strbuf_printf(&all, "%s\n", hex);
    }
    return lcal__strbuf_take(&all, &m->identity, err);
}

/* What the members' own identities do not say. */
static lcal_status describe_teaching(const lcal__settings *settings, lcal__members *m,
                                     lcal_error *err)
{
    lcal__strbuf all = {0};
    lcal__strbuf_printf(&all, "%sdistill %.17g %.17g\n", m->identity, settings->columns.temperature,
                        settings->columns.overlap);
    lcal__free(m->identity);
    m->identity = NULL;
    return lcal__strbuf_take(&all, &m->identity, err);
}

lcal_status lcal__members_open(const lcal__job *job, lcal__members *out, lcal_error *err)
{
    const lcal_eval_options *options = job->options;
    lcal__members m = {0};
    m.items = lcal__calloc(options->with_count + 1, sizeof(*m.items));
    if (!m.items)
        return lcal__fail_nomem(err, "the sub-tasks");
    m.count = 1;
    m.items[0].own = true;
    const lcal__settings *own = job->settings;
    lcal_status status = open_member(job, own, own->data.train, own->data.valid, &m.items[0], err);
    for (size_t i = 0; i < options->with_count && status == LCAL_OK; i++)
        status = open_other(job, options->with[i], &m.items[m.count++], err);
    if (status == LCAL_OK)
        status = sort(&m, err);
    if (status == LCAL_OK)
        *out = m;
    else
        lcal__members_close(&m);
    return status;
}

lcal_status lcal__members_open_tasks(const lcal__job *job, lcal__members *out, lcal_error *err)
{
    const lcal__settings *settings = job->settings;
    const char *data[] = {settings->columns.main_train, settings->columns.aux_train};
    lcal__members m = {0};
    if (settings->adapter_count != 2 || !data[0][0] || !data[1][0])
        return lcal__fail(err, LCAL_CONFIG,
                          "key columns.objective: distill needs two adapters, "
                          "columns.main_train and columns.aux_train, found %zu, \"%s\" and \"%s\"",
                          settings->adapter_count, data[0], data[1]);
    m.items = lcal__calloc(2, sizeof(*m.items));
    if (!m.items)
        return lcal__fail_nomem(err, "the tasks");
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < 2 && status == LCAL_OK; i++) {
        m.items[i].teacher = i;
        m.items[i].own = i == 0;
        m.count++;
        status = open_member(job, settings, data[i], "", &m.items[i], err);
    }
    if (status == LCAL_OK)
        status = sort(&m, err);
    if (status == LCAL_OK)
        status = describe_teaching(settings, &m, err);
    if (status == LCAL_OK)
        *out = m;
    else
        lcal__members_close(&m);
    return status;
}
