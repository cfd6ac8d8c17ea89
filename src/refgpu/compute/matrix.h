/* Matrix operations: what matrix.c, vec-matrix.c and the tests share. */
#ifndef PL_REFGPU_COMPUTE_MATRIX_H
#define PL_REFGPU_COMPUTE_MATRIX_H

#include "refgpu/compute/sm.h"

struct pl_sm_mma { /* a is m x k, b is k x n, c is m x n */
	unsigned m, n, k;
};
extern const struct pl_sm_mma pl_sm_mma_shapes[PL_ISA_MMA_COUNT], pl_sm_wmma_shapes[PL_ISA_WMMA_COUNT];

unsigned pl_sm_element_bits(unsigned type);

/* Fragments of wmma, whose layout PTX leaves open: the matrix row by row, packed, through the fragment's slots; of less
 * than a byte B lies column by column, as it lies in memory. */
static inline void pl_sm_wm_size(unsigned shape, unsigned which, unsigned *rows, unsigned *cols)
{
	const struct pl_sm_mma *s = &pl_sm_wmma_shapes[shape];

	*rows = which == PL_ISA_WM_B ? s->k : s->m;
	*cols = which == PL_ISA_WM_A ? s->k : s->n;
}

static inline bool pl_sm_wm_by_column(unsigned which, unsigned bits)
{
	return which == PL_ISA_WM_B && bits < 8;
}

/* Lane by lane, any addresses, faults: w->stop tells. */
void pl_sm_wm_any(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask, bool store);
/* False: fault. */
bool pl_sm_ldmatrix_any(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, bool store);

/* x of MMA and WMMA: type | A << 5 | B << 10 | shape << 15 | sat << 20 | immediate << 21 */
#define PL_SM_MATRIX_TYPE(x)  ((x)&31)
#define PL_SM_MATRIX_A(x)     ((x) >> 5 & 31)
#define PL_SM_MATRIX_B(x)     ((x) >> 10 & 31)
#define PL_SM_MATRIX_SHAPE(x) ((x) >> 15 & 31)
#define PL_SM_MATRIX_SAT(x)   ((x) >> 20 & 1)
#define PL_SM_MATRIX_IMM(x)   ((x) >> 21)

static inline uint32_t pl_sm_matrix_x(const struct pl_isa_fields *f)
{
	return f->type | (uint32_t)f->type2 << 5 | (uint32_t)f->cmp << 10 | (uint32_t)f->sub << 15 |
	       (uint32_t)f->sat << 20 | f->imm << 21;
}

static inline unsigned pl_sm_matrix_c(uint32_t x)
{
	return PL_SM_MATRIX_IMM(x) & PL_ISA_MMA_C_F16   ? PL_ISA_F16
	       : PL_SM_MATRIX_IMM(x) & PL_ISA_MMA_C_F32 ? PL_ISA_F32
							: PL_SM_MATRIX_TYPE(x);
}

#endif
