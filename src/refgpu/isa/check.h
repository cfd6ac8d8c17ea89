/*
 * What a checking launch (PL_ISA_LAUNCH_CHECK) and its driver tell each other: which checks are wanted and what is
 * allocated, one way; what was found, the other way.  It lies in memory that the launch's address space maps, page
 * aligned; the driver may change it at any time, also while kernels run.
 */
#ifndef PL_REFGPU_ISA_CHECK_H
#define PL_REFGPU_ISA_CHECK_H

#include <stdint.h>

#define PL_ISA_CHECK_RECORDS 512u
#define PL_ISA_CHECK_RANGES  32768u

enum {                                    /* pl_isa_check.what */
       PL_ISA_CHECK_RACES = 1 << 0,       /* shared memory: accesses of two warps with nothing between them */
       PL_ISA_CHECK_SHARED_INIT = 1 << 1, /* shared memory read before it is written */
       PL_ISA_CHECK_BARRIERS = 1 << 2,    /* aligned barriers that a part of a warp comes to */
       PL_ISA_CHECK_BOUNDS = 1 << 3,      /* accesses between an allocation's end and its last page's: a fault */
       PL_ISA_CHECK_GLOBAL_INIT = 1 << 4, /* device memory read before it is written */
};

enum pl_isa_check_kind { /* of a record */
			 PL_ISA_FOUND_RACE,
			 PL_ISA_FOUND_SHARED_UNINIT,
			 PL_ISA_FOUND_GLOBAL_UNINIT,
			 PL_ISA_FOUND_DIVERGENT_BARRIER,
			 PL_ISA_FOUND_KINDS
};

/* One thing found, however often a launch does it: the pair of instructions is what makes it one. */
struct pl_isa_check_record {
	uint32_t kind, count; /* the engine counts on until the driver has taken the record */
	uint64_t grid_id;
	uint64_t address;       /* in its space; of a barrier: lanes that came, lanes that live << 32 */
	uint32_t bytes, others; /* others: 1 = the second half of what follows holds */
	uint64_t pc[2];         /* [0]: where it was found; [1]: the access before it */
	uint32_t access[2];     /* enum pl_rg_access */
	uint32_t block[3], thread[2][3];
	uint32_t reserved[9];
};
_Static_assert(sizeof(struct pl_isa_check_record) == 128, "the layout is a contract");

/* An allocation; ranges are in order of addresses and do not overlap. */
struct pl_isa_check_range {
	uint64_t va, bytes;
	uint64_t pages_end;  /* of its last page: what lies between is nobody's */
	uint64_t written_va; /* a bit per byte: it has been written; 0: not looked at */
};

struct pl_isa_check {
	uint32_t what;
	uint32_t put; /* records, counted up: the engine's, and the driver's: */
	uint32_t got;
	uint32_t dropped;
	uint32_t sequence; /* odd while the driver changes ranges */
	uint32_t range_count;
	uint32_t reserved[26];
	struct pl_isa_check_record record[PL_ISA_CHECK_RECORDS]; /* [n % PL_ISA_CHECK_RECORDS] */
	struct pl_isa_check_range range[PL_ISA_CHECK_RANGES];
};

#endif
