/* Managed memory that lies with the driver: variables of modules, and allocations where nothing is shared. */
#include "client/cuda/mirrored.h"

#include <errno.h>
#include <time.h>

#include "base/err.h"
#include "client/cuda/echo.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/mirror.h"
#include "client/cuda/placed.h"

#define TRIES_MAX     16u /* limit: as often as a driver may give addresses that the program uses */
#define PUSHED_NAP_NS 10000

/* ---- pages to and from the server ---- */

/* The answer's pages.  Return: as pl_mirror_ops. */
static int pages_take(struct pl_reply *reply, bool works, const struct pl_bulk *got, void *data, uint64_t bytes,
		      bool patient)
{
	if (!pl_dec_whole(&reply->dec) || got->data)
		return -EPROTO;
	if (patient && works && !got->bytes)
		return 1;
	if (got->bytes != bytes)
		return -EPROTO;
	return pl_call_bulk(reply, data, bytes);
}

/* In the session's order. */
static int pages_read(struct pl_call *call, struct pl_session *session, const struct pl_cuda_plManagedRead_args *args,
		      struct pl_reply *reply, void *data, uint64_t *as_of_out)
{
	struct pl_cuda_plManagedRead_reply got;
	int r = pl_call_begin(call, session, PL_CUDA_OP_plManagedRead, pl_cuda_plManagedRead_bytes(args));

	if (r)
		return r;
	pl_cuda_plManagedRead_put(&call->enc, args);
	r = pl_call_ask_alone(call, reply);
	if (r || reply->status)
		return r ? r : -EIO;
	pl_cuda_plManagedRead_reply_get(&reply->dec, &got);
	*as_of_out = reply->flags & PL_WIRE_REPLY_IDLE ? pl_session_answered(session) : 0;
	return pages_take(reply, got.works, &got.data, data, args->size, args->patient);
}

/* Outside of it, but behind the pages that were sent in it. */
static int pages_look(struct pl_call *call, struct pl_session *session, const struct pl_cuda_plManagedRead_args *args,
		      struct pl_reply *reply, void *data)
{
	const struct pl_cuda_plManagedLook_args look = { .start = args->start,
							 .address = args->address,
							 .size = args->size,
							 .patient = args->patient,
							 .behind = atomic_load(&session->pages) };
	struct pl_cuda_plManagedLook_reply got;
	int r = pl_call_begin(call, session, PL_CUDA_OP_plManagedLook, pl_cuda_plManagedLook_bytes(&look));

	if (r)
		return r;
	pl_cuda_plManagedLook_put(&call->enc, &look);
	r = pl_call_ask_free(call, reply);
	if (r || reply->status)
		return r ? r : -EIO;
	pl_cuda_plManagedLook_reply_get(&reply->dec, &got);
	return pages_take(reply, got.works, &got.data, data, args->size, args->patient);
}

/* While a function of the program's may run, whoever has the order may wait for that, and it for these pages. */
static int pages_get(struct pl_call *call, struct pl_session *session, const struct pl_cuda_plManagedRead_args *args,
		     struct pl_reply *reply, void *data, uint64_t *as_of_out)
{
	int r = -ENOSYS;

	*as_of_out = 0;
	if (pl_cuda_hostfns_may_run(session))
		r = pages_look(call, session, args, reply, data);
	return r == -ENOSYS ? pages_read(call, session, args, reply, data, as_of_out) : r;
}

int pl_cuda_pages_fetch(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes,
			uint64_t *as_of_out)
{
	const struct pl_cuda_plManagedRead_args args = { .start = range, .address = address, .size = bytes };
	struct pl_reply reply;
	struct pl_call call;

	return pages_get(&call, session, &args, &reply, data, as_of_out);
}

/* What the device wrote before is here when its pages are.  Another thread takes it; what that one waits for itself, as
 * it writes there, comes first.  Return: as pl_mirror_ops. */
static int pushed_wait(const struct pl_call *call, struct pl_reply *reply, uint64_t address, bool patient)
{
	static const struct timespec nap = { .tv_nsec = PUSHED_NAP_NS };

	while (!pl_call_is_whole(call, reply)) {
		if (atomic_load(&call->session->dead))
			return -EPIPE;
		if (pl_cuda_host_copy_is_made(address, PL_MIRROR_PAGE_BYTES))
			return 0;
		if (pl_cuda_host_copy_is_made(0, UINT64_MAX))
			return patient;
		nanosleep(&nap, NULL);
	}
	return 0;
}

