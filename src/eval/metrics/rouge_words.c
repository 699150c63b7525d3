#include "eval/metrics/rouge_words.h"

#include <string.h>

#include "base/mem.h"
#include "eval/metrics/porter.h"

#define STEMMED_FROM 4 /* letters */

void lcal__rouge_text_free(lcal__rouge_text *text)
{
    lcal__words_free(&text->words);
    lcal__free(text->ends);
    *text = (lcal__rouge_text){0};
}

lcal__sequence lcal__rouge_line(const lcal__rouge_text *text, size_t line)
{
    const size_t first = line ? text->ends[line - 1] : 0;
    return (lcal__sequence){text->words.items + first, text->ends[line] - first};
}

/* The letter or digit that text[0..size) begins with in lower case, 0 where it is none; *step: its
 * bytes. Two letters beyond ASCII have lower-case forms that begin with an ASCII letter: the dotted
 * capital I (U+0130) and the Kelvin sign (U+212A). */
static char letter_at(const char *text, size_t size, size_t *step)
{
    const char c = text[0];
    *step = 1;
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return c;
    if (size >= 2 && memcmp(text, "\xC4\xB0", 2) == 0) {
        *step = 2;
        return 'i';
    }
    if (size >= 3 && memcmp(text, "\xE2\x84\xAA", 3) == 0) {
        *step = 3;
        return 'k';
    }
    return '\0';
}

/* The dotted I's lower-case form goes on with a combining dot, which ends the word. */
static bool ends_word(const char *text, size_t step)
{
    return step == 2 && memcmp(text, "\xC4\xB0", 2) == 0;
}

static lcal_status read_line(const char *text, size_t size, bool stem, char *word,
                             lcal__lexicon *lexicon, lcal__words *out, lcal_error *err)
{
    size_t length = 0;
    for (size_t at = 0, step = 1; at <= size; at += step) {
        const char letter = at < size ? letter_at(text + at, size - at, &step) : '\0';
        if (letter)
            word[length++] = letter;
        if ((letter && !ends_word(text + at, step)) || length == 0)
            continue;
        if (stem && length >= STEMMED_FROM)
            length = lcal__porter_stem(word, length);
        LCAL_TRY(lcal__words_add(out, lexicon, word, length, err));
        length = 0;
    }
    return LCAL_OK;
}

static lcal_status read_lines(const char *text, size_t size, bool stem, char *word,
                              lcal__lexicon *lexicon, lcal__rouge_text *out, lcal_error *err)
{
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        const size_t length = newline ? (size_t)(newline - text) - at : size - at;
        LCAL_TRY(read_line(text + at, length, stem, word, lexicon, &out->words, err));
        if (!lcal__grow((void **)&out->ends, &out->line_capacity, out->line_count + 1,
                        sizeof(*out->ends)))
            return lcal__fail_nomem(err, "lines of a text");
        out->ends[out->line_count++] = out->words.count;
        at += length + 1;
    }
    return LCAL_OK;
}

lcal_status lcal__rouge_read(const char *text, size_t size, bool stem, lcal__lexicon *lexicon,
                             lcal__rouge_text *out, lcal_error *err)
{
    char *word = lcal__calloc(size + 1, 1);
    if (!word)
        return lcal__fail_nomem(err, "words");
    lcal_status status = read_lines(text, size, stem, word, lexicon, out, err);
    lcal__free(word);
    return status;
}

lcal_status lcal__rouge_reply_words(const char *text, size_t size, lcal__lexicon *lexicon,
                                    lcal__words *out, lcal_error *err)
{
    for (size_t at = 0; at < size;) {
        const char *stop = memchr(text + at, '.', size - at);
        const size_t length = stop ? (size_t)(stop - text) - at : size - at;
        const size_t before = out->count;
        LCAL_TRY(lcal__words_split(out, lexicon, text + at, length, err));
        /* A sentence of nothing but white space counts as one empty word there. */
        if (length && out->count == before)
            LCAL_TRY(lcal__words_add(out, lexicon, "", 0, err));
        at += length + 1;
    }
    return LCAL_OK;
}
