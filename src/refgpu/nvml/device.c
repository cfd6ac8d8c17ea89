/* The device: where it is found and what it is. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "nvml.h"
#include "refgpu/device/regs.h"
#include "refgpu/driver/identity.h"

#define PCI_LEGACY_FORMAT "%04X:%02X:%02X.0"
#define PCI_FORMAT        "%08X:%02X:%02X.0"
#define SERIAL            "PLENUM-REFGPU-0"
#define LANES_PER_SM      32
#define MIB               (1ull << 20)

static void uuid_bytes(unsigned char bytes[NVML_DEVICE_UUID_BINARY_LEN])
{
	memcpy(bytes, PL_CU_UUID, NVML_DEVICE_UUID_BINARY_LEN);
	bytes[NVML_DEVICE_UUID_BINARY_LEN - 1] = (unsigned char)('0' + pl_cu_number());
}

static void uuid_text(char *text, size_t room)
{
	unsigned char b[NVML_DEVICE_UUID_BINARY_LEN];

	uuid_bytes(b);
	snprintf(text, room, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* One number of the device. */
static nvmlReturn_t number(nvmlDevice_t device, unsigned int *to, unsigned int value)
{
	nvmlReturn_t r = pl_rn_enter_device(device, to);

	if (!r)
		*to = value;
	return r;
}

static nvmlReturn_t off(nvmlDevice_t device, nvmlEnableState_t *to)
{
	nvmlReturn_t r = pl_rn_enter_device(device, to);

	if (!r)
		*to = NVML_FEATURE_DISABLED;
	return r;
}

/* ---- finding it ---- */

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *device_count)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!device_count)
		return NVML_ERROR_INVALID_ARGUMENT;
	*device_count = 1;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned int *device_count)
{
	return nvmlDeviceGetCount_v2(device_count);
}

static nvmlReturn_t give(nvmlDevice_t *device, bool found, nvmlReturn_t else_code)
{
	if (found)
		*device = pl_rn_device();
	return found ? NVML_SUCCESS : else_code;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!device)
		return NVML_ERROR_INVALID_ARGUMENT;
	return give(device, index == 0, NVML_ERROR_INVALID_ARGUMENT);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByIndex_v2(index, device);
}

nvmlReturn_t nvmlDeviceGetHandleBySerial(const char *serial, nvmlDevice_t *device)
{
	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!serial || !device)
		return NVML_ERROR_INVALID_ARGUMENT;
	return give(device, !strcmp(serial, SERIAL), NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
	char own[NVML_DEVICE_UUID_V2_BUFFER_SIZE];

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!uuid || !device)
		return NVML_ERROR_INVALID_ARGUMENT;
	uuid_text(own, sizeof(own));
	return give(device, !strcasecmp(uuid, own) || !strcasecmp(uuid, own + strlen("GPU-")), NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlDeviceGetHandleByUUIDV(const nvmlUUID_t *uuid, nvmlDevice_t *device)
{
	unsigned char own[NVML_DEVICE_UUID_BINARY_LEN];
	char text[NVML_DEVICE_UUID_ASCII_LEN + 1] = { 0 };

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!uuid || !device)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (uuid->version != nvmlUUID_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	uuid_bytes(own);
	if (uuid->type == NVML_UUID_TYPE_BINARY)
		return give(device, !memcmp(uuid->value.bytes, own, sizeof(own)), NVML_ERROR_NOT_FOUND);
	if (uuid->type != NVML_UUID_TYPE_ASCII)
		return NVML_ERROR_INVALID_ARGUMENT;
	memcpy(text, uuid->value.str, NVML_DEVICE_UUID_ASCII_LEN);
	return nvmlDeviceGetHandleByUUID(text, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
	unsigned int domain = PL_CU_PCI_DOMAIN, bus, slot, function = 0;
	char rest;

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!bus_id || !device)
		return NVML_ERROR_INVALID_ARGUMENT;
	if (sscanf(bus_id, "%x:%x:%x.%x%c", &domain, &bus, &slot, &function, &rest) != 4 &&
	    sscanf(bus_id, "%x:%x:%x%c", &domain, &bus, &slot, &rest) != 3) {
		domain = PL_CU_PCI_DOMAIN;
		function = 0;
		if (sscanf(bus_id, "%x:%x.%x%c", &bus, &slot, &function, &rest) != 3)
			return NVML_ERROR_INVALID_ARGUMENT;
	}
	return give(device, domain == PL_CU_PCI_DOMAIN && bus == PL_CU_PCI_BUS && slot == pl_cu_number() && !function,
		    NVML_ERROR_NOT_FOUND);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *bus_id, nvmlDevice_t *device)
{
	return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
	return number(device, index, 0);
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor_number)
{
	return number(device, minor_number, 0);
}

/* ---- what it is ---- */

static nvmlReturn_t text(nvmlDevice_t device, char *to, unsigned int room, const char *what)
{
	nvmlReturn_t r = pl_rn_enter_device(device, to);

	return r ? r : pl_rn_text_give(to, room, what);
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int room)
{
	return text(device, name, room, PL_CU_DEVICE_NAME);
}

nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *serial, unsigned int room)
{
	return text(device, serial, room, SERIAL);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int room)
{
	char own[NVML_DEVICE_UUID_V2_BUFFER_SIZE];

	uuid_text(own, sizeof(own));
	return text(device, uuid, room, own);
}

