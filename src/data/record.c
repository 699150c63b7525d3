#include "data/record.h"

#include <string.h>

#include "base/mem.h"
#include "format/json.h"

/* What one call carries along. */
typedef struct reader {
    const json_t *object;
    const char *place;
    bool question; /* what is to be answered, not what is learnt */
    lcal__record *record;
    lcal_error *err;
} reader;

typedef lcal_status read_fn(const reader *r);
static read_fn read_pretokenised, read_prompt, read_messages, read_alpaca, read_sharegpt;

static const struct form {
    const char *keys[3];
    read_fn *read;
} forms[] = {
    {{"input_ids", "labels"}, read_pretokenised},
    {{"prompt", "completion"}, read_prompt},
    {{"messages"}, read_messages},
    {{"instruction", "input", "output"}, read_alpaca},
    {{"conversations"}, read_sharegpt},
};
#define FORMS (sizeof(forms) / sizeof(*forms))

#define EXPECTED_FORMS                                                                             \
    "{\"prompt\", \"completion\"}, {\"messages\"}, {\"instruction\", \"input\", \"output\"}, "     \
    "{\"conversations\"} or {\"input_ids\", \"labels\"}"

/* The member, or NULL where it is absent or null. */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* --- messages --------------------------------------------------------------------------- */

static lcal_status add_message(const reader *r, const char *role, const char *text, size_t length)
{
    lcal__record *record = r->record;
    if (!lcal__grow((void **)&record->messages, &record->capacity, record->count + 1,
                    sizeof(*record->messages)))
        return lcal__fail_nomem(r->err, r->place);
    record->messages[record->count++] = (lcal__message){role, text, length};
    return LCAL_OK;
}

static lcal_status check_text(const reader *r, const char *key, const json_t *value)
{
    if (json_is_string(value))
        return LCAL_OK;
    return lcal__fail(r->err, LCAL_FORMAT, "%s: key %s: expected a string, found %s", r->place, key,
                      lcal__json_type(value));
}

static lcal_status add_member(const reader *r, const char *role, const char *key)
{
    const json_t *value = json_object_get(r->object, key);
    LCAL_TRY(check_text(r, key, value));
    return add_message(r, role, json_string_value(value), json_string_length(value));
}

static lcal_status add_answer(const reader *r, const char *key)
{
    return r->question ? LCAL_OK : add_member(r, "assistant", key);
}

/* How a form of lists of messages spells them. */
typedef struct spelling {
    const char *list, *role, *text; /* keys */
    const char *expected;           /* roles, for messages */
    struct {
        const char *word, *role;
    } roles[8];
} spelling;

static const char *find_role(const spelling *s, const char *word)
{
    for (size_t i = 0; s->roles[i].word; i++)
        if (strcmp(s->roles[i].word, word) == 0)
            return s->roles[i].role;
    return NULL;
}

static lcal_status add_item(const reader *r, const spelling *s, const json_t *item, size_t index)
{
    if (!json_is_object(item))
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key %s[%zu]: expected an object {\"%s\", \"%s\"}, found %s",
                          r->place, s->list, index, s->role, s->text, lcal__json_type(item));
    const json_t *role_value = json_object_get(item, s->role);
    const json_t *text = json_object_get(item, s->text);
    const char *word = json_string_value(role_value);
    const char *role = word ? find_role(s, word) : NULL;
    if (!word)
        return lcal__fail(r->err, LCAL_FORMAT, "%s: key %s[%zu].%s: expected %s, found %s",
                          r->place, s->list, index, s->role, s->expected,
                          lcal__json_type(role_value));
    if (!role)
        return lcal__fail(r->err, LCAL_FORMAT, "%s: key %s[%zu].%s: expected %s, found \"%.64s\"",
                          r->place, s->list, index, s->role, s->expected, word);
    if (!json_is_string(text))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: key %s[%zu].%s: expected a string, found %s",
                          r->place, s->list, index, s->text, lcal__json_type(text));
    if (json_array_size(member(item, "tool_calls")) > 0)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key %s[%zu].tool_calls: calls of tools cannot be learnt from; write "
                          "them as text",
                          r->place, s->list, index);
    return add_message(r, role, json_string_value(text), json_string_length(text));
}

