#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static bool reserve(lcal__strbuf *buf, size_t more)
{
    size_t need;
    if (buf->failed)
        return false;
    if (!lcal__size_add(buf->length, more, &need) || !lcal__size_add(need, 1, &need)
        || !lcal__grow((void **)&buf->text, &buf->capacity, need, 1))
        buf->failed = true;
    return !buf->failed;
}

void lcal__strbuf_add_bytes(lcal__strbuf *buf, const void *bytes, size_t length)
{
    if (!reserve(buf, length))
        return;
    if (length)
        memcpy(buf->text + buf->length, bytes, length);
    buf->length += length;
    buf->text[buf->length] = '\0';
}

void lcal__strbuf_add(lcal__strbuf *buf, const char *text)
{
    lcal__strbuf_add_bytes(buf, text, strlen(text));
}

void lcal__strbuf_printf(lcal__strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(buf, (size_t)length))
        return;
    va_start(args, format);
    vsnprintf(buf->text + buf->length, (size_t)length + 1, format, args);
    va_end(args);
    buf->length += (size_t)length;
}

void lcal__strbuf_add_utf8(lcal__strbuf *buf, const char *text, size_t length)
{
    size_t done = 0, size;
    for (size_t at = 0; at < length; at += size) {
        size = lcal__utf8_valid(text + at, length - at);
        if (size)
            continue;
        bool cut;
        lcal__strbuf_add_bytes(buf, text + done, at - done);
        lcal__strbuf_add(buf, "\xEF\xBF\xBD");
        size = lcal__utf8_broken(text + at, length - at, &cut);
        done = at + size;
    }
    if (done < length)
        lcal__strbuf_add_bytes(buf, text + done, length - done);
}

void lcal__strbuf_add_json(lcal__strbuf *buf, const char *text)
{
    size_t left = strlen(text);
    lcal__strbuf_add(buf, "\"");
    while (left) {
        unsigned char byte = (unsigned char)*text;
        size_t length = lcal__utf8_valid(text, left);
        if (byte == '"' || byte == '\\')
            lcal__strbuf_printf(buf, "\\%c", byte);
        else if (byte < 0x20)
            lcal__strbuf_printf(buf, "\\u%04x", byte);
        else if (length == 0)
            lcal__strbuf_add(buf, "\xEF\xBF\xBD");
        else
            lcal__strbuf_add_bytes(buf, text, length);
        length = length ? length : 1;
        text += length;
        left -= length;
    }
    lcal__strbuf_add(buf, "\"");
}

lcal_status lcal__strbuf_take(lcal__strbuf *buf, char **text, lcal_error *err)
{
    if (!buf->text && !buf->failed)
        lcal__strbuf_add(buf, "");
    if (buf->failed) {
        lcal__strbuf_free(buf);
        return lcal__fail_nomem(err, "text");
    }
    *text = buf->text;
    *buf = (lcal__strbuf){0};
    return LCAL_OK;
}

void lcal__strbuf_clear(lcal__strbuf *buf)
{
    buf->length = 0;
    if (buf->text)
        buf->text[0] = '\0';
}

void lcal__strbuf_free(lcal__strbuf *buf)
{
    lcal__free(buf->text);
    *buf = (lcal__strbuf){0};
}
