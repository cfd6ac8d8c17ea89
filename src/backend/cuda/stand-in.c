/*
 * Addresses of memory while calls are said again, before its content is there.  They are reserved, so that nobody else
 * gets them; and where a call looks at them, as a graph's node is made or a texture, something is mapped there: the
 * same few pieces over and over, since nothing works in it.
 */
#include "backend/cuda/stand-in.h"

#include <stdlib.h>

#include "backend/cuda/movable.h"
#include "backend/cuda/swap.h"
#include "base/err.h"

struct place {
	uint64_t address, bytes, device; /* as it is in the file */
};

struct piece { /* of each size one */
	CUmemGenericAllocationHandle handle;
	uint64_t bytes, device;
};

/* One a process: while a session comes out of a file. */
static struct {
	struct place *places;
	uint64_t count, room;
	uint64_t mapped; /* so many of them are */
	bool maps;       /* all that come are mapped as well */
	struct piece *pieces;
	uint64_t pieces_count;
} stand_in;

/* ---- something to map ---- */

static bool piece_get(uint64_t device, uint64_t bytes, CUmemGenericAllocationHandle *handle_out)
{
	const CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
						 .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE,
							       .id = (int)device } };
	struct piece *larger, piece = { .bytes = bytes, .device = device };

	for (uint64_t i = 0; i < stand_in.pieces_count; i++)
		if (stand_in.pieces[i].bytes == bytes && stand_in.pieces[i].device == device) {
			*handle_out = stand_in.pieces[i].handle;
			return true;
		}
	larger = realloc(stand_in.pieces, (stand_in.pieces_count + 1) * sizeof(*larger));
	if (!larger)
		return false;
	stand_in.pieces = larger;
	if (pl_cuda.cuMemCreate(&piece.handle, bytes, &properties, 0))
		return false;
	stand_in.pieces[stand_in.pieces_count++] = piece;
	*handle_out = piece.handle;
	return true;
}

static uint64_t part_bytes(const struct place *place, uint64_t at)
{
	return place->bytes - at < PL_CUDA_MOVABLE_PART ? place->bytes - at : PL_CUDA_MOVABLE_PART;
}

static void place_unmap(const struct place *place, uint64_t until)
{
	for (uint64_t at = 0; at < until; at += PL_CUDA_MOVABLE_PART)
		(void)pl_cuda.cuMemUnmap(place->address + at, part_bytes(place, at));
}

/* Return: all of it; or none. */
static bool place_map(const struct place *place)
{
	const CUmemAccessDesc access = { .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = (int)place->device },
					 .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUmemGenericAllocationHandle handle;

	for (uint64_t at = 0; at < place->bytes; at += PL_CUDA_MOVABLE_PART) {
		uint64_t bytes = part_bytes(place, at);

		if (!piece_get(place->device, bytes, &handle) ||
		    pl_cuda.cuMemMap(place->address + at, bytes, 0, handle, 0)) {
			place_unmap(place, at);
			return false;
		}
		if (pl_cuda.cuMemSetAccess(place->address + at, bytes, &access, 1)) {
			place_unmap(place, at + bytes);
			return false;
		}
	}
	return true;
}

/* Of those that can not be mapped the call will say so. */
static void places_map(void)
{
	while (stand_in.mapped < stand_in.count) {
		struct place *place = &stand_in.places[stand_in.mapped++];

		if (place_map(place))
			continue;
		pl_log_info("nothing can stand in for %llu bytes of memory at 0x%llx", (unsigned long long)place->bytes,
			    (unsigned long long)place->address);
		(void)pl_cuda.cuMemAddressFree(place->address, place->bytes);
		*place = stand_in.places[--stand_in.count];
		stand_in.mapped--;
	}
}

void pl_cuda_stand_ins_map(void)
{
	stand_in.maps = true;
	places_map();
}

/* ---- addresses ---- */

