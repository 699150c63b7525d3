#include "eval/verdicts.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "format/lines.h"

typedef struct reader {
    lcal__verdicts *verdicts;
    const char *source;
    lcal__lines *lines;
    lcal__strbuf place; /* "SOURCE:LINE" */
    bool *seen;         /* [verdicts->count] */
    size_t read;
    bool numbered; /* the lines have ids */
    lcal_error *err;
} reader;

void lcal__verdicts_free(lcal__verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->name_count; i++)
        lcal__free(verdicts->names[i]);
    lcal__free(verdicts->values);
    *verdicts = (lcal__verdicts){0};
}

static bool is_score(const char *key, const json_t *value)
{
    return strcmp(key, "id") != 0 && (json_is_boolean(value) || json_is_number(value));
}

static lcal_status take_names(reader *r, const json_t *object)
{
    lcal__verdicts *v = r->verdicts;
    const char *key;
    const json_t *value;
    size_t values;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!is_score(key, value))
            continue;
        if (v->name_count == LCAL__VERDICT_NAMES_MAX)
            return lcal__fail(r->err, LCAL_FORMAT, "%s: more than %d scores", r->place.text,
                              LCAL__VERDICT_NAMES_MAX);
        v->names[v->name_count] = lcal__strdup(key);
        if (!v->names[v->name_count])
            return lcal__fail_nomem(r->err, r->source);
        v->name_count++;
    }
    if (v->name_count == 0)
        return lcal__fail(
            r->err, LCAL_FORMAT,
            "%s: expected scores, members that are true, false or numbers, found none",
            r->place.text);
    r->numbered = json_object_get(object, "id") != NULL;
    if (lcal__size_mul(v->count, v->name_count, &values))
        v->values = lcal__calloc(values, sizeof(*v->values));
    return v->values ? LCAL_OK : lcal__fail_nomem(r->err, r->source);
}

/* The answer that a line speaks of. */
static lcal_status find_answer(reader *r, const json_t *object, size_t *out)
{
    const size_t count = r->verdicts->count;
    if (r->numbered != (json_object_get(object, "id") != NULL))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: expected %s as in the first line, found %s",
                          r->place.text, r->numbered ? "an \"id\"" : "no \"id\"",
                          r->numbered ? "none" : "one");
    *out = r->read;
    if (r->numbered) {
        *out = SIZE_MAX;
        LCAL_TRY(lcal__json_size(object, r->place.text, "id", 0, count - 1, out, r->err));
    }
    if (*out >= count)
        return lcal__fail(r->err, LCAL_FORMAT, "%s: expected %zu lines, one an answer, found more",
                          r->place.text, count);
    if (r->seen[*out])
        return lcal__fail(r->err, LCAL_FORMAT, "%s: id %zu is there twice", r->place.text, *out);
    r->seen[*out] = true;
    return LCAL_OK;
}

static lcal_status take_values(reader *r, const json_t *object, double *values)
{
    const lcal__verdicts *v = r->verdicts;
    for (size_t i = 0; i < v->name_count; i++) {
        const json_t *value = json_object_get(object, v->names[i]);
        if (!value || !is_score(v->names[i], value))
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s: key %s: expected true, false or a number, as in the first line, "
                              "found %s",
                              r->place.text, v->names[i], value ? lcal__json_type(value) : "none");
        values[i] =
            json_is_boolean(value) ? (json_is_true(value) ? 100.0 : 0.0) : json_number_value(value);
    }
    return LCAL_OK;
}

static lcal_status read_line(reader *r, const char *text, size_t length)
{
    json_t *object = NULL;
    size_t answer = 0;
    lcal__strbuf_clear(&r->place);
    lcal__strbuf_printf(&r->place, "%s:%zu", r->source, lcal__lines_number(r->lines));
    if (r->place.failed)
        return lcal__fail_nomem(r->err, r->source);
    LCAL_TRY(lcal__json_parse_object(text, length, r->place.text, &object, r->err));
    lcal_status status = r->read ? LCAL_OK : take_names(r, object);
    if (status == LCAL_OK)
        status = find_answer(r, object, &answer);
    if (status == LCAL_OK)
        status = take_values(r, object, r->verdicts->values + answer * r->verdicts->name_count);
    json_decref(object);
    r->read++;
    return status;
}

static lcal_status read_all(reader *r)
{
    const char *text;
    size_t length;
    for (;;) {
        LCAL_TRY(lcal__lines_next(r->lines, &text, &length, r->err));
        if (!text)
            break;
        if (strspn(text, " \t\r\v\f") != length)
            LCAL_TRY(read_line(r, text, length));
    }
    if (r->read == r->verdicts->count)
        return LCAL_OK;
    return lcal__fail(r->err, LCAL_FORMAT, "%s: expected %zu lines, one an answer, found %zu",
                      r->source, r->verdicts->count, r->read);
}

lcal_status lcal__verdicts_parse(const void *bytes, size_t size, const char *source, size_t count,
                                 lcal__verdicts *out, lcal_error *err)
{
    lcal__verdicts verdicts = {.count = count};
    reader r = {.verdicts = &verdicts, .source = source, .err = err};
    r.seen = lcal__calloc(count, sizeof(*r.seen));
    lcal_status status = r.seen ? lcal__lines_open(bytes, size, source, &r.lines, err)
                                : lcal__fail_nomem(err, source);
    if (status == LCAL_OK)
        status = read_all(&r);
    lcal__lines_close(&r.lines);
    lcal__strbuf_free(&r.place);
    lcal__free(r.seen);
    if (status == LCAL_OK)
        *out = verdicts;
    else
        lcal__verdicts_free(&verdicts);
    return status;
}

lcal_status lcal__verdicts_read(const char *path, size_t count, lcal__verdicts *out,
                                lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__verdicts_parse(map.data, map.size, path, count, out, err);
    lcal__map_close(&map);
    return status;
}
