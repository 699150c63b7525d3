#include "text.h"

#include <stdio.h>

/* The second byte alone decides about overlong forms, surrogates and the upper end. */
size_t text_character(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    const size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    const unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    const unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

void text_print_tame(const char *text, size_t length)
{
    for (size_t at = 0, size; at < length; at += size) {
        const unsigned char byte = (unsigned char)text[at];
        size = text_character(text + at, length - at);
        const unsigned char second = size == 2 ? (unsigned char)text[at + 1] : 0;
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F)
            printf("\\x%02X", byte);
        else if (byte == 0xC2 && second >= 0x80 && second < 0xA0) /* U+0080 to U+009F */
            printf("\\x%02X", second);
        else if (size == 0)
            printf("\\x%02X", byte);
        else
            fwrite(text + at, 1, size, stdout);
        size = size ? size : 1;
    }
}
