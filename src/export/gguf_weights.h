/* The weights of a merged model as GGUF: tensor after tensor, a block of rows at a time. */
#ifndef LCAL_EXPORT_GGUF_WEIGHTS_H
#define LCAL_EXPORT_GGUF_WEIGHTS_H

#include "export/gguf_parts.h"

/* Declares them. Rows that Q8_0 cannot cut into blocks become F16, with a notice. */
lcal_status lcal__gguf_add_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                   lcal__gguf_writer *out, lcal_error *err);

/* Writes them, after begin. Every module changed gets its rounding into the report. LCAL_NUMERIC: a
 * weight that is not finite or does not fit. */
lcal_status lcal__gguf_write_weights(const lcal__exporting *job, const lcal__hf_target *target,
                                     lcal__gguf_writer *out, lcal_error *err);

#endif
