/*
 * HDF5: the only user of the HDF5 library.
 *
 * Files are built and read as images in memory, so that writing is our own atomic replacement, file
 * locking cannot fail, and a parser sees (pointer, length). An image is read through a driver of
 * our own, hdf5_driver.h, which checks each read against that length. Images hold no times, use
 * libver v110 (single-chunk index: small), fixed-length UTF-8 strings, and creation order, so that
 * equal content gives equal bytes. Datasets are one chunk with shuffle, deflate 6 and fletcher32;
 * empty ones are not allowed. A SHA-256 behind the end of the HDF5 file proper, where its other
 * readers do not look, tells damage before the library sees it. The library's error stack is
 * silenced; its text goes into our message.
 */
#ifndef LCAL_FORMAT_HDF5_H
#define LCAL_FORMAT_HDF5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"

typedef struct lcal__h5 lcal__h5;

/* --- writing ------------------------------------------------------------------------------- */

lcal_status lcal__h5_create(lcal__h5 **out, lcal_error *err);

/* Makes a group, parents included; "/" separated, absolute ("/calib/q_proj"). An existing one is
 * fine. */
lcal_status lcal__h5_group(lcal__h5 *file, const char *path, lcal_error *err);

/* Attributes of the object at `path` ("/" is the root). */
lcal_status lcal__h5_put_text(lcal__h5 *file, const char *path, const char *name, const char *value,
                              lcal_error *err);
lcal_status lcal__h5_put_int(lcal__h5 *file, const char *path, const char *name, int64_t value,
                             lcal_error *err);
lcal_status lcal__h5_put_real(lcal__h5 *file, const char *path, const char *name, double value,
                              lcal_error *err);

/*
 * A dataset of rank 1..8 from `data` (elements of `dtype`, row-major; F32, F16, BF16, F64, I64,
 * I32). F16 is stored as IEEE binary16, BF16 as u16 with an attribute dtype = "bf16".
 */
lcal_status lcal__h5_put(lcal__h5 *file, const char *path, lcal__dtype dtype, size_t rank,
                         const size_t *shape, const void *data, lcal_error *err);

/* The finished file's bytes (free with lcal__free). The file is closed, also on failure. */
lcal_status lcal__h5_finish(lcal__h5 **file, unsigned char **bytes, size_t *size, lcal_error *err);

/* --- reading ------------------------------------------------------------------------------- */

/* Opens an image; `source` is what messages call it. bytes must outlive the handle. */
lcal_status lcal__h5_open(const void *bytes, size_t size, const char *source, lcal__h5 **out,
                          lcal_error *err);
void lcal__h5_close(lcal__h5 **file);

/* Missing is an error; for the optional forms *found tells and a missing one is no error. */
bool lcal__h5_has(lcal__h5 *file, const char *path);
bool lcal__h5_has_attribute(lcal__h5 *file, const char *path, const char *name);
lcal_status lcal__h5_get_text(lcal__h5 *file, const char *path, const char *name, char **out,
                              lcal_error *err); /* free with lcal__free; at most 16 MiB */
lcal_status lcal__h5_get_int(lcal__h5 *file, const char *path, const char *name, int64_t *out,
                             lcal_error *err);
lcal_status lcal__h5_get_real(lcal__h5 *file, const char *path, const char *name, double *out,
                              lcal_error *err);

/* Names of a group's members in creation order. Calls fn for each; fn's failure ends the walk. fn
 * may change or free what `group` points to. More members in all walks of a handle than its image
 * could hold once are LCAL_FORMAT. */
typedef lcal_status lcal__h5_visit_fn(void *context, const char *name, bool is_group,
                                      lcal_error *err);
lcal_status lcal__h5_list(lcal__h5 *file, const char *group, lcal__h5_visit_fn *fn, void *context,
                          lcal_error *err);

/* Type and extents. Links out of the file, external storage and filters other than ours are
 * refused. */
lcal_status lcal__h5_shape(lcal__h5 *file, const char *path, lcal__dtype *dtype, size_t *rank,
                           size_t shape[8], lcal_error *err);

/* Reads a dataset whose extents must be exactly `shape`, converted to f32 (floating types). */
lcal_status lcal__h5_get_f32(lcal__h5 *file, const char *path, size_t rank, const size_t *shape,
                             float *out, lcal_error *err);

#endif
