#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/hdf5_internal.h"

#define DEFLATE_LEVEL 6
/* Bytes by which the image in memory grows. */
#define IMAGE_INCREMENT ((size_t)256 << 10)
/* Links and attributes stay in the object header up to these many: the indexed form that the
 * library would turn to at 8 costs kilobytes for each object. */
#define COMPACT_MAX 4096

/* No times, creation order, compact links and attributes: on the file (its root) and each group. */
static bool plain_group(hid_t properties)
{
    return H5Pset_obj_track_times(properties, false) >= 0
           && H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED) >= 0
           && H5Pset_link_phase_change(properties, COMPACT_MAX, 0) >= 0
           && H5Pset_attr_phase_change(properties, COMPACT_MAX, 0) >= 0
           && H5Pset_est_link_info(properties, 2, 8) >= 0;
}

/*
 * File image callbacks that keep the image in our hands: at H5Fclose it is complete and becomes the
 * result. H5Fget_file_image will not do: it changes the superblock's flags, not their checksum.
 */
static void *grow_image(void *image, size_t size, H5FD_file_image_op_t operation, void *context)
{
    lcal__h5 *file = context;
    (void)image, (void)operation;
    return lcal__grow(&file->built, &file->built_capacity, size, 1) ? file->built : NULL;
}

static herr_t keep_image(void *image, H5FD_file_image_op_t operation, void *context)
{
    (void)image, (void)operation, (void)context;
    return 0;
}

/* The context of these callbacks is the handle, which outlives the library's file. */
static void *same_context(void *context)
{
    return context;
}

static herr_t keep_context(void *context)
{
    (void)context;
    return 0;
}

/*
 * File access properties of an image: core driver without a backing store, libver v110. The name to
 * use goes to `name`: the library takes two open files of one name for the same one. Negative on
 * failure.
 */
static hid_t access_properties(lcal__h5 *file, char name[64])
{
    H5FD_file_image_callbacks_t callbacks = {.image_realloc = grow_image,
                                             .image_free = keep_image,
                                             .udata_copy = same_context,
                                             .udata_free = keep_context,
                                             .udata = file};
    snprintf(name, 64, "lcal-image-%p", (void *)file);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0
        && (H5Pset_fapl_core(access, IMAGE_INCREMENT, false) < 0
            || H5Pset_file_image_callbacks(access, &callbacks) < 0
            || H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0
            || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)) {
        lcal__h5_drop(access);
        access = H5I_INVALID_HID;
    }
    return access;
}

static lcal_status create(lcal__h5 *file, lcal_error *err)
{
    char name[64];
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    hid_t access = access_properties(file, name);
    file->group_properties = H5Pcreate(H5P_GROUP_CREATE);
    file->link_properties = H5Pcreate(H5P_LINK_CREATE);
    /* Nothing is reserved and left unused. (A file space strategy would save as much, but is kept
     * in an extension of the superblock, which always holds times.) */
    bool ready = access >= 0 && plain_group(creation) && plain_group(file->group_properties)
                 && H5Pset_meta_block_size(access, 0) >= 0
                 && H5Pset_small_data_block_size(access, 0) >= 0
                 && H5Pset_char_encoding(file->link_properties, H5T_CSET_UTF8) >= 0;
    if (ready)
        file->file = H5Fcreate(name, H5F_ACC_TRUNC, creation, access);
    lcal_status status = LCAL_OK;
    if (file->file < 0)
        status = lcal__h5_fail(file, LCAL_INTERNAL, "/", "create a file in memory", err);
    lcal__h5_drop(creation);
    lcal__h5_drop(access);
    return status;
}

lcal_status lcal__h5_create(lcal__h5 **out, lcal_error *err)
{
    lcal__h5 *file = NULL;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = lcal__h5_handle("new HDF5 file", &file, err);
    if (status == LCAL_OK)
        status = create(file, err);
    lcal__h5_restore(quiet);
    if (status != LCAL_OK)
        lcal__h5_close(&file);
    else
        *out = file;
    return status;
}

static lcal_status make_group(lcal__h5 *file, const char *path, lcal_error *err)
{
    htri_t there = H5Lexists(file->file, path, H5P_DEFAULT);
    if (there > 0)
        return LCAL_OK;
    hid_t group =
        H5Gcreate2(file->file, path, file->link_properties, file->group_properties, H5P_DEFAULT);
    if (group < 0)
        return lcal__h5_fail(file, LCAL_INTERNAL, path, "create the group", err);
    lcal__h5_drop(group);
    return LCAL_OK;
}

