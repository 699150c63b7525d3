/* What a process that trains takes besides what the plan counts by itself. */
#ifndef LCAL_TRAIN_MEMORY_H
#define LCAL_TRAIN_MEMORY_H

#include <stdint.h>

#include "model/config.h"

#define LCAL__OTHER_MIB 12       /* program, libraries, their static data */
#define LCAL__OTHER_MIB_THREAD 1 /* stack and OpenBLAS packing buffer of a thread */

/* Libraries, stacks, packing buffers and rotary tables for documents up to `longest` tokens. */
uint64_t lcal__other_bytes(const lcal__model_config *config, size_t longest, size_t threads);

#endif
