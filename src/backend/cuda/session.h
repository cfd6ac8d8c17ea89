/*
 * What the CUDA backend knows: the driver (one a process, made by open()), and the session's own state.  A session's
 * threads are its lanes' and the driver's own; what is "under the turn" belongs to the call that holds it.
 */
#ifndef PL_BACKEND_CUDA_SESSION_H
#define PL_BACKEND_CUDA_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend/cuda/kept.h"
#include "cuda-serve.h"
#include "cuda/share.h"
#include "wire/cuda.h"

#define PL_CUDA_LIBRARY          "libcuda.so.1"
#define PL_CUDA_LATE_MAX         64u /* limit: errors of posts that are kept until somebody waits */
#define PL_CUDA_RINGS_PINNED_MAX 16u

/* Made by open(), never changed afterwards. */
struct pl_cuda_host {
	void *dl;
	int version;
	uint32_t devices_count;
	struct pl_cuda_device_facts *devices;
	__typeof__(&plRefgpuMemoryBack) memory_back; /* NULL: a driver that lacks them */
	__typeof__(&plRefgpuManagedBack) managed_back;
	__typeof__(&plRefgpuIdle) idle;
	__typeof__(&plRefgpuPrints) prints;
	__typeof__(&plRefgpuPlaceBegin) place_begin;
	__typeof__(&plRefgpuPlaceAt) place_at;
	__typeof__(&plRefgpuPlaceEnd) place_end;
	__typeof__(&plRefgpuIpcFile) ipc_file;
	__typeof__(&plRefgpuIpcGive) ipc_give;
};

struct pl_cuda_late { /* an error of a posted call that nobody has heard of */
	int32_t status;
	uint64_t stream; /* id; 0 = of none */
};

struct pl_cuda_print {
	pthread_mutex_t lock; /* emptying the pipes */
	int out, err;         /* reading ends of what was standard output and standard error */
};

struct pl_cuda_session {
	struct pl_session_worker *worker;
	const struct pl_cuda_host *host;
	struct pl_handles memory; /* by address: `object` is how many bytes it is charged, `extra` its context's id */
	struct pl_handles parts;  /* of allocations' handles by their id: vmm.c */
	struct pl_handles maps;   /* by address: vmm.c */
	struct pl_handles movables, smalls; /* by address: swap.c, slab.c */
	struct pl_handles arrays;           /* by id, mipmapped ones too: `object` is how many bytes it is charged */
	struct pl_handles managed;          /* by its first page: managed.c */
	struct pl_handles shared;           /* host memory by the client's address, or the driver's: host.c */
	pthread_rwlock_t pages_lock; /* for reading: bytes are written where those two say, also without the turn; for
				      * writing: what they say changes */
	_Atomic uint64_t ids_made;   /* server's own ids */
	uint64_t primaries[PL_CUDA_DEVICES_MAX]; /* by the driver's number of the device; 0 = none; under the turn */
	_Atomic uint64_t context_first;          /* the first context that was current; 0 = none yet */
	_Atomic bool contexts_many;              /* another one was, too */
	_Atomic bool streams_apart;              /* some do not follow the legacy stream */
	_Atomic uint32_t entering; /* copies that have had their turn and may not be in their stream yet */
	_Atomic uint64_t entered;  /* whose turn it was when the last of them was: what waits since then has seen all */

	pthread_mutex_t late_lock;
	struct pl_cuda_late late[PL_CUDA_LATE_MAX]; /* under late_lock, oldest first */
	uint32_t late_count;

	_Atomic uint64_t rings[PL_CUDA_RINGS_PINNED_MAX]; /* pinned places in shared memory; 0 = none: copy-ring.c */

	pthread_mutex_t stages_lock;
	struct pl_cuda_stage *stages; /* under stages_lock: stage.h */

	pthread_mutex_t later_lock;
	struct pl_cuda_later *laters;     /* under later_lock: memory of copies that nobody waits for */
	struct pl_cuda_later *laters_out; /* as well: those whose word is to be written, in the order of their calls */
	_Atomic uint32_t laters_count;    /* of those, and of those that are being sent */
	pthread_cond_t later_some;        /* there are some; under later_lock */
	bool later_looks;                 /* as well: a thread looks whether words are there */
	pthread_mutex_t later_send_lock;  /* taken before later_lock: they are sent one after the other */

