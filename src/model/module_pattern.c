#include "model/module_pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

/*
 * Bounds on what is compiled; patterns in use have a handful of quantifiers. A few dozen of them in
 * one another keep glibc's regcomp busy for minutes, and repeated groups take all memory.
 */
#define LCAL_PATTERN_MAX 512
#define LCAL_PATTERN_QUANTIFIERS_MAX 12
#define LCAL_PATTERN_REPEAT_MAX 99

/* The translation in progress: `at` moves through the Python text. */
typedef struct translation {
    const char *at;
    lcal__strbuf ere;
    int quantifiers;
    bool after_group;
} translation;

/* Returns NULL, or why the escape cannot be said. */
static const char *take_escape(translation *t, bool in_brackets)
{
    char c = t->at[1];
    if (c == 'd')
        lcal__strbuf_add(&t->ere, in_brackets ? "0-9" : "[0-9]");
    else if (c == 'w')
        lcal__strbuf_add(&t->ere, in_brackets ? "A-Za-z0-9_" : "[A-Za-z0-9_]");
    else if (!ispunct((unsigned char)c) || (in_brackets && strchr("-]^\\[", c)))
        return "an escape that POSIX expressions do not have";
    else /* not before every sign: "\\<" would be an anchor of GNU's */
        lcal__strbuf_printf(&t->ere, in_brackets || !strchr(".[]{}()*+?|^$\\", c) ? "%c" : "\\%c",
                            c);
    t->at += 2;
    return NULL;
}

static const char *take_brackets(translation *t)
{
    const char *first = t->at + 1 + (t->at[1] == '^');
    lcal__strbuf_add_bytes(&t->ere, t->at, (size_t)(first - t->at));
    for (t->at = first; *t->at && (*t->at != ']' || t->at == first);) {
        const char *why = NULL;
        if (*t->at == '[')
            why = "a bracket within brackets";
        else if (*t->at == '\\')
            why = take_escape(t, true);
        else
            lcal__strbuf_add_bytes(&t->ere, t->at++, 1);
        if (why)
            return why;
    }
    if (!*t->at)
        return "brackets that do not close";
    lcal__strbuf_add_bytes(&t->ere, t->at++, 1);
    return NULL;
}

/* "{n}", "{n,}" or "{n,m}" of small numbers. */
static const char *take_repeat(translation *t)
{
    const char *start = t->at++;
    for (int numbers = 0; numbers < 2; numbers++) {
        char *end;
        if (isdigit((unsigned char)*t->at)) {
            if (strtoul(t->at, &end, 10) > LCAL_PATTERN_REPEAT_MAX)
                return "a large repeat count";
            t->at = end;
        } else if (numbers == 0) {
            return "a brace without a number";
        }
        if (numbers == 0 && *t->at == ',')
            t->at++;
        else
            break;
    }
    if (*t->at != '}')
        return "a brace that is no repeat count";
    if (t->after_group)
        return "a repeat count of a group";
    t->at++;
    lcal__strbuf_add_bytes(&t->ere, start, (size_t)(t->at - start));
    return NULL;
}

/* Behind a quantifier: laziness does not change what matches as a whole, the rest would. */
static const char *take_modifier(translation *t)
{
    if (++t->quantifiers > LCAL_PATTERN_QUANTIFIERS_MAX)
        return "many quantifiers";
    if (*t->at == '?')
        t->at++;
    if (*t->at && strchr("*+?{", *t->at))
        return "a quantifier of a quantifier";
    return NULL;
}

static const char *take_one(translation *t)
{
    const char *why = NULL;
    switch (*t->at) {
    case '\\':
        return take_escape(t, false);
    case '[':
        return take_brackets(t);
    case '(':
        if (t->at[1] == '?' && t->at[2] != ':')
            return "a group of a kind that POSIX expressions do not have";
        t->at += t->at[1] == '?' ? 3 : 1;
        lcal__strbuf_add(&t->ere, "(");
        return NULL;
    case '{':
        why = take_repeat(t);
        return why ? why : take_modifier(t);
    case '*':
    case '+':
    case '?':
        lcal__strbuf_add_bytes(&t->ere, t->at++, 1);
        return take_modifier(t);
    default:
        lcal__strbuf_add_bytes(&t->ere, t->at++, 1);
        return NULL;
    }
}

static const char *translate(translation *t, lcal__pattern_kind kind)
{
    if (strlen(t->at) > LCAL_PATTERN_MAX)
        return "too long";
    lcal__strbuf_add(&t->ere, kind == LCAL__PATTERN_WHOLE ? "^(" : "^(.*\\.)?(");
    while (*t->at) {
        bool ends_group = *t->at == ')';
        const char *why = take_one(t);
        if (why)
            return why;
        t->after_group = ends_group;
    }
    lcal__strbuf_add(&t->ere, ")$");
    return NULL;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_.-", *text))
            return false;
    return true;
}

lcal_status lcal__pattern_compile(const char *text, lcal__pattern_kind kind, const char *source,
                                  const char *key, lcal__pattern *out, lcal_error *err)
{
    *out = (lcal__pattern){.text = text, .kind = kind};
    if (kind == LCAL__PATTERN_NAME || is_plain(text))
        return LCAL_OK;
    translation t = {.at = text};
    const char *why = translate(&t, kind);
    lcal_status status = LCAL_OK;
    if (t.ere.failed)
        status = lcal__fail_nomem(err, "a pattern");
    else if (why)
        status = lcal__fail(err, LCAL_UNSUPPORTED, "%s: key %s: pattern \"%s\": %s", source, key,
                            text, why);
    else if (regcomp(&out->compiled, t.ere.text, REG_EXTENDED | REG_NOSUB) != 0)
        status = lcal__fail(err, LCAL_FORMAT, "%s: key %s: pattern \"%s\": not a valid expression",
                            source, key, text);
    out->is_regex = status == LCAL_OK;
    lcal__strbuf_free(&t.ere);
    return status;
}

void lcal__pattern_free(lcal__pattern *pattern)
{
    if (pattern->is_regex)
        regfree(&pattern->compiled);
    *pattern = (lcal__pattern){0};
}

bool lcal__pattern_matches(const lcal__pattern *pattern, const char *module)
{
    if (!pattern->text)
        return false;
    if (pattern->is_regex)
        return regexec(&pattern->compiled, module, 0, NULL, 0) == 0;
    size_t length = strlen(module), tail = strlen(pattern->text);
    if (length < tail || strcmp(module + length - tail, pattern->text) != 0)
        return false;
    return length == tail
           || (pattern->kind != LCAL__PATTERN_WHOLE && module[length - tail - 1] == '.');
}
