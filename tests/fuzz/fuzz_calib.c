/* Calibrations in both formats. An HDF5 image with a seal is parsed as it comes, and once more with
 * the seal put right: whoever makes a hostile file can also compute a SHA-256. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "calib/file.h"
#include "format/hdf5_internal.h"
#include "fuzz.h"

lcal_error fuzz_error;

/* The library itself loses memory where it finds broken metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void parse(const uint8_t *data, size_t size)
{
    lcal__calib_file file = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__calib_parse(data, size, "input", &file, &fuzz_error) == LCAL_OK)
        for (size_t i = 0; i < file.params.total; i++)
            FUZZ_REQUIRE(isfinite(file.params.values[i]));
    lcal__calib_file_free(&file);
}

/* A copy whose seal fits, NULL where the image has none or a good one. */
static uint8_t *resealed(const uint8_t *data, size_t size)
{
    unsigned char digest[LCAL__SHA256_BYTES];
    if (size < LCAL__H5_SEAL_BYTES)
        return NULL;
    const size_t end = size - LCAL__H5_SEAL_BYTES;
    if (memcmp(data + end, LCAL__H5_SEAL, 8) != 0
        || lcal__sha256_bytes(data, end, digest, NULL) != LCAL_OK
        || memcmp(data + end + 8, digest, sizeof(digest)) == 0)
        return NULL;
    uint8_t *copy = lcal__calloc(size, 1);
    if (copy) {
        memcpy(copy, data, size);
        memcpy(copy + end + 8, digest, sizeof(digest));
    }
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    uint8_t *copy = resealed(data, size);
    if (copy)
        parse(copy, size);
    lcal__free(copy);
    return 0;
}