/* Makes the groups above the last component, and the last one too where `whole`. */
static lcal_status make_groups(lcal__h5 *file, const char *path, bool whole, lcal_error *err)
{
    char *prefix = lcal__strdup(path);
    if (!prefix)
        return lcal__fail_nomem(err, path);
    lcal_status status = LCAL_OK;
    for (char *slash = prefix; status == LCAL_OK && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        status = make_group(file, prefix, err);
        *slash = '/';
    }
    if (status == LCAL_OK && whole && path[1])
        status = make_group(file, path, err);
    lcal__free(prefix);
    return status;
}

static lcal_status check_path(const lcal__h5 *file, const char *path, lcal_error *err)
{
    size_t length = strlen(path);
    if (path[0] != '/' || strstr(path, "//") || (length > 1 && path[length - 1] == '/'))
        return lcal__fail(err, LCAL_INVALID, "%s: \"%s\": expected a path like /group/name",
                          file->source, path);
    return LCAL_OK;
}

lcal_status lcal__h5_group(lcal__h5 *file, const char *path, lcal_error *err)
{
    LCAL_TRY(check_path(file, path, err));
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = make_groups(file, path, true, err);
    lcal__h5_restore(quiet);
    return status;
}

/* Takes the types over. stored: in the file; held: of *value. */
static lcal_status put_attribute(lcal__h5 *file, const char *path, const char *name, hid_t stored,
                                 hid_t held, const void *value, lcal_error *err)
{
    hid_t attribute = H5I_INVALID_HID;
    hid_t space = H5Screate(H5S_SCALAR);
    if (stored >= 0 && held >= 0 && space >= 0)
        attribute = H5Acreate_by_name(file->file, path, name, stored, space, H5P_DEFAULT,
                                      H5P_DEFAULT, H5P_DEFAULT);
    lcal_status status = LCAL_OK;
    if (attribute < 0 || H5Awrite(attribute, held, value) < 0) {
        status = lcal__h5_fail(file, LCAL_INTERNAL, path, "write an attribute", err);
        status = lcal__fail_in(err, status, "attribute %s", name);
    }
    lcal__h5_drop(attribute);
    lcal__h5_drop(space);
    lcal__h5_drop(held);
    lcal__h5_drop(stored);
    return status;
}

/* A fixed-length UTF-8 string of `size` bytes, padded with zeros. */
static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0
        && (H5Tset_size(type, size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0
            || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        lcal__h5_drop(type);
        type = H5I_INVALID_HID;
    }
    return type;
}

lcal_status lcal__h5_put_text(lcal__h5 *file, const char *path, const char *name, const char *value,
                              lcal_error *err)
{
    size_t length = strlen(value);
    if (length > LCAL__H5_TEXT_MAX)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: %s: attribute %s: expected at most %zu bytes of text, found %zu",
                          file->source, path, name, LCAL__H5_TEXT_MAX, length);
    /* A string type of size 0 does not exist: "" is one zero byte. */
    size_t size = length ? length : 1;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status =
        put_attribute(file, path, name, text_type(size), text_type(size), value, err);
    lcal__h5_restore(quiet);
    return status;
}

lcal_status lcal__h5_put_int(lcal__h5 *file, const char *path, const char *name, int64_t value,
                             lcal_error *err)
{
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = put_attribute(file, path, name, lcal__h5_type(LCAL__I64, true),
                                       lcal__h5_type(LCAL__I64, false), &value, err);
    lcal__h5_restore(quiet);
    return status;
}

lcal_status lcal__h5_put_real(lcal__h5 *file, const char *path, const char *name, double value,
                              lcal_error *err)
{
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = put_attribute(file, path, name, lcal__h5_type(LCAL__F64, true),
                                       lcal__h5_type(LCAL__F64, false), &value, err);
    lcal__h5_restore(quiet);
    return status;
}

static hid_t dataset_properties(size_t rank, const hsize_t *extents)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (properties >= 0
        && (H5Pset_obj_track_times(properties, false) < 0
            || H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) < 0
            || H5Pset_chunk(properties, (int)rank, extents) < 0 || H5Pset_shuffle(properties) < 0
            || H5Pset_deflate(properties, DEFLATE_LEVEL) < 0
            || H5Pset_fletcher32(properties) < 0)) {
        lcal__h5_drop(properties);
        properties = H5I_INVALID_HID;
    }
    return properties;
}

