#include "data/added.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"

lcal_status lcal__added_add(lcal__added *added, const lcal__added_token *token, lcal_error *err)
{
    if (!lcal__grow((void **)&added->tokens, &added->capacity, added->count + 1,
                    sizeof(*added->tokens)))
        return lcal__fail_nomem(err, "added tokens");
    lcal__added_token copy = *token;
    copy.text = lcal__strndup(token->text, token->length);
    if (!copy.text)
        return lcal__fail_nomem(err, "added tokens");
    added->tokens[added->count++] = copy;
    return LCAL_OK;
}

static int by_text(const void *a, const void *b)
{
    const lcal__added_token *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    return order ? order : x->length < y->length ? -1 : x->length > y->length;
}

void lcal__added_seal(lcal__added *added)
{
    if (added->count)
        qsort(added->tokens, added->count, sizeof(*added->tokens), by_text);
    size_t at = 0;
    for (size_t byte = 0; byte < 256; byte++) {
        while (at < added->count && (unsigned char)added->tokens[at].text[0] < byte)
            at++;
        added->first[byte] = at;
    }
    added->first[256] = added->count;
}

void lcal__added_free(lcal__added *added)
{
    for (size_t i = 0; i < added->count; i++)
        lcal__free(added->tokens[i].text);
    lcal__free(added->tokens);
    *added = (lcal__added){0};
}

/* The first token of tokens[low..high), which share their first `depth` bytes, whose byte at depth
 * is at least `byte`. None of them is of length depth. */
static size_t lower(const lcal__added *added, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)added->tokens[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that text begins with: narrows the sorted tokens byte by byte. */
static const lcal__added_token *longest_at(const lcal__added *added, const char *text,
                                           size_t length, bool special)
{
    size_t low = added->first[(unsigned char)text[0]];
    size_t high = added->first[(unsigned char)text[0] + 1];
    const lcal__added_token *found = NULL;
    for (size_t depth = 1; low < high; depth++) {
        /* The shorter one sorts first: it is the only one that may end here. */
        while (low < high && added->tokens[low].length == depth) {
            if (special || !added->tokens[low].special)
                found = &added->tokens[low];
            low++;
        }
        if (depth == length)
            break;
        unsigned byte = (unsigned char)text[depth];
        low = lower(added, low, high, depth, byte);
        high = lower(added, low, high, depth, byte + 1);
    }
    return found;
}

/* The character at text[at], and the one that ends before text[at]; text is valid UTF-8. */
static utf8proc_int32_t code_at(const char *text, size_t length, size_t at, size_t *size)
{
    utf8proc_int32_t code = -1;
    utf8proc_ssize_t read = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                             (utf8proc_ssize_t)(length - at), &code);
    *size = read > 0 ? (size_t)read : 1;
    return code;
}

static utf8proc_int32_t code_before(const char *text, size_t at, size_t *size)
{
    size_t start = at - 1, ignored;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    *size = at - start;
    return code_at(text, at, start, &ignored);
}

static bool is_space(utf8proc_int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return (code >= 9 && code <= 13) || code == 0x85 || category == UTF8PROC_CATEGORY_ZS
           || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

static bool is_word(utf8proc_int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ND)
           || category == UTF8PROC_CATEGORY_PC;
}

static bool stands_alone(const char *text, size_t length, size_t start, size_t end)
{
    size_t size;
    return (start == 0 || !is_word(code_before(text, start, &size)))
           && (end == length || !is_word(code_at(text, length, end, &size)));
}

bool lcal__added_find(const lcal__added *added, const char *text, size_t length, size_t from,
                      bool special, lcal__added_match *out)
{
    for (size_t at = from; added->count && at < length; at++) {
        const lcal__added_token *token = longest_at(added, text + at, length - at, special);
        if (!token)
            continue;
        size_t start = at, end = at + token->length, size;
        if (token->single_word && !stands_alone(text, length, start, end)) {
            at = end - 1;
            continue;
        }
        while (token->lstrip && start > from && is_space(code_before(text, start, &size)))
            start -= size;
        while (token->rstrip && end < length && is_space(code_at(text, length, end, &size)))
            end += size;
        *out = (lcal__added_match){start, end, token->id};
        return true;
    }
    return false;
}
