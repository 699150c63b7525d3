/* The tables that kernels.inc.c is compiled into, one for each instruction set. */
#ifndef LCAL_NUM_KERNELS_TABLES_H
#define LCAL_NUM_KERNELS_TABLES_H

#include "num/kernels.h"

extern const lcal__kernels lcal__kernels_portable;
#ifdef __x86_64__
extern const lcal__kernels lcal__kernels_avx2;
extern const lcal__kernels lcal__kernels_avx512;
#endif

#endif
