/* SHA-256 (FIPS 180-4, by libcrypto), to tie a calibration to the exact base and adapters it was
 * made for. */
#ifndef LCAL_BASE_HASH_H
#define LCAL_BASE_HASH_H

#include <stddef.h>

#include "base/status.h"

#define LCAL__SHA256_BYTES 32
#define LCAL__SHA256_HEX 65 /* 64 lower-case hex digits and a zero */

typedef struct lcal__hash lcal__hash;

lcal_status lcal__hash_open(lcal__hash **out, lcal_error *err);
void lcal__hash_add(lcal__hash *hash, const void *data, size_t size);
/* Finishes and frees. */
void lcal__hash_close(lcal__hash **hash, char hex[LCAL__SHA256_HEX]);

/* Of one buffer, as bytes and as text. */
lcal_status lcal__sha256_bytes(const void *data, size_t size,
                               unsigned char digest[LCAL__SHA256_BYTES], lcal_error *err);
lcal_status lcal__sha256(const void *data, size_t size, char hex[LCAL__SHA256_HEX],
                         lcal_error *err);

#endif
