/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef LCAL_BASE_UTF8_H
#define LCAL_BASE_UTF8_H

#include <stddef.h>

/* Length in bytes (1..4) of the valid character at text[0..size), or 0 where there is none. */
size_t lcal__utf8_valid(const char *text, size_t size);

#endif
