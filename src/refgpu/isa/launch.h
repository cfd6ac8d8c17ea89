/*
 * The launch descriptor, as it lies in device memory (16-byte aligned, little-endian), and the memory formats that go
 * with it. Written by the driver, read once by the compute engine, which checks every field against the limits below.
 */
#ifndef PL_REFGPU_ISA_LAUNCH_H
#define PL_REFGPU_ISA_LAUNCH_H

#include <stdint.h>

#define PL_ISA_LAUNCH_MAGIC      0x314c4752u /* "RGL1" */
#define PL_ISA_BLOCK_THREADS_MAX 1024u
#define PL_ISA_GRID_X_MAX        0x7fffffffu
#define PL_ISA_GRID_YZ_MAX       65535u
#define PL_ISA_SHARED_BYTES_MAX  (227u << 10) /* of a block */
#define PL_ISA_LOCAL_BYTES_MAX   (512u << 10) /* of a thread */
#define PL_ISA_PARAM_BYTES_MAX   32764u
#define PL_ISA_WARP_SLOTS_MAX    65536u /* R slots of one warp over all nested calls */
#define PL_ISA_WARP_PREDS_MAX    8192u
#define PL_ISA_WARP_UNIFORMS_MAX 8192u
#define PL_ISA_CALL_DEPTH_MAX    8192u
#define PL_ISA_IMAGES_MAX        (1u << 20)
#define PL_ISA_SAMPLERS_MAX      4096u

enum {                                     /* flags */
       PL_ISA_LAUNCH_COOPERATIVE = 1 << 0, /* all blocks are resident at once, or the launch is a fault */
       PL_ISA_LAUNCH_CHECK = 1 << 1, /* as check_va says; without that what is found in shared memory is a fault */
};

struct pl_isa_launch {
	uint32_t magic, flags;
	uint64_t code_va;    /* 16-byte aligned; instruction numbers count from here */
	uint32_t code_insns; /* 1..PL_ISA_CODE_INSN_MAX; all are validated before the first block runs */
	uint32_t entry;      /* instruction number of the kernel's ENTRY */
	uint32_t grid[3], block[3];
	uint32_t shared_static, shared_dynamic; /* bytes */
	uint32_t local_bytes;     /* of a thread; the memory is the engine's own, only the thread itself can reach it */
	uint32_t slots;           /* R slots of a warp, all nested calls together; at least those of the entry */
	uint32_t preds, uniforms; /* likewise */
	uint32_t call_depth;      /* nested calls */
	uint32_t barriers;        /* 0..16 */
	uint64_t param_va;
	uint32_t param_bytes;
	uint32_t kernel_id;  /* for reports */
	uint64_t image_va;   /* struct pl_isa_image[image_count]: textures and surfaces */
	uint64_t sampler_va; /* struct pl_isa_sampler[sampler_count] */
	uint32_t image_count, sampler_count;
	uint64_t printf_va; /* struct pl_isa_printf and its records; 0: none */
	uint64_t heap_va;   /* for malloc; 0: none.  All 0 before the first use; the engine keeps its list in it */
	uint64_t heap_bytes;
	uint64_t assert_va; /* struct pl_isa_assert; 0: none */
	uint64_t grid_id;
	uint32_t env[4];   /* %envreg0..3; a cooperative launch's grid workspace */
	uint64_t check_va; /* struct pl_isa_check; 0: none */
	uint32_t reserved[2];
};
_Static_assert(sizeof(struct pl_isa_launch) == 192, "the layout is a contract");

/* Head of the printf buffer.  Records follow, each 8-byte aligned; what does not fit is dropped and counted. */
struct pl_isa_printf {
	uint32_t bytes; /* of the whole buffer with this head; written by the driver */
	uint32_t used;  /* bytes of records; the engine adds, the driver resets */
	uint32_t dropped, reserved;
};
/*
 * One call of one thread: the format, then its arguments in order, 8 bytes each (32-bit ones extended, float is double
 * as C promotes it), then the text of the format and of each %s, each with its terminating 0.  The argument of a %s is
 * the offset of its text from the record's begin.
 */
struct pl_isa_printf_record {
	uint32_t bytes; /* with padding */
	uint32_t arg_count;
	uint32_t format_offset; /* from the record's begin */
	uint32_t kernel_id;
	uint32_t block[3], thread[3];
	uint64_t args[];
};

/* Filled by the first failing assert; the launch then ends with PL_SM_FAULT_ASSERT. */
struct pl_isa_assert {
	uint32_t raised, line;
	uint32_t block[3], thread[3];
	char message[256], file[256], function[256]; /* terminated, cut if need be */
};

#endif
