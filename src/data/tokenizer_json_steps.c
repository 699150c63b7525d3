/* tokenizer.json: "normalizer" and "pre_tokenizer", lists of steps of named types. */
#include <string.h>

#include "data/patterns.h"
#include "data/tokenizer_parts.h"
#include "format/json.h"

typedef lcal_status step_fn(lcal__tokenizer *t, const char *type, const json_t *step,
                            const char *where, lcal_error *err);

/* Calls fn with the step, or with those of the list `member` where it is a Sequence. */
static lcal_status each_step(lcal__tokenizer *t, const json_t *step, const char *member,
                             step_fn *fn, const char *where, lcal_error *err)
{
    const char *type = NULL;
    size_t i;
    json_t *part;
    if (!step || json_is_null(step))
        return LCAL_OK;
    LCAL_TRY(lcal__json_string(step, where, "type", &type, err));
    if (!type)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected an object with \"type\", found %s", where,
                          lcal__json_type(step));
    if (strcmp(type, "Sequence") != 0)
        return fn(t, type, step, where, err);
    const json_t *parts = json_object_get(step, member);
    if (!json_is_array(parts))
        return lcal__fail(err, LCAL_FORMAT, "%s: %s: expected a list, found %s", where, member,
                          lcal__json_type(parts));
    json_array_foreach(parts, i, part) LCAL_TRY(each_step(t, part, member, fn, where, err));
    return LCAL_OK;
}

static lcal_status refuse(const char *where, const char *what, const char *name, lcal_error *err)
{
    return lcal__fail(err, LCAL_UNSUPPORTED, "%s: %s \"%s\" is not supported", where, what, name);
}

/* {"String": text} or {"Regex": text}. */
static lcal_status read_pattern(const json_t *step, const char *where, const char **text,
                                bool *literal, lcal_error *err)
{
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = NULL, *string = NULL;
    LCAL_TRY(lcal__json_string(pattern, where, "Regex", &regex, err));
    LCAL_TRY(lcal__json_string(pattern, where, "String", &string, err));
    *literal = !regex;
    *text = regex ? regex : string;
    if (!*text || !**text)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: pattern: expected {\"Regex\": ...} or {\"String\": ...}", where);
    return LCAL_OK;
}

static lcal_status add_replace(lcal__tokenizer *t, const json_t *step, const char *where,
                               lcal_error *err)
{
    const char *pattern, *content = NULL;
    bool literal;
    LCAL_TRY(read_pattern(step, where, &pattern, &literal, err));
    LCAL_TRY(lcal__json_string(step, where, "content", &content, err));
    if (!literal)
        return refuse(where, "Replace with the regular expression", pattern, err);
    if (!content)
        return lcal__fail(err, LCAL_FORMAT, "%s: Replace: expected \"content\"", where);
    return lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_REPLACE, pattern, content, err);
}

static lcal_status normalizer_step(lcal__tokenizer *t, const char *type, const json_t *step,
                                   const char *where, lcal_error *err)
{
    if (strcmp(type, "NFC") == 0)
        return lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_NFC, NULL, NULL, err);
    if (strcmp(type, "Replace") == 0)
        return add_replace(t, step, where, err);
    if (strcmp(type, "Prepend") == 0) {
        const char *text = "";
        LCAL_TRY(lcal__json_string(step, where, "prepend", &text, err));
        return lcal__normalizer_add(&t->normalizer, LCAL__NORMAL_PREPEND, NULL, text, err);
    }
    return refuse(where, "type", type, err);
}

static lcal_status add_split(lcal__tokenizer *t, const json_t *step, const char *where,
                             lcal_error *err)
{
    static const struct {
        const char *name;
        lcal__split_behavior behavior;
    } behaviors[] = {{"Isolated", LCAL__SPLIT_ISOLATED},
                     {"Removed", LCAL__SPLIT_REMOVED},
                     {"MergedWithPrevious", LCAL__SPLIT_MERGED_WITH_PREVIOUS}};
    const size_t count = sizeof(behaviors) / sizeof(*behaviors);
    const char *pattern, *behavior = "";
    bool literal;
    lcal__pre_step cut = {0};
    LCAL_TRY(read_pattern(step, where, &pattern, &literal, err));
    LCAL_TRY(lcal__json_string(step, where, "behavior", &behavior, err));
    LCAL_TRY(lcal__json_bool(step, where, "invert", &cut.invert, err));
    size_t which = 0;
    while (which < count && strcmp(behaviors[which].name, behavior) != 0)
        which++;
    if (which == count)
        return refuse(where, "behavior", behavior, err);
    cut.behavior = behaviors[which].behavior;
    LCAL_TRY(lcal__regex_open(pattern, strlen(pattern), literal, &cut.regex, err));
    return lcal__pretokenizer_add(&t->pre, cut, err);
}

static lcal_status add_byte_level(lcal__tokenizer *t, const json_t *step, const char *where,
                                  lcal_error *err)
{
    lcal__pre_step cut = {.prefix_space = true};
    bool use_regex = true;
    LCAL_TRY(lcal__json_bool(step, where, "add_prefix_space", &cut.prefix_space, err));
    LCAL_TRY(lcal__json_bool(step, where, "use_regex", &use_regex, err));
    t->byte_level = true;
    if (use_regex)
        LCAL_TRY(lcal__regex_open(LCAL__PATTERN_GPT2, strlen(LCAL__PATTERN_GPT2), false, &cut.regex,
                                  err));
    return use_regex || cut.prefix_space ? lcal__pretokenizer_add(&t->pre, cut, err) : LCAL_OK;
}

static lcal_status pre_step(lcal__tokenizer *t, const char *type, const json_t *step,
                            const char *where, lcal_error *err)
{
    if (t->byte_level)
        return lcal__fail(err, LCAL_UNSUPPORTED, "%s: \"%s\" after ByteLevel is not supported",
                          where, type);
    if (strcmp(type, "Split") == 0)
        return add_split(t, step, where, err);
    if (strcmp(type, "ByteLevel") == 0)
        return add_byte_level(t, step, where, err);
    if (strcmp(type, "Digits") == 0) {
        bool each = false;
        LCAL_TRY(lcal__json_bool(step, where, "individual_digits", &each, err));
        return lcal__pretokenizer_add_regex(&t->pre, each ? "\\p{N}" : "\\p{N}+", err);
    }
    return refuse(where, "type", type, err);
}

lcal_status lcal__tokenizer_json_normalizer(lcal__tokenizer *t, const json_t *normalizer,
                                            const char *source, lcal_error *err)
{
    lcal_status status =
        each_step(t, normalizer, "normalizers", normalizer_step, "normalizer", err);
    return status == LCAL_OK ? LCAL_OK : lcal__fail_in(err, status, "%s", source);
}

lcal_status lcal__tokenizer_json_pre(lcal__tokenizer *t, const json_t *pre, const char *source,
                                     lcal_error *err)
{
    lcal_status status = each_step(t, pre, "pretokenizers", pre_step, "pre_tokenizer", err);
    return status == LCAL_OK ? LCAL_OK : lcal__fail_in(err, status, "%s", source);
}
