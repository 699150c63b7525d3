#include "base/utf8.h"

/* Length that the first byte announces, 0 where no character begins with it. */
static size_t announced(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    return first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
}

/* Bytes of text, at most `length`, that a character may begin with; length is what its first byte
 * announces. The second byte alone decides about overlong forms, surrogates and the upper end. */
static size_t well_begun(const unsigned char *s, size_t size, size_t length)
{
    unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    size_t good = 1;
    while (good < length && good < size && s[good] >= low && s[good] <= high) {
        low = 0x80;
        high = 0xBF;
        good++;
    }
    return good;
}

size_t lcal__utf8_valid(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (size == 0)
        return 0;
    size_t length = announced(s[0]);
    return length && well_begun(s, size, length) == length ? length : 0;
}

bool lcal__utf8_all(const char *text, size_t size)
{
    size_t length = 1;
    for (size_t at = 0; at < size && length; at += length)
        length = lcal__utf8_valid(text + at, size - at);
    return length != 0;
}

size_t lcal__utf8_broken(const char *text, size_t size, bool *cut)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t length = announced(s[0]);
    size_t good = length ? well_begun(s, size, length) : 1;
    *cut = length && good == size && good < length;
    return good;
}