/* What is said last: the answer that is learnt, or no answer. `key`: of the list. */
static lcal_status check_last(const reader *r, const spelling *s)
{
    lcal__record *record = r->record;
    const size_t given = record->count;
    if (r->question) {
        while (record->count && strcmp(record->messages[record->count - 1].role, "assistant") == 0)
            record->count--;
        if (record->count)
            return LCAL_OK;
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key %s: expected a message to answer, found the assistant's alone",
                          r->place, s->list);
    }
    const char *last = record->messages[given - 1].role;
    if (strcmp(last, "assistant") == 0)
        return LCAL_OK;
    return lcal__fail(r->err, LCAL_FORMAT,
                      "%s: key %s[%zu].%s: expected the assistant, whose answer is learnt, to come "
                      "last, found the %s",
                      r->place, s->list, given - 1, s->role, last);
}

static lcal_status read_list(const reader *r, const spelling *s)
{
    const json_t *list = json_object_get(r->object, s->list);
    size_t index;
    const json_t *item;
    if (json_array_size(list) == 0)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key %s: expected a list of at least one message, found %s", r->place,
                          s->list, json_is_array(list) ? "an empty one" : lcal__json_type(list));
    json_array_foreach(list, index, item) LCAL_TRY(add_item(r, s, item, index));
    return check_last(r, s);
}

/* Puts the message of a configuration in front unless the example has its own. */
static lcal_status put_system(const reader *r, const char *system)
{
    lcal__record *record = r->record;
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->messages[i].role, "system") == 0)
            return LCAL_OK;
    LCAL_TRY(add_message(r, "system", system, strlen(system)));
    const lcal__message message = record->messages[record->count - 1];
    memmove(record->messages + 1, record->messages,
            (record->count - 1) * sizeof(*record->messages));
    record->messages[0] = message;
    return LCAL_OK;
}

/* --- the forms -------------------------------------------------------------------------- */

static lcal_status read_pretokenised(const reader *r)
{
    const json_t *ids = json_object_get(r->object, "input_ids");
    const json_t *labels = member(r->object, "labels");
    if (r->question)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: expected text to answer, found token ids; give prompt or messages",
                          r->place);
    if (json_array_size(ids) == 0)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key input_ids: expected a list of at least one integer, found %s",
                          r->place, json_is_array(ids) ? "an empty one" : lcal__json_type(ids));
    if (labels && !json_is_array(labels))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: key labels: expected a list, found %s",
                          r->place, lcal__json_type(labels));
    if (labels && json_array_size(labels) != json_array_size(ids))
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key labels: expected %zu items, as many as input_ids, found %zu",
                          r->place, json_array_size(ids), json_array_size(labels));
    r->record->input_ids = ids;
    r->record->labels = labels;
    return LCAL_OK;
}

static lcal_status read_prompt(const reader *r)
{
    LCAL_TRY(add_member(r, "user", "prompt"));
    return add_answer(r, "completion");
}

static lcal_status read_messages(const reader *r)
{
    static const spelling s = {
        "messages",
        "role",
        "content",
        "system, user or assistant",
        {{"system", "system"}, {"user", "user"}, {"assistant", "assistant"}, {0}}};
    return read_list(r, &s);
}

static lcal_status read_sharegpt(const reader *r)
{
    static const spelling s = {"conversations",
                               "from",
                               "value",
                               "system, human, user, gpt or assistant",
                               {{"system", "system"},
                                {"human", "user"},
                                {"user", "user"},
                                {"gpt", "assistant"},
                                {"assistant", "assistant"},
                                {0}}};
    return read_list(r, &s);
}

