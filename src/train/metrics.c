#include "train/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/number.h"
#include "format/json.h"

#define ROW_MAX 1024
#define FILE_MAX ((size_t)1 << 30)

/* JSON has no NaN: what is not known, or not finite, is null. */
static void print_number(double value, char out[LCAL__NUMBER_TEXT_MAX])
{
    if (isfinite(value))
        lcal__number_print(value, out);
    else
        memcpy(out, "null", sizeof("null"));
}

lcal_status lcal__metrics_append(const char *path, const lcal_progress *row, lcal_error *err)
{
    char text[ROW_MAX], loss[LCAL__NUMBER_TEXT_MAX], lr[LCAL__NUMBER_TEXT_MAX],
        norm[LCAL__NUMBER_TEXT_MAX], rate[LCAL__NUMBER_TEXT_MAX], valid[LCAL__NUMBER_TEXT_MAX];
    print_number(row->loss, loss);
    print_number(row->lr, lr);
    print_number(row->grad_norm, norm);
    print_number(floor(row->tokens_per_s * 10.0 + 0.5) / 10.0, rate);
    int length = snprintf(text, sizeof(text),
                          "{\"step\":%" PRIu64 ",\"loss\":%s,\"lr\":%s,\"grad_norm\":%s,\"tokens\":"
                          "%" PRIu64 ",\"tokens_per_s\":%s,\"peak_rss\":%" PRIu64,
                          row->step, loss, lr, norm, row->tokens, rate, row->peak_rss);
    if (!isnan(row->valid_loss)) {
        print_number(row->valid_loss, valid);
        length += snprintf(text + length, sizeof(text) - (size_t)length, ",\"val_loss\":%s", valid);
    }
    length += snprintf(text + length, sizeof(text) - (size_t)length, "}\n");
    return lcal__file_append(path, text, (size_t)length, err);
}

/* The step of a row; false where the line is none. */
static bool row_step(const char *line, size_t length, uint64_t *step)
{
    json_t *row = NULL;
    if (lcal__json_parse(line, length, "row", &row, NULL) != LCAL_OK)
        return false;
    const json_t *value = json_object_get(row, "step");
    bool valid = json_is_integer(value) && json_integer_value(value) >= 0;
    if (valid)
        *step = (uint64_t)json_integer_value(value);
    json_decref(row);
    return valid;
}

/* How many bytes of `text` are rows up to `step`; rows are in order of step. */
static lcal_status kept_bytes(const char *path, const char *text, size_t size, uint64_t step,
                              size_t *kept, lcal_error *err)
{
    size_t number = 1;
    for (*kept = 0; *kept < size; number++) {
        const char *line = text + *kept;
        const char *end = memchr(line, '\n', size - *kept);
        uint64_t at;
        if (!end)
            return LCAL_OK; /* rows are appended whole, with their newline: this one is not */
        if (!row_step(line, (size_t)(end - line), &at)) {
            if (end + 1 == text + size)
                return LCAL_OK;
            return lcal__fail(err, LCAL_FORMAT, "%s: line %zu: expected an object with a step",
                              path, number);
        }
        if (at > step)
            return LCAL_OK;
        *kept += (size_t)(end - line) + 1;
    }
    return LCAL_OK;
}

lcal_status lcal__metrics_truncate(const char *path, uint64_t step, lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size, kept;
    if (!lcal__path_is_file(path))
        return LCAL_OK;
    LCAL_TRY(lcal__file_read(path, FILE_MAX, &text, &size, err));
    lcal_status status = kept_bytes(path, (const char *)text, size, step, &kept, err);
    if (status == LCAL_OK && kept < size)
        status = lcal__file_replace(path, text, kept, err);
    lcal__free(text);
    return status;
}
