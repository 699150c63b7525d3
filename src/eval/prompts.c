/* Files of prompts: lines of text, or JSON objects. */
#include "lcal/prompts.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/record.h"
#include "format/json.h"
#include "format/lines.h"

struct lcal_prompts {
    lcal_prompt *items;     /* [count] */
    lcal_message *messages; /* [message_count], of all items in order */
    char **texts;           /* [message_count], what the messages point to */
    size_t count, message_count;
    size_t item_capacity, message_capacity, text_capacity;
};

typedef struct reader {
    lcal_prompts *prompts;
    lcal__lines *lines;
    const char *source;
    lcal__strbuf place; /* "SOURCE:LINE" */
    bool json;          /* lines are JSON objects */
    lcal__record record;
    lcal_error *err;
} reader;

static lcal_status fail(const reader *r, const char *expected, const char *found)
{
    return lcal__fail(r->err, LCAL_FORMAT, "%s: expected %s, found %s", r->place.text, expected,
                      found);
}

/* role is static. */
static lcal_status add_message(reader *r, const char *role, const char *text)
{
    lcal_prompts *p = r->prompts;
    if (!lcal__grow((void **)&p->messages, &p->message_capacity, p->message_count + 1,
                    sizeof(*p->messages))
        || !lcal__grow((void **)&p->texts, &p->text_capacity, p->message_count + 1,
                       sizeof(*p->texts)))
        return lcal__fail_nomem(r->err, r->source);
    char *copy = p->texts[p->message_count] = lcal__strdup(text);
    if (!copy)
        return lcal__fail_nomem(r->err, r->source);
    p->messages[p->message_count++] = (lcal_message){role, copy};
    return LCAL_OK;
}

static lcal_status add_text(reader *r, const char *text, size_t length)
{
    if (!lcal__utf8_all(text, length))
        return fail(r, "text in UTF-8", "other bytes; convert the file, with iconv for one");
    if (memchr(text, '\0', length))
        return fail(r, "text", "a zero byte");
    return add_message(r, "user", text);
}

static lcal_status add_json(reader *r, const char *text, size_t length)
{
    json_t *object = NULL;
    LCAL_TRY(lcal__json_parse_object(text, length, r->place.text, &object, r->err));
    lcal_status status = lcal__record_read_question(object, r->place.text, &r->record, r->err);
    for (size_t i = 0; i < r->record.count && status == LCAL_OK; i++)
        status = add_message(r, r->record.messages[i].role, r->record.messages[i].text);
    json_decref(object);
    return status;
}

/* '{' and then '"' or '}': text hardly begins so. */
static bool looks_like_json(const char *text)
{
    static const char space[] = " \t\r\n";
    text += strspn(text, space);
    if (*text != '{')
        return false;
    text++;
    text += strspn(text, space);
    return *text == '"' || *text == '}';
}

static bool is_blank(const char *text, size_t length)
{
    return strspn(text, " \t\r\v\f") == length;
}

static lcal_status add_prompt(reader *r, const char *text, size_t length)
{
    lcal_prompts *p = r->prompts;
    const size_t before = p->message_count;
    lcal__strbuf_clear(&r->place);
    lcal__strbuf_printf(&r->place, "%s:%zu", r->source, lcal__lines_number(r->lines));
    if (r->place.failed)
        return lcal__fail_nomem(r->err, r->source);
    if (p->count == 0)
        r->json = looks_like_json(text);
    LCAL_TRY(r->json ? add_json(r, text, length) : add_text(r, text, length));
    if (!lcal__grow((void **)&p->items, &p->item_capacity, p->count + 1, sizeof(*p->items)))
        return lcal__fail_nomem(r->err, r->source);
    p->items[p->count++] = (lcal_prompt){NULL, p->message_count - before};
    return LCAL_OK;
}

static lcal_status read_all(reader *r)
{
    const char *text;
    size_t length;
    for (;;) {
        LCAL_TRY(lcal__lines_next(r->lines, &text, &length, r->err));
        if (!text)
            break;
        if (!is_blank(text, length))
            LCAL_TRY(add_prompt(r, text, length));
    }
    lcal_prompts *p = r->prompts;
    if (p->count == 0)
        return lcal__fail(r->err, LCAL_FORMAT, "%s: expected a prompt a line, found none",
                          r->source);
    const lcal_message *next = p->messages; /* they do not move any more */
    for (size_t i = 0; i < p->count; next += p->items[i++].count)
        p->items[i].messages = next;
    return LCAL_OK;
}

lcal_status lcal_prompts_parse(const void *bytes, size_t size, const char *source,
                               lcal_prompts **out, lcal_error *err)
{
    if ((!bytes && size) || !source || !out)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_prompts_parse: bytes, source and out must be given");
    reader r = {.source = source, .err = err};
    r.prompts = lcal__calloc(1, sizeof(*r.prompts));
    if (!r.prompts)
        return lcal__fail_nomem(err, source);
    lcal_status status = lcal__lines_open(bytes, size, source, &r.lines, err);
    if (status == LCAL_OK)
        status = read_all(&r);
    lcal__lines_close(&r.lines);
    lcal__strbuf_free(&r.place);
    lcal__record_free(&r.record);
    if (status == LCAL_OK)
        *out = r.prompts;
    else
        lcal_prompts_close(&r.prompts);
    return status;
}

lcal_status lcal_prompts_open(const char *path, lcal_prompts **out, lcal_error *err)
{
    lcal__map map = {0};
    if (!path || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_prompts_open: path and out must be given");
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal_prompts_parse(map.data, map.size, path, out, err);
    lcal__map_close(&map);
    return status;
}

void lcal_prompts_close(lcal_prompts **prompts)
{
    lcal_prompts *p = prompts ? *prompts : NULL;
    if (!p)
        return;
    for (size_t i = 0; i < p->message_count; i++)
        lcal__free(p->texts[i]);
    lcal__free(p->texts);
    lcal__free(p->messages);
    lcal__free(p->items);
    lcal__free(p);
    *prompts = NULL;
}

const lcal_prompt *lcal_prompts_items(const lcal_prompts *prompts, size_t *count)
{
    *count = prompts->count;
    return prompts->items;
}
