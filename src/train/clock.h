/* Time, for rates and estimates only: nothing that is computed depends on it. */
#ifndef LCAL_TRAIN_CLOCK_H
#define LCAL_TRAIN_CLOCK_H

/* Seconds since some fixed moment; never runs backwards. */
double lcal__seconds(void);

#endif
