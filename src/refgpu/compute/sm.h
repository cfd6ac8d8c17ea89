/*
 * The compute engine's own structures: decoded operations, warps, blocks, SMs.  An SM is one host thread; all that
 * hangs on it belongs to that thread.
 *
 * A handler does one operation for the lanes in `mask` and goes on with the next one (next.h); it comes back to the
 * SM's loop when the warp's control state changed: w->pc, w->active and the frame are current then, and w->stop says
 * whether the warp may go on.
 */
#ifndef PL_REFGPU_COMPUTE_SM_H
#define PL_REFGPU_COMPUTE_SM_H

#include <stdatomic.h>

#include "refgpu/compute/check-state.h"
#include "refgpu/device/compute.h"
#include "refgpu/isa/isa.h"
#include "refgpu/isa/launch.h"
#include "refgpu/isa/texture.h"
#include "refgpu/isa/values.h"

#define PL_SM_SLOT_BYTES 128u
#define PL_SM_WARPS_MAX  32u /* of a block */
#define PL_SM_ALL        0xffffffffu

struct pl_sm_warp;
struct pl_sm_op;
struct pl_sm_prologue;
struct pl_sm_line;
typedef void (*pl_sm_fn)(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask);

enum {
	PL_SM_OP_GUARD_NOT = 1,
	PL_SM_OP_B_SCALAR = 2,
	PL_SM_OP_B_UNIFORM = 4,
	PL_SM_OP_ENTRY = 8,
	PL_SM_OP_C_NOT = 16,
	PL_SM_OP_RESULT = 32,
	PL_SM_OP_COUNTED = 64
};

#define PL_SM_BUDGET                 128   /* backward branches between two looks at the stop flag */
#define PL_SM_COOPERATIVE_BLOCKS_MAX 1024u /* of one SM */
#define PL_SM_SLICE                  4     /* looks, then another warp has its turn */

struct pl_sm_op {            /* one cache line */
	pl_sm_fn fn[2];      /* all lanes, some lanes */
	pl_sm_fn body[2];    /* what stands behind the guard */
	uint32_t d, a, b, c; /* R: byte offset in the frame; P, U: number.  Scalar b: see pl_sm_scalar() */
	uint64_t imm;        /* extended as the type wants it */
	uint8_t guard, flags, type, sub;
	uint32_t x; /* what the handler wants to know besides: see each */
};
_Static_assert(sizeof(struct pl_sm_op) == 64, "one cache line");

/* What x holds for memory operations. */
union pl_sm_mem {
	uint32_t x;
	struct {
		uint32_t space : 3, form : 3, shift : 3, sx : 1, vec : 2, atom : 4, bytes : 5 /* of one element */,
			sem : 3;
	};
};

struct pl_sm_code {            /* a decoded image */
	uint64_t va, space_id; /* what it was decoded from */
	const struct pl_isa_insn *raw;
	uint32_t insns;
	pl_sm_fn (*inner)[2];  /* check mode: what stands behind the checks; NULL else */
	struct pl_sm_op ops[]; /* insns and one that faults */
};

enum pl_sm_split_state { PL_SM_READY, PL_SM_WAIT_SYNC, PL_SM_WAIT_WARP, PL_SM_WAIT_BAR };

struct pl_sm_frame {
	char *R;
	uint32_t *P;
	uint64_t *U;
};

struct pl_sm_split { /* lanes of a warp that run together */
	uint32_t mask;
	uint32_t wait_mask; /* WAIT_SYNC: lanes that must come */
	const struct pl_sm_op *pc;
	struct pl_sm_frame frame;
	uint8_t state, bar;
	uint32_t same; /* polls in a row at which it stood where it stood before, with the same registers */
	uint64_t seen; /* sum of those */
};

enum pl_sm_stop { PL_SM_RUN, PL_SM_STOP_SLICE, PL_SM_STOP_BLOCKED, PL_SM_STOP_DONE, PL_SM_STOP_FAULT };

struct pl_sm_block;
struct pl_sm;

struct pl_sm_warp {
	/* the split that runs */
	const struct pl_sm_op *pc;
	struct pl_sm_frame frame;
	uint32_t active;
	int32_t budget;      /* backward branches to the next look around */
	uint32_t stop;       /* enum pl_sm_stop */
	uint32_t live;       /* lanes that have not exited */
	uint32_t polls_left; /* of the slice */
	uint64_t insns;      /* done up to `mark` */
	const struct pl_sm_op *mark;
	const struct pl_sm_op *ops; /* instruction 0 */
	struct pl_sm *sm;
	struct pl_sm_block *block;
	uint32_t current, split_count;
	uint32_t polls_stuck; /* while some wait at a meeting, since anybody came to one */
	bool apart;           /* lanes were let go before their meeting was complete */
	uint64_t *copies;     /* then: U files for 32 splits, pl_sm_uniform_stride() each; else NULL */
	struct pl_sm_split splits[PL_ISA_LANES];
	uint32_t index;                 /* in the block */
	uint32_t lanes;                 /* that exist */
	struct pl_sm_frame bottom, end; /* the files */
	uint64_t *stack;                /* call_depth x 32: pl_sm_return() */
	uint32_t depth[PL_ISA_LANES];
	uint8_t *local; /* words of all lanes side by side */
	uint32_t tid[3][PL_ISA_LANES];
};

struct pl_sm_bar {
	uint32_t arrived;        /* threads */
	uint32_t expected;       /* 0: all */
	uint32_t waiting;        /* warps with a split here */
	uint32_t popc, all, any; /* of the predicates */
};

