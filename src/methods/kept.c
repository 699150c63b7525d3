#include "methods/kept.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "format/lines.h"

static const char *const finishes[] = {[LCAL_FINISH_NOT] = "not",
                                       [LCAL_FINISH_END] = "end",
                                       [LCAL_FINISH_STOP] = "stop",
                                       [LCAL_FINISH_LENGTH] = "length"};
#define FINISHES (sizeof(finishes) / sizeof(finishes[0]))

const char *lcal__finish_name(lcal_finish finish)
{
    return finishes[finish];
}

void lcal__kept_cut(lcal__kept *kept, size_t count)
{
    while (kept->count > count) {
        lcal__kept_answer *answer = &kept->items[--kept->count];
        lcal__free(answer->text);
        lcal__free(answer->first);
    }
}

void lcal__kept_free(lcal__kept *kept)
{
    lcal__kept_cut(kept, 0);
    lcal__free(kept->items);
    *kept = (lcal__kept){0};
}

lcal_status lcal__kept_add(lcal__kept *kept, const lcal__kept_answer *answer, lcal_error *err)
{
    if (!lcal__grow((void **)&kept->items, &kept->capacity, kept->count + 1, sizeof(*kept->items)))
        return lcal__fail_nomem(err, "the answers");
    lcal__kept_answer copy = *answer;
    copy.text = lcal__strdup(answer->text);
    copy.first = answer->first ? lcal__strdup(answer->first) : NULL;
    if (copy.text && (copy.first || !answer->first)) {
        kept->items[kept->count++] = copy;
        return LCAL_OK;
    }
    lcal__free(copy.text);
    lcal__free(copy.first);
    return lcal__fail_nomem(err, "the answers");
}

/* --- reading ---------------------------------------------------------------------------- */

static bool read_header(const json_t *line, const char *identity, lcal__kept *kept)
{
    const char *found = json_string_value(json_object_get(line, "identity"));
    if (!found || strcmp(found, identity) != 0)
        return false;
    kept->prepare_seconds = json_number_value(json_object_get(line, "prepare_seconds"));
    kept->answer_seconds = json_number_value(json_object_get(line, "answer_seconds"));
    return true;
}

static bool find_finish(const char *name, lcal_finish *out)
{
    for (size_t i = 0; name && i < FINISHES; i++)
        if (strcmp(name, finishes[i]) == 0) {
            *out = (lcal_finish)i;
            return true;
        }
    return false;
}

/* False: no answer, whatever else it is. */
static bool read_answer(const json_t *line, lcal__kept_answer *out)
{
    const char *prompt = json_string_value(json_object_get(line, "prompt"));
    const json_t *tokens = json_object_get(line, "tokens");
    *out = (lcal__kept_answer){
        .text = (char *)json_string_value(json_object_get(line, "output")),
        .first = (char *)json_string_value(json_object_get(line, "first")),
    };
    if (!out->text || !prompt || strlen(prompt) >= sizeof(out->prompt) || !json_is_integer(tokens)
        || json_integer_value(tokens) < 0
        || !find_finish(json_string_value(json_object_get(line, "finish")), &out->finish))
        return false;
    out->tokens = (size_t)json_integer_value(tokens);
    memcpy(out->prompt, prompt, strlen(prompt) + 1);
    return true;
}

/* *sound: go on with the next line. Only memory is a failure. */
static lcal_status read_line(const char *text, size_t length, const char *identity, bool header,
                             lcal__kept *kept, bool *sound, lcal_error *err)
{
    json_t *line = NULL;
    lcal_error ignored = {0};
    lcal__kept_answer answer;
    lcal_status status = lcal__json_parse_object(text, length, "answers", &line, &ignored);
    *sound = status == LCAL_OK;
    if (status == LCAL_NOMEM)
        return lcal__fail_nomem(err, "the answers");
    status = LCAL_OK;
    if (*sound && header) {
        *sound = read_header(line, identity, kept);
    } else if (*sound) {
        *sound = read_answer(line, &answer);
        if (*sound)
            status = lcal__kept_add(kept, &answer, err);
    }
    json_decref(line);
    return status;
}

static lcal_status read_lines(lcal__lines *lines, const char *identity, lcal__kept *kept,
                              lcal_error *err)
{
    bool sound = true;
    for (size_t number = 0; sound; number++) {
        const char *text;
        size_t length;
        lcal_error ignored = {0};
        const lcal_status status = lcal__lines_next(lines, &text, &length, &ignored);
        if (status == LCAL_NOMEM)
            return lcal__fail_nomem(err, "the answers");
        if (status != LCAL_OK || !text)
            break;
        LCAL_TRY(read_line(text, length, identity, number == 0, kept, &sound, err));
    }
    return LCAL_OK;
}

lcal_status lcal__kept_parse(const void *bytes, size_t size, const char *identity, lcal__kept *kept,
                             lcal_error *err)
{
    lcal__lines *lines = NULL;
    lcal_error ignored = {0};
    const lcal_status opened = lcal__lines_open(bytes, size, "answers", &lines, &ignored);
    if (opened == LCAL_NOMEM)
        return lcal__fail_nomem(err, "the answers");
    if (opened != LCAL_OK)
        return LCAL_OK;
    lcal_status status = read_lines(lines, identity, kept, err);
    lcal__lines_close(&lines);
    return status;
}

lcal_status lcal__kept_load(const char *path, const char *identity, lcal__kept *kept,
                            lcal_error *err)
{
    lcal__map map = {0};
    if (!lcal__path_is_file(path))
        return LCAL_OK;
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__kept_parse(map.data, map.size, identity, kept, err);
    lcal__map_close(&map);
    return status;
}

/* --- writing ---------------------------------------------------------------------------- */

static void print(const lcal__kept_answer *answer, lcal__strbuf *out)
{
    lcal__strbuf_add(out, "{\"output\":");
    lcal__strbuf_add_json(out, answer->text);
    if (answer->first) {
        lcal__strbuf_add(out, ",\"first\":");
        lcal__strbuf_add_json(out, answer->first);
    }
    lcal__strbuf_printf(out, ",\"tokens\":%zu,\"finish\":\"%s\",\"prompt\":\"%s\"}\n",
                        answer->tokens, lcal__finish_name(answer->finish), answer->prompt);
}

lcal_status lcal__kept_save(const char *path, const char *identity, const lcal__kept *kept,
                            lcal_error *err)
{
    lcal__strbuf text = {0};
    lcal__strbuf_printf(&text,
                        "{\"identity\":\"%s\",\"prepare_seconds\":%.3f,\"answer_seconds\":%.3f}\n",
                        identity, kept->prepare_seconds, kept->answer_seconds);
    for (size_t i = 0; i < kept->count; i++)
        print(&kept->items[i], &text);
    lcal_status status = text.failed ? lcal__fail_nomem(err, path)
                                     : lcal__file_replace(path, text.text, text.length, err);
    lcal__strbuf_free(&text);
    return status;
}
