/* What an opened or filled model or adapter owns besides its tables. */
#ifndef LCAL_MODEL_STORAGE_H
#define LCAL_MODEL_STORAGE_H

#include "model/weight_files.h"

/* Zeroed is valid and empty. */
typedef struct lcal__storage {
    lcal__weight_files files; /* empty for a random model */
    void **buffers;
    size_t count, capacity;
} lcal__storage;

/* count * size bytes at LCAL_ALIGN, not initialised, freed with the storage; NULL: out of memory.
 */
void *lcal__storage_alloc(lcal__storage *storage, size_t count, size_t size);

/* Frees everything and *storage itself, and sets it to NULL. */
void lcal__storage_close(void **storage);

#endif
