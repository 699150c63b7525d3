/* What an assembly owns, and the way of method base, shared by the files that build one. */
#ifndef LCAL_CALIB_ASSEMBLY_PARTS_H
#define LCAL_CALIB_ASSEMBLY_PARTS_H

#include "calib/assembly.h"
#include "merge/merge.h"

typedef struct lcal__assembly_storage {
    float **copies; /* f32 copies of weights */
    size_t copy_count;
    lcal__term *terms; /* of all projections, one after another */
    size_t term_count;
    lcal__merge merge;
    lcal__merged *merged; /* those whose factors are terms */
    size_t merged_count;
} lcal__assembly_storage;

/* Every weight of the model as a leaf of the parameter block, values copied (method base). */
lcal_status lcal__assemble_base(const lcal__model *model, bool training, lcal__assembly *out,
                                lcal_error *err);

#endif