nvmlReturn_t nvmlDeviceGetBrand(nvmlDevice_t device, nvmlBrandType_t *which)
{
	nvmlReturn_t r = pl_rn_enter_device(device, which);

	if (!r)
		*which = NVML_BRAND_UNKNOWN;
	return r;
}

static void pci_fill(nvmlPciInfo_t *pci)
{
	*pci = (nvmlPciInfo_t){ .domain = PL_CU_PCI_DOMAIN,
				.bus = PL_CU_PCI_BUS,
				.device = pl_cu_number(),
				.pciDeviceId = PL_RG_PCI_DEVICE << 16 | PL_RG_PCI_VENDOR };
	snprintf(pci->busIdLegacy, sizeof(pci->busIdLegacy), PCI_LEGACY_FORMAT, pci->domain & 0xffff, pci->bus & 0xff,
		 pci->device);
	snprintf(pci->busId, sizeof(pci->busId), PCI_FORMAT, pci->domain, pci->bus, pci->device);
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	nvmlReturn_t r = pl_rn_enter_device(device, pci);

	if (!r)
		pci_fill(pci);
	return r;
}

/* Before the third version the structure ended with four reserved words in the place of the longer id. */
nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	nvmlReturn_t r = pl_rn_enter_device(device, pci);
	nvmlPciInfo_t whole;

	if (r)
		return r;
	pci_fill(&whole);
	memcpy(pci, &whole, offsetof(nvmlPciInfo_t, busId));
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
	return nvmlDeviceGetPciInfo_v2(device, pci);
}

nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_t *pci)
{
	nvmlReturn_t r = pl_rn_enter();
	nvmlPciInfo_t whole;

	if (!r && pci && pci->version != nvmlPciInfoExt_v1)
		return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	r = pl_rn_enter_device(device, pci);
	if (r)
		return r;
	pci_fill(&whole);
	*pci = (nvmlPciInfoExt_t){ .version = nvmlPciInfoExt_v1,
				   .domain = whole.domain,
				   .bus = whole.bus,
				   .pciDeviceId = whole.pciDeviceId,
				   .baseClass = PL_RG_PCI_CLASS >> 16,
				   .subClass = PL_RG_PCI_CLASS >> 8 & 0xff };
	memcpy(pci->busId, whole.busId, sizeof(pci->busId));
	return NVML_SUCCESS;
}

/* A link that is none. */
nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
	nvmlReturn_t r = pl_rn_enter_device(device, pci);

	(void)link;
	return r ? r : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlDeviceGetBoardId(nvmlDevice_t device, unsigned int *board_id)
{
	return number(device, board_id, PL_CU_PCI_BUS << 8);
}

nvmlReturn_t nvmlDeviceGetMultiGpuBoard(nvmlDevice_t device, unsigned int *multi_gpu_bool)
{
	return number(device, multi_gpu_bool, 0);
}

