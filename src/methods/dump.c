/* Answers as JSON lines: to be looked at with their scores, or to be judged without. */
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "config/number.h"
#include "format/json.h"
#include "methods/report.h"

/* Members that a line says in its own way; all others are copied from the example. */
static bool is_ours(const char *key)
{
    static const char *const ours[] = {
        "id",          "prompt",    "completion", "completions",   "messages",
        "instruction", "input",     "output",     "conversations", "first",
        "tokens",      "finish",    "reference",  "references",    "scores",
        "verdicts",    "input_ids", "labels",     "main_prompt",   "aux_prompt",
    };
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(key, ours[i]) == 0)
            return true;
    return false;
}

static lcal_status add_others(const lcal__case *c, lcal__strbuf *out, lcal_error *err)
{
    const char *key;
    const json_t *value;
    json_object_foreach(c->row, key, value)
    {
        if (is_ours(key))
            continue;
        lcal__strbuf_add(out, ",");
        lcal__strbuf_add_json(out, key);
        lcal__strbuf_add(out, ":");
        LCAL_TRY(lcal__json_append(value, out, err));
    }
    return LCAL_OK;
}

static void add_member(const char *key, const char *text, lcal__strbuf *out)
{
    lcal__strbuf_printf(out, ",\"%s\":", key);
    lcal__strbuf_add_json(out, text);
}

/* Up to the brace that ends the line. */
static lcal_status add_answer(const lcal__job *job, const lcal__kept *kept, size_t id,
                              lcal__strbuf *out, lcal_error *err)
{
    const lcal__case *c = &job->test.items[id];
    lcal__strbuf_printf(out, "{\"id\":%zu", id);
    LCAL_TRY(add_others(c, out, err));
    add_member("prompt", lcal__case_question(c), out);
    add_member("reference", c->references[0], out);
    if (c->reference_count > 1) {
        lcal__strbuf_add(out, ",\"references\":[");
        for (size_t i = 0; i < c->reference_count; i++) {
            lcal__strbuf_add(out, i ? "," : "");
            lcal__strbuf_add_json(out, c->references[i]);
        }
        lcal__strbuf_add(out, "]");
    }
    add_member("output", kept->items[id].text, out);
    return LCAL_OK;
}

static void add_number(const char *before, const char *key, double value, lcal__strbuf *out)
{
    char number[LCAL__NUMBER_TEXT_MAX];
    lcal__number_print(value, number);
    lcal__strbuf_add(out, before);
    lcal__strbuf_add_json(out, key);
    lcal__strbuf_printf(out, ":%s", number);
}

static void add_scores(const lcal__scored *s, size_t id, lcal__strbuf *out)
{
    const lcal__verdicts *v = &s->verdicts;
    const lcal__kept_answer *answer = &s->kept->items[id];
    if (answer->first)
        add_member("first", answer->first, out);
    lcal__strbuf_printf(out, ",\"tokens\":%zu,\"finish\":\"%s\",\"scores\":{", answer->tokens,
                        lcal__finish_name(answer->finish));
    for (size_t i = 0; i < LCAL__SCORES; i++)
        add_number(i ? "," : "", lcal__score_name(i), s->scores[id * LCAL__SCORES + i], out);
    lcal__strbuf_add(out, "}");
    for (size_t i = 0; i < v->name_count; i++)
        add_number(i ? "," : ",\"verdicts\":{", v->names[i], v->values[id * v->name_count + i],
                   out);
    lcal__strbuf_add(out, v->name_count ? "}" : "");
}

/* scored: NULL for the answers alone. */
static lcal_status write_lines(const lcal__job *job, const lcal__kept *kept,
                               const lcal__scored *scored, const char *path, lcal_error *err)
{
    lcal__strbuf text = {0};
    lcal_status status = LCAL_OK;
    for (size_t i = 0; i < kept->count && status == LCAL_OK; i++) {
        status = add_answer(job, kept, i, &text, err);
        if (scored)
            add_scores(scored, i, &text);
        lcal__strbuf_add(&text, "}\n");
    }
    if (status == LCAL_OK)
        status = text.failed ? lcal__fail_nomem(err, path)
                             : lcal__file_replace(path, text.text, text.length, err);
    lcal__strbuf_free(&text);
    return status;
}

lcal_status lcal__scored_dump(const lcal__scored *scored, const char *path, lcal_error *err)
{
    return write_lines(scored->job, scored->kept, scored, path, err);
}

lcal_status lcal__judge_write(const lcal__job *job, const lcal__kept *kept, const char *path,
                              lcal_error *err)
{
    return write_lines(job, kept, NULL, path, err);
}
