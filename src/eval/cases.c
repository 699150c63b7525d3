#include "eval/cases.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "data/record.h"
#include "format/json.h"
#include "format/lines.h"

typedef struct reader {
    lcal__cases *cases;
    const char *source;
    lcal__lines *lines;
    lcal__strbuf place; /* "SOURCE:LINE" */
    lcal__record record;
    lcal_error *err;
} reader;

static void free_case(lcal__case *c)
{
    for (size_t i = 0; i < c->message_count; i++)
        lcal__free((char *)c->messages[i].text);
    for (size_t i = 0; i < c->reference_count; i++)
        lcal__free(c->references[i]);
    lcal__free(c->messages);
    lcal__free(c->references);
    json_decref(c->row);
}

void lcal__cases_free(lcal__cases *cases)
{
    for (size_t i = 0; i < cases->count; i++)
        free_case(&cases->items[i]);
    lcal__free(cases->items);
    *cases = (lcal__cases){0};
}

/* The roles of a record are static. */
static const char *static_role(const char *role)
{
    return strcmp(role, "system") == 0 ? "system"
           : strcmp(role, "user") == 0 ? "user"
                                       : "assistant";
}

static lcal_status take_question(reader *r, lcal__case *c)
{
    LCAL_TRY(lcal__record_read_question(c->row, r->place.text, &r->record, r->err));
    c->messages = lcal__calloc(r->record.count, sizeof(*c->messages));
    if (!c->messages)
        return lcal__fail_nomem(r->err, r->place.text);
    for (size_t i = 0; i < r->record.count; i++) {
        const lcal__message *message = &r->record.messages[i];
        char *text = lcal__strndup(message->text, message->length);
        if (!text)
            return lcal__fail_nomem(r->err, r->place.text);
        c->messages[c->message_count++] = (lcal_message){static_role(message->role), text};
    }
    return LCAL_OK;
}

static lcal_status add_reference(reader *r, lcal__case *c, const char *text, size_t length)
{
    char *copy = lcal__strndup(text, length);
    if (!copy)
        return lcal__fail_nomem(r->err, r->place.text);
    c->references[c->reference_count++] = copy;
    return LCAL_OK;
}

static lcal_status take_list(reader *r, lcal__case *c, const json_t *list)
{
    const size_t count = json_array_size(list);
    if (count == 0)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key completions: expected a list of at least one string, found %s",
                          r->place.text,
                          json_is_array(list) ? "an empty one" : lcal__json_type(list));
    c->references = lcal__calloc(count, sizeof(*c->references));
    if (!c->references)
        return lcal__fail_nomem(r->err, r->place.text);
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(list, i);
        if (!json_is_string(text))
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s: key completions[%zu]: expected a string, found %s",
                              r->place.text, i, lcal__json_type(text));
        LCAL_TRY(add_reference(r, c, json_string_value(text), json_string_length(text)));
    }
    return LCAL_OK;
}

static lcal_status take_references(reader *r, lcal__case *c)
{
    const json_t *list = json_object_get(c->row, "completions");
    if (list && !json_is_null(list))
        return take_list(r, c, list);
    LCAL_TRY(lcal__record_read(c->row, r->place.text, "", &r->record, r->err));
    const lcal__message *answer = &r->record.messages[r->record.count - 1];
    c->references = lcal__calloc(1, sizeof(*c->references));
    if (!c->references)
        return lcal__fail_nomem(r->err, r->place.text);
    return add_reference(r, c, answer->text, answer->length);
}

static lcal_status read_case(reader *r, const char *text, size_t length)
{
    lcal__cases *cases = r->cases;
    lcal__strbuf_clear(&r->place);
    lcal__strbuf_printf(&r->place, "%s:%zu", r->source, lcal__lines_number(r->lines));
    if (r->place.failed
        || !lcal__grow((void **)&cases->items, &cases->capacity, cases->count + 1,
                       sizeof(*cases->items)))
        return lcal__fail_nomem(r->err, r->source);
    lcal__case *c = &cases->items[cases->count];
    *c = (lcal__case){.line = lcal__lines_number(r->lines)};
    LCAL_TRY(lcal__json_parse_object(text, length, r->place.text, &c->row, r->err));
    cases->count++;
    LCAL_TRY(take_question(r, c));
    return take_references(r, c);
}

static bool is_blank(const char *text, size_t length)
{
    return strspn(text, " \t\r\v\f") == length;
}

static lcal_status read_all(reader *r, size_t limit)
{
    const char *text;
    size_t length;
    while (!limit || r->cases->count < limit) {
        LCAL_TRY(lcal__lines_next(r->lines, &text, &length, r->err));
        if (!text)
            break;
        if (!is_blank(text, length))
            LCAL_TRY(read_case(r, text, length));
    }
    if (r->cases->count)
        return LCAL_OK;
    return lcal__fail(r->err, LCAL_FORMAT, "%s: expected an example a line, found none", r->source);
}

lcal_status lcal__cases_parse(const void *bytes, size_t size, const char *source, size_t limit,
                              lcal__cases *out, lcal_error *err)
{
    lcal__cases cases = {0};
    reader r = {.cases = &cases, .source = source, .err = err};
    lcal_status status = lcal__lines_open(bytes, size, source, &r.lines, err);
    if (status == LCAL_OK)
        status = read_all(&r, limit);
    lcal__lines_close(&r.lines);
    lcal__strbuf_free(&r.place);
    lcal__record_free(&r.record);
    if (status == LCAL_OK)
        *out = cases;
    else
        lcal__cases_free(&cases);
    return status;
}

lcal_status lcal__cases_read(const char *path, size_t limit, lcal__cases *out, lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__cases_parse(map.data, map.size, path, limit, out, err);
    lcal__map_close(&map);
    return status;
}

const char *lcal__case_question(const lcal__case *item)
{
    return item->messages[item->message_count - 1].text;
}

lcal_status lcal__case_string(const lcal__case *item, const char *source, const char *key,
                              const char **out, lcal_error *err)
{
    const json_t *value = json_object_get(item->row, key);
    *out = NULL;
    if (!value || json_is_null(value))
        return LCAL_OK;
    *out = json_string_value(value);
    if (*out)
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT, "%s:%zu: key %s: expected a string, found %s", source,
                      item->line, key, lcal__json_type(value));
}
