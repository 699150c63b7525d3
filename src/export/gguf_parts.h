/* What the two GGUF formats share. */
#ifndef LCAL_EXPORT_GGUF_PARTS_H
#define LCAL_EXPORT_GGUF_PARTS_H

#include "export/hf_target.h"
#include "format/gguf_write.h"

lcal__ggml_type lcal__export_ggml_type(lcal_export_type type);

/* general.name, of the base's path, and lcal.provenance: what was composed, as JSON. rank: what
 * updates were cut to, 0: not. */
lcal_status lcal__gguf_put_provenance(const lcal__exporting *job, size_t rank,
                                      lcal__gguf_writer *out, lcal_error *err);

/* All keys of a model but its tokenizer's. */
void lcal__gguf_put_config(const lcal__model_config *config, lcal__ggml_type type,
                           lcal__gguf_writer *out);

/* The tokenizer and chat template of the composition, whose directory or file has one. */
lcal_status lcal__gguf_put_tokenizer(const lcal__exporting *job, const lcal__model_config *config,
                                     lcal__gguf_writer *out, lcal_error *err);

/* A file of nothing else, which lcal finds in a model directory as tokenizer.gguf. */
lcal_status lcal__gguf_write_tokenizer(const lcal__exporting *job, const char *path,
                                       lcal_error *err);

#endif
