#include "format/hdf5.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/hdf5_internal.h"

lcal__h5_quiet lcal__h5_silence(void)
{
    lcal__h5_quiet quiet = {0};
    H5Eget_auto2(H5E_DEFAULT, &quiet.print, &quiet.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

void lcal__h5_restore(lcal__h5_quiet quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet.print, quiet.data);
}

static herr_t keep_deepest(unsigned level, const H5E_error2_t *entry, void *text)
{
    if (level == 0 && entry->desc)
        snprintf(text, 256, "%s", entry->desc);
    return 0;
}

lcal_status lcal__h5_fail(const lcal__h5 *file, lcal_status status, const char *path,
                          const char *what, lcal_error *err)
{
    char deepest[256] = "no description";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_deepest, deepest);
    return lcal__fail(err, status, "%s: %s: cannot %s (HDF5: %s)", file->source, path, what,
                      deepest);
}

void lcal__h5_drop(hid_t id)
{
    if (id >= 0)
        H5Idec_ref(id);
}

lcal_status lcal__h5_handle(const char *source, lcal__h5 **out, lcal_error *err)
{
    lcal__h5 *file = lcal__calloc(1, sizeof(*file));
    if (!file)
        return lcal__fail_nomem(err, source);
    file->file = file->group_properties = file->link_properties = H5I_INVALID_HID;
    file->source = lcal__strdup(source);
    if (!file->source) {
        lcal__free(file);
        return lcal__fail_nomem(err, source);
    }
    *out = file;
    return LCAL_OK;
}

void lcal__h5_close(lcal__h5 **file)
{
    lcal__h5 *old = *file;
    if (!old)
        return;
    lcal__h5_quiet quiet = lcal__h5_silence();
    lcal__h5_drop(old->link_properties);
    lcal__h5_drop(old->group_properties);
    if (old->file >= 0)
        H5Fclose(old->file);
    lcal__h5_driver_free(&old->driver);
    lcal__h5_restore(quiet);
    lcal__free(old->built);
    lcal__free(old->source);
    lcal__free(old);
    *file = NULL;
}

/* IEEE binary16, which the library has no ready-made type for. */
static bool make_half(hid_t type)
{
    return H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0
           && H5Tset_ebias(type, 15) >= 0;
}

hid_t lcal__h5_type(lcal__dtype dtype, bool stored)
{
    hid_t base = H5I_INVALID_HID;
    switch (dtype) {
    case LCAL__F32:
    case LCAL__F16:
        base = stored ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT;
        break;
    case LCAL__F64:
        base = stored ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE;
        break;
    case LCAL__BF16:
        base = stored ? H5T_STD_U16LE : H5T_NATIVE_UINT16;
        break;
    case LCAL__I64:
        base = stored ? H5T_STD_I64LE : H5T_NATIVE_INT64;
        break;
    case LCAL__I32:
        base = stored ? H5T_STD_I32LE : H5T_NATIVE_INT32;
        break;
    }
    hid_t type = H5Tcopy(base);
    if (type >= 0 && dtype == LCAL__F16 && !make_half(type)) {
        lcal__h5_drop(type);
        type = H5I_INVALID_HID;
    }
    return type;
}
