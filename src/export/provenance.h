/* Where an export comes from, as JSON text for a file's metadata. */
#ifndef LCAL_EXPORT_PROVENANCE_H
#define LCAL_EXPORT_PROVENANCE_H

#include "calib/composition.h"
#include "calib/file.h"

/*
 * {"base_sha256", "merge": {rule and options}, "adapters": [{"name", "sha256", "weight"}],
 * "on_top": [the same], "calibration": {"method", "form", "scale", "rank", "seed", "step"}}; what
 * there is none of is left out. rank: what updates were cut to, 0: not. Free with lcal__free.
 */
lcal_status lcal__provenance(const lcal__composition *model, size_t rank, char **text,
                             lcal_error *err);

#endif
