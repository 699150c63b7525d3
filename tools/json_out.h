/* JSON to standard output. */
#ifndef LCAL_TOOLS_JSON_OUT_H
#define LCAL_TOOLS_JSON_OUT_H

#include <stddef.h>

/* A string with its quotes; UTF-8 is passed on as it is. */
void json_text(const char *text);

/* The same of text[0..length), which may hold zero bytes; what is no UTF-8 becomes U+FFFD. */
void json_bytes(const char *text, size_t length);

/* A number that reads back to the same double; null where it is not finite. */
void json_number(double value);

#endif
