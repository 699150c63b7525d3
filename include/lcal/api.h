/* Linkage of the public API: nothing but lcal_* is exported from the shared library. */
#ifndef LCAL_API_H
#define LCAL_API_H

#if defined(__GNUC__)
#define LCAL_API __attribute__((visibility("default")))
#else
#define LCAL_API
#endif

#endif