/* For a touch.  waits: until later, if somebody waits for other pages. */
static int touched_fetch(struct pl_session *session, const struct pl_cuda_plManagedRead_args *args, bool waits,
			 void *data, uint64_t *as_of_out)
{
	struct pl_reply reply;
	struct pl_call call;
	int r = pages_get(&call, session, args, &reply, data, as_of_out);

	return r ? r : pushed_wait(&call, &reply, args->address, waits);
}

static int host_fetch(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes, bool patient,
		      uint64_t *as_of_out)
{
	const struct pl_cuda_plManagedRead_args args = { .start = range, .address = address, .size = bytes };

	return touched_fetch(session, &args, patient, data, as_of_out);
}

/* While a function of the program's runs, or something is taken that was pushed, the device may wait for that; streams
 * that are captured are not to be asked. */
static int managed_fetch(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes, bool patient,
			 uint64_t *as_of_out)
{
	const struct pl_cuda_plManagedRead_args args = { .start = range,
							 .address = address,
							 .size = bytes,
							 .patient = patient && !pl_cuda_hostfn_runs() &&
								    !pl_cuda_host_copy_is_made(0, UINT64_MAX) &&
								    pl_cuda_captures_none() };

	return touched_fetch(session, &args, patient, data, as_of_out);
}

/* What calls outside the order are to come behind: pl_cuda_pages_behind(). */
static void sent_note(struct pl_session *session, uint64_t ticket)
{
	uint64_t last = atomic_load(&session->pages);

	while (last < ticket && !atomic_compare_exchange_weak(&session->pages, &last, ticket))
		continue;
}

void pl_cuda_pages_behind(struct pl_session *session)
{
	static __thread struct {
		const struct pl_session *session;
		uint64_t ticket;
		uint32_t epoch;
	} last __attribute__((tls_model("initial-exec"))); /* said on this thread's lane */
	struct pl_cuda_plPeerBehind_args args = { .ticket = atomic_load(&session->pages) };
	uint32_t epoch = atomic_load(&session->epoch);
	struct pl_call call;

	if (!args.ticket || (last.session == session && last.epoch == epoch && last.ticket == args.ticket) ||
	    pl_call_begin(&call, session, PL_CUDA_OP_plPeerBehind, pl_cuda_plPeerBehind_bytes(&args)))
		return; /* of a session that is lost nobody waits */
	pl_cuda_plPeerBehind_put(&call.enc, &args);
	if (pl_call_post_free(&call))
		return;
	last.session = session;
	last.epoch = epoch;
	last.ticket = args.ticket;
}

void pl_cuda_pages_arrive(void *session)
{
	struct pl_cuda_plPeerBehind_args args = { 0 };
	struct pl_reply reply;
	struct pl_call call;

	if (pl_call_begin(&call, session, PL_CUDA_OP_plPeerBehind, pl_cuda_plPeerBehind_bytes(&args)))
		return;
	pl_cuda_plPeerBehind_put(&call.enc, &args);
	(void)pl_call_ask_free(&call, &reply);
}

/* noted: of a mirror. */
static int pages_post(struct pl_call *call, bool free, bool noted)
{
	int r = free ? pl_call_post_free(call) : pl_call_post(call);

	if (!r && noted)
		sent_note(call->session, call->ticket);
	return r;
}

static int part_send(struct pl_session *session, const struct pl_cuda_plManagedWrite_args *args, bool free, bool noted)
{
	struct pl_call call;
	int r = pl_call_begin(&call, session, PL_CUDA_OP_plManagedWrite, pl_cuda_plManagedWrite_bytes(args));

	if (r)
		return r;
	pl_cuda_plManagedWrite_put(&call.enc, args);
	return pages_post(&call, free, noted);
}

static int store_send(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes,
		      bool free, bool noted)
{
	int r = 0;

	for (uint64_t at = 0; at < bytes && !r; at += PL_WIRE_INLINE_MAX) {
		struct pl_cuda_plManagedWrite_args args = { .start = range, .address = address + at };

		args.data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = (const uint8_t *)data + at };
		args.data.bytes = bytes - at < PL_WIRE_INLINE_MAX ? bytes - at : PL_WIRE_INLINE_MAX;
		r = part_send(session, &args, free, noted);
	}
	return r;
}

