/* Formats calibration and safetensors: the trained numbers alone, with the facts they came with. */
#include "calib/composition_parts.h"
#include "export/export.h"

#define TYPES                                                                                      \
    (LCAL__EXPORT_BIT(LCAL_EXPORT_F32) | LCAL__EXPORT_BIT(LCAL_EXPORT_F16)                         \
     | LCAL__EXPORT_BIT(LCAL_EXPORT_BF16))

static lcal_status check(const lcal__exporting *job, lcal_error *err)
{
    if (job->update->spec)
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "there is no calibration: a compact file holds nothing else; adapters and "
                      "their merge fit peft, hf and gguf");
}

static lcal__store store_of(lcal_export_type type)
{
    return type == LCAL_EXPORT_F32   ? LCAL__STORE_F32
           : type == LCAL_EXPORT_F16 ? LCAL__STORE_F16
                                     : LCAL__STORE_BF16;
}

static lcal_status write_h5(const lcal__exporting *job, const char *path, lcal_error *err)
{
    const lcal__calib_file *file = &job->model->calibration;
    return lcal__calib_save_h5(path, &file->facts, &file->params, file->params.values,
                               store_of(job->type), err);
}

static lcal_status write_safetensors(const lcal__exporting *job, const char *path, lcal_error *err)
{
    const lcal__calib_file *file = &job->model->calibration;
    return lcal__calib_save_safetensors(path, &file->facts, &file->params, file->params.values,
                                        store_of(job->type), err);
}

const lcal__export_format lcal__export_calibration = {
    .types = TYPES,
    .standard = LCAL_EXPORT_F16,
    .check = check,
    .write = write_h5,
};

const lcal__export_format lcal__export_safetensors = {
    .types = TYPES,
    .standard = LCAL_EXPORT_F16,
    .check = check,
    .write = write_safetensors,
};
