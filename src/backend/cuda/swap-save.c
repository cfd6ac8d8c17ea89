#include "backend/cuda/swap-save.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "backend/cuda/slab.h"
#include "backend/cuda/swap.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

#define MAGIC 0x31766f4d61644350ull /* "PCdaMov1" */

struct head {
	uint64_t magic;
	uint32_t movables, memories;
};
static_assert(sizeof(struct head) == 16, "as it is written");

struct movable_note { /* its content follows, a part behind the other */
	uint64_t address, bytes, context;
	uint32_t device, is_slab;
};
static_assert(sizeof(struct movable_note) == 32, "as it is written");

struct memory_note { /* an allocation */
	uint64_t address, bytes, context;
	uint32_t is_small, reserved;
};
static_assert(sizeof(struct memory_note) == 32, "as it is written");

struct save {
	struct pl_cuda_session *session;
	pl_cuda_put_fn *put;
	void *arg;
	struct head head;
	int result;
};

/* ---- save ---- */

static void movable_look(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_movable *movable = handle->object;
	struct save *save = arg;

	save->head.movables++;
	for (uint32_t i = 0; i < movable->parts_count; i++)
		if (!movable->parts[i].host)
			save->result = -EBUSY;
}

static void movable_save(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_movable *movable = handle->object;
	const struct movable_note note = { .address = movable->address,
					   .bytes = movable->bytes,
					   .context = movable->context_id,
					   .device = (uint32_t)movable->device,
					   .is_slab = movable->slab != NULL };
	struct save *save = arg;

	if (!save->result)
		save->result = save->put(save->arg, &note, sizeof(note));
	for (uint32_t i = 0; i < movable->parts_count && !save->result; i++)
		save->result = save->put(save->arg, movable->parts[i].host, pl_cuda_movable_part_bytes(movable, i));
}

/* What else is noted there is not ours: memory of pools, of graphs, managed memory. */
static bool note_of(struct pl_cuda_session *session, const struct pl_handle *memory, struct memory_note *note_out)
{
	*note_out = (struct memory_note){ .address = memory->id,
					  .bytes = (uintptr_t)memory->object,
					  .context = (uintptr_t)memory->extra,
					  .is_small = pl_cuda_slab_of(session, memory->id) != NULL };
	return note_out->is_small || pl_cuda_movable_at(session, memory->id);
}

static void memory_look(struct pl_handle *handle, void *arg)
{
	struct memory_note note;
	struct save *save = arg;

	save->head.memories += note_of(save->session, handle, &note);
}

static void memory_save(struct pl_handle *handle, void *arg)
{
	struct memory_note note;
	struct save *save = arg;

	if (!save->result && note_of(save->session, handle, &note))
		save->result = save->put(save->arg, &note, sizeof(note));
}

int pl_cuda_movables_save(struct pl_cuda_session *session, pl_cuda_put_fn *put, void *arg)
{
	struct save save = { .session = session, .put = put, .arg = arg, .head = { .magic = MAGIC } };

	pl_handles_each(&session->movables, movable_look, &save);
	pl_handles_each(&session->memory, memory_look, &save);
	if (!save.result)
		save.result = put(arg, &save.head, sizeof(save.head));
	pl_handles_each(&session->movables, movable_save, &save);
	pl_handles_each(&session->memory, memory_save, &save);
	return save.result;
}

/* ---- load ---- */

struct load {
	struct pl_cuda_session *session;
	pl_cuda_get_fn *get;
	void *arg;
	uint64_t *bytes; /* of each device */
};

/* NULL: no such context, or not of that device. */
static CUcontext context_of(struct pl_cuda_session *session, uint64_t id, CUdevice device)
{
	struct pl_handle handle;
	CUdevice found = -1;
	CUcontext popped;

	if (!pl_handles_get(&session->worker->handles, id, PL_CUDA_KIND_context, &handle) || handle.failed ||
	    pl_cuda.cuCtxPushCurrent_v2(handle.object))
		return NULL;
	if (pl_cuda.cuCtxGetDevice(&found))
		found = -1;
	pl_cuda.cuCtxPopCurrent_v2(&popped);
	return found == device ? handle.object : NULL;
}

static int address_take(const struct movable_note *note)
{
	CUdeviceptr got = 0;
	CUresult r = pl_cuda.cuMemAddressReserve(&got, note->bytes, 0, note->address, 0);

	if (!r && got == note->address)
		return 0;
	pl_log_error("CUDA: %llu bytes of memory can not be at 0x%llx again: the driver gives 0x%llx (%s)",
		     (unsigned long long)note->bytes, (unsigned long long)note->address, (unsigned long long)got,
		     pl_cuda_result_name((int)r));
	if (!r)
		pl_cuda.cuMemAddressFree(got, note->bytes);
	return pl_err(-EADDRINUSE);
}

