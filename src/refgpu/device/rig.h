/*
 * For the device's tests: a device with a compute engine of a few lines, page tables and channels made by hand, all
 * through registers and memory.  Layout that works in every profile: 0x10000000 + 64 KiB * channel holds a channel's
 * ring and push buffer, tests use what is above RIG_DATA.
 */
#ifndef PL_REFGPU_DEVICE_RIG_H
#define PL_REFGPU_DEVICE_RIG_H

#include <stdatomic.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/wait.h"
#include "refgpu/device/device.h"
#include "refgpu/device/regs.h"

#define RIG_DATA         0x20000000ull
#define RIG_CONTROL      0x10000000ull
#define RIG_BUS          0x40000000ull /* bus address of the system memory */
#define RIG_SYSTEM_BYTES (16u << 20)
#define RIG_RING_ORDER   4u
#define RIG_PUSH_WORDS   512u /* of one entry */

enum rig_page { /* of rig_map() */
		RIG_SMALL = 0,
		RIG_LARGE = 1,
		RIG_READ_ONLY = 2,
		RIG_SYSTEM = 4,
		RIG_SUPERVISOR = 8,
};

/* Launch descriptor of the rig's engine */
struct rig_launch {
	uint32_t what, value;
	uint64_t address;
};
enum rig_what {
	RIG_STORE,      /* value to address */
	RIG_LOAD,       /* address is read */
	RIG_SPIN,       /* for ever */
	RIG_SPIN_WHILE, /* while *address == value */
	RIG_BURN,       /* value instructions */
	RIG_FAULT,      /* the code in value, with block and thread */
};

struct rig {
	struct pl_rg *rg;
	struct pl_rg_config config;
	uint8_t *vram;
	uint64_t vram_used;
	uint8_t *system;
	bool scattered;                              /* system memory: pages backwards, so that none follows another */
	_Atomic uint32_t signals[PL_RG_VECTORS + 1]; /* last: changes of the line */
	_Atomic bool line;
	_Atomic uint64_t refused; /* bus addresses asked for where nothing is */
};

struct rig_space {
	struct rig *rig;
	uint32_t mode; /* PL_RG_MODE_ */
	uint64_t directory, limit;
	uint64_t tables_used; /* G_SYSTEM: of the end of system memory */
};

struct rig_channel {
	struct rig *rig;
	uint32_t id, engine;
	uint64_t instance, user, ring, push; /* VRAM addresses */
	uint64_t push_va;
	uint32_t put;
	uint32_t *words; /* of the entry that is being written */
	uint32_t count;
};

void rig_create(struct rig *rig, enum pl_rg_clock clock);
void rig_create_as(struct rig *rig, const struct pl_rg_config *config);
void rig_destroy(struct rig *rig);
uint32_t rig_read(struct rig *rig, uint32_t reg);
void rig_write(struct rig *rig, uint32_t reg, uint32_t value);
uint64_t rig_vram(struct rig *rig, uint64_t bytes); /* 128 KiB aligned, zero */
uint8_t *rig_system_at(struct rig *rig, uint64_t bus);
/* The number's 64 bits at a VRAM address, for tables */
void rig_poke64(struct rig *rig, uint64_t address, uint64_t value);
void rig_poke32(struct rig *rig, uint64_t address, uint32_t value);

void rig_space(struct rig_space *space, struct rig *rig, uint32_t mode);
void rig_map(struct rig_space *space, uint64_t va, uint64_t address, uint64_t bytes, uint32_t flags);
void rig_unmap(struct rig_space *space, uint64_t va, uint64_t bytes, uint32_t flags);
void rig_flush(struct rig_space *space); /* and waits for it */

/* A channel in the runlist (with those made before for that engine), runnable. */
void rig_channel(struct rig_channel *channel, struct rig_space *space, uint32_t id, uint32_t engine);
void rig_runlist(struct rig *rig, uint32_t engine, const uint32_t *ids, uint32_t count);
/* One entry: begin, methods, submit (doorbell). */
void rig_begin(struct rig_channel *channel);
void rig_word(struct rig_channel *channel, uint32_t word);
void rig_method(struct rig_channel *channel, uint32_t method, uint32_t data);
void rig_release(struct rig_channel *channel, uint64_t va, uint32_t value);
void rig_acquire(struct rig_channel *channel, uint64_t va, uint32_t value, uint32_t operation);
void rig_copy(struct rig_channel *channel, uint64_t dst, uint64_t src, uint64_t bytes);
void rig_launch(struct rig_channel *channel, uint64_t descriptor_va);
void rig_ring(struct rig_channel *channel, uint64_t entry); /* a ring entry as it is, and no doorbell */
void rig_doorbell(struct rig_channel *channel);
void rig_submit(struct rig_channel *channel);
uint32_t rig_state(struct rig_channel *channel);
uint32_t rig_get(struct rig_channel *channel);
void rig_wait_idle(struct rig_channel *channel); /* done, or dead */
void rig_wait_state(struct rig_channel *channel, uint32_t bit);

/* The oldest fault record; waits for it and takes it. */
struct rig_fault {
	uint32_t words[PL_RG_FAULT_WORDS];
};
struct rig_fault rig_fault(struct rig *rig);

extern const struct pl_rg_compute_ops rig_compute_ops;
extern _Atomic uint64_t rig_turns; /* of all spinning kernels: one has read its word when this has grown */

#endif
