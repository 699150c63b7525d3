#include "config/quote.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

bool lcal__is_utf8(const char *text)
{
    size_t left = strlen(text);
    while (left) {
        size_t length = lcal__utf8_valid(text, left);
        if (length == 0)
            return false;
        text += length;
        left -= length;
    }
    return true;
}

/* The code point of one valid character of `length` bytes. */
static uint32_t decode(const char *text, size_t length)
{
    static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = (unsigned char)text[0] & lead_bits[length];
    for (size_t i = 1; i < length; ++i)
        code = code << 6 | ((unsigned char)text[i] & 0x3F);
    return code;
}

/* YAML 1.1, 5.1: printable characters; less the line breaks and the byte order mark. */
static bool is_plain(uint32_t code)
{
    return (code >= 0x20 && code < 0x7F) || (code >= 0xA0 && code < 0x2028)
           || (code > 0x2029 && code < 0xFFFE && code != 0xFEFF) || code > 0xFFFF;
}

void lcal__quote(const char *text, lcal__strbuf *out)
{
    size_t left = strlen(text);
    lcal__strbuf_add(out, "\"");
    while (left) {
        size_t length = lcal__utf8_valid(text, left);
        if (length == 0)
            break;
        uint32_t code = decode(text, length);
        if (code == '"' || code == '\\')
            lcal__strbuf_add(out, "\\");
        if (is_plain(code))
            lcal__strbuf_add_bytes(out, text, length);
        else
            lcal__strbuf_printf(out, "\\u%04X", (unsigned)code);
        text += length;
        left -= length;
    }
    lcal__strbuf_add(out, "\"");
}
