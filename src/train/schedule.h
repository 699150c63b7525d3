/* The learning rate over a run. */
#ifndef LCAL_TRAIN_SCHEDULE_H
#define LCAL_TRAIN_SCHEDULE_H

#include "config/settings.h"

/*
 * Learning rate of step 0..steps-1. Of W = round(warmup steps) warm-up steps, step t has
 * lr (t + 1) / W. Then, with x = (step - W) / (steps - W) going from 0 to its end at 1 after the
 * last step: constant stays at lr; linear and cosine fall from lr to min_lr lr, so that the last
 * step still moves where min_lr is 0.
 */
double lcal__schedule_lr(const lcal__settings *settings, uint64_t step);

#endif