static lcal_status put(lcal__h5 *file, const char *path, lcal__dtype dtype, size_t rank,
                       const hsize_t *extents, const void *data, lcal_error *err)
{
    LCAL_TRY(make_groups(file, path, false, err));
    hid_t dataset = H5I_INVALID_HID;
    hid_t stored = lcal__h5_type(dtype, true);
    hid_t held = lcal__h5_type(dtype, false);
    hid_t space = H5Screate_simple((int)rank, extents, NULL);
    hid_t properties = dataset_properties(rank, extents);
    if (stored >= 0 && held >= 0 && space >= 0 && properties >= 0)
        dataset = H5Dcreate2(file->file, path, stored, space, file->link_properties, properties,
                             H5P_DEFAULT);
    lcal_status status = LCAL_OK;
    if (dataset < 0 || H5Dwrite(dataset, held, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = lcal__h5_fail(file, LCAL_INTERNAL, path, "write the dataset", err);
    lcal__h5_drop(dataset);
    lcal__h5_drop(properties);
    lcal__h5_drop(space);
    lcal__h5_drop(held);
    lcal__h5_drop(stored);
    return status;
}

lcal_status lcal__h5_put(lcal__h5 *file, const char *path, lcal__dtype dtype, size_t rank,
                         const size_t *shape, const void *data, lcal_error *err)
{
    hsize_t extents[LCAL__H5_RANK_MAX];
    LCAL_TRY(check_path(file, path, err));
    if (rank < 1 || rank > LCAL__H5_RANK_MAX)
        return lcal__fail(err, LCAL_INVALID, "%s: %s: expected a rank of 1 to %d, found %zu",
                          file->source, path, LCAL__H5_RANK_MAX, rank);
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] == 0)
            return lcal__fail(err, LCAL_INVALID, "%s: %s: dimension %zu is 0", file->source, path,
                              i);
        extents[i] = shape[i];
    }
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = put(file, path, dtype, rank, extents, data, err);
    lcal__h5_restore(quiet);
    if (status == LCAL_OK && dtype == LCAL__BF16)
        status = lcal__h5_put_text(file, path, LCAL__H5_DTYPE_ATTRIBUTE, LCAL__H5_DTYPE_BF16, err);
    return status;
}

/* Flushes and closes; the image stays in file->built. */
static lcal_status close_image(lcal__h5 *file, size_t *size, lcal_error *err)
{
    if (H5Fflush(file->file, H5F_SCOPE_GLOBAL) < 0)
        return lcal__h5_fail(file, LCAL_INTERNAL, "/", "flush the file", err);
    ssize_t length = H5Fget_file_image(file->file, NULL, 0);
    if (length <= 0)
        return lcal__h5_fail(file, LCAL_INTERNAL, "/", "measure the file", err);
    herr_t closed = H5Fclose(file->file);
    file->file = H5I_INVALID_HID;
    if (closed < 0)
        return lcal__h5_fail(file, LCAL_INTERNAL, "/", "close the file", err);
    *size = (size_t)length;
    return LCAL_OK;
}

/* Appends the seal to file->built, which holds *size bytes. */
static lcal_status seal(lcal__h5 *file, size_t *size, lcal_error *err)
{
    unsigned char *end;
    if (!lcal__grow(&file->built, &file->built_capacity, *size + LCAL__H5_SEAL_BYTES, 1))
        return lcal__fail_nomem(err, "an HDF5 image");
    end = (unsigned char *)file->built + *size;
    memcpy(end, LCAL__H5_SEAL, 8);
    LCAL_TRY(lcal__sha256_bytes(file->built, *size, end + 8, err));
    *size += LCAL__H5_SEAL_BYTES;
    return LCAL_OK;
}

lcal_status lcal__h5_finish(lcal__h5 **file, unsigned char **bytes, size_t *size, lcal_error *err)
{
    lcal__h5 *check = NULL;
    size_t length = 0;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = close_image(*file, &length, err);
    lcal__h5_restore(quiet);
    if (status == LCAL_OK)
        status = seal(*file, &length, err);
    if (status == LCAL_OK)
        status = lcal__h5_open((*file)->built, length, "finished HDF5 file", &check, err);
    lcal__h5_close(&check);
    if (status == LCAL_OK) {
        *bytes = (*file)->built;
        *size = length;
        (*file)->built = NULL;
    }
    lcal__h5_close(file);
    return status;
}