static int merge_send(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t pages,
		      bool free, bool noted)
{
	struct pl_cuda_plManagedMerge_args args = { .start = range, .address = address };
	struct pl_call call;
	int r;

	args.data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = data, .bytes = pages * PL_MIRROR_MERGE_BYTES };
	r = pl_call_begin(&call, session, PL_CUDA_OP_plManagedMerge, pl_cuda_plManagedMerge_bytes(&args));
	if (r)
		return r;
	pl_cuda_plManagedMerge_put(&call.enc, &args);
	return pages_post(&call, free, noted);
}

bool pl_cuda_lane_settle(struct pl_session *session)
{
	enum pl_thread_owed owed = pl_session_thread_owed(session);

	if (owed == PL_THREAD_OWED_POSTS)
		pl_cuda_pages_arrive(session);
	return owed != PL_THREAD_OWED_ANSWERS;
}

void pl_cuda_lanes_settle_slow(void)
{
	struct pl_session *session;

	for (uint32_t i = 0; (session = pl_cuda_session_at(i)); i++)
		if (pl_cuda_hostfns_may_run(session))
			(void)pl_cuda_lane_settle(session);
}

int pl_cuda_pages_store(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes)
{
	return store_send(session, range, address, data, bytes, false, false);
}

int pl_cuda_pages_merge(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t pages,
			bool free)
{
	return merge_send(session, range, address, data, pages, free, true);
}

static int mirror_store(void *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free)
{
	if (free)
		pl_cuda_pages_behind(session);
	return store_send(session, range, address, data, bytes, free, true);
}

static int mirror_merge(void *session, uint64_t range, uint64_t address, const void *data, uint64_t pages, bool free)
{
	if (free)
		pl_cuda_pages_behind(session);
	return merge_send(session, range, address, data, pages, free, true);
}

static bool goes_free(void *session)
{
	return pl_cuda_hostfns_may_run(session);
}

/* Of a lost session, too: nothing comes any more. */
static bool idle(void *arg)
{
	const struct pl_session *session = arg;

	return atomic_load_explicit(&session->dead, memory_order_relaxed) || pl_session_is_idle(session);
}

static uint64_t worked(void *arg)
{
	const struct pl_session *session = arg;

	return atomic_load_explicit(&session->worked, memory_order_relaxed);
}

static const struct pl_mirror_ops managed_ops = {
	.fetch = managed_fetch, .store = mirror_store, .arrive = pl_cuda_pages_arrive, .goes_free = goes_free
};
static const struct pl_mirror_ops host_ops = { .fetch = host_fetch,
					       .store = mirror_store,
					       .merge = mirror_merge,
					       .arrive = pl_cuda_pages_arrive,
					       .idle = idle,
					       .worked = worked,
					       .goes_free = goes_free };

/* Calls that come while pages are on their way, and wait for no device; a host function settles by itself. */
static bool op_is_quiet(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_plManagedRead:
	case PL_CUDA_OP_plManagedLook:
	case PL_CUDA_OP_plManagedWrite:
	case PL_CUDA_OP_plManagedMerge:
	case PL_CUDA_OP_plManagedPlace:
	case PL_CUDA_OP_plHostDone:
	case PL_CUDA_OP_plHostBytes:
	case PL_CUDA_OP_plPeerBehind:
	case PL_CUDA_OP_plCurrent:
		return true;
	default:
		return false;
	}
}

/* Others that no device works for.  A driver may wait for its streams in them, so pages go first: those that a host
 * function wrote would come behind, and the stream waits for them (pl_cuda_pages_behind()). */
static bool op_asks(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_plManagedAlloc:
	case PL_CUDA_OP_plHostAlloc:
	case PL_CUDA_OP_plHostPlace:
	case PL_CUDA_OP_plFunctionFacts:
	case PL_CUDA_OP_plModuleFunctions:
	case PL_CUDA_OP_plLibraryKernels:
	case PL_CUDA_OP_cuModuleGetGlobal_v2:
	case PL_CUDA_OP_cuLibraryGetGlobal:
	case PL_CUDA_OP_cuLibraryGetManaged:
		return true;
	default:
		return false;
	}
}

