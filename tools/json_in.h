/* JSON from a line of input. */
#ifndef LCAL_TOOLS_JSON_IN_H
#define LCAL_TOOLS_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes, in place, the one JSON string that text[0..length) holds but for white space around it:
 * text[0..*out) is its value, which may hold zero bytes. Half a surrogate pair becomes U+FFFD.
 * False: something else; text is spoilt then.
 * The name keeps clear of jansson's json_string, which a symbol of this program would replace.
 */
bool json_in_string(char *text, size_t length, size_t *out);

#endif