static lcal_status read_alpaca(const reader *r)
{
    const json_t *instruction = json_object_get(r->object, "instruction");
    const json_t *input = member(r->object, "input");
    lcal__strbuf *joined = &r->record->joined;
    if (json_string_length(input) == 0 && (!input || json_is_string(input))) {
        LCAL_TRY(add_member(r, "user", "instruction"));
    } else {
        LCAL_TRY(check_text(r, "instruction", instruction));
        LCAL_TRY(check_text(r, "input", input));
        lcal__strbuf_add_bytes(joined, json_string_value(instruction),
                               json_string_length(instruction));
        lcal__strbuf_add(joined, "\n\n");
        lcal__strbuf_add_bytes(joined, json_string_value(input), json_string_length(input));
        if (joined->failed)
            return lcal__fail_nomem(r->err, r->place);
        LCAL_TRY(add_message(r, "user", joined->text, joined->length));
    }
    return add_answer(r, "output");
}

/* --- which form ------------------------------------------------------------------------- */

/* A key of the form that the object has, or NULL. */
static const char *present(const reader *r, const struct form *form)
{
    for (size_t i = 0; i < 3 && form->keys[i]; i++)
        if (member(r->object, form->keys[i]))
            return form->keys[i];
    return NULL;
}

static lcal_status find_form(const reader *r, const struct form **out)
{
    const char *key = NULL;
    *out = NULL;
    for (size_t i = 0; i < FORMS; i++) {
        const char *other = present(r, &forms[i]);
        if (other && *out)
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s: keys %s and %s belong to two forms of examples: expected one of "
                              "%s",
                              r->place, key, other, EXPECTED_FORMS);
        if (other) {
            *out = &forms[i];
            key = other;
        }
    }
    if (*out)
        return LCAL_OK;
    const bool text = json_object_get(r->object, "text") != NULL;
    return lcal__fail(r->err, LCAL_FORMAT,
                      "%s: expected an example as %s, found none of these "
                      "keys%s",
                      r->place, EXPECTED_FORMS,
                      text ? "; plain text is {\"prompt\": \"\", \"completion\": TEXT} with "
                             "template raw"
                           : "");
}

/* Known keys of other tools that say more than is read here: ignoring them would learn, or answer,
 * something else than meant. */
static lcal_status refuse_others(const reader *r)
{
    static const struct {
        const char *key, *advice;
    } others[] = {
        {"system", "give messages, the first with role system"},
        {"history", "give the whole conversation as messages"},
        {"tools", "tools are not supported"},
        {"functions", "tools are not supported"},
        {"images", "images are not supported"},
        {"chosen", "pairs of preferences are not supported"},
        {"rejected", "pairs of preferences are not supported"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        const json_t *value = member(r->object, others[i].key);
        const bool empty = (json_is_string(value) && json_string_length(value) == 0)
                           || (json_is_array(value) && json_array_size(value) == 0);
        if (value && !empty)
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s: key %s: not read here: %s or leave the key out", r->place,
                              others[i].key, others[i].advice);
    }
    return LCAL_OK;
}

static lcal_status read_record(const reader *r)
{
    const struct form *form;
    lcal__record *out = r->record;
    out->count = 0;
    out->input_ids = out->labels = NULL;
    lcal__strbuf_clear(&out->joined);
    if (!json_is_object(r->object))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: expected a JSON object, found %s", r->place,
                          lcal__json_type(r->object));
    LCAL_TRY(find_form(r, &form));
    out->key = form->keys[0];
    LCAL_TRY(form->read(r));
    return out->input_ids ? LCAL_OK : refuse_others(r);
}

lcal_status lcal__record_read(const json_t *object, const char *place, const char *system,
                              lcal__record *out, lcal_error *err)
{
    const reader r = {.object = object, .place = place, .record = out, .err = err};
    LCAL_TRY(read_record(&r));
    return *system && !out->input_ids ? put_system(&r, system) : LCAL_OK;
}

lcal_status lcal__record_read_question(const json_t *object, const char *place, lcal__record *out,
                                       lcal_error *err)
{
    const reader r = {
        .object = object, .place = place, .question = true, .record = out, .err = err};
    return read_record(&r);
}

void lcal__record_free(lcal__record *record)
{
    lcal__free(record->messages);
    lcal__strbuf_free(&record->joined);
    *record = (lcal__record){0};
}
