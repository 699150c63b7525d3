/* Stands in num/ because the BLAS and the kernels are what a build differs in. */
#include <cblas.h>

#include "lcal/version.h"
#include "num/exec.h"
#include "num/gemm.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#if defined(__clang__)
#define COMPILER                                                                                   \
    "Clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER "GCC " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__)
#else
#define COMPILER "unknown"
#endif

lcal_build lcal_build_info(void)
{
    return (lcal_build){
        .compiler = COMPILER,
        .blas = openblas_get_config(),
        .blas_complaint = lcal__blas_complaint(),
        .kernels = lcal__kernels_select()->name,
        .threads = (unsigned)lcal__threads_available(),
    };
}
