/* A run directory: its configuration, how far it came, and what it holds. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/lines.h"
#include "format/yaml.h"
#include "inspect/subject.h"

/* --- configuration --------------------------------------------------------------------------- */

static json_t *value_of(const lcal__yaml *node);

/* json_*_set_new and _append_new take a NULL value as a failure and free what they get. */
static json_t *collection_of(const lcal__yaml *node)
{
    const bool map = node->kind == LCAL__YAML_MAP;
    json_t *out = map ? json_object() : json_array();
    for (const lcal__yaml *item = node->first; item && out; item = item->next) {
        json_t *value = value_of(item);
        int failed =
            map ? json_object_set_new(out, item->key, value) : json_array_append_new(out, value);
        if (failed) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

/* The parser lets no deeper tree through than LCAL__YAML_DEPTH_MAX. */
static json_t *value_of(const lcal__yaml *node)
{
    if (node->kind != LCAL__YAML_SCALAR)
        return collection_of(node);
    return node->null ? json_null() : json_string(node->text);
}

static lcal_status add_config(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__yaml *root = NULL;
    LCAL_TRY(
        lcal__yaml_parse((const char *)subject->bytes, subject->size, subject->path, &root, err));
    lcal__report_value(facts, "config", value_of(root));
    lcal__yaml_close(&root);
    return LCAL_OK;
}

/* --- metrics --------------------------------------------------------------------------------- */

/* The last whole row: a run that was killed may have left a part of one. */
static lcal_status add_metrics(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__lines *lines = NULL;
    json_t *last = NULL;
    size_t rows = 0, length;
    const char *text = NULL;
    LCAL_TRY(lcal__lines_open(subject->bytes, subject->size, subject->path, &lines, err));
    lcal_status status = lcal__lines_next(lines, &text, &length, err);
    while (status == LCAL_OK && text) {
        json_t *row = NULL;
        if (lcal__json_parse(text, length, subject->path, &row, NULL) == LCAL_OK) {
            json_decref(last);
            last = row;
            rows++;
        }
        status = lcal__lines_next(lines, &text, &length, err);
    }
    lcal__lines_close(&lines);
    lcal__report_count(facts, "metrics_rows", rows);
    if (last)
        lcal__report_value(facts, "last_metrics", last);
    return status;
}

/* --- files ----------------------------------------------------------------------------------- */

/* A checkpoint without its table: every parameter's moments would bury the rest. */
static lcal_status add_checkpoint(const lcal__subject *subject, lcal__report *facts,
                                  lcal_error *err)
{
    lcal__report checkpoint = lcal__report_new();
    lcal__report_count(&checkpoint, "bytes", subject->size);
    lcal_status status = lcal__inspect_checkpoint(subject, &checkpoint, err);
    json_object_del(checkpoint.object, "tensors");
    lcal__report_nest(facts, "checkpoint", &checkpoint);
    return status;
}

static lcal_status add_calibration(const lcal__subject *subject, lcal__report *facts,
                                   lcal_error *err)
{
    lcal__report calibration = lcal__report_new();
    lcal__report_count(&calibration, "bytes", subject->size);
    lcal_status status = lcal__inspect_calibration(subject, &calibration, err);
    lcal__report_nest(facts, "calibration", &calibration);
    return status;
}

/* In the order in which they are described; a young run has only the first. */
static const struct {
    const char *name;
    lcal__inspect_fn *fn;
} parts[] = {
    {"config.resolved.yaml", add_config},
    {"metrics.jsonl", add_metrics},
    {"checkpoint.h5", add_checkpoint},
    {"calibration.h5", add_calibration},
};

lcal_status lcal__inspect_run(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__report_text(facts, "kind", "run directory");
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == LCAL_OK; i++) {
        char *path = lcal__subject_join(subject, parts[i].name, err);
        if (!path)
            return LCAL_NOMEM;
        if (lcal__path_is_file(path))
            status = lcal__inspect_file(path, parts[i].fn, facts, err);
        lcal__free(path);
    }
    return status;
}
