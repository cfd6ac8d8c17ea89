/* Shuffles whose distance and segment are constants; the others go lane by lane (lanes.c). */
#include "refgpu/compute/vec.h"

/* in[j[i]] */
static inline void permute(uint32_t out[32], const uint32_t in[32], const uint32_t j[32])
{
#if defined(__AVX512F__)
	__m512i low = _mm512_loadu_si512(in), high = _mm512_loadu_si512(in + 16);

	for (int k = 0; k < 2; k++)
		_mm512_storeu_si512(out + 16 * k, _mm512_permutex2var_epi32(low, _mm512_loadu_si512(j + 16 * k), high));
#else
	for (int i = 0; i < 32; i++)
		out[i] = in[j[i]];
#endif
}

/* mode: op->sub & 3; op->x: distance | clamp << 8 | segment << 16 | predicate << 24.  Return: lanes whose source lies
 * within the segment. */
static inline uint32_t shuffle(PL_SM_ARGS, unsigned mode)
{
	_Alignas(64) uint32_t out[32], j[32], in[32];
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t value = op->x & 31, clamp = op->x >> 8 & 31, segment = op->x >> 16 & 31, valid = 0;
	uint32_t *d = PL_SM_REG(uint32_t, d);

	(void)w;
	LANES_LOOP
	{
		uint32_t lane = (uint32_t)i, low = lane & segment, high = low | (clamp & ~segment);
		uint32_t from = mode == 0   ? low | (value & ~segment)
				: mode == 1 ? lane - value
				: mode == 2 ? lane + value
					    : lane ^ value;
		uint32_t inside = mode == 1 ? (int32_t)from >= (int32_t)high : from <= high;

		valid |= inside ? lane_bit[i] : 0;
		j[i] = inside ? from & 31 : lane;
	}
	LANES_LOOP in[i] = (lane_bit[i] & mask) ? a[i] : 0; /* a lane that takes no part gives 0, as hardware does */
	permute(out, in, j);
	if (mask == PL_SM_ALL)
		LANES_LOOP d[i] = out[i];
	else
		LANES_LOOP KEEP(uint32_t, d, mask >> j[i] & 1 ? out[i] : 0); /* 0 of lanes that take no part */
	return valid;
}

#define SHFL(name, mode)                                                                                               \
	static __attribute__((noinline)) uint32_t name##_do(PL_SM_ARGS)                                                \
	{                                                                                                              \
		return shuffle(w, op, R, mask, mode);                                                                  \
	}                                                                                                              \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		uint32_t valid = name##_do(w, op, R, mask), p = op->x >> 24 & 127;                                     \
		if (p != PL_ISA_PT)                                                                                    \
			w->frame.P[p] = (w->frame.P[p] & ~mask) | (valid & mask);                                      \
		PL_SM_NEXT;                                                                                            \
	}
SHFL(idx, 0)
SHFL(up, 1)
SHFL(down, 2)
SHFL(bfly, 3)

bool V(pl_sm_bind_shfl)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_shfl)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[4] = { idx_h, up_h, down_h, bfly_h };

	if (f->op != PL_ISA_SHFL || f->bkind != PL_ISA_B_IMM || f->sub & 4)
		return false;
	op->x = f->imm;
	op->fn[0] = op->fn[1] = handlers[f->sub & 3];
	return true;
}
