#include "json_out.h"

#include <math.h>
#include <stdio.h>

#include "text.h"

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

void json_bytes(const char *text, size_t length)
{
    putchar('"');
    for (size_t at = 0; at < length;) {
        const size_t size = text_character(text + at, length - at);
        if (size == 1)
            put_ascii((unsigned char)text[at]);
        else if (size)
            fwrite(text + at, 1, size, stdout);
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
