/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef LCAL_BASE_UTF8_H
#define LCAL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1..4) of the valid character at text[0..size), or 0 where there is none. */
size_t lcal__utf8_valid(const char *text, size_t size);

/* Whether text[0..size) is nothing but valid characters. */
bool lcal__utf8_all(const char *text, size_t size);

/*
 * Where lcal__utf8_valid gives 0 and size > 0: the length (1..3) of what one U+FFFD replaces, the
 * maximal subpart of an ill-formed sequence (Unicode 15, section 3.9). *cut tells that text ends
 * inside a character that more bytes could complete.
 */
size_t lcal__utf8_broken(const char *text, size_t size, bool *cut);

#endif