	struct pl_cuda_marks *_Atomic marks; /* NULL: the client has asked for none */
	pthread_mutex_t hosts_lock;
	struct pl_cuda_waiter *hosts;      /* under hosts_lock: who waits for the client, in the order of their calls */
	struct pl_cuda_captured *captured; /* under the turn: graph-end.c */
	struct pl_cuda_exec_sets *execs;   /* under the turn: graph-exec.c */
	struct pl_cuda_carriers *carriers; /* under the turn: graph-enable.c */
	struct pl_cuda_graph_memory *books; /* as well: graph-memory.c; NULL: no graph has allocated any */
	_Atomic bool knows_nodes;           /* ids of nodes of graphs were given, or some are hidden */
	_Atomic bool hides_nodes;           /* some stand beside copies: graph-copy.c */
	_Atomic bool graphs_allocate;       /* memory was allocated in a stream that was captured */
	_Atomic bool captures;              /* a stream was captured */
	_Atomic(void *) few_room;     /* memory for few bytes that are fetched; NULL: somebody has it: copy-out.c */
	struct pl_handles shadows;    /* by a graph's node: graph-copy.c; its own lock */
	struct pl_handles conditions; /* by a conditional node: `object` is its graphs, `extra` their number; as well */

	pthread_mutex_t images_lock;
	struct pl_cuda_image *images; /* under images_lock; they live as long as the session */
	struct pl_cuda_print print;
	struct pl_cuda_peers *peers; /* peer.h */
	struct pl_cuda_slab *slabs;  /* under the turn: slab.c */
	pthread_mutex_t shares_lock;
	struct pl_cuda_share *shares; /* under shares_lock: memory that others may have; share.c */
	struct pl_cuda_kept kept;
};

static inline struct pl_cuda_session *pl_cuda_session_of(const struct pl_serve *serve)
{
	return serve->session->api;
}

/* The context that this lane's client thread has as its current one (plCurrent). */
extern _Thread_local uint64_t pl_cuda_current;
/* This thread's, and never another one's: what pthread_self() says is used again. */
uint64_t pl_cuda_thread_number(void);

/* ---- result.c: how calls end ---- */

/* An error after which a context is of no use. */
bool pl_cuda_is_sticky(int32_t status);
/* Tells the client, once, that its current context has failed. */
void pl_cuda_context_failed(struct pl_cuda_session *session, int32_t status);
void pl_cuda_late_keep(struct pl_cuda_session *session, int32_t status, uint64_t stream);
/* The oldest error that whoever waits for this stream has to hear (0: for everything).  Return: 0 = none. */
int32_t pl_cuda_late_take(struct pl_cuda_session *session, uint64_t stream);
void pl_cuda_late_forget(struct pl_cuda_session *session);
/* Before the answer of a call that waited: what kernels printed, and late errors.  Return: the status to answer with.
 */
int32_t pl_cuda_waited(struct pl_cuda_session *session, int32_t status, uint64_t stream);
/* After a call that waited and has nothing to report: the answer says so where nothing at all is under way. */
void pl_cuda_idle_tell(struct pl_serve *serve);

/* ---- memory.c ---- */

/* Notes an allocation whose bytes are charged; context: the one that it goes with, 0 = none.  Return: noted. */
bool pl_cuda_memory_note(struct pl_cuda_session *session, uint64_t address, uint64_t bytes, uint64_t context);
/* Forgets it and gives back what it was charged.  Return: it was ours. */
bool pl_cuda_memory_forget(struct pl_cuda_session *session, uint64_t address);
/* All of the range is memory that the driver knows: a driver takes other addresses for memory of this process. */
bool pl_cuda_address_known(uint64_t address, uint64_t bytes);
/* As well, and none of it is mapped without access, as far as the driver says so. */
bool pl_cuda_address_open(uint64_t address, uint64_t bytes);
/* A context has ended, and its memory with it. */
void pl_cuda_memory_context_left(struct pl_cuda_session *session, uint64_t context);

/* ---- array.c ---- */

/* Gives back what it was charged, if it was. */
void pl_cuda_array_gone(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind);

/* ---- share.c ---- */

/* Of what has ended no handle is good any more. */
void pl_cuda_share_freed(struct pl_cuda_session *session, uint64_t address);
void pl_cuda_share_event_ended(struct pl_cuda_session *session, uint64_t id);

/* ---- vmm.c ---- */

