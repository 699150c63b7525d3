/*
 * The network of a base, its frozen adapters and what is trained on top: W' is the base with the
 * merged adapters folded in once in f32, or kept factored where memory says so (or the method needs
 * the factors), and every trained number is a leaf in one parameter block. A rule whose update is
 * dense is folded in any case: it has no other form.
 */
#ifndef LCAL_CALIB_ASSEMBLY_H
#define LCAL_CALIB_ASSEMBLY_H

#include "calib/spec.h"
#include "num/exec.h"

typedef struct lcal__assembly_options {
    const lcal__calib_spec *spec; /* NULL: nothing on top */
    lcal__memory
        memory; /* FAST: matrices folded and widened to f32; LOW: as stored, adapters factored */
    const lcal__merge_settings *merge; /* NULL: concat */
    size_t apart;     /* the last so many adapters are no part of the merge: they are added to it */
    bool training;    /* false: no gradients, leaves are frozen */
    bool shapes_only; /* weights are neither folded nor widened: for planning, not to be run */
} lcal__assembly_options;

/* The model and adapters must outlive it; everything else it owns. Zeroed is valid and empty. */
typedef struct lcal__assembly {
    lcal__network network;
    lcal__params
        params; /* values zero until lcal__calib_init or a load (base: copied from the model) */
    size_t weight_bytes; /* of folded and widened copies and of merged factors, also where
                            shapes_only spared them */
    size_t stored_bytes; /* of weights that are used where and as the model holds them */
    double truncation;   /* merge svd: the largest over modules of what was cut off, relative to
                            the module's whole update (Frobenius norms); not with shapes_only */
    void *storage;
} lcal__assembly;

/* What a user is told where truncation is not 0, with it in percent. */
#define LCAL__TRUNCATION_NOTE                                                                      \
    "merge: the rank holds all but at most %.2f %% of a module's update (Frobenius norm); raise "  \
    "merge.rank to keep more"

/* LCAL_INVALID: adapters that do not suit the merge, or a merge that does not suit the method. */
lcal_status lcal__assemble(const lcal__model *model, const lcal__adapter_use *uses, size_t count,
                           const lcal__assembly_options *options, const lcal__exec *exec,
                           lcal__assembly *out, lcal_error *err);
void lcal__assembly_free(lcal__assembly *assembly);

#endif
