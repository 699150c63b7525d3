/* Which facts a calibration file has, for the files that write and read them. */
#ifndef LCAL_CALIB_FILE_FIELDS_H
#define LCAL_CALIB_FILE_FIELDS_H

#include "calib/file_parts.h"

/* What tells one calibration of a method from another, where the method has it. */
bool lcal__calib_has_form(lcal__method method);
bool lcal__calib_has_share(lcal__method method);
bool lcal__calib_has_rank(lcal__method method);
bool lcal__calib_has_targets(lcal__method method);

/* The fact "merge". A file without it, or with the word concat, is from before there was a choice.
 */
lcal_status lcal__calib_merge_put(const lcal__merge_settings *merge, const lcal__facts_sink *sink,
                                  lcal_error *err);
lcal_status lcal__calib_merge_get(const lcal__facts_source *source, lcal__merge_settings *out,
                                  lcal_error *err);

/* An extent of the model that is stored, 1..max. */
typedef struct lcal__extent_field {
    const char *key;
    size_t offset; /* of a size_t in lcal__model_config */
    int64_t max;
} lcal__extent_field;

#define LCAL__CALIB_EXTENTS 7
extern const lcal__extent_field lcal__calib_extents[LCAL__CALIB_EXTENTS];

#endif
