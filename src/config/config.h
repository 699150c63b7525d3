/* Inside of a configuration, for the rooms above. */
#ifndef LCAL_CONFIG_CONFIG_H
#define LCAL_CONFIG_CONFIG_H

#include "config/settings.h"
#include "lcal/config.h"

/* Valid while the config lives. */
const lcal__settings *lcal__config_settings(const lcal_config *config);

/* "lc", "lcpp", "columns", "lora", "base"; "output", "broadcast"; ...: the words of the table.
 * Static. */
const char *lcal__method_name(lcal__method method);
const char *lcal__form_name(lcal__form form);
const char *lcal__share_name(lcal__share share);
const char *lcal__store_name(lcal__store store);
const char *lcal__template_name(lcal__template template_);
const char *lcal__loss_on_name(lcal__loss_on loss_on);

/*
 * Keys of the table whose resolved values differ between two configurations, in table order; at
 * most `capacity` are written. Returns how many differ. Keys point into the table.
 */
size_t lcal__config_diff(const lcal_config *a, const lcal_config *b, const char **keys,
                         size_t capacity);

/* Same file text, parsed from memory: `source` names it, `directory` is what its paths are relative
 * to; for a run. */
lcal_status lcal__config_parse(const char *text, size_t size, const char *source,
                               const char *directory, const char *const *overrides, size_t count,
                               lcal_config **out, lcal_error *err);
lcal_status lcal__config_parse_for(lcal_purpose purpose, const char *text, size_t size,
                                   const char *source, const char *directory,
                                   const char *const *overrides, size_t count, lcal_config **out,
                                   lcal_error *err);

#endif
