/* Memory in its parts: addresses, allocations, and maps of one at the other; and other processes' memory. */
#include <stdlib.h>

#include "client/cuda/carry.h"
#include "cuda-records.h"

/* Of each granularity a multiple: what is none is refused here, before a quota is asked. */
#define GRANULARITY_LEAST 4096u

CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr wanted,
			     unsigned long long flags)
{
	struct pl_cuda_cuMemAddressReserve_args args = {
		.bytes = bytes, .alignment = alignment, .wanted = wanted, .flags = flags
	};
	struct pl_cuda_cuMemAddressReserve_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAddressReserve, &session);
	int r;

	if (result)
		return result;
	if (!address)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemAddressReserve, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemAddressReserve_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	pl_cuda_memory_taken(got.address, bytes);
	pl_cuda_reserved_enter(got.address, bytes);
	*address = got.address;
	return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes)
{
	struct pl_cuda_cuMemAddressFree_args args = { .address = address, .bytes = bytes };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemAddressFree, &session);
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, cuMemAddressFree, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		pl_cuda_reserved_forget(address, bytes);
	return result;
}

CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *properties,
				       CUmemAllocationGranularity_flags option)
{
	struct pl_cuda_cuMemGetAllocationGranularity_args args = { .given = properties ? 1 : 0, .option = option };
	struct pl_cuda_cuMemGetAllocationGranularity_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemGetAllocationGranularity, &session);
	int r;

	if (result)
		return result;
	if (!granularity)
		return CUDA_ERROR_INVALID_VALUE;
	if (properties) {
		session = pl_cuda_location_session(properties->location);
		pl_cuda_allocation_record_take(&args.properties, properties);
		pl_cuda_allocation_record_home(session, &args.properties);
	}
	r = PL_CUDA_ASK(session, cuMemGetAllocationGranularity, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemGetAllocationGranularity_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*granularity = got.granularity;
	return CUDA_SUCCESS;
}

static CUresult create_ask(struct pl_session *session, const struct pl_cuda_cuMemCreate_args *args)
{
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, cuMemCreate, args, &reply);

	return pl_cuda_answer(r, &reply);
}

void pl_cuda_part_made(CUmemGenericAllocationHandle *handle, void *made, unsigned int handle_types, CUdevice device)
{
	struct pl_cuda_part *part = pl_cuda_get(PL_CUDA_KIND_allocation, made);

	if (part) {
		part->handle_types = handle_types;
		part->device = device;
	}
	*handle = (CUmemGenericAllocationHandle)(uintptr_t)made;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *properties,
		     unsigned long long flags)
{
	struct pl_cuda_cuMemCreate_args args = { .bytes = bytes, .flags = flags };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemCreate, &session);
	void *made;

	if (result)
		return result;
	if (!handle || !properties)
		return CUDA_ERROR_INVALID_VALUE;
	if (!bytes || bytes % GRANULARITY_LEAST)
		return CUDA_ERROR_INVALID_VALUE;
	session = pl_cuda_location_session(properties->location);
	pl_cuda_allocation_record_take(&args.properties, properties);
	pl_cuda_allocation_record_home(session, &args.properties);
	made = pl_cuda_new(session, PL_CUDA_KIND_allocation, &args.handle);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = create_ask(session, &args);
	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = create_ask(session, &args);
	if (result)
		pl_cuda_undo(session, PL_CUDA_KIND_allocation, made);
	else
		pl_cuda_part_made(handle, made, properties->requestedHandleTypes,
				  properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE ? properties->location.id
											   : CU_DEVICE_INVALID);
	return result;
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
		  unsigned long long flags)
{
	struct pl_cuda_cuMemMap_args args = { .address = address, .bytes = bytes, .offset = offset, .flags = flags };
	struct pl_cuda_memory memory = {
		.address = address, .bytes = bytes, .kind = PL_CUDA_MEMORY_MAPPED, .store = PL_ARENA_NONE
	};
	const struct pl_cuda_part *part = pl_cuda_get(PL_CUDA_KIND_allocation, (const void *)(uintptr_t)handle);
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemMap, PL_CUDA_KIND_allocation,
					   (const void *)(uintptr_t)handle, &session);
	int r;

	if (result)
		return result;
	args.handle = pl_cuda_id(session, PL_CUDA_KIND_allocation, (const void *)(uintptr_t)handle);
	if (handle && !args.handle)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemMap, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	memory.context = pl_cuda_context_of(session);
	memory.session = session;
	memory.handle_types = part ? part->handle_types : 0;
	memory.of_device = part ? part->device : CU_DEVICE_INVALID;
	if (memory.of_device == CU_DEVICE_INVALID)
		memory.of_device = memory.context ? memory.context->device : pl_cuda_device_first(session);
	(void)pl_cuda_memory_enter(&memory); /* where it can not be, its copies are asked */
	return CUDA_SUCCESS;
}

