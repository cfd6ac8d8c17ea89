/* Inside of the device; nobody else includes this.  Locks, outer first: lock, intr.line_lock, intr.lock, the MMU's. */
#ifndef PL_REFGPU_DEVICE_RG_H
#define PL_REFGPU_DEVICE_RG_H

#include "base/wait.h"
#include "refgpu/device/device.h"
#include "refgpu/device/regs.h"

#define PL_RG_APERTURES 2u /* BAR1, BAR3 */

enum pl_rg_counter { /* PL_RG_C_tlb_hits ... */
#define PL_RG_COUNTER_ENUM(name, what) PL_RG_C_##name,
		     PL_RG_COUNTERS_LIST(PL_RG_COUNTER_ENUM)
};

enum { /* struct pl_rg_channel.flags; changed under rg->lock, read by anybody */
       PL_RG_CF_VALID = 1,
       PL_RG_CF_RUNNABLE = 2,
       PL_RG_CF_DEAD = 4,
       PL_RG_CF_LOADED = 8,   /* its engine's thread owns `front` */
       PL_RG_CF_ACQUIRE = 16, /* put aside */
       PL_RG_CF_KILL = 32,    /* dies when its engine lets go of it */
       PL_RG_CF_CLOSE = 64,   /* and becomes invalid */
};

/* What a channel's push buffers have said so far, and how far they were read. */
struct pl_rg_front {
	uint32_t get;
	bool in_entry;  /* a ring entry is begun */
	bool acquiring; /* stopped at the acquire that `execute` says */
	uint64_t at;    /* next push-buffer word */
	uint32_t words; /* left in the entry */
	uint32_t mode, method, count;
	uint32_t execute;
	uint32_t sem[4];    /* latched: PL_RG_M_SEM_LOW.. */
	uint32_t copy[9];   /* PL_RG_M_SRC_HIGH.. */
	uint32_t launch[2]; /* PL_RG_M_LAUNCH_HIGH.. */
};

struct pl_rg_instance { /* an instance block, checked */
	uint64_t address;
	struct pl_mmu_root root;
	uint64_t limit;
	uint8_t *user; /* page in VRAM */
	uint64_t ring, push_high;
	uint32_t order, engine;
};

struct pl_rg_channel {
	_Atomic uint32_t flags;
	_Atomic bool rung;       /* PUT may have moved */
	_Atomic bool look;       /* put aside, but its semaphore may hold now */
	_Atomic uint32_t engine; /* instance.engine, for doorbells */
	uint32_t id;
	struct pl_rg_instance instance; /* these: under rg->lock, and constant while it is loaded */
	struct pl_mmu_space *space;
	struct pl_rg_front front;
};

struct pl_rg_unit { /* an engine */
	struct pl_rg *rg;
	uint32_t index;
	bool started;
	pthread_t thread;
	_Alignas(64) _Atomic uint32_t work; /* somebody wants it to look around */
	_Atomic uint32_t sleeper;
	_Atomic uint32_t rung_core;         /* pl_wait_core() of the last doorbell */
	_Alignas(64) _Atomic uint32_t stop; /* what runs has to end: enum pl_rg_fault_code; 0 = go on */
	_Atomic uint64_t begin_ns;          /* of what the watchdog watches; 0 = nothing */
	_Atomic uint32_t waiters;           /* channels put aside */
	/* under rg->lock */
	uint16_t runlist[PL_RG_CHANNELS];
	uint32_t runlist_len, cursor;
	bool held;
	struct pl_rg_channel *running;
	uint32_t unit_fault[4]; /* PL_RG_FAULT_UNIT() */
	/* the engine's thread (virtual clock: whoever pumps) */
	struct pl_wait wait;
	uint64_t seq;     /* rg->released when the waiting channels were looked at last */
	uint64_t look_ns; /* and when that was */
	uint64_t poll_ns;
	struct pl_mmu_tlb tlb;      /* rings, push buffers, semaphores: supervisor */
	struct pl_mmu_tlb data_tlb; /* copies */
};

struct pl_rg_aperture {
	pthread_mutex_t lock;
	uint32_t value;             /* register; these: under lock */
	struct pl_mmu_space *space; /* NULL while on: bad instance block */
	_Atomic bool on;
	struct pl_mmu_tlb tlb;
	uint64_t bytes;
};

struct pl_rg_intr {
	pthread_mutex_t lock, line_lock; /* line_lock is recursive */
	uint32_t pending, enable;        /* these: under lock */
	uint32_t table[PL_RG_VECTORS][4], table_pending;
	bool msix, masked, line_off;
	bool line_told; /* under line_lock: level that the embedder knows */
};

struct pl_rg_watchdog {
	pthread_t thread;
	bool started;
	pthread_cond_t change; /* with rg->lock */
	_Atomic bool asleep;   /* an engine that begins something wakes it */
	_Atomic uint64_t limit_ns;
};

struct pl_rg {
	struct pl_rg_config config;
	uint8_t *vram;
	int vram_fd;
	struct pl_mmu *mmu;
	struct pl_rg_compute *compute;
	pthread_mutex_t lock;
	_Atomic bool quit;
	struct pl_rg_unit units[PL_RG_ENGINES];
	struct pl_rg_channel channels[PL_RG_CHANNELS];
	struct pl_rg_aperture apertures[PL_RG_APERTURES];
	struct pl_rg_intr intr;
	struct pl_rg_watchdog watchdog;
	_Atomic uint64_t clock_ps;                /* virtual clock */
	_Atomic uint64_t released;                /* memory that a channel may wait for has changed */
	_Atomic uint32_t pumps;                   /* virtual clock: requests to pump; who makes it 1 does it */
	_Atomic uint32_t user_area;               /* register */
	_Atomic uint32_t window;                  /* register */
	_Atomic uint32_t time_high, counter_high; /* latched by the low word */
	/* under lock */
	uint32_t enable, runlist, channel_error, killed, fault_units, directory;
	uint32_t faults[PL_RG_FAULT_QUEUE][PL_RG_FAULT_WORDS], fault_first, fault_count;
	struct { /* PCI configuration space; under lock */
		uint8_t bytes[PL_RG_PCI_BYTES], writable[PL_RG_PCI_BYTES];
	} pci;
	_Atomic uint64_t counters[PL_RG_COUNTER_COUNT];
};

