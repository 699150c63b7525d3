#include "merge/select.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define LOWER_BITS 15
#define BINS ((size_t)1 << 16)

lcal_status lcal__select_open(lcal__select *select, size_t threads, uint64_t keep, lcal_error *err)
{
    *select = (lcal__select){.threads = threads, .rank = keep, .threshold = INFINITY};
    select->bins = lcal__calloc(threads, BINS * sizeof(*select->bins));
    return select->bins ? LCAL_OK : lcal__fail_nomem(err, "counts of magnitudes");
}

void lcal__select_close(lcal__select *select)
{
    lcal__free(select->bins);
    *select = (lcal__select){0};
}

void lcal__select_add(lcal__select *select, const float *x, size_t n, size_t worker)
{
    uint64_t *bins = select->bins + worker * BINS;
    const uint32_t lower_mask = ((uint32_t)1 << LOWER_BITS) - 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        bits &= UINT32_C(0x7FFFFFFF);
        if (select->pass == 0)
            bins[bits >> LOWER_BITS]++;
        else if (bits >> LOWER_BITS == select->upper)
            bins[bits & lower_mask]++;
    }
}

/* The bin that holds the number of this rank, counted from the largest; *rank becomes its rank in
 * the bin. */
static uint32_t find_bin(const uint64_t *bins, uint64_t *rank)
{
    size_t bin = BINS - 1;
    while (bin > 0 && bins[bin] < *rank)
        *rank -= bins[bin--];
    return (uint32_t)bin;
}

void lcal__select_next(lcal__select *select)
{
    for (size_t worker = 1; worker < select->threads; worker++)
        for (size_t bin = 0; bin < BINS; bin++)
            select->bins[bin] += select->bins[worker * BINS + bin];
    if (select->rank) {
        uint32_t bin = find_bin(select->bins, &select->rank);
        if (select->pass == 0)
            select->upper = bin;
        uint32_t bits = select->upper << LOWER_BITS | bin;
        if (select->pass == 1)
            memcpy(&select->threshold, &bits, sizeof(bits));
    }
    memset(select->bins, 0, select->threads * BINS * sizeof(*select->bins));
    select->pass++;
}

uint64_t lcal__select_count(double density, uint64_t n)
{
    return density >= 1.0 ? n : (uint64_t)(density * (double)n);
}
