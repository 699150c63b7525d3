/* Shared by the writing and the reading half of hdf5.h. */
#ifndef LCAL_FORMAT_HDF5_INTERNAL_H
#define LCAL_FORMAT_HDF5_INTERNAL_H

#define H5_USE_110_API /* later versions rename the calls used here */
#include <hdf5.h>

#include "base/hash.h"
#include "format/hdf5.h"
#include "format/hdf5_driver.h"

#define LCAL__H5_RANK_MAX 8
#define LCAL__H5_TEXT_MAX ((size_t)16 << 20)

/*
 * Behind the end of the HDF5 file proper, where its readers do not look, stand these 8 bytes and
 * the SHA-256 of all before them. Damage is thus found before the library sees it: versions in use
 * leak memory, or worse, on broken metadata. A file that another program rewrote has lost its seal
 * and is read on its own merits.
 */
#define LCAL__H5_SEAL "lcalseal"
#define LCAL__H5_SEAL_BYTES (8 + LCAL__SHA256_BYTES)

/* What the name of the attribute is that marks u16 as bf16, and its value. */
#define LCAL__H5_DTYPE_ATTRIBUTE "dtype"
#define LCAL__H5_DTYPE_BF16 "bf16"

struct lcal__h5 {
    hid_t file;
    hid_t group_properties;  /* writing only */
    hid_t link_properties;   /* writing only */
    char *source;            /* what messages call it */
    lcal__h5_driver *driver; /* reading only */
    const void *image;       /* reading only: the caller's bytes */
    size_t image_size;
    size_t visited; /* reading only: members that all walks have seen */
    void *built;    /* writing only: the image, [built_capacity] */
    size_t built_capacity;
};

/*
 * The library prints its error stack by itself unless told otherwise, and that setting belongs to
 * the thread, thus perhaps to an application with HDF5 files of its own: every public function
 * silences it while it runs and puts back what it found.
 */
typedef struct lcal__h5_quiet {
    H5E_auto2_t print;
    void *data;
} lcal__h5_quiet;

lcal__h5_quiet lcal__h5_silence(void);
void lcal__h5_restore(lcal__h5_quiet quiet);

/* "SOURCE: PATH: cannot WHAT (HDF5: deepest description)". To be called straight after the call
 * that failed: the next one clears the library's error stack. */
lcal_status lcal__h5_fail(const lcal__h5 *file, lcal_status status, const char *path,
                          const char *what, lcal_error *err);

/* Closes any kind of identifier; negative ones are left alone. */
void lcal__h5_drop(hid_t id);

/* A handle without a file; closed by lcal__h5_close. */
lcal_status lcal__h5_handle(const char *source, lcal__h5 **out, lcal_error *err);

/* The element type as stored (little-endian) or as in memory; closed by the caller; negative on
 * failure. */
hid_t lcal__h5_type(lcal__dtype dtype, bool stored);

/* That what is stored for an open dataset, whose type, layout and filters are known to be ours, is
 * as long as its shape says: LCAL_FORMAT where not. To be called before its data is read. */
lcal_status lcal__h5_check_storage(const lcal__h5 *file, const char *path, hid_t dataset,
                                   lcal__dtype dtype, size_t rank, const size_t *shape,
                                   lcal_error *err);

/* Opens the object at an absolute path along hard links only; type: H5I_GROUP, H5I_DATASET or
 * H5I_BADID for any. The caller closes it with lcal__h5_drop. */
lcal_status lcal__h5_object(const lcal__h5 *file, const char *path, H5I_type_t type, hid_t *out,
                            lcal_error *err);

#endif