static inline void pl_rg_count(struct pl_rg *rg, enum pl_rg_counter counter, uint64_t n)
{
	atomic_fetch_add_explicit(&rg->counters[counter], n, memory_order_relaxed);
}

static inline bool pl_rg_virtual(const struct pl_rg *rg)
{
	return rg->config.clock == PL_RG_CLOCK_VIRTUAL;
}

/* NULL: not all of it is VRAM. */
static inline uint8_t *pl_rg_vram(const struct pl_rg *rg, uint64_t address, uint64_t bytes)
{
	if (address > rg->config.vram_bytes || bytes > rg->config.vram_bytes - address)
		return NULL;
	return rg->vram + address;
}

static inline uint32_t pl_rg_load32(const void *at)
{
	return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

/* units.c: engines, their threads, the virtual clock's pump */
int pl_rg_units_start(struct pl_rg *rg);
void pl_rg_units_stop(struct pl_rg *rg);
void pl_rg_unit_kick(struct pl_rg_unit *unit);
void pl_rg_pump(struct pl_rg *rg);
void pl_rg_released(struct pl_rg *rg); /* somebody who waits may have what it waits for */
void pl_rg_clock_add(struct pl_rg *rg, uint64_t ps);

/* watchdog.c */
int pl_rg_watchdog_start(struct pl_rg *rg);
void pl_rg_watchdog_stop(struct pl_rg *rg);
void pl_rg_watchdog_set(struct pl_rg *rg, uint64_t limit_ns);
void pl_rg_watchdog_begin(struct pl_rg_unit *unit, uint64_t now_ns);

/* channel.c.  Called with rg->lock held, but doorbell(). */
void pl_rg_channel_write(struct pl_rg *rg, uint32_t id, uint32_t value);
uint32_t pl_rg_channel_read(const struct pl_rg *rg, uint32_t id);
void pl_rg_channel_run(struct pl_rg *rg, uint32_t id, bool runnable);
void pl_rg_channel_kill(struct pl_rg *rg, uint32_t id);
void pl_rg_channel_loosen(struct pl_rg *rg, struct pl_rg_channel *channel, bool waits);
uint32_t pl_rg_channel_state(const struct pl_rg *rg, uint32_t id);
void pl_rg_channel_doorbell(struct pl_rg *rg, uint32_t id);
void pl_rg_runlist_update(struct pl_rg *rg, uint32_t value);
void pl_rg_enable_write(struct pl_rg *rg, uint32_t value);
void pl_rg_fault_record(struct pl_rg_unit *unit, const struct pl_rg_channel *channel, const struct pl_rg_fault *fault);
/* Return: PL_RG_FAULT_NONE, or why not. */
uint32_t pl_rg_instance_load(const struct pl_rg *rg, uint64_t address, struct pl_rg_instance *instance_out);
void pl_rg_channels_close(struct pl_rg *rg);

/* front.c: rings and push buffers.  The engine's thread, its channel loaded. */
enum pl_rg_outcome { PL_RG_IDLE, PL_RG_DONE, PL_RG_WAITS, PL_RG_FAULTED };
enum pl_rg_outcome pl_rg_front_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel,
				   struct pl_rg_fault *fault_out);

/* method.c, copy.c: as above.  Return: PL_RG_DONE, WAITS, FAULTED */
enum pl_rg_outcome pl_rg_method_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t method,
				    uint32_t data, struct pl_rg_fault *fault);
enum pl_rg_outcome pl_rg_acquire_look(struct pl_rg_unit *unit, struct pl_rg_channel *channel,
				      struct pl_rg_fault *fault);
enum pl_rg_outcome pl_rg_copy_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t what,
				  struct pl_rg_fault *fault);

/* bar.c */
int pl_rg_apertures_init(struct pl_rg *rg);
void pl_rg_apertures_fini(struct pl_rg *rg);
uint32_t pl_rg_aperture_get(struct pl_rg *rg, uint32_t which);
void pl_rg_aperture_set(struct pl_rg *rg, uint32_t which, uint32_t value);

/* bar0.c */
uint32_t pl_rg_bar0_read(struct pl_rg *rg, uint32_t offset);
void pl_rg_bar0_write(struct pl_rg *rg, uint32_t offset, uint32_t value);

/* intr.c: no lock held */
void pl_rg_intr_init(struct pl_rg_intr *intr);
void pl_rg_intr_fini(struct pl_rg_intr *intr);
void pl_rg_intr_raise(struct pl_rg *rg, uint32_t vector);
uint32_t pl_rg_intr_get(struct pl_rg *rg, uint32_t offset);
void pl_rg_intr_set(struct pl_rg *rg, uint32_t offset, uint32_t value);
void pl_rg_intr_mode(struct pl_rg *rg, bool msix, bool masked, bool line_off);
bool pl_rg_msix_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out);
bool pl_rg_msix_write(struct pl_rg *rg, uint32_t offset, uint32_t value);

/* pci.c */
void pl_rg_pci_init(struct pl_rg *rg);

#endif
