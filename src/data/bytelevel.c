#include "data/bytelevel.h"

/* Bytes that stand for themselves: what is printable in Latin-1. */
static bool is_itself(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
}

/* The code points from U+0100 on stand for these ranges, one after the other. */
static const struct range {
    unsigned first, count;
} ranges[] = {{0, 33}, {127, 34}, {173, 1}};

#define LCAL_SHIFTED 0x100u

static unsigned code_point(unsigned byte)
{
    unsigned code = LCAL_SHIFTED;
    if (is_itself(byte))
        return byte;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (byte >= ranges[i].first && byte - ranges[i].first < ranges[i].count)
            return code + byte - ranges[i].first;
        code += ranges[i].count;
    }
    return code;
}

/* -1: this code point spells no byte. */
static int byte_of(unsigned code)
{
    if (code < LCAL_SHIFTED)
        return is_itself(code) ? (int)code : -1;
    unsigned left = code - LCAL_SHIFTED;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (left < ranges[i].count)
            return (int)(ranges[i].first + left);
        left -= ranges[i].count;
    }
    return -1;
}

size_t lcal__bytelevel_spell(unsigned char byte, char out[2])
{
    unsigned code = code_point(byte);
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
}

void lcal__bytelevel_encode(const char *bytes, size_t length, lcal__strbuf *out)
{
    char spelled[2];
    for (size_t i = 0; i < length; i++)
        lcal__strbuf_add_bytes(out, spelled,
                               lcal__bytelevel_spell((unsigned char)bytes[i], spelled));
}

bool lcal__bytelevel_decode(const char *text, size_t length, lcal__strbuf *out)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t before = out->length;
    for (size_t i = 0; i < length; i++) {
        int byte = -1;
        if (s[i] < 0x80)
            byte = byte_of(s[i]);
        else if (s[i] >= 0xC2 && s[i] < 0xE0 && i + 1 < length && (s[i + 1] & 0xC0) == 0x80) {
            byte = byte_of((s[i] & 0x1Fu) << 6 | (s[i + 1] & 0x3Fu));
            i++;
        }
        if (byte < 0) {
            out->length = before;
            if (out->text)
                out->text[before] = '\0';
            return false;
        }
        char one = (char)byte;
        lcal__strbuf_add_bytes(out, &one, 1);
    }
    return true;
}
