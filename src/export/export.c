#include "export/export.h"

#include <stdio.h>
#include <string.h>

#include "base/dir_replace.h"
#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "model/adapter_names.h"

static const lcal__export_format *const rows[] = {
    [LCAL_EXPORT_CALIBRATION] = &lcal__export_calibration,
    [LCAL_EXPORT_SAFETENSORS] = &lcal__export_safetensors,
    [LCAL_EXPORT_PEFT] = &lcal__export_peft,
    [LCAL_EXPORT_HF] = &lcal__export_hf,
    [LCAL_EXPORT_GGUF_LORA] = &lcal__export_gguf_lora,
    [LCAL_EXPORT_GGUF] = &lcal__export_gguf,
    [LCAL_EXPORT_REPORT] = &lcal__export_page,
};

static const char *const words[] = {
#define WORD(name, word, text) [LCAL_EXPORT_##name] = word,
    LCAL_EXPORT_FORMAT_MAP(WORD)
#undef WORD
};

static const char *const type_names[] = {
    [LCAL_EXPORT_AUTO] = "AUTO", [LCAL_EXPORT_F32] = "F32",   [LCAL_EXPORT_F16] = "F16",
    [LCAL_EXPORT_BF16] = "BF16", [LCAL_EXPORT_Q8_0] = "Q8_0",
};

#define FORMATS (sizeof(rows) / sizeof(rows[0]))
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

const lcal__export_format *lcal__export_row(lcal_export_format format)
{
    return rows[format];
}

const char *lcal__export_type_name(lcal_export_type type)
{
    return type_names[type];
}

lcal__dtype lcal__export_dtype(lcal_export_type type)
{
    switch (type) {
    case LCAL_EXPORT_F16:
        return LCAL__F16;
    case LCAL_EXPORT_BF16:
        return LCAL__BF16;
    case LCAL_EXPORT_AUTO:
    case LCAL_EXPORT_F32:
    case LCAL_EXPORT_Q8_0:
        break;
    }
    return LCAL__F32;
}

/* --- the report ------------------------------------------------------------------------------ */

void lcal_export_report_free(lcal_export_report *report)
{
    lcal__free(report->modules);
    *report = (lcal_export_report){0};
}

lcal_status lcal__export_note(const lcal__exporting *job, size_t layer, lcal__proj proj,
                              lcal_export_module **out, lcal_error *err)
{
    lcal_export_report *report = job->report;
    size_t capacity = report->module_count;
    char name[LCAL__MODULE_NAME_MAX];
    lcal__module_name(layer, proj, name);
    for (size_t i = report->module_count; i-- > 0;)
        if (strcmp(report->modules[i].name, name) == 0) {
            *out = &report->modules[i];
            return LCAL_OK;
        }
    if (!lcal__grow((void **)&report->modules, &capacity, report->module_count + 1,
                    sizeof(*report->modules)))
        return lcal__fail_nomem(err, "the report of an export");
    *out = &report->modules[report->module_count++];
    **out = (lcal_export_module){0};
    snprintf((*out)->name, sizeof((*out)->name), "%s", name);
    return LCAL_OK;
}

/* Sizes of what was written, added up. */
typedef struct sizes {
    const char *directory;
    lcal_export_report *report;
} sizes;

static lcal_status add_size(void *context, const char *name, lcal_error *err)
{
    const sizes *s = context;
    uint64_t size = 0;
    int64_t changed;
    char *path = lcal__path_join(s->directory, name);
    if (!path)
        return lcal__fail_nomem(err, s->directory);
    if (lcal__path_facts(path, &size, &changed)) {
        s->report->bytes += size;
        s->report->files++;
    }
    lcal__free(path);
    return LCAL_OK;
}

/* --- before ---------------------------------------------------------------------------------- */

static lcal_status check_option(const lcal__export_format *row, const char *word, bool given,
                                unsigned bit, const char *what, lcal_error *err)
{
    if (!given || row->has & bit)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID, "format %s: %s is no option of it", word, what);
}

static lcal_status check_options(const lcal_export_options *o, lcal_error *err)
{
    if ((size_t)o->format >= FORMATS || (size_t)o->type >= TYPES)
        return lcal__fail(err, LCAL_INVALID, "lcal_export: no format %d or no type %d",
                          (int)o->format, (int)o->type);
    const lcal__export_format *row = rows[o->format];
    const char *word = words[o->format];
    if (o->type != LCAL_EXPORT_AUTO && !(row->types & LCAL__EXPORT_BIT(o->type)))
        return lcal__fail(err, LCAL_INVALID, "format %s: cannot hold numbers of type %s", word,
                          type_names[o->type]);
    LCAL_TRY(check_option(row, word, o->rank, LCAL__EXPORT_HAS_RANK, "rank", err));
    LCAL_TRY(check_option(row, word, o->shard_bytes, LCAL__EXPORT_HAS_SHARDS, "shard size", err));
    LCAL_TRY(check_option(row, word, o->as, LCAL__EXPORT_HAS_CLASS, "class of the model", err));
    return check_option(row, word, o->base_name, LCAL__EXPORT_HAS_BASE_NAME, "base name", err);
}

/* The base's own type; F32 where the format has not that one. */
lcal_export_type lcal__export_type_of(const lcal__export_format *row,
                                      const lcal_export_options *options,
                                      const lcal__composition *model)
{
    if (options->type != LCAL_EXPORT_AUTO)
        return options->type;
    if (row->standard != LCAL_EXPORT_AUTO)
        return row->standard;
    const lcal__dtype stored = lcal__composition_base(model)->embedding.dtype;
    const lcal_export_type type = stored == LCAL__F16    ? LCAL_EXPORT_F16
                                  : stored == LCAL__BF16 ? LCAL_EXPORT_BF16
                                                         : LCAL_EXPORT_F32;
    return row->types & LCAL__EXPORT_BIT(type) ? type : LCAL_EXPORT_F32;
}

