#include "model/listing.h"

#include <stdarg.h>
#include <stdio.h>

#define LCAL_LISTED_MAX 12

void lcal__listing_add(lcal__listing *listing, const char *format, ...)
{
    char line[512];
    if (listing->count++ >= LCAL_LISTED_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    lcal__strbuf_printf(&listing->text, "%s%s", listing->count > 1 ? ", " : "", line);
}

const char *lcal__listing_text(lcal__listing *listing)
{
    if (listing->count > LCAL_LISTED_MAX)
        lcal__strbuf_printf(&listing->text, " and %zu more", listing->count - LCAL_LISTED_MAX);
    return listing->text.text ? listing->text.text : "";
}

void lcal__listing_free(lcal__listing *listing)
{
    lcal__strbuf_free(&listing->text);
    listing->count = 0;
}
