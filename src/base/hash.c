#include "base/hash.h"

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/mem.h"

struct lcal__hash {
    EVP_MD_CTX *context;
};

lcal_status lcal__hash_open(lcal__hash **out, lcal_error *err)
{
    lcal__hash *hash = lcal__calloc(1, sizeof(*hash));
    if (!hash)
        return lcal__fail_nomem(err, "a hash");
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(hash->context);
        lcal__free(hash);
        return lcal__fail(err, LCAL_INTERNAL, "libcrypto cannot start a SHA-256");
    }
    *out = hash;
    return LCAL_OK;
}

void lcal__hash_add(lcal__hash *hash, const void *data, size_t size)
{
    EVP_DigestUpdate(hash->context, data, size);
}

static void finish(lcal__hash **hash, unsigned char digest[LCAL__SHA256_BYTES])
{
    EVP_DigestFinal_ex((*hash)->context, digest, NULL);
    EVP_MD_CTX_free((*hash)->context);
    lcal__free(*hash);
    *hash = NULL;
}

void lcal__hash_close(lcal__hash **hash, char hex[LCAL__SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[LCAL__SHA256_BYTES] = {0};
    finish(hash, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[LCAL__SHA256_HEX - 1] = '\0';
}

lcal_status lcal__sha256_bytes(const void *data, size_t size,
                               unsigned char digest[LCAL__SHA256_BYTES], lcal_error *err)
{
    lcal__hash *hash = NULL;
    LCAL_TRY(lcal__hash_open(&hash, err));
    lcal__hash_add(hash, data, size);
    finish(&hash, digest);
    return LCAL_OK;
}

lcal_status lcal__sha256(const void *data, size_t size, char hex[LCAL__SHA256_HEX], lcal_error *err)
{
    lcal__hash *hash = NULL;
    LCAL_TRY(lcal__hash_open(&hash, err));
    lcal__hash_add(hash, data, size);
    lcal__hash_close(&hash, hex);
    return LCAL_OK;
}
