/* Time for rates and reports; no result depends on it. */
#ifndef LCAL_BASE_CLOCK_H
#define LCAL_BASE_CLOCK_H

/* Seconds of a monotonic clock since an arbitrary moment. */
double lcal__seconds(void);

#endif