static bool accesses_pack(struct pl_session *session, struct pl_u64s *to, const CUmemAccessDesc *accesses, size_t count)
{
	uint64_t *words = malloc(count * PL_CUDA_WORDS_access * sizeof(*words));
	struct pl_enc enc = { (uint8_t *)words };

	for (size_t i = 0; words && i < count; i++) {
		struct pl_cuda_access_record one;

		pl_cuda_access_record_take(&one, &accesses[i]);
		pl_cuda_access_record_home(session, &one);
		pl_cuda_access_record_put(&enc, &one);
	}
	*to = (struct pl_u64s){ words, words ? count * PL_CUDA_WORDS_access : 0 };
	return words;
}

struct accesses {
	const CUmemAccessDesc *at;
	size_t count;
};

/* Who may do what from here on. */
static void access_keep(struct pl_cuda_memory *memory, void *arg)
{
	const struct accesses *accesses = arg;

	for (size_t i = 0; i < accesses->count; i++) {
		const CUmemAccessDesc *access = &accesses->at[i];
		int number = access->location.id;
		uint64_t device = 1ull << (number & 63);

		if (access->location.type != CU_MEM_LOCATION_TYPE_DEVICE || number < 0 || number > 63)
			continue;
		memory->readers &= ~device;
		memory->writers &= ~device;
		if (access->flags & CU_MEM_ACCESS_FLAGS_PROT_READ)
			memory->readers |= device;
		if (access->flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
			memory->writers |= device;
	}
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *accesses, size_t count)
{
	struct pl_cuda_cuMemSetAccess_args args = {
		.address = address, .bytes = bytes, .given = accesses ? 1 : 0, .count = count
	};
	struct accesses kept = { accesses, count };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemSetAccess, address, &session);
	int r;

	if (result)
		return result;
	if (!accesses || !count || count > PL_CUDA_LIMIT_LIST_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!accesses_pack(session, &args.accesses, accesses, count))
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuMemSetAccess, &args, &reply);
	free((void *)args.accesses.at);
	result = pl_cuda_answer(r, &reply);
	for (uint64_t at = address; !result && at - address < bytes; at = memory.address + memory.bytes) {
		if (!pl_cuda_memory_find(at, &memory) || memory.kind != PL_CUDA_MEMORY_MAPPED)
			break;
		pl_cuda_memory_change(&memory, access_keep, &kept);
	}
	return result;
}

CUresult cuMemUnmap(CUdeviceptr address, size_t bytes)
{
	struct pl_cuda_cuMemUnmap_args args = { .address = address, .bytes = bytes };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemUnmap, address, &session);
	int r;

	if (result)
		return result;
	pl_cuda_carry_settle(address);
	r = PL_CUDA_ASK(session, cuMemUnmap, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	for (uint64_t at = address; at - address < bytes; at += memory.bytes)
		if (!pl_cuda_memory_find(at, &memory) || memory.kind != PL_CUDA_MEMORY_MAPPED ||
		    !pl_cuda_memory_take(memory.address, &memory))
			break;
	return CUDA_SUCCESS;
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address)
{
	struct pl_cuda_cuMemRetainAllocationHandle_args args = { .address = (uintptr_t)address };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemRetainAllocationHandle, args.address, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cuda_new(session, PL_CUDA_KIND_allocation, &args.allocation);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuMemRetainAllocationHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		pl_cuda_undo(session, PL_CUDA_KIND_allocation, made);
	else if (pl_cuda_memory_find(args.address, &memory))
		pl_cuda_part_made(handle, made, memory.handle_types, memory.of_device);
	else
		pl_cuda_part_made(handle, made, 0, CU_DEVICE_INVALID);
	return result;
}

/* ---- between processes: share.c ---- */

CUresult cuMemGetHandleForAddressRange(void *handle, CUdeviceptr address, size_t bytes, CUmemRangeHandleType type,
				       unsigned long long flags)
{
	struct pl_cuda_memory memory;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!handle || !bytes || type != CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD || flags ||
	    !pl_cuda_memory_find(address, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_NOT_SUPPORTED;
}
