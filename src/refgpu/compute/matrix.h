/* Shapes of matrix operations, for matrix.c and its tests. */
#ifndef PL_REFGPU_COMPUTE_MATRIX_H
#define PL_REFGPU_COMPUTE_MATRIX_H

struct pl_sm_mma { /* a is m x k, b is k x n, c is m x n */
	unsigned m, n, k;
};

unsigned pl_sm_element_bits(unsigned type);

#endif
