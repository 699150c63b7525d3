#include "model/storage.h"

#include "base/mem.h"

void *lcal__storage_alloc(lcal__storage *storage, size_t count, size_t size)
{
    if (!lcal__grow((void **)&storage->buffers, &storage->capacity, storage->count + 1,
                    sizeof(*storage->buffers)))
        return NULL;
    void *buffer = lcal__alloc_aligned(count, size);
    if (buffer)
        storage->buffers[storage->count++] = buffer;
    return buffer;
}

void lcal__storage_close(void **storage)
{
    lcal__storage *held = *storage;
    if (!held)
        return;
    for (size_t i = 0; i < held->count; i++)
        lcal__free(held->buffers[i]);
    lcal__free(held->buffers);
    lcal__weight_files_close(&held->files);
    lcal__free(held);
    *storage = NULL;
}
