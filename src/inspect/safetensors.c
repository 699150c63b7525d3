#include "format/safetensors.h"

#include <string.h>

#include "inspect/subject.h"
#include "inspect/tensors.h"

static bool is_calibration(const lcal__safetensors *file)
{
    const char *format = lcal__safetensors_metadata(file, "lcal_format");
    return format && strcmp(format, LCAL__CALIB_FORMAT) == 0;
}

/* What lcal made the tensors from; another program's key of that name is no object and passed over.
 */
static void add_provenance(const lcal__safetensors *file, lcal__report *facts)
{
    const char *text = lcal__safetensors_metadata(file, LCAL__PROVENANCE_KEY);
    json_t *made = NULL;
    if (text && lcal__json_parse_object(text, strlen(text), "metadata", &made, NULL) == LCAL_OK)
        lcal__report_value(facts, "made_from", made);
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
    add_provenance(&file, facts);
    lcal__tensor_table table = lcal__tensor_table_new();
    for (size_t i = 0; i < file.count; i++) {
        const lcal__tensor *t = &file.tensors[i];
        lcal__tensor_table_add(&table, t->name, t->dtype, t->rank, t->shape, t->dtype, t->data);
    }
    lcal__tensor_table_finish(&table, subject->size, facts);
    lcal__safetensors_free(&file);
    return LCAL_OK;
}
