/* Numbers as text, the same in every locale of the embedding program. */
#ifndef LCAL_CONFIG_NUMBER_H
#define LCAL_CONFIG_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#define LCAL__NUMBER_TEXT_MAX 64 /* bytes of a number's text, its zero included */

/* A decimal number of YAML's core schema ("3", "-0.5", ".5", "3.0e-3"), finite. False: it is none,
 * and *out is untouched. */
bool lcal__number_parse(const char *text, double *out);

/* A whole number that is not negative: exact up to 2^64 - 1 in plain digits, up to 2^53 in the
 * other spellings ("1e3", "16.0"). */
bool lcal__whole_parse(const char *text, uint64_t *out);

/* The shortest of 15, 16 or 17 digits that lcal__number_parse reads back to the same double. */
void lcal__number_print(double value, char out[LCAL__NUMBER_TEXT_MAX]);

#endif