struct pl_sm_block {
	uint32_t index[3];
	uint32_t ready; /* warps that can run */
	uint32_t warps, live_threads, warps_left;
	uint32_t bar_count;
	uint32_t slices;      /* ended in a row without an end of the block: somebody may spin */
	bool resident, fresh; /* no warp has run yet */
	uint8_t *shared;
	struct pl_sm_bar bars[PL_ISA_BARRIERS_MAX];
	struct pl_sm_warp *warp;   /* [warps] */
	struct pl_sm_check *check; /* NULL outside of check mode */
};

struct pl_sm_grid { /* a launch, shared by all SMs */
	const struct pl_rg_launch *launch;
	struct pl_isa_launch desc;
	const struct pl_sm_code *code;
	const uint8_t *param; /* copy of the parameter block */
	uint32_t threads, warps, warp_lanes_last;
	uint32_t shared_bytes, resident_max, sm_count;
	uint64_t blocks;
	size_t warp_bytes, local_bytes;  /* of one warp */
	struct pl_sm_prologue *prologue; /* NULL: there is none */
	struct pl_sm_chunks *chunks;     /* [sm_count]: block.h */
	uint64_t chunk_blocks;           /* of each but the last */
	_Alignas(64) _Atomic uint64_t insns;
	_Atomic uint32_t heap_lock;
	_Alignas(64) _Atomic uint32_t failed; /* somebody holds or set `fault` */
	struct pl_rg_fault fault;
	_Atomic uint64_t bytes_read, bytes_written, warps_run, blocks_run;
	struct pl_sm_check_found check;
};

struct pl_sm {
	struct pl_mmu_tlb tlb;
	struct pl_sm_grid *grid;
	struct pl_rg_compute *engine;
	uint32_t index;
	uint64_t bytes_read, bytes_written;
	uint64_t insns, insns_told;
	uint64_t warps_run, blocks_run;
	bool flushed;
	struct pl_sm_block *blocks; /* [block_room], blocks_placed of them laid out for this grid */
	uint32_t blocks_placed, taken;
	uint64_t share, share_end; /* blocks that are this SM's to begin */
	uint32_t block_room;
	uint8_t *arena;
	size_t arena_bytes;
	uint64_t arena_space;       /* whose grids have used it */
	struct pl_sm_line *line;    /* prologue.h */
	struct pl_sm_unit *texture; /* sampler.h: what the grid's last TEX used */
	struct pl_sm_check *check_spare;
	struct pl_sm_check_known check_known;
};

static inline uint64_t pl_sm_insns_now(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	return w->sm->insns + w->insns + (uint64_t)(op - w->mark);
}

uint64_t pl_sm_clock(const struct pl_sm_warp *w, const struct pl_sm_op *op);

/* A scalar operand: in the operation itself, or a U register; b is the offset from there. */
static inline const void *pl_sm_scalar(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	const char *base = op->flags & PL_SM_OP_B_UNIFORM ? (const char *)w->frame.U : (const char *)op;
	return base + op->b;
}

/* The first fault of a grid stays. */
void pl_sm_grid_fault(struct pl_sm_grid *grid, const struct pl_rg_fault *fault);
/* A fault of a lane; stops the warp. */
void pl_sm_fault(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t code, uint32_t access, uint64_t address,
		 uint32_t lane);
/* The fault that the TLB reports. */
void pl_sm_fault_mmu(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane);

/* uniform.c: what UMOV, UADD.. USHR give; of 32-bit types extended. */
uint64_t pl_sm_uniform_eval(unsigned op, unsigned type, uint64_t a, uint64_t b, uint64_t c);

/* split.c: the running split is the one at w->current; its pc, mask and frame lie in the warp while it runs. */
void pl_sm_split_save(struct pl_sm_warp *w, const struct pl_sm_op *pc);
/* The running split cannot go on: another one, or stop the warp. */
void pl_sm_split_pick(struct pl_sm_warp *w);
/* A split of its own for `lanes` of the running one, ready at pc; the running one keeps the rest. */
void pl_sm_split_off(struct pl_sm_warp *w, uint32_t lanes, const struct pl_sm_op *pc);
void pl_sm_split_sync(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes);     /* BSYNC that has to wait */
void pl_sm_split_warpsync(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes); /* WARPSYNC likewise */
void pl_sm_split_exit(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lanes);
void pl_sm_split_end(struct pl_sm_warp *w, const struct pl_sm_op *op); /* the same of all lanes that there are */
void pl_sm_split_recheck(struct pl_sm_warp *w); /* lanes left, or a convergence register lost lanes */
void pl_sm_split_free(struct pl_sm_warp *w);    /* what a warp that has ended leaves */
/* Backward branches have used up the budget; w->pc is current. */
void pl_sm_split_poll(struct pl_sm_warp *w);
/* barrier.c */
void pl_sm_barrier(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t mask);
void pl_sm_barrier_exited(struct pl_sm_block *block);

/* control.c: what stands in fn goes behind a guard; an operation that nobody binds. */
void pl_sm_op_set_guard(struct pl_sm_op *op, unsigned guard, bool guard_not);
void pl_sm_op_set_bad(struct pl_sm_op *op);

/* Binders: find the handlers of one operation.  False: not theirs. */
typedef bool (*pl_sm_bind_fn)(const struct pl_isa_fields *fields, struct pl_sm_op *op);
struct pl_sm_build { /* the handlers of one vector extension */
	const char *name;
	bool (*usable)(void);
	pl_sm_bind_fn bind;
};
extern const struct pl_sm_build pl_sm_build_portable, pl_sm_build_avx2, pl_sm_build_avx512;
bool pl_sm_bind_control(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_lanes(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_uniform(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_atom(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_texture(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_matrix(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_sys(const struct pl_isa_fields *fields, struct pl_sm_op *op);
bool pl_sm_bind_async(const struct pl_isa_fields *fields, struct pl_sm_op *op);

#endif
