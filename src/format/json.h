/* JSON from untrusted files: jansson, with duplicate keys refused and errors that name the place.
 */
#ifndef LCAL_FORMAT_JSON_H
#define LCAL_FORMAT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Parses text[0..size); `source` is what messages call it ("DIR/config.json"). Free with
 * json_decref. */
lcal_status lcal__json_parse(const char *text, size_t size, const char *source, json_t **out,
                             lcal_error *err);

/* The same for text whose root must be an object; then for a file of such text. */
lcal_status lcal__json_parse_object(const char *text, size_t size, const char *source, json_t **out,
                                    lcal_error *err);
lcal_status lcal__json_read_object(const char *path, json_t **out, lcal_error *err);

/* The same with every integer as a real: for tokenizer_config.json, whose model_max_length often
 * is 10^30. */
lcal_status lcal__json_read_object_reals(const char *path, json_t **out, lcal_error *err);

/*
 * Members of `object`. An absent or null key leaves *out untouched and is no error; a wrong type or
 * a value out of range is (LCAL_FORMAT, "SOURCE: key KEY: expected ..., found ...").
 * Strings stay owned by the object.
 */
lcal_status lcal__json_size(const json_t *object, const char *source, const char *key, size_t min,
                            size_t max, size_t *out, lcal_error *err);
lcal_status lcal__json_real(const json_t *object, const char *source, const char *key, double *out,
                            lcal_error *err);
lcal_status lcal__json_bool(const json_t *object, const char *source, const char *key, bool *out,
                            lcal_error *err);
lcal_status lcal__json_string(const json_t *object, const char *source, const char *key,
                              const char **out, lcal_error *err);

/* An object or list as indented lines with sorted keys and exact numbers; free with lcal__free. */
lcal_status lcal__json_write(const json_t *value, char **text, lcal_error *err);

/* Appends any value on one line, members in their order. */
lcal_status lcal__json_append(const json_t *value, lcal__strbuf *out, lcal_error *err);

/* "an integer", "a string", ... with its article, for messages. Static. */
const char *lcal__json_type(const json_t *value);

#endif
