/* A table of tensors: every value is read once for its range, size and finiteness. */
#ifndef LCAL_INSPECT_TENSORS_H
#define LCAL_INSPECT_TENSORS_H

#include "base/dtype.h"
#include "format/gguf.h"
#include "inspect/report.h"

/* Rows go to the list "tensors" of facts once it is finished. */
typedef struct lcal__tensor_table {
    lcal__report holder; /* one list, so that failures are remembered */
    json_t *rows;
    uint64_t parameters, non_finite;
} lcal__tensor_table;

lcal__tensor_table lcal__tensor_table_new(void);

/*
 * One tensor of elements of `dtype` at `data` (need not be aligned; may be NULL: then nothing is
 * said of its values, as for integers). shown: the type to name, where values were converted.
 */
void lcal__tensor_table_add(lcal__tensor_table *table, const char *name, lcal__dtype shown,
                            size_t rank, const size_t *shape, lcal__dtype dtype, const void *data);

/* The same of a tensor in a GGUF file; nothing is said of values whose type lcal does not read. */
void lcal__tensor_table_add_gguf(lcal__tensor_table *table, const lcal__gguf_tensor *tensor);

/* Adds parameters, bytes a parameter (of file_bytes), non_finite and the list itself, and frees. */
void lcal__tensor_table_finish(lcal__tensor_table *table, uint64_t file_bytes, lcal__report *facts);
void lcal__tensor_table_free(lcal__tensor_table *table);

#endif
