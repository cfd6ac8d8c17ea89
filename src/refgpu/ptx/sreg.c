#include "sreg.h"

#include "refgpu/isa/isa.h"
#include "refgpu/isa/values.h"

#include <string.h>

#define ONE(name, bits)                                                                                                \
	{                                                                                                              \
		name, SREG_CONST, bits, 0                                                                              \
	}
#define FOUR(name, a, b, c, d, end, bits)                                                                              \
	ONE(name #a end, bits), ONE(name #b end, bits), ONE(name #c end, bits), ONE(name #d end, bits)
#define EIGHT(name, a, b, c, d, e, f, g, h) FOUR(name, a, b, c, d, "", 32), FOUR(name, e, f, g, h, "", 32)

/* A block is a cluster of its own: clusters of more are refused at launch. */
static const struct pl_ptx_sreg sregs[] = {
	{ "%tid", SREG_XYZ, 32, PL_ISA_SR_TID_X },
	{ "%ntid", SREG_XYZ, 32, PL_ISA_SR_NTID_X },
	{ "%ctaid", SREG_XYZ, 32, PL_ISA_SR_CTAID_X },
	{ "%nctaid", SREG_XYZ, 32, PL_ISA_SR_NCTAID_X },
	{ "%laneid", SREG_READ, 32, PL_ISA_SR_LANEID },
	{ "%warpid", SREG_READ, 32, PL_ISA_SR_WARPID },
	{ "%nwarpid", SREG_READ, 32, PL_ISA_SR_NWARPID },
	{ "%smid", SREG_READ, 32, PL_ISA_SR_SMID },
	{ "%nsmid", SREG_READ, 32, PL_ISA_SR_NSMID },
	{ "%gridid", SREG_READ, 64, PL_ISA_SR_GRIDID },
	{ "%lanemask_eq", SREG_READ, 32, PL_ISA_SR_LANEMASK_EQ },
	{ "%lanemask_le", SREG_READ, 32, PL_ISA_SR_LANEMASK_LE },
	{ "%lanemask_lt", SREG_READ, 32, PL_ISA_SR_LANEMASK_LT },
	{ "%lanemask_ge", SREG_READ, 32, PL_ISA_SR_LANEMASK_GE },
	{ "%lanemask_gt", SREG_READ, 32, PL_ISA_SR_LANEMASK_GT },
	{ "%clock", SREG_READ, 32, PL_ISA_SR_CLOCK },
	{ "%clock_hi", SREG_READ, 32, PL_ISA_SR_CLOCK_HI },
	{ "%clock64", SREG_READ, 64, PL_ISA_SR_CLOCK },
	{ "%globaltimer", SREG_READ, 64, PL_ISA_SR_GLOBALTIMER },
	{ "%globaltimer_lo", SREG_READ, 32, PL_ISA_SR_GLOBALTIMER },
	{ "%globaltimer_hi", SREG_READ, 32, PL_ISA_SR_GLOBALTIMER_HI },
	{ "%total_smem_size", SREG_READ, 32, PL_ISA_SR_TOTAL_SMEM },
	{ "%dynamic_smem_size", SREG_READ, 32, PL_ISA_SR_DYNAMIC_SMEM },
	{ "%aggr_smem_size", SREG_READ, 32, PL_ISA_SR_AGGR_SMEM },
	{ "%reserved_smem_offset_begin", SREG_RESERVED, 32, 0 },
	{ "%reserved_smem_offset_end", SREG_RESERVED, 32, PL_PTX_RESERVED_SHARED },
	{ "%reserved_smem_offset_cap", SREG_RESERVED, 32, PL_PTX_RESERVED_SHARED },
	{ "%reserved_smem_offset_0", SREG_RESERVED, 32, 0 },
	{ "%reserved_smem_offset_1", SREG_RESERVED, 32, 0 },
	{ "%is_explicit_cluster", SREG_CONST, 1, 0 },
	{ "%clusterid", SREG_XYZ, 32, PL_ISA_SR_CTAID_X },
	{ "%nclusterid", SREG_XYZ, 32, PL_ISA_SR_NCTAID_X },
	{ "%cluster_ctaid", SREG_XYZ_CONST, 32, 0 },
	{ "%cluster_nctaid", SREG_XYZ_CONST, 32, 1 },
	{ "%cluster_ctarank", SREG_CONST, 32, 0 },
	{ "%cluster_nctarank", SREG_CONST, 32, 1 },
	{ "%envreg0", SREG_READ, 32, PL_ISA_SR_ENVREG0 },
	{ "%envreg1", SREG_READ, 32, PL_ISA_SR_ENVREG1 },
	{ "%envreg2", SREG_READ, 32, PL_ISA_SR_ENVREG2 },
	{ "%envreg3", SREG_READ, 32, PL_ISA_SR_ENVREG3 },
	{ "%current_graph_exec", SREG_CONST, 64, 0 },
	/* counters that count nothing, and registers in which the driver puts nothing */
	EIGHT("%envreg", 4, 5, 6, 7, 8, 9, 10, 11),
	EIGHT("%envreg", 12, 13, 14, 15, 16, 17, 18, 19),
	EIGHT("%envreg", 20, 21, 22, 23, 24, 25, 26, 27),
	FOUR("%envreg", 28, 29, 30, 31, "", 32),
	EIGHT("%pm", 0, 1, 2, 3, 4, 5, 6, 7),
	FOUR("%pm", 0, 1, 2, 3, "_64", 64),
	FOUR("%pm", 4, 5, 6, 7, "_64", 64),
};

const struct pl_ptx_sreg *pl_ptx_sreg_find(const char *name)
{
	for (size_t i = 0; i < sizeof(sregs) / sizeof(sregs[0]); i++)
		if (!strcmp(sregs[i].name, name))
			return &sregs[i];
	return NULL;
}

const struct pl_ptx_sreg *pl_ptx_sreg_at(uint32_t index)
{
	return &sregs[index];
}

uint32_t pl_ptx_sreg_index(const struct pl_ptx_sreg *sreg)
{
	return (uint32_t)(sreg - sregs);
}
