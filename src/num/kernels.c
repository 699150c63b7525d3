#include "num/kernels.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "num/kernels_tables.h"

#ifdef __x86_64__
/* Conversion of F16, which not every compiler's __builtin_cpu_supports knows. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

size_t lcal__kernels_all(const lcal__kernels *out[3])
{
    size_t count = 0;
    out[count++] = &lcal__kernels_portable;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return count;
    out[count++] = &lcal__kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        out[count++] = &lcal__kernels_avx512;
#endif
    return count;
}

const lcal__kernels *lcal__kernels_select(void)
{
    const lcal__kernels *all[3];
    size_t count = lcal__kernels_all(all);
    return all[count - 1];
}
