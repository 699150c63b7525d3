/* Configurations made of another one: what a row of the table changes in the user's. */
#ifndef LCAL_METHODS_DERIVE_H
#define LCAL_METHODS_DERIVE_H

#include "base/strbuf.h"
#include "config/config.h"

#define LCAL__CHANGES_MAX 32

/* "key=value" texts. Zeroed is valid and empty. */
typedef struct lcal__changes {
    char *items[LCAL__CHANGES_MAX];
    size_t count;
    bool failed; /* out of memory */
} lcal__changes;

void lcal__changes_add(lcal__changes *changes, const char *format, ...) LCAL_PRINTF(2, 3);

/* key= the text, quoted. */
void lcal__changes_text(lcal__changes *changes, const char *key, const char *text);

/* The adapters first..first+count-1 of the settings, with weights [count], or 1 where it is NULL.
 */
void lcal__changes_adapters(lcal__changes *changes, const lcal__settings *settings, size_t first,
                            size_t count, const double *weights);

/* One adapter, with weight 1. */
void lcal__changes_adapter(lcal__changes *changes, const char *directory);

/* The rule, with those of the merge options that it has; the others go back to their defaults. */
void lcal__changes_merge(lcal__changes *changes, lcal__merge_rule rule);

void lcal__changes_free(lcal__changes *changes);

/* Close *out with lcal_config_close. */
lcal_status lcal__derive(const lcal_config *config, lcal_purpose purpose,
                         const lcal__changes *changes, lcal_config **out, lcal_error *err);

#endif
