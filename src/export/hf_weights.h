/* The weights of a merged model as safetensors: tensor after tensor, a block of rows at a time. */
#ifndef LCAL_EXPORT_HF_WEIGHTS_H
#define LCAL_EXPORT_HF_WEIGHTS_H

#include "export/hf_target.h"

/* One file, or shards of at most options->shard_bytes and their index. Every module changed gets
 * its rounding into the report. LCAL_NUMERIC: a weight that is not finite or does not fit. */
lcal_status lcal__hf_write_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                   const char *directory, lcal_error *err);

#endif
