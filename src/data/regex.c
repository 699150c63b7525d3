#include "data/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "base/strbuf.h"

struct lcal__regex {
    pcre2_code *code;
    char *pattern;
};

struct lcal__regex_match {
    pcre2_match_data *data;
};

static void *pcre_alloc(size_t size, void *user)
{
    (void)user;
    return lcal__calloc(size, 1);
}

static void pcre_free(void *pointer, void *user)
{
    (void)user;
    lcal__free(pointer);
}

/* White space as tokenizers' authors mean it, Unicode's White_Space; PCRE2's own \s takes U+180E
 * too, which is none any more. */
#define LCAL_SPACE "\\x09-\\x0D\\x{85}\\p{Z}"

static lcal_status refuse(const char *what, const char *pattern, size_t length, lcal_error *err)
{
    return lcal__fail(err, LCAL_UNSUPPORTED, "regular expression \"%.*s\": %s",
                      length < 1000 ? (int)length : 1000, pattern, what);
}

/* The pattern with its own white space for \s. Classes within classes mean other things to other
 * engines: refused. */
static lcal_status translate(const char *pattern, size_t length, lcal__strbuf *out, lcal_error *err)
{
    size_t class_start = 0; /* behind the bracket that opened a class, or 0 */
    for (size_t i = 0; i < length; i++) {
        char c = pattern[i];
        if (c == '\\' && i + 1 < length) {
            char escaped = pattern[++i];
            if (escaped == 's')
                lcal__strbuf_add(out, class_start ? LCAL_SPACE : "[" LCAL_SPACE "]");
            else if (escaped == 'S' && class_start)
                return refuse("\\S within a class is not supported", pattern, length, err);
            else if (escaped == 'S')
                lcal__strbuf_add(out, "[^" LCAL_SPACE "]");
            else
                lcal__strbuf_add_bytes(out, pattern + i - 1, 2);
            continue;
        }
        if (class_start && (c == '[' || (c == '&' && i + 1 < length && pattern[i + 1] == '&')))
            return refuse("a class within a class is not supported", pattern, length, err);
        if (c == '[')
            class_start = i + 1 + (i + 1 < length && pattern[i + 1] == '^');
        else if (c == ']' && class_start && i > class_start)
            class_start = 0;
        lcal__strbuf_add_bytes(out, &c, 1);
    }
    return out->failed ? lcal__fail_nomem(err, "regular expression") : LCAL_OK;
}

static lcal_status compile(lcal__regex *regex, const char *pattern, size_t length, uint32_t options,
                           lcal_error *err)
{
    pcre2_general_context *memory = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    lcal_status status = LCAL_OK;
    int code = 0;
    PCRE2_SIZE at = 0;
    if (context)
        regex->code = pcre2_compile((PCRE2_SPTR)pattern, length, options, &code, &at, context);
    if (!context || (!regex->code && code == PCRE2_ERROR_HEAP_FAILED)) {
        status = lcal__fail_nomem(err, "regular expression");
    } else if (!regex->code) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(code, message, sizeof(message));
        status = refuse((const char *)message, pattern, length, err);
    } else {
        /* Without a compiler for this processor the interpreter finds the same, only slower. */
        (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return status;
}

lcal_status lcal__regex_open(const char *pattern, size_t length, bool literal, lcal__regex **out,
                             lcal_error *err)
{
    lcal__strbuf translated = {0};
    lcal__regex *regex = lcal__calloc(1, sizeof(*regex));
    if (!regex)
        return lcal__fail_nomem(err, "regular expression");
    lcal_status status = LCAL_OK;
    regex->pattern = lcal__strndup(pattern, length);
    if (!regex->pattern) {
        status = lcal__fail_nomem(err, "regular expression");
    } else if (literal) {
        status = compile(regex, pattern, length, PCRE2_UTF | PCRE2_LITERAL, err);
    } else {
        status = translate(pattern, length, &translated, err);
        if (status == LCAL_OK)
            status = compile(regex, translated.text ? translated.text : "", translated.length,
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, err);
    }
    lcal__strbuf_free(&translated);
    if (status != LCAL_OK)
        lcal__regex_close(&regex);
    *out = regex;
    return status;
}

const char *lcal__regex_pattern(const lcal__regex *regex)
{
    return regex->pattern;
}

void lcal__regex_close(lcal__regex **regex)
{
    if (!*regex)
        return;
    pcre2_code_free((*regex)->code);
    lcal__free((*regex)->pattern);
    lcal__free(*regex);
    *regex = NULL;
}

lcal_status lcal__regex_match_open(lcal__regex_match **out, lcal_error *err)
{
    lcal__regex_match *match = lcal__calloc(1, sizeof(*match));
    pcre2_general_context *memory = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    if (match && memory)
        match->data = pcre2_match_data_create(1, memory);
    pcre2_general_context_free(memory);
    if (!match || !match->data) {
        lcal__free(match);
        return lcal__fail_nomem(err, "regular expression");
    }
    *out = match;
    return LCAL_OK;
}

void lcal__regex_match_close(lcal__regex_match **match)
{
    if (!*match)
        return;
    pcre2_match_data_free((*match)->data);
    lcal__free(*match);
    *match = NULL;
}

lcal_status lcal__regex_find(const lcal__regex *regex, lcal__regex_match *match, const char *text,
                             size_t length, size_t from, bool *found, size_t *start, size_t *end,
                             lcal_error *err)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int count =
        pcre2_match(regex->code, subject, length, from, PCRE2_NO_UTF_CHECK, match->data, NULL);
    /* Compiled code has a small stack of its own; the interpreter takes memory as it needs. */
    if (count == PCRE2_ERROR_JIT_STACKLIMIT)
        count = pcre2_match(regex->code, subject, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                            match->data, NULL);
    *found = count >= 0;
    if (count >= 0) {
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(match->data);
        /* \K may put the start behind the end. */
        *start = ends[0] < from ? from : ends[0];
        *end = ends[1] < *start ? *start : ends[1];
        return LCAL_OK;
    }
    if (count == PCRE2_ERROR_NOMATCH)
        return LCAL_OK;
    if (count == PCRE2_ERROR_NOMEMORY)
        return lcal__fail_nomem(err, "regular expression");
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(count, message, sizeof(message));
    return lcal__fail(err, LCAL_UNSUPPORTED, "the pre-tokenizer's regular expression: %s",
                      (const char *)message);
}
