/* Managed memory that lies with the driver: variables of modules, and allocations where nothing is shared. */
#include "client/cuda/mirrored.h"

#include <errno.h>

#include "base/err.h"
#include "client/cuda/mirror.h"
#include "client/cuda/placed.h"

#define TRIES_MAX 16u /* limit: as often as a driver may give addresses that the program uses */

/* ---- pages to and from the server ---- */

static int fetch(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes)
{
	struct pl_cuda_plManagedRead_args args = { .start = range, .address = address, .size = bytes };
	struct pl_cuda_plManagedRead_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK((struct pl_session *)session, plManagedRead, &args, &reply);

	if (r)
		return r;
	if (reply.status)
		return -EIO;
	pl_cuda_plManagedRead_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.data.bytes != bytes || got.data.data)
		return -EPROTO;
	return pl_call_bulk(&reply, data, bytes);
}

static int part_send(struct pl_session *session, const struct pl_cuda_plManagedWrite_args *args, bool free)
{
	struct pl_call call;
	int r = pl_call_begin(&call, session, PL_CUDA_OP_plManagedWrite, pl_cuda_plManagedWrite_bytes(args));

	if (r)
		return r;
	pl_cuda_plManagedWrite_put(&call.enc, args);
	return free ? pl_call_post_free(&call) : pl_call_post(&call);
}

static int store(void *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free)
{
	int r = 0;

	for (uint64_t at = 0; at < bytes && !r; at += PL_WIRE_INLINE_MAX) {
		struct pl_cuda_plManagedWrite_args args = { .start = range, .address = address + at };

		args.data = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = (const uint8_t *)data + at };
		args.data.bytes = bytes - at < PL_WIRE_INLINE_MAX ? bytes - at : PL_WIRE_INLINE_MAX;
		r = part_send(session, &args, free);
	}
	return r;
}

static const struct pl_mirror_ops ops = { .fetch = fetch, .store = store };

/* Calls that no device works for, and that come while pages are on their way; a host function settles by itself. */
static bool op_is_quiet(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_plManagedRead:
	case PL_CUDA_OP_plManagedWrite:
	case PL_CUDA_OP_plManagedAlloc:
	case PL_CUDA_OP_plManagedPlace:
	case PL_CUDA_OP_plHostDone:
	case PL_CUDA_OP_plHostBytes:
	case PL_CUDA_OP_plCurrent:
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

static void before(struct pl_session *session, uint16_t op)
{
	if (atomic_load_explicit(&pl_mirror_pages_here, memory_order_relaxed) && !op_is_quiet(op))
		pl_mirror_settle(session, false);
}

/* Return: success; CUDA_ERROR_NOT_SUPPORTED with a line in the log; CUDA_ERROR_ALREADY_MAPPED: the program has
 * something at these addresses. */
static CUresult pages_mirror(struct pl_session *session, const void *owner, uint64_t start, uint64_t length)
{
	int r = pl_mirror_add(start, length, &ops, session, start, owner);

	if (!r) {
		atomic_store(&session->before, before);
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
	CUresult result = pl_cuda_placed(session, owner, start, length) ? CUDA_SUCCESS
									: pages_mirror(session, owner, start, length);

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

/* ---- allocations ---- */

static CUresult alloc_ask(struct pl_session *session, const struct pl_cuda_memory *memory,
			  struct pl_cuda_plManagedAlloc_reply *got)
{
	struct pl_cuda_plManagedAlloc_args args = { .size = memory->bytes, .flags = memory->flags };
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, plManagedAlloc, &args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plManagedAlloc_reply_get(&reply.dec, got);
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

static void free_post(struct pl_session *session, uint64_t address)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = address };

	(void)PL_CUDA_POST(session, cuMemFree_v2, &args);
}

static CUresult alloc_once(struct pl_session *session, struct pl_cuda_memory *memory)
{
	struct pl_cuda_plManagedAlloc_reply got;
	CUresult result = alloc_ask(session, memory, &got);

	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = alloc_ask(session, memory, &got);
	if (result)
		return result;
	memory->address = got.address;
	result = pages_mirror(session, (const void *)(uintptr_t)got.start, got.start, got.length);
	if (!result && !pl_cuda_memory_enter(memory)) {
		pl_mirror_remove_at(got.address);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (result && result != CUDA_ERROR_ALREADY_MAPPED)
		free_post(session, got.address);
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
		return pages_mirror(session, NULL, 0, PL_MIRROR_PAGE_BYTES);
	/* What cannot be used is kept until the driver has given something else. */
	while ((result = alloc_once(session, memory)) == CUDA_ERROR_ALREADY_MAPPED && tries < TRIES_MAX)
		taken[tries++] = memory->address;
	if (result == CUDA_ERROR_ALREADY_MAPPED) {
		free_post(session, memory->address);
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	while (tries)
		free_post(session, taken[--tries]);
	return result;
}

CUresult pl_cuda_mirrored_destroy(struct pl_session *session, const struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = memory->address };
	struct pl_reply reply;
	int r;

	pl_mirror_remove_at(memory->address);
	r = PL_CUDA_ASK(session, cuMemFree_v2, &args, &reply);
	return pl_cuda_answer(r, &reply);
}
