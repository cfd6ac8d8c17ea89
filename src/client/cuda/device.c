/* Devices: what they are came with the session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cuda/memory.h"
#include "client/cuda/mirror.h"
#include "cuda/claim.h"
#include "cuda/groups.h"

static CUresult device_get(CUdevice device, const struct pl_cuda_device_facts **facts_out)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	*facts_out = pl_cuda_device(device);
	return *facts_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

static bool attribute_has(const struct pl_cuda_device_facts *facts, unsigned int attribute)
{
	return attribute && attribute < PL_CUDA_ATTRIBUTES_MAX && facts->has[attribute / 8] & 1u << attribute % 8;
}

/* What the device can and a program at the other end of a link can not. */
static bool attribute_denied(const struct pl_session *session, CUdevice_attribute attribute)
{
	switch (attribute) {
	case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
	case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
		return !pl_cuda_host_is_mapped(session) && !pl_mirror_is_possible();
	case CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST:
	case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
		return !pl_cuda_host_is_mapped(session);
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES:
	case CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
		return true; /* the program's own memory is not the device's */
	case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED:
		return true; /* descriptors do not leave the worker */
	case CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK:
	case CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_MAXIMUM_LENGTH:
		return true; /* absent.c */
	default:
		return false;
	}
}

/* What a reference GPU claims is this process' matter, where nobody has said it. */
static int capability(const struct pl_cuda_device_facts *facts, CUdevice_attribute attribute)
{
	unsigned int told = 10 * (unsigned int)facts->attribute[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR] +
			    (unsigned int)facts->attribute[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR];

	if (told == PL_CUDA_CLAIM && !getenv("PLENUM_REFGPU_CAPABILITY") &&
	    !strncmp(facts->name, PL_CUDA_REFERENCE_NAME, sizeof(facts->name)))
		told = pl_cuda_claim();
	return (int)(attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? told / 10 : told % 10);
}

int pl_cuda_device_attribute(CUdevice device, CUdevice_attribute attribute)
{
	const struct pl_cuda_device_facts *facts = pl_cuda_device(device);

	if (!facts || attribute_denied(pl_cuda_device_session(device), attribute))
		return 0;
	if (!attribute_has(facts, attribute))
		return 0;
	if (attribute == CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES)
		return facts->attribute[attribute] & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
	return attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ||
			       attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
		       ? capability(facts, attribute)
		       : facts->attribute[attribute];
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_device(ordinal))
		return CUDA_ERROR_INVALID_DEVICE;
	*device = ordinal;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = pl_cuda_device_count();
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!name || len <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(name, (size_t)len, "%s", facts->name);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!uuid)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(uuid->bytes, facts->uuid, sizeof(uuid->bytes));
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
	return cuDeviceGetUuid_v2(uuid, device);
}

CUresult cuDeviceGetLuid(char *luid, unsigned int *node_mask, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!luid || !node_mask)
		return CUDA_ERROR_INVALID_VALUE;
	if (!facts->has_luid)
		return CUDA_ERROR_NOT_SUPPORTED;
	memcpy(luid, facts->luid, sizeof(facts->luid));
	*node_mask = facts->luid_mask;
	return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	*bytes = facts->total_bytes;
	return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
	size_t all;
	CUresult result = bytes ? cuDeviceTotalMem_v2(&all, device) : CUDA_ERROR_INVALID_VALUE;

	if (!result)
		*bytes = all > UINT32_MAX ? UINT32_MAX : (unsigned int)all;
	return result;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!value || !attribute_has(facts, attribute))
		return CUDA_ERROR_INVALID_VALUE;
	*value = pl_cuda_device_attribute(device, attribute);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetProperties(CUdevprop *properties, CUdevice device)
{
#define OF(name) pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_##name)
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!properties)
		return CUDA_ERROR_INVALID_VALUE;
	*properties = (CUdevprop){
		.maxThreadsPerBlock = OF(MAX_THREADS_PER_BLOCK),
		.maxThreadsDim = { OF(MAX_BLOCK_DIM_X), OF(MAX_BLOCK_DIM_Y), OF(MAX_BLOCK_DIM_Z) },
		.maxGridSize = { OF(MAX_GRID_DIM_X), OF(MAX_GRID_DIM_Y), OF(MAX_GRID_DIM_Z) },
		.sharedMemPerBlock = OF(MAX_SHARED_MEMORY_PER_BLOCK),
		.totalConstantMemory = OF(TOTAL_CONSTANT_MEMORY),
		.SIMDWidth = OF(WARP_SIZE),
		.memPitch = OF(MAX_PITCH),
		.regsPerBlock = OF(MAX_REGISTERS_PER_BLOCK),
		.clockRate = OF(CLOCK_RATE),
		.textureAlign = OF(TEXTURE_ALIGNMENT),
	};
	return CUDA_SUCCESS;
#undef OF
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!major || !minor)
		return CUDA_ERROR_INVALID_VALUE;
	*major = pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
	*minor = pl_cuda_device_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *bus_id, int len, CUdevice device)
{
	const struct pl_cuda_device_facts *facts;
	CUresult result = device_get(device, &facts);

	if (result)
		return result;
	if (!bus_id || len <= (int)strlen(facts->pci))
		return CUDA_ERROR_INVALID_VALUE;
	strcpy(bus_id, facts->pci);
	return CUDA_SUCCESS;
}

/* "domain:bus:device.function", or without function, or without domain. */
static bool pci_read(const char *text, unsigned int parts[4])
{
	char rest;

	parts[0] = parts[3] = 0;
	if (sscanf(text, "%x:%x:%x.%x%c", &parts[0], &parts[1], &parts[2], &parts[3], &rest) == 4 ||
	    sscanf(text, "%x:%x:%x%c", &parts[0], &parts[1], &parts[2], &rest) == 3)
		return true;
	parts[0] = 0;
	return sscanf(text, "%x:%x.%x%c", &parts[1], &parts[2], &parts[3], &rest) == 3;
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *bus_id)
{
	unsigned int wanted[4], has[4];
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!device || !bus_id || !pci_read(bus_id, wanted))
		return CUDA_ERROR_INVALID_VALUE;
	for (CUdevice i = 0; i < pl_cuda_device_count(); i++)
		if (pci_read(pl_cuda_device(i)->pci, has) && !memcmp(wanted, has, sizeof(has))) {
			*device = i;
			return CUDA_SUCCESS;
		}
	return CUDA_ERROR_INVALID_DEVICE;
}

CUresult pl_cuda_groups_get(uint8_t groups_out[PL_CUDA_GROUPS_MAX])
{
	struct pl_cuda_plGroups_args args = { 0 };
	struct pl_cuda_plGroups_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_plGroups, &session);
	int r = result ? 0 : PL_CUDA_ASK(session, plGroups, &args, &reply);

	if (result || r || reply.status)
		return result ? result : pl_cuda_answer(r, &reply);
	pl_cuda_plGroups_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.groups.bytes > PL_CUDA_GROUPS_MAX)
		return CUDA_ERROR_UNKNOWN;
	memset(groups_out, 0, PL_CUDA_GROUPS_MAX);
	memcpy(groups_out, got.groups.at, got.groups.bytes);
	return CUDA_SUCCESS;
}
