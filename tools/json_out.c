#include "json_out.h"

#include <math.h>
#include <stdio.h>

static void put_ascii(unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        printf("\\%c", byte);
    else if (byte < 0x20)
        printf("\\u%04x", byte);
    else
        putchar(byte);
}

void json_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        put_ascii((unsigned char)*text);
    putchar('"');
}

/* Bytes of the character of two or more that s begins with, 0 where there is none. The second byte
 * alone decides about overlong forms, surrogates and the upper end. */
static size_t character(const unsigned char *s, size_t left)
{
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

void json_bytes(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    putchar('"');
    for (size_t at = 0; at < length;) {
        const size_t size = s[at] < 0x80 ? 1 : character(s + at, length - at);
        if (size == 1)
            put_ascii(s[at]);
        else if (size)
            fwrite(s + at, 1, size, stdout);
        else
            fputs("\xEF\xBF\xBD", stdout);
        at += size ? size : 1;
    }
    putchar('"');
}

void json_number(double value)
{
    if (isfinite(value))
        printf("%.17g", value);
    else
        fputs("null", stdout);
}
