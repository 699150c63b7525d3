/*
 * Directories written as a whole: filled under another name beside the target, then renamed. A kill
 * at any moment leaves the old directory or the new one. Their files are made by lcal__replace,
 * which syncs them.
 */
#ifndef LCAL_BASE_DIR_REPLACE_H
#define LCAL_BASE_DIR_REPLACE_H

#include "base/status.h"

/* Every begun one ends with commit or abort; both accept one that failed. */
typedef struct lcal__dir_replace {
    char *path;
    char *temporary; /* the directory to fill */
} lcal__dir_replace;

/* Missing parents are made. */
lcal_status lcal__dir_replace_begin(const char *path, lcal__dir_replace *out, lcal_error *err);

/* Gives it its name; what is there already, an empty directory or one that holds files only, is
 * removed. LCAL_IO: it holds directories; then, as after any failure, it stays as it was. */
lcal_status lcal__dir_replace_commit(lcal__dir_replace *directory, lcal_error *err);
void lcal__dir_replace_abort(lcal__dir_replace *directory);

#endif
