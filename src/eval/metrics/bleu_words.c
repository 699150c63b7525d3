/*
 * 13a is a chain of replacements over the whole text; each reads one buffer and writes another.
 * They work on bytes: every character they look for is ASCII, and where "no digit" takes part, the
 * last or first byte of a longer character does as well as the whole.
 */
#include "eval/metrics/bleu_words.h"

#include <string.h>

#include "base/strbuf.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Punctuation that is a word wherever it stands; not ' , - . */
static bool is_symbol(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&')
           || (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static bool is_point(char c)
{
    return c == '.' || c == ',';
}

/* A step of the chain: writes what the text at `at` becomes and returns how much of it that was. */
typedef size_t step_fn(const char *text, size_t size, size_t at, lcal__strbuf *out);

static size_t copy(const char *text, size_t at, lcal__strbuf *out)
{
    lcal__strbuf_add_bytes(out, text + at, 1);
    return 1;
}

static void add_spaced(lcal__strbuf *out, char c)
{
    const char bytes[] = {' ', c, ' '};
    lcal__strbuf_add_bytes(out, bytes, sizeof(bytes));
}

/* Markup that mteval takes out, and the end of lines. */
static size_t clean(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    static const char skipped[] = "<skipped>";
    const size_t length = sizeof(skipped) - 1;
    if (size - at >= length && memcmp(text + at, skipped, length) == 0)
        return length;
    return copy(text, at, out);
}

static size_t join_lines(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    if (size - at >= 2 && memcmp(text + at, "-\n", 2) == 0)
        return 2;
    if (text[at] != '\n')
        return copy(text, at, out);
    lcal__strbuf_add(out, " ");
    return 1;
}

/* One entity; they are replaced one kind after the other, so that "&amp;lt;" becomes "<". */
static size_t replace_entity(const char *text, size_t size, size_t at, const char *entity,
                             const char *with, lcal__strbuf *out)
{
    const size_t length = strlen(entity);
    if (size - at < length || memcmp(text + at, entity, length) != 0)
        return copy(text, at, out);
    lcal__strbuf_add(out, with);
    return length;
}

static size_t replace_quot(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    return replace_entity(text, size, at, "&quot;", "\"", out);
}

static size_t replace_amp(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    return replace_entity(text, size, at, "&amp;", "&", out);
}

static size_t replace_lt(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    return replace_entity(text, size, at, "&lt;", "<", out);
}

static size_t replace_gt(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    return replace_entity(text, size, at, "&gt;", ">", out);
}

static size_t part_symbols(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    (void)size;
    if (!is_symbol(text[at]))
        return copy(text, at, out);
    add_spaced(out, text[at]);
    return 1;
}

/* A point or comma is a word of its own, but between digits: first where none is before it ... */
static size_t part_after(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    if (is_digit(text[at]) || at + 1 >= size || !is_point(text[at + 1]))
        return copy(text, at, out);
    copy(text, at, out);
    add_spaced(out, text[at + 1]);
    return 2;
}

/* ... then where none is after it. */
static size_t part_before(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    if (!is_point(text[at]) || at + 1 >= size || is_digit(text[at + 1]))
        return copy(text, at, out);
    add_spaced(out, text[at]);
    copy(text, at + 1, out);
    return 2;
}

static size_t part_dash(const char *text, size_t size, size_t at, lcal__strbuf *out)
{
    if (!is_digit(text[at]) || at + 1 >= size || text[at + 1] != '-')
        return copy(text, at, out);
    copy(text, at, out);
    add_spaced(out, '-');
    return 2;
}

static const struct {
    step_fn *fn;
    bool pads; /* a space before and after all else is added first */
} steps[] = {
    {clean, false},       {join_lines, false}, {replace_quot, false}, {replace_amp, false},
    {replace_lt, false},  {replace_gt, false}, {part_symbols, true},  {part_after, false},
    {part_before, false}, {part_dash, false},
};

/* Bytes of the text up to the white space at its end. */
static size_t trimmed(const char *text, size_t size)
{
    size_t end = 0;
    for (size_t at = 0; at < size;) {
        const size_t space = lcal__space_length(text + at, size - at);
        at += space ? space : 1;
        if (!space)
            end = at;
    }
    return end;
}

lcal_status lcal__bleu_words(const char *text, size_t size, lcal__lexicon *lexicon,
                             lcal__words *out, lcal_error *err)
{
    lcal__strbuf from = {0}, to = {0};
    lcal__strbuf_add_bytes(&from, text, trimmed(text, size));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !from.failed; i++) {
        lcal__strbuf_clear(&to);
        if (steps[i].pads)
            lcal__strbuf_add(&to, "  ");
        for (size_t at = 0; at < from.length;)
            at += steps[i].fn(from.text, from.length, at, &to);
        if (steps[i].pads)
            lcal__strbuf_add(&to, "  ");
        const lcal__strbuf swapped = from;
        from = to;
        to = swapped;
    }
    lcal_status status =
        from.failed ? lcal__fail_nomem(err, "words")
                    : lcal__words_split(out, lexicon, from.text ? from.text : "", from.length, err);
    lcal__strbuf_free(&from);
    lcal__strbuf_free(&to);
    return status;
}