static int movable_rooms(struct pl_cuda_movable *movable, uint32_t count)
{
	for (; movable->parts_count < count; movable->parts_count++) {
		struct pl_cuda_movable_part *part = &movable->parts[movable->parts_count];

		part->host = pl_cuda_moved_room(pl_cuda_movable_part_bytes(movable, movable->parts_count));
		if (!part->host)
			return pl_err(-ENOMEM);
	}
	return 0;
}

/* Lies in host memory, for the caller to fill, and comes to the address that it had.  The note was checked, but for its
 * context. */
static int movable_restore(struct pl_cuda_session *session, const struct movable_note *note,
			   struct pl_cuda_movable **movable_out)
{
	const uint32_t count = (uint32_t)((note->bytes + PL_CUDA_MOVABLE_PART - 1) / PL_CUDA_MOVABLE_PART);
	CUcontext context = context_of(session, note->context, (CUdevice)note->device);
	struct pl_cuda_movable *movable;
	int r;

	if (!context)
		return pl_err(-EPROTO);
	movable = calloc(1, sizeof(*movable) + count * sizeof(movable->parts[0]));
	if (!movable)
		return pl_err(-ENOMEM);
	*movable = (struct pl_cuda_movable){ .address = note->address,
					     .bytes = note->bytes,
					     .device = (CUdevice)note->device,
					     .context = context,
					     .context_id = note->context };
	r = address_take(note);
	if (r) {
		free(movable);
		return pl_trace(r);
	}
	r = movable_rooms(movable, count);
	if (!r && pl_handles_put(&session->movables, note->address, PL_CUDA_MOVABLE, movable, 0, NULL))
		r = -ENOMEM;
	if (r) {
		pl_cuda_movable_end(movable);
		return pl_trace(r);
	}
	if (note->is_slab)
		r = pl_cuda_slab_restore(session, movable);
	*movable_out = movable;
	return pl_trace(r);
}

static bool note_is_sound(const struct load *load, const struct movable_note *note)
{
	const struct pl_cuda_host *host = load->session->host;

	return note->device < host->devices_count && note->device < PL_SWAP_DEVICES_MAX && note->address &&
	       note->bytes && note->address + note->bytes > note->address && note->is_slab <= 1 &&
	       note->bytes <= host->devices[note->device].total_bytes - load->bytes[note->device] &&
	       pl_cuda_movable_whole((CUdevice)note->device, note->bytes) == note->bytes &&
	       (!note->is_slab || note->bytes == pl_cuda_movable_whole((CUdevice)note->device, PL_CUDA_MOVABLE_MIN));
}

static int movable_load(struct load *load)
{
	struct pl_cuda_movable *movable = NULL;
	struct movable_note note;
	int r = load->get(load->arg, &note, sizeof(note));

	if (r)
		return r;
	if (!note_is_sound(load, &note))
		return pl_err(-EPROTO);
	r = movable_restore(load->session, &note, &movable);
	if (r)
		return pl_trace(r);
	load->bytes[note.device] += note.bytes;
	for (uint32_t i = 0; i < movable->parts_count && !r; i++)
		r = load->get(load->arg, movable->parts[i].host, pl_cuda_movable_part_bytes(movable, i));
	return r;
}

static int memory_load(struct load *load)
{
	const struct pl_cuda_movable *movable;
	struct memory_note note;
	int r = load->get(load->arg, &note, sizeof(note));

	if (r)
		return r;
	if (note.is_small > 1 || note.reserved || !note.bytes)
		return pl_err(-EPROTO);
	if (note.is_small)
		r = pl_cuda_slab_restore_small(load->session, note.address, note.bytes);
	if (r)
		return pl_trace(r);
	movable = note.is_small ? pl_cuda_slab_of(load->session, note.address)
				: pl_cuda_movable_at(load->session, note.address);
	if (!movable || note.bytes > movable->bytes || note.context != movable->context_id)
		return pl_err(-EPROTO);
	return pl_trace(pl_cuda_memory_restore(load->session, note.address, note.bytes, note.context));
}

int pl_cuda_movables_load(struct pl_cuda_session *session, pl_cuda_get_fn *get, void *arg,
			  uint64_t bytes_out[PL_SWAP_DEVICES_MAX])
{
	struct load load = { session, get, arg, bytes_out };
	struct head head;
	int r;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		bytes_out[i] = 0;
	r = get(arg, &head, sizeof(head));
	if (r)
		return r;
	if (head.magic != MAGIC || head.movables > PL_HANDLES_MAX || head.memories > PL_HANDLES_MAX)
		return pl_err(-EPROTO);
	for (uint32_t i = 0; i < head.movables && !r; i++)
		r = movable_load(&load);
	for (uint32_t i = 0; i < head.memories && !r; i++)
		r = memory_load(&load);
	return r;
}
