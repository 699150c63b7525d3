#include "cache.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* The basedir specification tells to ignore relative paths. */
static const char *absolute(const char *name)
{
    const char *value = getenv(name);
    return value && *value == '/' ? value : NULL;
}

const char *cache_directory(void)
{
    static char path[PATH_MAX];
    const char *own = getenv("LCAL_CACHE"), *xdg = absolute("XDG_CACHE_HOME");
    const char *home = absolute("HOME");
    int length = -1;
    if (own)
        length = snprintf(path, sizeof(path), "%s", own);
    else if (xdg)
        length = snprintf(path, sizeof(path), "%s/lcal", xdg);
    else if (home)
        length = snprintf(path, sizeof(path), "%s/.cache/lcal", home);
    return length > 0 && (size_t)length < sizeof(path) ? path : NULL;
}
