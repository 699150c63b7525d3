/* A model whose every tensor is a trained one, for writing it (method base). */
#ifndef LCAL_TRAIN_MODEL_VIEW_H
#define LCAL_TRAIN_MODEL_VIEW_H

#include "engine/params.h"

/* *out owns nothing but its list of layers (lcal__model_view_free); model, params and values
 * [params->total] must outlive it. */
lcal_status lcal__model_view(const lcal__model *model, const lcal__params *params,
                             const float *values, lcal__model *out, lcal_error *err);
void lcal__model_view_free(lcal__model *view);

#endif
