/* Reading attributes; written ones are strict in type, so reading is too. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "format/hdf5_internal.h"

/* An attribute with one value: its identifier and stored type. */
static lcal_status open_attribute(const lcal__h5 *file, const char *path, const char *name,
                                  hid_t *attribute, hid_t *type, lcal_error *err)
{
    hid_t object;
    LCAL_TRY(lcal__h5_object(file, path, H5I_BADID, &object, err));
    htri_t there = H5Aexists(object, name);
    if (there > 0) {
        *attribute = H5Aopen(object, name, H5P_DEFAULT);
        *type = *attribute < 0 ? H5I_INVALID_HID : H5Aget_type(*attribute);
    }
    lcal_status status = LCAL_OK;
    if (there < 0 || (there > 0 && *type < 0))
        status = lcal__h5_fail(file, LCAL_FORMAT, path, "open an attribute", err);
    lcal__h5_drop(object);
    if (there == 0)
        return lcal__fail(err, LCAL_FORMAT, "%s: %s: attribute %s: missing", file->source, path,
                          name);
    if (status != LCAL_OK)
        return lcal__fail_in(err, status, "attribute %s", name);
    hid_t space = H5Aget_space(*attribute);
    if (H5Sget_simple_extent_type(space) != H5S_SCALAR)
        status = lcal__fail(err, LCAL_FORMAT,
                            "%s: %s: attribute %s: expected one value, found "
                            "another shape",
                            file->source, path, name);
    lcal__h5_drop(space);
    return status;
}

static lcal_status fail_attribute(const lcal__h5 *file, const char *path, const char *name,
                                  const char *expected, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT, "%s: %s: attribute %s: expected %s, found another type",
                      file->source, path, name, expected);
}

static lcal_status get_number(const lcal__h5 *file, const char *path, const char *name,
                              hid_t stored, hid_t held, const char *expected, void *out,
                              lcal_error *err)
{
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    lcal_status status = open_attribute(file, path, name, &attribute, &type, err);
    if (status == LCAL_OK && H5Tequal(type, stored) <= 0)
        status = fail_attribute(file, path, name, expected, err);
    if (status == LCAL_OK && H5Aread(attribute, held, out) < 0) {
        status = lcal__h5_fail(file, LCAL_FORMAT, path, "read an attribute", err);
        status = lcal__fail_in(err, status, "attribute %s", name);
    }
    lcal__h5_drop(type);
    lcal__h5_drop(attribute);
    return status;
}

lcal_status lcal__h5_get_int(lcal__h5 *file, const char *path, const char *name, int64_t *out,
                             lcal_error *err)
{
    int64_t value = 0;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = get_number(file, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64,
                                    "a 64-bit integer", &value, err);
    lcal__h5_restore(quiet);
    if (status == LCAL_OK)
        *out = value;
    return status;
}

lcal_status lcal__h5_get_real(lcal__h5 *file, const char *path, const char *name, double *out,
                              lcal_error *err)
{
    double value = 0;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = get_number(file, path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                                    "a 64-bit real number", &value, err);
    lcal__h5_restore(quiet);
    if (status == LCAL_OK)
        *out = value;
    return status;
}

static bool is_utf8(const char *text, size_t size)
{
    while (size) {
        size_t length = lcal__utf8_valid(text, size);
        if (length == 0)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

static lcal_status read_text(const lcal__h5 *file, const char *path, const char *name,
                             hid_t attribute, hid_t type, char **out, lcal_error *err)
{
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
        return fail_attribute(file, path, name, "a fixed-length string", err);
    size_t size = H5Tget_size(type);
    if (size == 0 || size > LCAL__H5_TEXT_MAX)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: %s: attribute %s: expected at most %zu bytes of text, found %zu",
                          file->source, path, name, LCAL__H5_TEXT_MAX, size);
    char *text = lcal__calloc(size + 1, 1);
    if (!text)
        return lcal__fail_nomem(err, name);
    lcal_status status = LCAL_OK;
    if (H5Aread(attribute, type, text) < 0) {
        status = lcal__h5_fail(file, LCAL_FORMAT, path, "read an attribute", err);
        status = lcal__fail_in(err, status, "attribute %s", name);
    } else if (!is_utf8(text, strlen(text)))
        status = lcal__fail(err, LCAL_FORMAT, "%s: %s: attribute %s: text is not valid UTF-8",
                            file->source, path, name);
    if (status != LCAL_OK)
        lcal__free(text);
    else
        *out = text;
    return status;
}

lcal_status lcal__h5_get_text(lcal__h5 *file, const char *path, const char *name, char **out,
                              lcal_error *err)
{
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal_status status = open_attribute(file, path, name, &attribute, &type, err);
    if (status == LCAL_OK)
        status = read_text(file, path, name, attribute, type, out, err);
    lcal__h5_drop(type);
    lcal__h5_drop(attribute);
    lcal__h5_restore(quiet);
    return status;
}
