#include "format/json.h"

#include "base/file.h"
#include "base/mem.h"

/* Beyond any real tokenizer.json or index; what is larger is not meant for us. */
#define LCAL_JSON_FILE_MAX ((size_t)256 << 20)

static lcal_status parse(const char *text, size_t size, const char *source, size_t more_flags,
                         json_t **out, lcal_error *err)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | more_flags;
    json_error_t place;
    json_t *value = json_loadb(text, size, flags, &place);
    if (!value) {
        if (json_error_code(&place) == json_error_out_of_memory)
            return lcal__fail_nomem(err, source);
        return lcal__fail(err, LCAL_FORMAT, "%s: line %d column %d: not valid JSON: %s", source,
                          place.line, place.column, place.text);
    }
    *out = value;
    return LCAL_OK;
}

lcal_status lcal__json_parse(const char *text, size_t size, const char *source, json_t **out,
                             lcal_error *err)
{
    return parse(text, size, source, 0, out, err);
}

static lcal_status parse_object(const char *text, size_t size, const char *source,
                                size_t more_flags, json_t **out, lcal_error *err)
{
    json_t *value = NULL;
    LCAL_TRY(parse(text, size, source, more_flags, &value, err));
    if (!json_is_object(value)) {
        lcal_status status = lcal__fail(err, LCAL_FORMAT, "%s: expected a JSON object, found %s",
                                        source, lcal__json_type(value));
        json_decref(value);
        return status;
    }
    *out = value;
    return LCAL_OK;
}

lcal_status lcal__json_parse_object(const char *text, size_t size, const char *source, json_t **out,
                                    lcal_error *err)
{
    return parse_object(text, size, source, 0, out, err);
}

static lcal_status read_object(const char *path, size_t more_flags, json_t **out, lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size;
    LCAL_TRY(lcal__file_read(path, LCAL_JSON_FILE_MAX, &text, &size, err));
    lcal_status status = parse_object((const char *)text, size, path, more_flags, out, err);
    lcal__free(text);
    return status;
}

lcal_status lcal__json_read_object(const char *path, json_t **out, lcal_error *err)
{
    return read_object(path, 0, out, err);
}

lcal_status lcal__json_read_object_reals(const char *path, json_t **out, lcal_error *err)
{
    return read_object(path, JSON_DECODE_INT_AS_REAL, out, err);
}

static lcal_status dump(const json_t *value, size_t flags, const char *end, lcal__strbuf *out,
                        lcal_error *err)
{
    char *dumped = json_dumps(value, flags);
    if (!dumped)
        return lcal__fail_nomem(err, "JSON text");
    lcal__strbuf_add(out, dumped);
    lcal__strbuf_add(out, end);
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    release(dumped);
    return out->failed ? lcal__fail_nomem(err, "JSON text") : LCAL_OK;
}

lcal_status lcal__json_append(const json_t *value, lcal__strbuf *out, lcal_error *err)
{
    return dump(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17), "", out, err);
}

lcal_status lcal__json_write(const json_t *value, char **text, lcal_error *err)
{
    lcal__strbuf out = {0};
    lcal_status status = dump(value, JSON_INDENT(2) | JSON_SORT_KEYS, "\n", &out, err);
    if (status == LCAL_OK)
        return lcal__strbuf_take(&out, text, err);
    lcal__strbuf_free(&out);
    return status;
}

const char *lcal__json_type(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "nothing";
}

/* The member, or NULL where it is absent or null: both mean "not given". */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static lcal_status wrong_type(const char *source, const char *key, const char *expected,
                              const json_t *found, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: key %s: expected %s, found %s", source, key, expected,
                      lcal__json_type(found));
}

lcal_status lcal__json_size(const json_t *object, const char *source, const char *key, size_t min,
                            size_t max, size_t *out, lcal_error *err)
{
    const json_t *value = member(object, key);
    if (!value)
        return LCAL_OK;
    if (!json_is_integer(value))
        return wrong_type(source, key, "an integer", value, err);
    json_int_t number = json_integer_value(value);
    if (number < 0 || (uint64_t)number < min || (uint64_t)number > max)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: key %s: expected an integer from %zu to %zu, found %lld", source,
                          key, min, max, (long long)number);
    *out = (size_t)number;
    return LCAL_OK;
}

lcal_status lcal__json_real(const json_t *object, const char *source, const char *key, double *out,
                            lcal_error *err)
{
    const json_t *value = member(object, key);
    if (!value)
        return LCAL_OK;
    if (!json_is_number(value))
        return wrong_type(source, key, "a number", value, err);
    *out = json_number_value(value);
    return LCAL_OK;
}

lcal_status lcal__json_bool(const json_t *object, const char *source, const char *key, bool *out,
                            lcal_error *err)
{
    const json_t *value = member(object, key);
    if (!value)
        return LCAL_OK;
    if (!json_is_boolean(value))
        return wrong_type(source, key, "a boolean", value, err);
    *out = json_is_true(value);
    return LCAL_OK;
}

lcal_status lcal__json_string(const json_t *object, const char *source, const char *key,
                              const char **out, lcal_error *err)
{
    const json_t *value = member(object, key);
    if (!value)
        return LCAL_OK;
    if (!json_is_string(value))
        return wrong_type(source, key, "a string", value, err);
    *out = json_string_value(value);
    return LCAL_OK;
}
