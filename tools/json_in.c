#include "json_in.h"

#include <string.h>

/* What is still to be read: at < end unless it is over. */
typedef struct reader {
    const char *at, *end;
} reader;

static bool next_is(reader *r, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0)
        return false;
    r->at += length;
    return true;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

/* Four hex digits; -1 where they are not there. */
static long unit(reader *r)
{
    long value = 0;
    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = *r->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *out, long code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xE0 | code >> 12);
        } else {
            *out++ = (char)(0xF0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (code & 0x3F));
    return out;
}

/* Behind "\u". NULL: not hex. */
static char *put_unit(reader *r, char *out)
{
    long code = unit(r);
    if (code < 0)
        return NULL;
    if (code >= 0xD800 && code < 0xDC00) {
        reader ahead = *r;
        long low = next_is(&ahead, "\\u") ? unit(&ahead) : 0;
        if (low >= 0xDC00 && low < 0xE000) {
            *r = ahead;
            return put_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
        }
    }
    return put_utf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
}

/* Behind a backslash. NULL: no such escape. */
static char *put_escape(reader *r, char *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return NULL;
    const char name = *r->at++;
    if (name == 'u')
        return put_unit(r, out);
    const char *known = name ? strchr(names, name) : NULL;
    if (!known)
        return NULL;
    *out++ = values[known - names];
    return out;
}

bool json_in_string(char *text, size_t length, size_t *out)
{
    /* No escape is shorter than what it stands for: writing never overtakes reading. */
    reader r = {text, text + length};
    char *put = text;
    skip_space(&r);
    if (!next_is(&r, "\""))
        return false;
    while (r.at < r.end && *r.at != '"') {
        if ((unsigned char)*r.at < 0x20)
            return false;
        if (next_is(&r, "\\"))
            put = put_escape(&r, put);
        else
            *put++ = *r.at++;
        if (!put)
            return false;
    }
    if (!next_is(&r, "\""))
        return false;
    skip_space(&r);
    *out = (size_t)(put - text);
    return r.at == r.end;
}
