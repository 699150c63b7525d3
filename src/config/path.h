/* Paths of a configuration, resolved so that they mean the same from anywhere and for good. */
#ifndef LCAL_CONFIG_PATH_H
#define LCAL_CONFIG_PATH_H

/*
 * Absolute form of `text` as seen from `directory` ("": the working directory). Links are resolved
 * in the part that exists, "." and ".." taken out of the rest, so that a run directory has one name
 * before and after it is made. NULL: out of memory. Free with lcal__free.
 */
char *lcal__path_resolve(const char *directory, const char *text);

#endif
