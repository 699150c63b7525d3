#include "engine/place.h"

#include <stdlib.h>

#include "base/mem.h"

void lcal__lease_touch(lcal__lease *lease, size_t step)
{
    if (lease->first == LCAL__NEVER) {
        lease->first = lease->last = step;
        return;
    }
    if (step < lease->first)
        lease->first = step;
    if (step > lease->last)
        lease->last = step;
}

/* Larger first; among equals the earlier one, so that the order is total and the plan repeatable.
 */
static int by_size(const void *a, const void *b)
{
    const lcal__lease *x = *(lcal__lease *const *)a, *y = *(lcal__lease *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Inserts into an array kept in order of offset. */
static void insert(lcal__lease **placed, size_t count, lcal__lease *lease)
{
    size_t i = count;
    for (; i > 0 && placed[i - 1]->offset > lease->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = lease;
}

lcal_status lcal__place(lcal__lease *leases, size_t count, size_t *total, lcal_error *err)
{
    lcal__lease **order = lcal__calloc(count, sizeof(*order));
    lcal__lease **placed = lcal__calloc(count, sizeof(*placed));
    size_t live = 0, done = 0, top = 0;
    lcal_status status = LCAL_OK;
    if (!order || !placed) {
        status = lcal__fail_nomem(err, "the memory plan");
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (leases[i].first != LCAL__NEVER && leases[i].bytes)
            order[live++] = &leases[i];
    qsort(order, live, sizeof(*order), by_size);
    for (size_t i = 0; i < live; i++) {
        lcal__lease *lease = order[i];
        size_t end = 0, limit;
        for (size_t j = 0; j < done; j++) {
            const lcal__lease *other = placed[j];
            if (other->last < lease->first || other->first > lease->last)
                continue;
            if (other->offset >= end && other->offset - end >= lease->bytes)
                break; /* the gap before it is wide enough */
            limit = (other->offset + other->bytes + LCAL_ALIGN - 1) / LCAL_ALIGN * LCAL_ALIGN;
            end = limit > end ? limit : end;
        }
        lease->offset = end;
        if (!lcal__size_add(end, lease->bytes, &limit) || limit > (size_t)-1 - LCAL_ALIGN) {
            status = lcal__fail(err, LCAL_NOMEM, "the workspace does not fit in memory");
            goto out;
        }
        top = limit > top ? limit : top;
        insert(placed, done++, lease);
    }
    *total = (top + LCAL_ALIGN - 1) / LCAL_ALIGN * LCAL_ALIGN;
out:
    lcal__free(order);
    lcal__free(placed);
    return status;
}
