/*
 * The weight files of a model directory: model.safetensors, or model.safetensors.index.json and the
 * shards that it names. Mapped and parsed as a whole; tensors are found by name.
 */
#ifndef LCAL_MODEL_WEIGHT_FILES_H
#define LCAL_MODEL_WEIGHT_FILES_H

#include <jansson.h>

#include "base/file.h"
#include "base/hash.h"
#include "format/safetensors.h"
#include "lcal/log.h"

typedef struct lcal__shard {
    const char *name; /* within the directory; owned by the index, or static */
    char *path;
    lcal__map map;
    lcal__safetensors file;
    bool *used; /* [file.count]: asked for, or known not to be the model's */
} lcal__shard;

/* Zeroed is valid and empty. */
typedef struct lcal__weight_files {
    char *source;        /* what messages call the whole: the path of the file or of the index */
    lcal__shard *shards; /* sorted by name */
    size_t count;
    json_t *index;       /* NULL for a single file */
    const json_t *where; /* tensor -> shard name; NULL for a single file */
} lcal__weight_files;

/*
 * Opens the single file where there is one, else the index. LCAL_FORMAT: a shard's name leaves the
 * directory, or a shard lacks tensors that the index puts there (they are named). Tensors of a
 * shard that the index does not know are not found, and give a notice.
 */
lcal_status lcal__weight_files_open(const char *directory, const lcal_log *log,
                                    lcal__weight_files *out, lcal_error *err);
/* One file of another format: mapped, hashed, released and closed like a shard; holds no tensors.
 */
lcal_status lcal__weight_files_hold(const char *path, lcal__weight_files *out, lcal_error *err);

void lcal__weight_files_close(lcal__weight_files *files);

/* Lets the pages of [data, data + size) leave memory where they are of a file; elsewhere nothing.
 */
void lcal__weight_files_release(const lcal__weight_files *files, const void *data, size_t size);

/* NULL where there is none. Marks the tensor as used. */
const lcal__tensor *lcal__weight_files_find(const lcal__weight_files *files, const char *name);

/* One notice that names the tensors nobody asked for. `rotary_emb.inv_freq`, a buffer that old
 * versions of transformers saved, is passed over in silence. */
void lcal__weight_files_report_unused(const lcal__weight_files *files, const lcal_log *log);

/* Of the single file, or of the text "HEX  NAME\n" of all shards. Reads every byte. */
lcal_status lcal__weight_files_hash(const lcal__weight_files *files, char hex[LCAL__SHA256_HEX],
                                    lcal_error *err);

size_t lcal__weight_files_bytes(const lcal__weight_files *files);

#endif