/* Whose compute capability it claims. */
static unsigned int architecture(unsigned int capability)
{
	static const struct {
		unsigned int below, architecture;
	} known[] = {
		{ 60, NVML_DEVICE_ARCH_MAXWELL }, { 70, NVML_DEVICE_ARCH_PASCAL },     { 75, NVML_DEVICE_ARCH_VOLTA },
		{ 80, NVML_DEVICE_ARCH_TURING },  { 89, NVML_DEVICE_ARCH_AMPERE },     { 90, NVML_DEVICE_ARCH_ADA },
		{ 100, NVML_DEVICE_ARCH_HOPPER }, { 130, NVML_DEVICE_ARCH_BLACKWELL },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (capability < known[i].below)
			return known[i].architecture;
	return NVML_DEVICE_ARCH_UNKNOWN;
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *arch)
{
	return number(device, arch, architecture(pl_cu_capability()));
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
	nvmlReturn_t r = pl_rn_enter_device(device, major && minor ? major : NULL);

	if (r)
		return r;
	*major = (int)pl_cu_capability() / 10;
	*minor = (int)pl_cu_capability() % 10;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int *num_cores)
{
	return number(device, num_cores, pl_rn_sm_count() * LANES_PER_SM);
}

nvmlReturn_t nvmlDeviceGetMemoryBusWidth(nvmlDevice_t device, unsigned int *bus_width)
{
	return number(device, bus_width, PL_CU_BUS_BITS);
}

nvmlReturn_t nvmlDeviceGetBusType(nvmlDevice_t device, nvmlBusType_t *which)
{
	return number(device, which, NVML_BUS_TYPE_PCIE);
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
	nvmlReturn_t r = pl_rn_enter_device(device, attributes);

	if (!r)
		*attributes = (nvmlDeviceAttributes_t){ .multiprocessorCount = pl_rn_sm_count(),
							.sharedCopyEngineCount = PL_CU_COPY_ENGINES,
							.memorySizeMB = pl_rn_vram_bytes() / MIB };
	return r;
}

/* ---- what it has switched off, for ever ---- */

nvmlReturn_t nvmlDeviceGetDisplayMode(nvmlDevice_t device, nvmlEnableState_t *display)
{
	return off(device, display);
}

nvmlReturn_t nvmlDeviceGetDisplayActive(nvmlDevice_t device, nvmlEnableState_t *active)
{
	return off(device, active);
}

nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t device, nvmlEnableState_t *mode)
{
	return off(device, mode);
}

nvmlReturn_t nvmlDeviceGetComputeMode(nvmlDevice_t device, nvmlComputeMode_t *mode)
{
	nvmlReturn_t r = pl_rn_enter_device(device, mode);

	if (!r)
		*mode = NVML_COMPUTEMODE_DEFAULT;
	return r;
}

nvmlReturn_t nvmlDeviceGetVirtualizationMode(nvmlDevice_t device, nvmlGpuVirtualizationMode_t *virtual_mode)
{
	nvmlReturn_t r = pl_rn_enter_device(device, virtual_mode);

	if (!r)
		*virtual_mode = NVML_GPU_VIRTUALIZATION_MODE_NONE;
	return r;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is_mig_device)
{
	return number(device, is_mig_device, 0);
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
	return number(device, count, 0);
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig_device)
{
	nvmlReturn_t r = pl_rn_enter_device(device, mig_device);

	(void)index;
	return r ? r : NVML_ERROR_NOT_FOUND;
}

/* ---- its neighbours: none ---- */

nvmlReturn_t nvmlDeviceOnSameBoard(nvmlDevice_t device1, nvmlDevice_t device2, int *on_same_board)
{
	nvmlReturn_t r = pl_rn_enter_device(device1, device2 == device1 ? on_same_board : NULL);

	if (!r)
		*on_same_board = 1;
	return r;
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device1, nvmlDevice_t device2,
						 nvmlGpuTopologyLevel_t *path_info)
{
	nvmlReturn_t r = pl_rn_enter_device(device1, device2 == device1 ? path_info : NULL);

	if (!r)
		*path_info = NVML_TOPOLOGY_INTERNAL;
	return r;
}

nvmlReturn_t nvmlDeviceGetTopologyNearestGpus(nvmlDevice_t device, nvmlGpuTopologyLevel_t level, unsigned int *count,
					      nvmlDevice_t *devices)
{
	(void)level, (void)devices;
	return number(device, count, 0);
}
