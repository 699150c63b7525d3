/* HDF5 files of lcal: a calibration, or a checkpoint of training, whose datasets are all read. */
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_parts.h"
#include "inspect/subject.h"
#include "inspect/tensors.h"

#define DEPTH_MAX 16 /* groups in one another */
#define RANK_MAX 8   /* what format/hdf5.h reads */

typedef struct walk {
    lcal__h5 *file;
    lcal__tensor_table *table;
    lcal__strbuf path; /* of the group that is being listed; "" is the root */
    size_t depth;
    const char *source;
} walk;

static bool is_floating(lcal__dtype dtype)
{
    return dtype != LCAL__I64 && dtype != LCAL__I32;
}

/* Reading the values makes HDF5 check the dataset's checksum. */
static lcal_status add_dataset(walk *w, const char *path, lcal_error *err)
{
    lcal__dtype dtype;
    size_t rank, shape[RANK_MAX], count = 1;
    LCAL_TRY(lcal__h5_shape(w->file, path, &dtype, &rank, shape, err));
    for (size_t i = 0; i < rank; i++)
        if (!lcal__size_mul(count, shape[i], &count) || count > LCAL__CALIB_NUMBERS_MAX * 4)
            return lcal__fail(err, LCAL_FORMAT, "%s: %s: too large", w->source, path);
    float *values = NULL;
    lcal_status status = LCAL_OK;
    if (is_floating(dtype)) {
        values = lcal__alloc_aligned(count, sizeof(float));
        status = values ? lcal__h5_get_f32(w->file, path, rank, shape, values, err)
                        : lcal__fail_nomem(err, path);
    }
    if (status == LCAL_OK)
        lcal__tensor_table_add(w->table, path + 1, dtype, rank, shape, LCAL__F32, values);
    lcal__free(values);
    return status;
}

static lcal_status visit(void *context, const char *name, bool is_group, lcal_error *err)
{
    walk *w = context;
    const size_t length = w->path.length;
    lcal__strbuf_printf(&w->path, "/%s", name);
    if (w->path.failed)
        return lcal__fail_nomem(err, w->source);
    lcal_status status;
    if (!is_group) {
        status = add_dataset(w, w->path.text, err);
    } else if (w->depth == DEPTH_MAX) {
        status = lcal__fail(err, LCAL_FORMAT, "%s: %s: groups in one another: at most %d",
                            w->source, w->path.text, DEPTH_MAX);
    } else {
        w->depth++;
        status = lcal__h5_list(w->file, w->path.text, visit, w, err);
        w->depth--;
    }
    w->path.length = length;
    w->path.text[length] = '\0';
    return status;
}

static lcal_status read_checkpoint(const lcal__subject *subject, lcal__h5 *file,
                                   lcal__report *facts, lcal_error *err)
{
    const lcal__facts_source source = lcal__calib_source_h5(file, subject->path);
    lcal__calib_facts made = {0};
    lcal__store dtype;
    LCAL_TRY(lcal__calib_facts_get(&source, LCAL__CALIB_KIND_CHECKPOINT, &made, &dtype, err));
    lcal__report_text(facts, "kind", "checkpoint of training (HDF5)");
    lcal__inspect_calib_facts(&made, dtype, facts);
    lcal__calib_facts_free(&made);
    lcal__tensor_table table = lcal__tensor_table_new();
    walk w = {.file = file, .table = &table, .source = subject->path};
    lcal_status status = lcal__h5_list(file, "/", visit, &w, err);
    lcal__strbuf_free(&w.path);
    if (status != LCAL_OK) {
        lcal__tensor_table_free(&table);
        return status;
    }
    lcal__tensor_table_finish(&table, subject->size, facts);
    lcal__report_text(facts, "checksums", "verified (fletcher32)");
    return LCAL_OK;
}

lcal_status lcal__inspect_checkpoint(const lcal__subject *subject, lcal__report *facts,
                                     lcal_error *err)
{
    lcal__h5 *file = NULL;
    LCAL_TRY(lcal__h5_open(subject->bytes, subject->size, subject->path, &file, err));
    lcal_status status = read_checkpoint(subject, file, facts, err);
    lcal__h5_close(&file);
    return status;
}

/* Attribute `name` of "/" is the text `value`. */
static bool root_says(lcal__h5 *file, const char *name, const char *value)
{
    char *text = NULL;
    bool same = lcal__h5_has_attribute(file, "/", name)
                && lcal__h5_get_text(file, "/", name, &text, NULL) == LCAL_OK
                && strcmp(text, value) == 0;
    lcal__free(text);
    return same;
}

lcal_status lcal__inspect_h5(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__h5 *file = NULL;
    LCAL_TRY(lcal__h5_open(subject->bytes, subject->size, subject->path, &file, err));
    const bool ours = root_says(file, "format", LCAL__CALIB_FORMAT);
    const bool checkpoint = root_says(file, "kind", LCAL__CALIB_KIND_CHECKPOINT);
    lcal__h5_close(&file);
    if (!ours)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: an HDF5 file, but not one of lcal: expected its attribute format to "
                          "be \"" LCAL__CALIB_FORMAT "\"",
                          subject->path);
    return checkpoint ? lcal__inspect_checkpoint(subject, facts, err)
                      : lcal__inspect_calibration(subject, facts, err);
}
