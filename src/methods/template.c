#include "methods/template.h"

#include <string.h>

static const char mark[] = "{text}";
#define MARK (sizeof(mark) - 1)

bool lcal__template_is_sound(const char *template_)
{
    const char *at = strstr(template_, mark);
    return at && !strstr(at + MARK, mark);
}

void lcal__template_fill(const char *template_, const char *text, size_t size, lcal__strbuf *out)
{
    const char *at = strstr(template_, mark);
    lcal__strbuf_add_bytes(out, template_, (size_t)(at - template_));
    lcal__strbuf_add_bytes(out, text, size);
    lcal__strbuf_add(out, at + MARK);
}

bool lcal__template_find(const char *template_, const char *whole, const char **text, size_t *size)
{
    const char *at = strstr(template_, mark);
    const size_t head = (size_t)(at - template_), tail = strlen(at + MARK), all = strlen(whole);
    if (all < head + tail || memcmp(whole, template_, head) != 0
        || memcmp(whole + all - tail, at + MARK, tail) != 0)
        return false;
    *text = whole + head;
    *size = all - head - tail;
    return true;
}
