/* The device: its name, place and numbers. */
#include <stdio.h>
#include <string.h>

#include "attribute.h"
#include "cuda-api.h"
#include "driver.h"

#define PCI_DOMAIN  PL_CU_PCI_DOMAIN
#define PCI_BUS     PL_CU_PCI_BUS
#define PCI_ID_CHAR 13 /* "0000:01:00.0" and its end */

CUresult cuDeviceGetCount(int *count)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = pl_cu_device_count();
	return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_enter_device(ordinal, &dev);
	if (!r)
		*device = ordinal;
	return r;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!name || len <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(name, (size_t)len, "%s", PL_CU_DEVICE_NAME);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!uuid)
		return CUDA_ERROR_INVALID_VALUE;
	*uuid = dev->uuid;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
	return cuDeviceGetUuid_v2(uuid, device);
}

/* Of Windows alone. */
CUresult cuDeviceGetLuid(char *luid, unsigned int *mask, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	return luid && mask ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	*bytes = dev->hw->vram_bytes;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	return pl_cu_attribute_get(dev, attribute, value) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static int attribute(struct pl_cu_dev *dev, CUdevice_attribute which)
{
	int value = 0;
	(void)pl_cu_attribute_get(dev, which, &value);
	return value;
}

CUresult cuDeviceGetProperties(CUdevprop *prop, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!prop)
		return CUDA_ERROR_INVALID_VALUE;
	*prop = (CUdevprop){
		.maxThreadsPerBlock = attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
		.maxThreadsDim = { attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X),
				   attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y),
				   attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z) },
		.maxGridSize = { attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X),
				 attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y),
				 attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z) },
		.sharedMemPerBlock = attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK),
		.totalConstantMemory = attribute(dev, CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY),
		.SIMDWidth = attribute(dev, CU_DEVICE_ATTRIBUTE_WARP_SIZE),
		.memPitch = attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_PITCH),
		.regsPerBlock = attribute(dev, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK),
		.clockRate = attribute(dev, CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
		.textureAlign = attribute(dev, CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT),
	};
	return CUDA_SUCCESS;
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!major || !minor)
		return CUDA_ERROR_INVALID_VALUE;
	*major = (int)pl_cu_capability() / 10;
	*minor = (int)pl_cu_capability() % 10;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *id, int len, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!id || len < PCI_ID_CHAR)
		return CUDA_ERROR_INVALID_VALUE;
	snprintf(id, (size_t)len, "%04X:%02X:%02X.0", PCI_DOMAIN, PCI_BUS, pl_cu_number());
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *id)
{
	unsigned int domain = PCI_DOMAIN, bus, number, function = 0;
	char rest;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!device || !id)
		return CUDA_ERROR_INVALID_VALUE;
	if (sscanf(id, "%x:%x:%x.%x%c", &domain, &bus, &number, &function, &rest) != 4 &&
	    sscanf(id, "%x:%x:%x%c", &domain, &bus, &number, &rest) != 3) {
		domain = PCI_DOMAIN;
		if (sscanf(id, "%x:%x.%x%c", &bus, &number, &function, &rest) != 3)
			return CUDA_ERROR_INVALID_VALUE;
	}
	if (domain != PCI_DOMAIN || bus != PCI_BUS || function || number != pl_cu_number())
		return CUDA_ERROR_INVALID_DEVICE;
	*device = 0;
	return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (!r)
		r = pl_cu_enter_device(peer, &dev);
	if (r)
		return r;
	if (!can)
		return CUDA_ERROR_INVALID_VALUE;
	*can = 0; /* a device is not its own peer, and there is no other */
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute which, CUdevice src, CUdevice dst)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(src, &dev);
	if (!r)
		r = pl_cu_enter_device(dst, &dev);
	if (r)
		return r;
	if (!value || which < CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK ||
	    which > CU_DEVICE_P2P_ATTRIBUTE_ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED)
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_INVALID_DEVICE; /* src and dst must differ */
}

/* The host's memory is the device's: the same atomics reach it. */
CUresult cuDeviceGetHostAtomicCapabilities(unsigned int *capabilities, const CUatomicOperation *operations,
					   unsigned int n, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!capabilities || !operations || !n)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int all = CU_ATOMIC_CAPABILITY_SIGNED | CU_ATOMIC_CAPABILITY_UNSIGNED |
				   CU_ATOMIC_CAPABILITY_REDUCTION | CU_ATOMIC_CAPABILITY_SCALAR_32 |
				   CU_ATOMIC_CAPABILITY_SCALAR_64;
		if ((unsigned int)operations[i] >= CU_ATOMIC_OPERATION_MAX)
			return CUDA_ERROR_INVALID_VALUE;
		capabilities[i] = all;
	}
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAtomicCapabilities(unsigned int *capabilities, const CUatomicOperation *operations,
					  unsigned int n, CUdevice src, CUdevice dst)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(src, &dev);
	if (!r)
		r = pl_cu_enter_device(dst, &dev);
	if (r)
		return r;
	return capabilities && operations && n ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetExecAffinitySupport(int *supported, CUexecAffinityType type, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!supported || (unsigned int)type >= CU_EXEC_AFFINITY_TYPE_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	*supported = 0;
	return CUDA_SUCCESS;
}

/* Nothing writes to device memory but the host and the device, whose stores are ordered. */
CUresult cuFlushGPUDirectRDMAWrites(CUflushGPUDirectRDMAWritesTarget target, CUflushGPUDirectRDMAWritesScope scope)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	if (target != CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TARGET_CURRENT_CTX ||
	    (scope != CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TO_OWNER &&
	     scope != CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TO_ALL_DEVICES))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
	size_t all;
	CUresult r = bytes ? cuDeviceTotalMem_v2(&all, device) : CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*bytes = all > UINT32_MAX ? UINT32_MAX : (unsigned int)all;
	return r;
}