static bool driver_can(void)
{
	return pl_cuda.cuMemAddressReserve && pl_cuda.cuMemAddressFree && pl_cuda.cuMemCreate && pl_cuda.cuMemRelease &&
	       pl_cuda.cuMemMap && pl_cuda.cuMemUnmap && pl_cuda.cuMemSetAccess;
}

static int place_add(const struct place *place)
{
	CUdeviceptr got = 0;
	CUresult r;

	if (!driver_can())
		return pl_err(-EOPNOTSUPP);
	if (stand_in.count == stand_in.room) {
		uint64_t room = stand_in.room ? 2 * stand_in.room : 64;
		struct place *larger = realloc(stand_in.places, room * sizeof(*larger));

		if (!larger)
			return pl_err(-ENOMEM);
		stand_in.places = larger;
		stand_in.room = room;
	}
	r = pl_cuda.cuMemAddressReserve(&got, place->bytes, 0, place->address, 0);
	if (!r && got == place->address) {
		stand_in.places[stand_in.count++] = *place;
		return 0;
	}
	if (!r)
		(void)pl_cuda.cuMemAddressFree(got, place->bytes);
	return -EADDRINUSE;
}

void pl_cuda_stand_in_add(uint64_t address, uint64_t bytes)
{
	struct place place = { .address = address };
	CUdevice device;
	uint64_t grain;

	for (uint64_t i = 0; i < stand_in.count; i++)
		if (address - stand_in.places[i].address < stand_in.places[i].bytes)
			return;
	if (!pl_cuda.cuCtxGetDevice || pl_cuda.cuCtxGetDevice(&device))
		return;
	grain = pl_cuda_movable_whole(device, 1);
	if (!grain)
		return;
	place.device = (uint64_t)device;
	place.address = address / grain * grain;
	place.bytes = pl_cuda_movable_whole(device, address - place.address + bytes);
	if (place.bytes && !place_add(&place) && stand_in.maps)
		places_map();
}

void pl_cuda_stand_ins_end(void)
{
	for (uint64_t i = 0; i < stand_in.count; i++) {
		if (i < stand_in.mapped)
			place_unmap(&stand_in.places[i], stand_in.places[i].bytes);
		(void)pl_cuda.cuMemAddressFree(stand_in.places[i].address, stand_in.places[i].bytes);
	}
	for (uint64_t i = 0; i < stand_in.pieces_count; i++)
		(void)pl_cuda.cuMemRelease(stand_in.pieces[i].handle);
	free(stand_in.places);
	free(stand_in.pieces);
	stand_in.places = NULL;
	stand_in.pieces = NULL;
	stand_in.count = stand_in.room = stand_in.mapped = stand_in.pieces_count = 0;
	stand_in.maps = false;
}

/* ---- the file ---- */

struct save {
	struct pl_checkpoint_file *file;
	int result;
};

static void place_save(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_movable *movable = handle->object;
	const struct place place = { movable->address, movable->bytes, (uint64_t)movable->device };
	struct save *save = arg;

	if (!save->result)
		save->result = pl_checkpoint_put(save->file, &place, sizeof(place));
}

int pl_cuda_stand_ins_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct save save = { file, pl_checkpoint_put_u64(file, session->movables.count) };

	pl_handles_each(&session->movables, place_save, &save);
	return pl_trace(save.result);
}

int pl_cuda_stand_ins_load(struct pl_checkpoint_file *file)
{
	struct place place;
	uint64_t count;
	int r = pl_checkpoint_get_u64(file, PL_HANDLES_MAX, &count);

	for (uint64_t i = 0; !r && i < count; i++) {
		r = pl_checkpoint_get(file, &place, sizeof(place));
		if (!r)
			r = place_add(&place);
		if (r == -EADDRINUSE)
			pl_log_info("%llu bytes of memory can not be at 0x%llx here", (unsigned long long)place.bytes,
				    (unsigned long long)place.address);
	}
	return pl_trace(r);
}