/* A handle for an allocation of another session's, which is charged there.  Return: the status to answer with. */
int32_t pl_cuda_part_import(struct pl_serve *serve, uint64_t id, CUmemGenericAllocationHandle handle);

/* ---- later.c ---- */

/* A copy whose bytes go to the client by themselves.  This and the next: called with the turn held.
 * Return: it is under way; its bytes stay charged until they are sent. */
bool pl_cuda_later_copy(struct pl_serve *serve, const struct pl_cuda_cuMemcpyDtoHAsync_v2_args *args, CUstream stream);
/* A copy to the device that was posted, in a stream that is not there yet: from pinned memory of ours, so that nobody
 * waits for it with the turn held.  Return: *status says what became of it; false: it is to be made otherwise. */
bool pl_cuda_later_to(struct pl_cuda_session *session, const struct pl_cuda_cuMemcpyHtoDAsync_v2_args *args,
		      const void *data, CUstream stream, int32_t *status);
/* The client is about to hear that something has ended: what has been copied by now goes first. */
void pl_cuda_later_tell(struct pl_cuda_session *session);
/* Some are under way.  With the turn held none is added. */
bool pl_cuda_later_is_any(struct pl_cuda_session *session);
void pl_cuda_later_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left);
void pl_cuda_later_context_left(struct pl_cuda_session *session, uint64_t left);

/* ---- mark.c ---- */

/* The device writes a word, in a stream's order. */
CUresult pl_cuda_word_write(CUstream stream, bool per_thread, CUdeviceptr address, uint32_t value);

void pl_cuda_marks_late(struct pl_cuda_session *session, uint32_t count); /* errors of posts are kept */
void pl_cuda_marks_tell(struct pl_cuda_session *session);                 /* ahead of the answer of who has waited */
void pl_cuda_marks_context_left(struct pl_cuda_session *session, uint64_t context);

/* ---- host.c ---- */

/* Whole pages of the session's shared memory. */
bool pl_cuda_in_arena(const struct pl_session_worker *worker, uint64_t store, uint64_t bytes);
/* Do these bytes lie in host memory of the driver's that the client was given, at `start`?  Any thread. */
bool pl_cuda_host_holds(struct pl_cuda_session *session, uint64_t start, uint64_t address, uint64_t bytes);

/* The client has no right any more to host memory of a context that is about to end, or has it after all. */
void pl_cuda_host_ends(struct pl_cuda_session *session, uint64_t context, bool ends);
void pl_cuda_shared_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left);
void pl_cuda_shared_context_left(struct pl_cuda_session *session, uint64_t left);

/* ---- managed.c ---- */

/* Ahead of the driver's call that frees managed memory, and behind it: nobody writes to it meanwhile. */
void pl_cuda_managed_ends(struct pl_cuda_session *session, uint64_t address);
void pl_cuda_managed_ended(struct pl_cuda_session *session, uint64_t address, bool did);
/* The same for pages of all that goes with a context, a module or a library. */
void pl_cuda_pages_end(struct pl_cuda_session *session, uint64_t id, bool ends);

/* ---- print.c ---- */

/* Standard output and error become pipes whose content goes to the client; the log stays where it was.
 * Return: 0 or fatal -errno. */
int pl_cuda_print_start(struct pl_cuda_session *session);
void pl_cuda_print_flush(struct pl_cuda_session *session);

/* ---- object.c ---- */

/* The id of an object that belongs to another one: what the session knows it by, else `id`, which is the client's for
 * it from now on.  Return: 0: there is no room for it. */
uint64_t pl_cuda_id_of_or(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object, uint64_t id);
/* As pl_cuda_put(), for what goes with a module or a library, so with that one's context: also for one that failed. */
bool pl_cuda_put_member(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object,
			int32_t status, uint64_t owner);
/* Releases a driver's object that no id stands for. */
void pl_cuda_object_end(enum pl_cuda_object_kind kind, void *object);
/* A context ends whose driver's call is yet to be made: ids of what it has find nothing any more.  Memory of ours that
 * the driver may be at work in stays, under another id, for no one to use.  Called with the turn held.
 * Return: that id; 0: there is no such context. */
uint64_t pl_cuda_context_leaves(struct pl_serve *serve, uint64_t context);
/* The driver has let go of that memory, and calls no function of the context's any more. */
void pl_cuda_context_left(struct pl_cuda_session *session, uint64_t left);

#endif