/* Files that tell a directory of an earlier export from one that holds something else. */
static const char *const marks[] = {"adapter_config.json", "config.json"};

static lcal_status check_directory(const char *path, bool overwrite, lcal_error *err)
{
    if (lcal__dir_is_empty(path))
        return LCAL_OK;
    bool ours = false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        char *mark = lcal__path_join(path, marks[i]);
        if (!mark)
            return lcal__fail_nomem(err, path);
        ours = ours || lcal__path_is_file(mark);
        lcal__free(mark);
    }
    if (!ours)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: holds files that are no model or adapter; give another name", path);
    return overwrite ? LCAL_OK
                     : lcal__fail(err, LCAL_INVALID,
                                  "%s: exists; give another name, or ask to overwrite it", path);
}

static lcal_status check_source(const char *target, const char *source, lcal_error *err)
{
    char *absolute = source ? lcal__path_absolute(source) : NULL;
    if (!source)
        return LCAL_OK;
    if (!absolute)
        return lcal__fail_nomem(err, source);
    const bool same = strcmp(target, absolute) == 0;
    lcal__free(absolute);
    return same ? lcal__fail(err, LCAL_INVALID,
                             "%s: what is exported is made from it; give another name", source)
                : LCAL_OK;
}

/* Nothing may take the place of what it is made from. */
static lcal_status check_sources(const lcal__composition *model, const char *path, lcal_error *err)
{
    char *target = lcal__path_absolute(path);
    if (!target)
        return lcal__fail_nomem(err, path);
    lcal_status status = check_source(target, model->base.directory, err);
    for (size_t i = 0; i < model->adapters.count && status == LCAL_OK; i++)
        status = check_source(target, model->adapters.uses[i].adapter->directory, err);
    if (status == LCAL_OK)
        status = check_source(target, model->calibration_path, err);
    lcal__free(target);
    return status;
}

static lcal_status check_target(const lcal__export_format *row, const char *path, bool overwrite,
                                lcal_error *err)
{
    if (lcal__path_is_dir(path))
        return row->directory
                   ? check_directory(path, overwrite, err)
                   : lcal__fail(err, LCAL_INVALID,
                                "%s: a directory, but this format is a file; give a file's name",
                                path);
    if (!lcal__path_exists(path))
        return LCAL_OK;
    if (row->directory || !lcal__path_is_file(path))
        return lcal__fail(err, LCAL_INVALID,
                          "%s: exists and is no %s that could be replaced; give another name", path,
                          row->directory ? "directory" : "regular file");
    return overwrite ? LCAL_OK
                     : lcal__fail(err, LCAL_INVALID,
                                  "%s: exists; give another name, or ask to overwrite it", path);
}

/* --- the export ------------------------------------------------------------------------------ */

static lcal_status write_directory(const lcal__exporting *job, const lcal__export_format *row,
                                   const char *path, lcal_error *err)
{
    lcal__dir_replace directory;
    LCAL_TRY(lcal__dir_replace_begin(path, &directory, err));
    sizes s = {directory.temporary, job->report};
    lcal_status status = row->write(job, directory.temporary, err);
    if (status == LCAL_OK)
        status = lcal__dir_visit(directory.temporary, add_size, &s, err);
    if (status == LCAL_OK)
        status = lcal__dir_replace_commit(&directory, err);
    else
        lcal__dir_replace_abort(&directory);
    return status;
}

static lcal_status write_file(const lcal__exporting *job, const lcal__export_format *row,
                              const char *path, lcal_error *err)
{
    int64_t changed;
    LCAL_TRY(row->write(job, path, err));
    lcal__path_facts(path, &job->report->bytes, &changed);
    job->report->files = 1;
    return LCAL_OK;
}

static lcal_status run(lcal__exporting *job, const char *path, lcal_error *err)
{
    const lcal__export_format *row = rows[job->options->format];
    lcal__update update;
    LCAL_TRY(check_sources(job->model, path, err));
    LCAL_TRY(check_target(row, path, job->options->overwrite, err));
    LCAL_TRY(lcal__update_open(job->model, &update, err));
    job->update = &update;
    job->report->type = row->types ? type_names[job->type] : "";
    lcal_status status = row->check ? row->check(job, err) : LCAL_OK;
    if (status == LCAL_OK)
        status =
            row->directory ? write_directory(job, row, path, err) : write_file(job, row, path, err);
    lcal__update_close(&update);
    return status;
}

lcal_status lcal_export(lcal_model *model, const char *path, const lcal_export_options *options,
                        lcal_export_report *report, lcal_error *err)
{
    static const lcal_export_options defaults;
    lcal_export_report own = {0};
    if (!options)
        options = &defaults;
    if (!model || !path)
        return lcal__fail(err, LCAL_INVALID, "lcal_export: model and path must be given");
    LCAL_TRY(check_options(options, err));
    lcal__exporting job = {
        .model = model,
        .options = options,
        .type = lcal__export_type_of(rows[options->format], options, model),
        .log = options->log,
        .report = &own,
    };
    lcal_status status = run(&job, path, err);
    if (status == LCAL_OK && report)
        *report = own;
    else
        lcal_export_report_free(&own);
    return status;
}
