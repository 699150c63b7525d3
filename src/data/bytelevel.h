/* GPT-2's spelling of bytes as printable characters: 33..126, 161..172 and 174..255 as themselves,
 * the other 68 in order as U+0100..U+0143. */
#ifndef LCAL_DATA_BYTELEVEL_H
#define LCAL_DATA_BYTELEVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* The character of a byte in UTF-8; returns its length, 1 or 2. */
size_t lcal__bytelevel_spell(unsigned char byte, char out[2]);

/* Appends the spelling of bytes. */
void lcal__bytelevel_encode(const char *bytes, size_t length, lcal__strbuf *out);

/* Appends the bytes that a text spells; false, and nothing appended, where it spells none. */
bool lcal__bytelevel_decode(const char *text, size_t length, lcal__strbuf *out);

#endif
