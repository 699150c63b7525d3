/*
 * The file driver under every image that is read: a read is a copy out of the caller's bytes.
 *
 * The library's own driver for images (core) is not used for reading, because it asks for the
 * library's accumulator of metadata, and that adds an address of the file to a size without looking
 * for overflow: versions in use read and write outside their buffers where an object header without
 * a checksum (the old formats) holds an address near 2^64. This driver asks for none of the
 * library's buffers, so that every byte the library gets passes the one check here.
 *
 * It opens nothing but its image, once: a link or a dataset that leads to another file meets a
 * refusal here too, whatever the checks above it have missed. It never writes.
 */
#ifndef LCAL_FORMAT_HDF5_DRIVER_H
#define LCAL_FORMAT_HDF5_DRIVER_H

#define H5_USE_110_API /* later versions rename the calls used here */
#include <hdf5.h>
#include <stddef.h>

typedef struct lcal__h5_driver lcal__h5_driver;

/* bytes must outlive the driver. NULL: no memory. */
lcal__h5_driver *lcal__h5_driver_new(const void *bytes, size_t size);

/* File access properties with which H5Fopen, read-only and by any name, opens the image; the file
 * is to be closed before the driver is freed. Negative on failure; the caller closes them. */
hid_t lcal__h5_driver_access(lcal__h5_driver *driver);

/* Also where the library could not close the file: what it may still ask finds an empty image. */
void lcal__h5_driver_free(lcal__h5_driver **driver);

#endif
