#include "base/file.h"
#include "lcal/file.h"

lcal_status lcal_file_write(const char *path, const void *data, size_t size, lcal_error *err)
{
    if (!path || (!data && size))
        return lcal__fail(err, LCAL_INVALID, "lcal_file_write: path and data must be given");
    return lcal__file_replace(path, data, size, err);
}
