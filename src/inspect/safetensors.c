#include "format/safetensors.h"

#include <string.h>

#include "inspect/subject.h"
#include "inspect/tensors.h"

static bool is_calibration(const lcal__safetensors *file)
{
    const char *format = lcal__safetensors_metadata(file, "lcal_format");
    return format && strcmp(format, LCAL__CALIB_FORMAT) == 0;
}

lcal_status lcal__inspect_safetensors(const lcal__subject *subject, lcal__report *facts,
                                      lcal_error *err)
{
    lcal__safetensors file = {0};
    LCAL_TRY(lcal__safetensors_parse(subject->bytes, subject->size, subject->path, &file, err));
    if (is_calibration(&file)) {
        lcal__safetensors_free(&file);
        return lcal__inspect_calibration(subject, facts, err);
    }
    lcal__report_text(facts, "kind", "tensors (safetensors)");
    lcal__tensor_table table = lcal__tensor_table_new();
    for (size_t i = 0; i < file.count; i++) {
        const lcal__tensor *t = &file.tensors[i];
        lcal__tensor_table_add(&table, t->name, t->dtype, t->rank, t->shape, t->dtype, t->data);
    }
    lcal__tensor_table_finish(&table, subject->size, facts);
    lcal__safetensors_free(&file);
    return LCAL_OK;
}
