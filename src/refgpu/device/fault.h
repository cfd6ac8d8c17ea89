/*
 * What can go wrong on a channel: one list of codes for the MMU, the front ends and the compute engine.  Codes 0..6 are
 * Fermi's (gf100 VM fault reasons), the rest is our own.  A fault kills its channel; there is no replay.
 */
#ifndef PL_REFGPU_DEVICE_FAULT_H
#define PL_REFGPU_DEVICE_FAULT_H

#include <stdint.h>

enum pl_rg_fault_code {
	/* of the MMU */
	PL_RG_FAULT_PT_NOT_PRESENT = 0x00,   /* no table there */
	PL_RG_FAULT_PT_TOO_SHORT = 0x01,     /* the table covers less */
	PL_RG_FAULT_PAGE_NOT_PRESENT = 0x02, /* entry not present */
	PL_RG_FAULT_VSPACE_LIMIT = 0x03,     /* above the instance block's limit */
	PL_RG_FAULT_NO_CHANNEL = 0x04,
	PL_RG_FAULT_SUPERVISOR = 0x05, /* a supervisor page, from a kernel or a copy */
	PL_RG_FAULT_READ_ONLY = 0x06,
	PL_RG_FAULT_BAD_TARGET = 0x07,  /* entry of an unknown target */
	PL_RG_FAULT_VRAM_RANGE = 0x08,  /* entry or table above the end of VRAM */
	PL_RG_FAULT_BUS_REFUSED = 0x09, /* the embedder does not map that bus address */
	/* of the front ends */
	PL_RG_FAULT_BAD_INSTANCE = 0x10, /* instance block that makes no sense */
	PL_RG_FAULT_BAD_RING = 0x11,     /* PUT outside of the ring, or an entry that makes no sense */
	PL_RG_FAULT_BAD_HEADER = 0x12,   /* push-buffer word that is no header, or its data is cut off */
	PL_RG_FAULT_BAD_METHOD = 0x13,   /* unknown method, or not on this engine */
	PL_RG_FAULT_BAD_ARGUMENT = 0x14, /* method with an argument that makes no sense */
	/* of the compute engine */
	PL_RG_FAULT_BAD_LAUNCH = 0x20, /* launch descriptor that makes no sense */
	PL_RG_FAULT_BAD_CODE = 0x21,   /* instruction that does not exist, or a register out of the frame */
	PL_RG_FAULT_MISALIGNED = 0x22,
	PL_RG_FAULT_SHARED_RANGE = 0x23, /* outside of the block's shared memory */
	PL_RG_FAULT_LOCAL_RANGE = 0x24,  /* outside of the thread's local memory */
	PL_RG_FAULT_STACK = 0x25,        /* frames deeper than the register file or the call stack */
	PL_RG_FAULT_TRAP = 0x26,         /* trap instruction */
	PL_RG_FAULT_ASSERT = 0x27,       /* a failed assertion of the kernel */
	PL_RG_FAULT_DEADLOCK = 0x28,     /* no warp of a block can go on */
	PL_RG_FAULT_BAD_TEXTURE = 0x29,
	PL_RG_FAULT_WATCHDOG = 0x2a,          /* ran longer than the watchdog register allows */
	PL_RG_FAULT_KILLED = 0x2b,            /* its channel was killed, or the device goes away: recorded nowhere */
	PL_RG_FAULT_SHARED_UNINIT = 0x2c,     /* check mode: shared memory read before it was written */
	PL_RG_FAULT_SHARED_RACE = 0x2d,       /* check mode: no barrier between accesses of two warps */
	PL_RG_FAULT_DIVERGENT_BARRIER = 0x2e, /* check mode: a part of a warp at a barrier of the whole block */
	PL_RG_FAULT_OUT_OF_BOUNDS = 0x2f,     /* check mode: behind an allocation's end, in its last page */
	PL_RG_FAULT_CODES = 0x30,
	PL_RG_FAULT_NONE = 0xffffffffu,
};

enum pl_rg_access { /* of a fault, and of a translation */
		    PL_RG_READ,
		    PL_RG_WRITE,
		    PL_RG_ATOMIC,
		    PL_RG_EXEC,
};

/* One fault as whoever found it tells it.  block, thread and pc: of the compute engine, else 0. */
struct pl_rg_fault {
	uint32_t code;   /* enum pl_rg_fault_code */
	uint32_t access; /* enum pl_rg_access */
	uint64_t address;
	uint64_t pc;        /* address of the instruction */
	uint32_t block[3];  /* index of the block in its grid */
	uint32_t thread[3]; /* index of the thread in its block: the lowest lane that faulted */
};

/* "page not present"; never NULL. */
const char *pl_rg_fault_name(uint32_t code);
const char *pl_rg_access_name(uint32_t access);

#endif
