/* Values of the operations' own fields (SUB and immediates): special registers, barriers, matrices, system calls. */
#ifndef PL_REFGPU_ISA_VALUES_H
#define PL_REFGPU_ISA_VALUES_H

enum pl_isa_sr { /* S2R, S2U; *64: also as U64 */
		 PL_ISA_SR_TID_X,
		 PL_ISA_SR_TID_Y,
		 PL_ISA_SR_TID_Z,
		 PL_ISA_SR_NTID_X,
		 PL_ISA_SR_NTID_Y,
		 PL_ISA_SR_NTID_Z,
		 PL_ISA_SR_CTAID_X,
		 PL_ISA_SR_CTAID_Y,
		 PL_ISA_SR_CTAID_Z,
		 PL_ISA_SR_NCTAID_X,
		 PL_ISA_SR_NCTAID_Y,
		 PL_ISA_SR_NCTAID_Z,
		 PL_ISA_SR_LANEID,
		 PL_ISA_SR_WARPID,
		 PL_ISA_SR_NWARPID,
		 PL_ISA_SR_SMID,
		 PL_ISA_SR_NSMID,
		 PL_ISA_SR_GRIDID, /* 64 */
		 PL_ISA_SR_LANEMASK_EQ,
		 PL_ISA_SR_LANEMASK_LE,
		 PL_ISA_SR_LANEMASK_LT,
		 PL_ISA_SR_LANEMASK_GE,
		 PL_ISA_SR_LANEMASK_GT,
		 PL_ISA_SR_CLOCK, /* 64 */
		 PL_ISA_SR_CLOCK_HI,
		 PL_ISA_SR_GLOBALTIMER, /* 64, ns */
		 PL_ISA_SR_GLOBALTIMER_HI,
		 PL_ISA_SR_TOTAL_SMEM,
		 PL_ISA_SR_DYNAMIC_SMEM,
		 PL_ISA_SR_AGGR_SMEM,
		 PL_ISA_SR_LOCAL_BYTES, /* of a thread: where a downward stack begins */
		 PL_ISA_SR_PARAM_VA,    /* 64: address of the parameter block */
		 PL_ISA_SR_CODE_VA,     /* 64: code base, for the addresses of functions */
		 PL_ISA_SR_TID_FLAT,    /* x + ntid.x * (y + ntid.y * z) */
		 PL_ISA_SR_ENVREG0,
		 PL_ISA_SR_ENVREG1,
		 PL_ISA_SR_ENVREG2,
		 PL_ISA_SR_ENVREG3,
		 PL_ISA_SR_PM, /* performance counters, further envregs, cluster registers of one block: 0 */
		 PL_ISA_SR_COUNT
};

/* BAR, SUB & 7 */
enum pl_isa_bar { PL_ISA_BAR_SYNC, PL_ISA_BAR_ARRIVE, PL_ISA_BAR_RED_POPC, PL_ISA_BAR_RED_AND, PL_ISA_BAR_RED_OR };
#define PL_ISA_BAR_APART (1u << 31) /* immediate: lanes of a warp may come one after the other; for check mode */

/* MBAR: the barrier is 64 bits: phase, pending and expected arrivals, pending transaction bytes */
enum pl_isa_mbar {
	PL_ISA_MBAR_INIT, /* b = count */
	PL_ISA_MBAR_INVAL,
	PL_ISA_MBAR_ARRIVE,      /* b = count; d = state before, PL_ISA_NONE: not wanted */
	PL_ISA_MBAR_ARRIVE_DROP, /* b = count */
	PL_ISA_MBAR_EXPECT_TX,   /* b = bytes */
	PL_ISA_MBAR_ARRIVE_TX,   /* one arrival and b = bytes expected */
	PL_ISA_MBAR_COMPLETE_TX, /* b = bytes */
	PL_ISA_MBAR_TEST,        /* d = predicate; c = state (R2); as the next three gives way to others where false */
	PL_ISA_MBAR_TEST_PARITY, /* d = predicate; b = parity */
	PL_ISA_MBAR_TRY,
	PL_ISA_MBAR_TRY_PARITY,
	PL_ISA_MBAR_PENDING, /* d = R1 count of pending arrivals in state c (R2); no memory */
	PL_ISA_MBAR_COUNT
};

/* MMA: m n k; which types go with which shape is PTX's table */
enum pl_isa_mma {
	PL_ISA_MMA_M8N8K4,
	PL_ISA_MMA_M16N8K4,
	PL_ISA_MMA_M16N8K8,
	PL_ISA_MMA_M16N8K16,
	PL_ISA_MMA_M16N8K32,
	PL_ISA_MMA_M16N8K64,
	PL_ISA_MMA_M16N8K128,
	PL_ISA_MMA_M16N8K256,
	PL_ISA_MMA_M8N8K16,
	PL_ISA_MMA_M8N8K32,
	PL_ISA_MMA_M8N8K128,
	PL_ISA_MMA_COUNT
};
/* MMA immediate: m8n8k4 F16 alone has layouts; wmma: imm of WMLD and WMST */
#define PL_ISA_MMA_AND   1u /* b1: popc of and, else of xor */
#define PL_ISA_MMA_A_COL 2u
#define PL_ISA_MMA_B_ROW 4u
#define PL_ISA_MMA_C_F16 8u /* C is F16 where D (type) is F32; and the other way round: */
#define PL_ISA_MMA_C_F32 16u

enum pl_isa_wmma { /* SUB of WMLD, WMST, WMMA */
		   PL_ISA_WMMA_M16N16K16,
		   PL_ISA_WMMA_M32N8K16,
		   PL_ISA_WMMA_M8N32K16,
		   PL_ISA_WMMA_M16N16K8, /* tf32 */
		   PL_ISA_WMMA_M8N8K4,   /* f64 */
		   PL_ISA_WMMA_M8N8K32,  /* 4 bits */
		   PL_ISA_WMMA_M8N8K128, /* 1 bit */
		   PL_ISA_WMMA_COUNT
};
/* WMLD, WMST: which matrix (imm & 3) and its layout */
enum {
	PL_ISA_WM_A,
	PL_ISA_WM_B,
	PL_ISA_WM_C,
	PL_ISA_WM_COL = 4,
	PL_ISA_WM_SHARED = 8 /* address is a shared offset in R2 */
};

/* TXQ */
enum pl_isa_txq {
	PL_ISA_TXQ_WIDTH,
	PL_ISA_TXQ_HEIGHT,
	PL_ISA_TXQ_DEPTH,
	PL_ISA_TXQ_ARRAY_SIZE,
	PL_ISA_TXQ_LEVELS,
	PL_ISA_TXQ_SAMPLES,
	PL_ISA_TXQ_NORMALIZED,
	PL_ISA_TXQ_CHANNEL_TYPE,
	PL_ISA_TXQ_CHANNEL_ORDER,
	PL_ISA_TXQ_FILTER,
	PL_ISA_TXQ_ADDR_0,
	PL_ISA_TXQ_ADDR_1,
	PL_ISA_TXQ_ADDR_2,
	PL_ISA_TXQ_COUNT
};

enum pl_isa_sys {
	PL_ISA_SYS_VPRINTF,    /* d = R1 result, a = R2 format, b = R2 arguments (generic addresses) */
	PL_ISA_SYS_MALLOC,     /* d = R2 address or 0, a = R2 bytes */
	PL_ISA_SYS_FREE,       /* a = R2 */
	PL_ISA_SYS_ASSERTFAIL, /* a = R2 message, b = R2 file, c = R2 function; imm bits 8..18: R1 line */
	PL_ISA_SYS_COUNT
};

#endif
