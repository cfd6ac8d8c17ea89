/* What one vector extension offers: compiled once for each, like vec-*.c. */
#include "refgpu/compute/vec.h"

bool V(pl_sm_bind_int)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_bit)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cmp)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_float)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_half)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cvt)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_mem)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cpasync)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_shfl)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_matrix)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_fragment)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_texture)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_sreg)(const struct pl_isa_fields *f, struct pl_sm_op *op);

/* Floating types first: the integer binder takes what is left. */
static bool bind(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	uint32_t x = op->x;
	uint8_t sub = op->sub;

	if (V(pl_sm_bind_texture)(f, op) || V(pl_sm_bind_mem)(f, op) || V(pl_sm_bind_cpasync)(f, op) ||
	    V(pl_sm_bind_shfl)(f, op) || V(pl_sm_bind_sreg)(f, op) || V(pl_sm_bind_matrix)(f, op) ||
	    V(pl_sm_bind_fragment)(f, op) || V(pl_sm_bind_cmp)(f, op) || V(pl_sm_bind_cvt)(f, op) ||
	    V(pl_sm_bind_half)(f, op) || V(pl_sm_bind_float)(f, op))
		return true;
	op->x = x;
	op->sub = sub;
	return V(pl_sm_bind_int)(f, op) || V(pl_sm_bind_bit)(f, op);
}

static bool usable(void)
{
#if defined(__AVX512F__)
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma");
#elif defined(__AVX2__)
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
	return true;
#endif
}

#define NAME2(build) #build
#define NAME(build)  NAME2(build)
const struct pl_sm_build V(pl_sm_build) = { NAME(PL_SM_BUILD), usable, bind };
