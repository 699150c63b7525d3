/* Orthogonal decompositions of small matrices in double, the same bits for any number of threads.
 */
#ifndef LCAL_NUM_SVD_H
#define LCAL_NUM_SVD_H

#include <stddef.h>

/*
 * Gram-Schmidt, each vector against the ones before it twice (Giraud et al. 2005: twice is enough).
 * q [count, length] on entry `count` vectors, on exit orthonormal ones or, where a vector depends
 * on those before it, zeros; r [count, count] upper triangular: vector j was sum_i r[i, j] q_i.
 */
void lcal__orthonormalise(size_t count, size_t length, double *q, double *r);

/*
 * Singular values and vectors by one-sided Jacobi (Hestenes 1958): a = sum_k s_k u_k v_k^T, s
 * descending. a [n, n] is stored by columns (row j of the array is column j of the matrix) and
 * becomes s_k u_k in row k; v [n, n] gets v_k in row k; s [n].
 */
void lcal__svd_jacobi(size_t n, double *a, double *v, double *s);

#endif
