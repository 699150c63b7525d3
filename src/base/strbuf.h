/* A growing string. Zeroed is valid and empty. After a failed allocation it stays failed. */
#ifndef LCAL_BASE_STRBUF_H
#define LCAL_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct lcal__strbuf {
    char *text; /* zero-terminated once anything was added; NULL before */
    size_t length;
    size_t capacity;
    bool failed; /* an allocation failed: text holds what was added before */
} lcal__strbuf;

void lcal__strbuf_add(lcal__strbuf *buf, const char *text);
void lcal__strbuf_add_bytes(lcal__strbuf *buf, const void *bytes, size_t length);
void lcal__strbuf_printf(lcal__strbuf *buf, const char *format, ...) LCAL_PRINTF(2, 3);

/* Appends text in which U+FFFD stands for what is no UTF-8 (see lcal__utf8_broken). */
void lcal__strbuf_add_utf8(lcal__strbuf *buf, const char *text, size_t length);

/* Appends text as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void lcal__strbuf_add_json(lcal__strbuf *buf, const char *text);

/* Hands the text over (never NULL on LCAL_OK, free with lcal__free) and leaves buf empty. */
lcal_status lcal__strbuf_take(lcal__strbuf *buf, char **text, lcal_error *err);

void lcal__strbuf_clear(lcal__strbuf *buf);
void lcal__strbuf_free(lcal__strbuf *buf);

#endif
