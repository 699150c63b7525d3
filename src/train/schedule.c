#include "train/schedule.h"

#include <math.h>

#define PI 3.14159265358979323846

double lcal__schedule_lr(const lcal__settings *settings, uint64_t step)
{
    const double lr = settings->train.lr, low = settings->train.min_lr;
    const uint64_t steps = settings->train.steps;
    const uint64_t warmup = (uint64_t)floor(settings->train.warmup * (double)steps + 0.5);
    if (step < warmup)
        return lr * (double)(step + 1) / (double)warmup;
    const double x = (double)(step - warmup) / (double)(steps - warmup);
    switch (settings->train.schedule) {
    case LCAL__COSINE:
        return lr * (low + (1.0 - low) * 0.5 * (1.0 + cos(PI * x)));
    case LCAL__LINEAR:
        return lr * (low + (1.0 - low) * (1.0 - x));
    case LCAL__CONSTANT:
        break;
    }
    return lr;
}
