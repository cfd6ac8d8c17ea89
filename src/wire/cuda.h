/*
 * What CUDA's messages carry as bytes: facts of devices and of functions, tables of functions.  Fixed layouts of our
 * own.
 */
#ifndef PL_WIRE_CUDA_H
#define PL_WIRE_CUDA_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PL_CUDA_DEVICES_MAX           64u /* limit: devices of one session */
#define PL_CUDA_ATTRIBUTES_MAX        256u
#define PL_CUDA_FUNCTION_ATTRIBUTES   16u
#define PL_CUDA_FUNCTIONS_MAX         32766u       /* limit: functions of one module, by the room in an id */
#define PL_CUDA_PARAMS_MAX            4096u        /* limit: parameters of one function */
#define PL_CUDA_MEMBER_SHIFT          48u          /* ids: of the n-th function of a module, its id + (n + 1 << this) */
#define PL_CUDA_ID_SERVER             (1ull << 63) /* ids that the server gave have this bit */
#define PL_CUDA_LAUNCH_ATTRIBUTES_MAX 64u
#define PL_CUDA_LATER_BYTES_MAX       (4u << 20) /* limit: of a copy whose bytes come by themselves (plCopied) */

/* plDevices: one for each device. */
struct pl_cuda_device_facts {
	uint64_t total_bytes;
	char name[256];
	uint8_t uuid[16], luid[8];
	uint32_t luid_mask, has_luid;
	char pci[32];
	uint8_t has[PL_CUDA_ATTRIBUTES_MAX / 8]; /* a bit for each attribute that the driver answers */
	int32_t attribute[PL_CUDA_ATTRIBUTES_MAX];
};
static_assert(sizeof(struct pl_cuda_device_facts) == 1384, "wire layout");

/* plFunctionFacts: this, then `params` of the next. */
struct pl_cuda_function_facts {
	int32_t attribute[PL_CUDA_FUNCTION_ATTRIBUTES]; /* by CUfunction_attribute */
	uint32_t has;                                   /* a bit for each of them */
	uint32_t params;
	uint32_t knows_params, reserved; /* 0: the driver does not tell of them */
};
static_assert(sizeof(struct pl_cuda_function_facts) == 80, "wire layout");

struct pl_cuda_param_facts {
	uint32_t offset, bytes;
};

/*
 * A table of functions, of a module or a library: 64-bit words.  The number of functions; for each: the length of its
 * name with NUL, the name, padded to 8; the length of its facts (0: ask for them), the facts, padded to 8.
 */

/* Attributes of a launch: the length of the list / this.  An event in the value is its id. */
struct pl_cuda_launch_attribute {
	uint32_t id, reserved;
	uint8_t value[64];
};
static_assert(sizeof(struct pl_cuda_launch_attribute) == 72, "wire layout");

/*
 * A ring in shared memory for one copy at a time: these words, a page; then places for blocks.  Who gives data counts
 * `made`, who takes it `taken`; both begin at the call's `start`, and block n lies at (start + n) %
 * PL_CUDA_RING_BLOCKS. Neither side believes the other's word more than that it waits for it.  A call names the ring by
 * its place, a multiple of a page, + 1 + the size of this copy's blocks in pages.
 */
#define PL_CUDA_RING_BLOCKS      4u
#define PL_CUDA_RING_BLOCK_BYTES (1u << 20) /* the largest, and how far apart they lie */
#define PL_CUDA_RING_PAGE_BYTES  4096u
#define PL_CUDA_RING_HEAD_BYTES  4096u
#define PL_CUDA_RING_BYTES       (PL_CUDA_RING_HEAD_BYTES + PL_CUDA_RING_BLOCKS * PL_CUDA_RING_BLOCK_BYTES)

struct pl_cuda_ring {
	_Atomic uint32_t made, made_sleeper;
	uint32_t pad0[14];
	_Atomic uint32_t taken, taken_sleeper;
	uint32_t pad1[14];
};
static_assert(sizeof(struct pl_cuda_ring) == 128, "wire layout");

static inline uint8_t *pl_cuda_ring_block(struct pl_cuda_ring *ring, uint32_t index)
{
	return (uint8_t *)ring + PL_CUDA_RING_HEAD_BYTES +
	       (uint64_t)(index % PL_CUDA_RING_BLOCKS) * PL_CUDA_RING_BLOCK_BYTES;
}

/*
 * Marks: words of a page, in shared memory (plMarks), or one on each side (plMarked: pairs of a word's number and its
 * value).  A mark's word has the mark's value, or a later one, once its stream has come there.  The first ones are the
 * session's: errors of posts that are kept; whether marks do not work.
 */
#define PL_CUDA_MARKS_MAX    1024u
#define PL_CUDA_MARKS_BYTES  (PL_CUDA_MARKS_MAX * 4u)
#define PL_CUDA_MARKS_LATE   0u
#define PL_CUDA_MARKS_BROKEN 1u
#define PL_CUDA_MARKS_FIRST  2u

struct pl_cuda_marked {
	uint32_t slot, value;
};
static_assert(sizeof(struct pl_cuda_marked) == 8, "wire layout");

/* An image from so many bytes on is first asked for by its digest (plImageFind), over links that share no memory. */
#define PL_CUDA_KEPT_BYTES_MIN 65536u

/* image_wanted of a load's answer, where it is not 0: the load is to come again with the image. */
enum pl_cuda_wanted {
	PL_CUDA_WANTED = 1,
	PL_CUDA_WANTED_NO_MORE = 2, /* and nothing is kept for other sessions here: it need not be asked for */
};

/* What a copy between servers waits for (plPeerExport, plPeerCopy). */
enum pl_cuda_order {
	PL_CUDA_ORDER_STREAM = 0,  /* nothing: of a call that does not wait, whose stream was waited for */
	PL_CUDA_ORDER_DEFAULT = 1, /* the default streams of both ends */
	PL_CUDA_ORDER_CONTEXT = 2, /* the current context, and those of both ends */
	PL_CUDA_ORDER_THREAD = 3,  /* the thread's default streams */
	PL_CUDA_ORDER_HELD = 4,    /* nothing; and no stream: the copy holds one, which others may wait for */
};

#endif
