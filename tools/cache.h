/* Where the user keeps what can be made again. */
#ifndef LCAL_TOOLS_CACHE_H
#define LCAL_TOOLS_CACHE_H

/* $LCAL_CACHE where it is set (empty: no cache), else $XDG_CACHE_HOME/lcal, else ~/.cache/lcal; NULL
 * for none. Nothing is made. Static memory, the same at every call. */
const char *cache_directory(void);

#endif
