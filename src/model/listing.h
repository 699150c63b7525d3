/* Many findings of one kind in one message: the first ones in full, the rest as a number. */
#ifndef LCAL_MODEL_LISTING_H
#define LCAL_MODEL_LISTING_H

#include "base/strbuf.h"

/* Zeroed is valid and empty. */
typedef struct lcal__listing {
    lcal__strbuf text;
    size_t count;
} lcal__listing;

/* Adds one finding; what cannot be kept for want of memory still counts. */
void lcal__listing_add(lcal__listing *listing, const char *format, ...) LCAL_PRINTF(2, 3);

/* "FINDING, FINDING and N more"; "" where there is none. Valid until the next call. */
const char *lcal__listing_text(lcal__listing *listing);

void lcal__listing_free(lcal__listing *listing);

#endif