/* While a function of the program's may run, pages go outside the session's order, and whoever sends them waits until
 * they are there, with the mirrors locked: so this thread's own calls, one of which may wait for the function (a launch
 * into a queue that is full), have been taken by then. */
static bool before(struct pl_session *session, uint16_t op)
{
	bool pages = atomic_load_explicit(&pl_mirror_pages_here, memory_order_relaxed);
	bool echoes = atomic_load_explicit(&pl_echoes, memory_order_relaxed);

	if (op_is_quiet(op))
		return false;
	if (pages)
		pl_mirror_settle(session, pl_cuda_hostfns_may_run(session) && pl_cuda_lane_settle(session));
	if (op_asks(op))
		return false;
	if (echoes)
		pl_echo_push(session, pl_cuda_hostfns_may_run(session));
	return true;
}

void pl_cuda_pages_watch(struct pl_session *session)
{
	bool (*none)(struct pl_session *, uint16_t) = NULL;

	if (atomic_compare_exchange_strong(&session->before, &none, before))
		atomic_store(&session->worked, atomic_load(&session->ticket));
}

/* Return: success; CUDA_ERROR_NOT_SUPPORTED with a line in the log; CUDA_ERROR_ALREADY_MAPPED: the program has
 * something at these addresses. */
static CUresult pages_mirror(struct pl_session *session, const struct pl_mirror_ops *ops, const void *owner,
			     uint64_t start, uint64_t length)
{
	int r = pl_mirror_add(start, length, ops, session, start, owner);

	if (!r) {
		pl_cuda_pages_watch(session);
		return CUDA_SUCCESS;
	}
	if (r == -EEXIST)
		return CUDA_ERROR_ALREADY_MAPPED;
	if (r == -ENOMEM)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pl_log_warn(
		"managed memory needs userfaultfd(2), which this kernel or container does not let the program use: %s",
		strerrordesc_np(-r));
	return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult pl_cuda_mirrored_variable(struct pl_session *session, const void *owner, uint64_t start, uint64_t length)
{
	CUresult result = pl_cuda_placed(session, owner, start, length)
				  ? CUDA_SUCCESS
				  : pages_mirror(session, &managed_ops, owner, start, length);

	if (result != CUDA_ERROR_ALREADY_MAPPED)
		return result;
	pl_log_warn(
		"a managed variable has an address, %#lx, at which the program has other memory: it cannot be reached",
		(unsigned long)start);
	return CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_mirrored_left(const void *owner)
{
	pl_mirror_remove(owner);
	pl_cuda_placed_remove(owner);
}

void pl_cuda_mirrored_gone(const struct pl_cuda_memory *memory)
{
	if (memory->mirrored)
		pl_mirror_remove_at(memory->address);
}

/* ---- allocations: managed memory, and host memory that the device reaches ---- */

struct got {
	uint64_t address, start, length;
};

static CUresult managed_ask(struct pl_session *session, const struct pl_cuda_memory *memory, struct got *got)
{
	struct pl_cuda_plManagedAlloc_args args = { .size = memory->bytes, .flags = memory->flags };
	struct pl_cuda_plManagedAlloc_reply answer;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, plManagedAlloc, &args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plManagedAlloc_reply_get(&reply.dec, &answer);
	*got = (struct got){ answer.address, answer.start, answer.length };
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

static CUresult host_ask(struct pl_session *session, const struct pl_cuda_memory *memory, struct got *got)
{
	struct pl_cuda_plHostAlloc_args args = { .size = memory->bytes, .flags = memory->flags };
	struct pl_cuda_plHostAlloc_reply answer;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, plHostAlloc, &args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plHostAlloc_reply_get(&reply.dec, &answer);
	*got = (struct got){ answer.address, answer.address, answer.length };
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

static CUresult alloc_try(struct pl_session *session, const struct pl_cuda_memory *memory, struct got *got)
{
	return memory->kind == PL_CUDA_MEMORY_HOST ? host_ask(session, memory, got) : managed_ask(session, memory, got);
}

/* Once more with what the lease has given back. */
static CUresult alloc_ask(struct pl_session *session, const struct pl_cuda_memory *memory, struct got *got)
{
	CUresult result = alloc_try(session, memory, got);

	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = alloc_try(session, memory, got);
	return result;
}

CUresult pl_cuda_pages_create(struct pl_session *session, uint64_t bytes, uint64_t *address_out)
{
	const struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_HOST,
					       .bytes = bytes,
					       .flags = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP };
	struct got got = { 0 };
	CUresult result = alloc_ask(session, &memory, &got);

	*address_out = got.address;
	return result;
}

static void free_post(struct pl_session *session, enum pl_cuda_memory_kind kind, uint64_t address)
{
	struct pl_cuda_cuMemFreeHost_args host = { .host = address };
	struct pl_cuda_cuMemFree_v2_args managed = { .address = address };

	if (kind == PL_CUDA_MEMORY_HOST)
		(void)PL_CUDA_POST(session, cuMemFreeHost, &host);
	else
		(void)PL_CUDA_POST(session, cuMemFree_v2, &managed);
}

void pl_cuda_pages_free(struct pl_session *session, uint64_t address)
{
	free_post(session, PL_CUDA_MEMORY_HOST, address);
}

static CUresult alloc_once(struct pl_session *session, struct pl_cuda_memory *memory)
{
	bool host = memory->kind == PL_CUDA_MEMORY_HOST;
	struct got got;
	CUresult result = alloc_ask(session, memory, &got);

	if (result)
		return result;
	memory->address = got.address;
	if (host)
		memory->device = got.address;
	result = pages_mirror(session, host ? &host_ops : &managed_ops, (const void *)(uintptr_t)got.start, got.start,
			      got.length);
	if (!result && !host)
		pl_mirror_attach(got.start, got.length, memory->flags == CU_MEM_ATTACH_GLOBAL);
	if (!result && !pl_cuda_memory_enter(memory)) {
		pl_mirror_remove_at(got.address);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (result && result != CUDA_ERROR_ALREADY_MAPPED)
		free_post(session, memory->kind, got.address);
	return result;
}

CUresult pl_cuda_mirrored_create(struct pl_session *session, struct pl_cuda_memory *memory)
{
	uint64_t taken[TRIES_MAX];
	unsigned int tries = 0;
	CUresult result;

	memory->mirrored = true;
	memory->store = PL_ARENA_NONE;
	if (!pl_mirror_is_possible())
		return pages_mirror(session, &managed_ops, NULL, 0, PL_MIRROR_PAGE_BYTES);
	/* What cannot be used is kept until the driver has given something else. */
	while ((result = alloc_once(session, memory)) == CUDA_ERROR_ALREADY_MAPPED && tries < TRIES_MAX)
		taken[tries++] = memory->address;
	if (result == CUDA_ERROR_ALREADY_MAPPED) {
		free_post(session, memory->kind, memory->address);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	while (tries)
		free_post(session, memory->kind, taken[--tries]);
	return result;
}

CUresult pl_cuda_mirrored_adopt(struct pl_session *session, struct pl_cuda_memory *memory)
{
	uint64_t bytes = (memory->bytes + PL_MIRROR_PAGE_BYTES - 1) & ~(PL_MIRROR_PAGE_BYTES - 1ull);
	struct pl_cuda_plHostPlace_args args = { .address = memory->address, .size = bytes };
	struct pl_reply reply;
	CUresult result;
	int r;

	if (!pl_mirror_is_possible())
		return CUDA_ERROR_NOT_SUPPORTED;
	r = PL_CUDA_ASK(session, plHostPlace, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		return result;
	pl_cuda_pages_watch(session); /* before pages are here that another thread's call would leave as they are */
	r = pl_mirror_adopt(memory->address, bytes, &host_ops, session);
	if (r) {
		free_post(session, PL_CUDA_MEMORY_HOST, memory->address);
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_NOT_SUPPORTED;
	}
	memory->plain = false;
	memory->mirrored = true;
	memory->device = memory->address;
	return CUDA_SUCCESS;
}

CUresult pl_cuda_mirrored_destroy(struct pl_session *session, const struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFreeHost_args host = { .host = memory->address };
	struct pl_cuda_cuMemFree_v2_args managed = { .address = memory->address };
	struct pl_reply reply;
	int r;

	pl_mirror_remove_at(memory->address);
	if (memory->kind == PL_CUDA_MEMORY_HOST)
		r = PL_CUDA_ASK(session, cuMemFreeHost, &host, &reply);
	else
		r = PL_CUDA_ASK(session, cuMemFree_v2, &managed, &reply);
	return pl_cuda_answer(r, &reply);
}
