/*
 * cuGetExportTable(): tables of functions that the CUDA runtime takes from its driver when it starts, by UUID.  They
 * are not documented; which slots the runtime uses, and how, was found by looking at what it calls.  All that they do
 * is done by exported functions of the library that links this.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda-api.h"
#include "cuda/groups.h"
#include "cuda/md2.h"
#include "cuda/refuse.h"
#include "cuda/storage.h"

#define HOOK_BYTES_A 8192 /* flags, one or more bytes a function of the runtime: the newest have numbers above 400 */
#define HOOK_BYTES_B 14

/* In every slot that nothing is known of: libraries call more of them than the runtime does. */
static CUresult not_supported(void)
{
	return CUDA_ERROR_NOT_SUPPORTED;
}

/* -- the runtime's own loader and context -------------------------------------------------------------------------- */

static CUresult image_load(CUmodule *module_out, const void *wrapper)
{
	return cuModuleLoadFatBinary(module_out, wrapper);
}

static CUresult primary_get(CUcontext *ctx_out, CUdevice device)
{
	return cuDevicePrimaryCtxRetain(ctx_out, device);
}

static CUresult image_load_1(CUmodule *module_out, const void *wrapper, void *unused_a, void *unused_b,
			     unsigned int unused_c)
{
	(void)unused_a, (void)unused_b, (void)unused_c;
	return cuModuleLoadFatBinary(module_out, wrapper);
}

static CUresult nothing(size_t unused)
{
	(void)unused;
	return CUDA_SUCCESS;
}

static CUresult image_load_2(const void *image, CUmodule *module_out, void *unused_a, void *unused_b,
			     unsigned int unused_c)
{
	(void)unused_a, (void)unused_b, (void)unused_c;
	return cuModuleLoadFatBinary(module_out, image);
}

static CUresult compilers_load(void)
{
	return CUDA_SUCCESS;
}

#define SLOT(function) ((const void *)(uintptr_t)(function))
#define SIZE(n)        ((const void *)((n) * sizeof(void *)))
#define NOT_SUPPORTED  SLOT(not_supported)

static const void *runtime_table[13] = {
	SIZE(13),      SLOT(image_load),   SLOT(primary_get),    NOT_SUPPORTED,      NOT_SUPPORTED,
	NOT_SUPPORTED, SLOT(image_load_1), SLOT(nothing),        SLOT(image_load_2), NOT_SUPPORTED,
	NOT_SUPPORTED, NOT_SUPPORTED,      SLOT(compilers_load),
};

/* -- hooks of tools: there is none --------------------------------------------------------------------------------- */

static char hooks_a[HOOK_BYTES_A], hooks_b[HOOK_BYTES_B];

static void hook_a(void **ptr_out, size_t *bytes_out)
{
	*ptr_out = hooks_a;
	*bytes_out = sizeof(hooks_a);
}

static void hook_b(void **ptr_out, size_t *bytes_out)
{
	*ptr_out = hooks_b;
	*bytes_out = sizeof(hooks_b);
}

static CUresult context_current(CUcontext *ctx_out)
{
	return cuCtxGetCurrent(ctx_out);
}

static const void *tools_tls_table[4] = { SIZE(4), NOT_SUPPORTED, SLOT(context_current), NOT_SUPPORTED };
static const void *tools_hooks_table[7] = { SIZE(7),       NOT_SUPPORTED, SLOT(hook_a), NOT_SUPPORTED,
					    NOT_SUPPORTED, NOT_SUPPORTED, SLOT(hook_b) };

/* -- what a runtime keeps by context ------------------------------------------------------------------------------- */

struct pl_cuda_storage {
	void *key, *value;
	void (*destroy)(CUcontext ctx, void *key, void *value);
	struct pl_cuda_storage *next;
};

void pl_cuda_storages_init(struct pl_cuda_storages *storages)
{
	pthread_mutex_init(&storages->lock, NULL);
	storages->first = NULL;
}

void pl_cuda_storages_fini(struct pl_cuda_storages *storages, CUcontext context)
{
	struct pl_cuda_storage *storage = storages->first;

	storages->first = NULL;
	while (storage) {
		struct pl_cuda_storage *next = storage->next;

		if (storage->destroy)
			storage->destroy(context, storage->key, storage->value);
		free(storage);
		storage = next;
	}
	pthread_mutex_destroy(&storages->lock);
}

static CUresult storage_put(CUcontext ctx, void *key, void *value,
			    void (*destroy)(CUcontext ctx, void *key, void *value))
{
	struct pl_cuda_storages *storages = pl_cuda_storages_of(ctx);
	struct pl_cuda_storage *storage;

	if (!storages)
		return CUDA_ERROR_INVALID_CONTEXT;
	storage = malloc(sizeof(*storage));
	if (!storage)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*storage = (struct pl_cuda_storage){ .key = key, .value = value, .destroy = destroy };
	pthread_mutex_lock(&storages->lock);
	storage->next = storages->first;
	storages->first = storage;
	pthread_mutex_unlock(&storages->lock);
	return CUDA_SUCCESS;
}

static CUresult storage_delete(CUcontext ctx, void *key)
{
	struct pl_cuda_storages *storages = pl_cuda_storages_of(ctx);
	struct pl_cuda_storage *gone = NULL;

	if (!storages)
		return CUDA_ERROR_INVALID_CONTEXT;
	pthread_mutex_lock(&storages->lock);
	for (struct pl_cuda_storage **at = &storages->first; *at && !gone; at = &(*at)->next) {
		if ((*at)->key != key)
			continue;
		gone = *at;
		*at = gone->next;
		break;
	}
	pthread_mutex_unlock(&storages->lock);
	free(gone);
	return gone ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUresult storage_get(void **value_out, CUcontext ctx, void *key)
{
	struct pl_cuda_storages *storages = pl_cuda_storages_of(ctx);
	CUresult r = CUDA_ERROR_INVALID_HANDLE;

	if (!storages)
		return CUDA_ERROR_INVALID_CONTEXT;
	pthread_mutex_lock(&storages->lock);
	for (struct pl_cuda_storage *storage = storages->first; storage && r; storage = storage->next) {
		if (storage->key != key)
			continue;
		*value_out = storage->value;
		r = CUDA_SUCCESS;
	}
	pthread_mutex_unlock(&storages->lock);
	return r;
}

/* The one table that does not begin with its size. */
static const void *storage_table[4] = { SLOT(storage_put), SLOT(storage_delete), SLOT(storage_get), NOT_SUPPORTED };

/* -- others ---------------------------------------------------------------------------------------------------------
 */

static CUresult attribute_extended(CUdevice device, unsigned int attribute, int unused, size_t result[2])
{
	int value = 0;
	CUresult r = cuDeviceGetAttribute(&value, (CUdevice_attribute)attribute, device);
	(void)unused;
	if (r)
		return CUDA_ERROR_NOT_SUPPORTED;
	result[0] = (size_t)value;
	result[1] = 0;
	return CUDA_SUCCESS;
}

static CUresult device_flag(unsigned char *flag_out, CUdevice device)
{
	(void)device;
	*flag_out = 0;
	return CUDA_SUCCESS;
}

static CUresult context_check(CUcontext ctx, uint32_t *result_a, const void **result_b)
{
	(void)ctx, (void)result_b;
	*result_a = 0;
	return CUDA_SUCCESS;
}

static uint32_t check_flag(void)
{
	return 0;
}

static const void *create_bypass_table[2] = { [0] = SIZE(2), [1] = SLOT(not_supported) };
static const void *heap_table[3] = { [0] = SIZE(3), [1] = SLOT(not_supported), [2] = SLOT(not_supported) };
static const void *device_table[26] = {
	[0] = SIZE(26),
	[1 ... 4] = NOT_SUPPORTED,
	[5] = SLOT(attribute_extended),
	[6 ... 12] = NOT_SUPPORTED,
	[13] = SLOT(device_flag),
	[14 ... 25] = NOT_SUPPORTED,
};
static const void *context_check_table[4] = { SIZE(4), NOT_SUPPORTED, SLOT(context_check), SLOT(check_flag) };

/* A key for what cuBLASLt keeps by context. */
static CUresult context_id(CUcontext ctx, uint64_t *id_out)
{
	return cuCtxGetId(ctx, (unsigned long long *)id_out);
}

/* cuBLAS 13 has memory for each stream: it asks which stream a handle means, then for that stream's key. */
static CUresult stream_key(CUcontext ctx, CUstream stream, uint64_t *key_out)
{
	(void)ctx;
	return cuStreamGetId(stream, (unsigned long long *)key_out);
}

static CUresult stream_meant(CUcontext ctx, CUstream stream, CUstream *stream_out, uint32_t per_thread)
{
	(void)ctx;
	*stream_out = stream ? stream : per_thread ? CU_STREAM_PER_THREAD : CU_STREAM_LEGACY;
	return CUDA_SUCCESS;
}

static const void *context_table[64] = {
	[0] = SIZE(64),          [1 ... 3] = NOT_SUPPORTED,   [4] = SLOT(context_id),    [5 ... 38] = NOT_SUPPORTED,
	[39] = SLOT(stream_key), [40 ... 50] = NOT_SUPPORTED, [51] = SLOT(stream_meant), [52 ... 63] = NOT_SUPPORTED,
};

/* Tells of each kernel of a module.  Return: how many there are (cuFFT wants the one of an image whose name it does not
 * know). */
static unsigned int module_kernels(CUcontext ctx, CUmodule module, void (*tell)(void *arg, CUfunction function),
				   void *arg)
{
	CUfunction *functions;
	unsigned int n = 0;

	(void)ctx;
	if (cuModuleGetFunctionCount(&n, module) || !n)
		return 0;
	functions = calloc(n, sizeof(*functions));
	if (!functions || cuModuleEnumerateFunctions(functions, n, module))
		n = 0;
	for (unsigned int i = 0; i < n; i++)
		tell(arg, functions[i]);
	free(functions);
	return n;
}

static const void *module_table[64] = {
	[0] = SIZE(64),
	[1 ... 6] = NOT_SUPPORTED,
	[7] = SLOT(module_kernels),
	[8 ... 63] = NOT_SUPPORTED,
};

/* They are read before the thread asks again. */
static CUresult groups_get(uint8_t **groups_out, void **owner_out)
{
	static _Thread_local uint8_t groups[PL_CUDA_GROUPS_MAX];
	CUresult r = pl_cuda_groups_get(groups);

	*groups_out = r ? NULL : groups;
	*owner_out = NULL;
	return r;
}

static CUresult groups_done(void)
{
	return CUDA_SUCCESS;
}

static const void *groups_table[24] = {
	[0] = SIZE(24),
	[1 ... 3] = NOT_SUPPORTED,
	[PL_CUDA_GROUPS_SLOT] = SLOT(groups_get),
	[5 ... 12] = NOT_SUPPORTED,
	[PL_CUDA_GROUPS_DONE] = SLOT(groups_done),
	[14 ... 23] = NOT_SUPPORTED,
};

/* -- the runtime's check that the driver is one ----------------------------------------------------------------------
 */

static CUresult integrity_check(unsigned int version, uint64_t unix_seconds, uint64_t result[2]);
static const void *integrity_table[3] = { [0] = SIZE(3), [1] = SLOT(integrity_check) };

/* HMAC-MD2 over who asks and which devices there are. */
static CUresult integrity_check(unsigned int version, uint64_t unix_seconds, uint64_t result[2])
{
	static const uint8_t key[] = { 0x14, 0x6a, 0xdd, 0xae, 0x53, 0xa9, 0xa7, 0x52,
				       0xaa, 0x08, 0x41, 0x36, 0x0b, 0xf5, 0x5a, 0x9f };
	struct {
		uint32_t driver, version, process, thread;
		const void *runtime, *integrity, *function;
		uint64_t seconds;
		struct {
			CUuuid uuid;
			int32_t domain, bus, device;
		} device;
	} message = {
		.driver = CUDA_VERSION,
		.version = version,
		.process = (uint32_t)getpid(),
		.thread = (uint32_t)(uintptr_t)pthread_self(),
		.runtime = runtime_table,
		.integrity = integrity_table,
		.function = integrity_table[1],
		.seconds = unix_seconds,
	};
	size_t bytes = offsetof(__typeof__(message), device);
	uint8_t digest[PL_CUDA_MD2_BYTES];
	CUuuid uuid;
	if (version % 10 < 2) {
		result[0] = version % 10 ? 0x1841181c03cb675cull : 0x3341181c03cb675cull;
		result[1] = 0x8ed383aa1f4cd1e8ull;
		return CUDA_SUCCESS;
	}
	if (!cuDeviceGetUuid_v2(&uuid, 0)) {
		message.device.uuid = uuid;
		cuDeviceGetAttribute(&message.device.domain, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0);
		cuDeviceGetAttribute(&message.device.bus, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0);
		cuDeviceGetAttribute(&message.device.device, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0);
		bytes += sizeof(message.device.uuid) + 3 * sizeof(int32_t);
	}
	pl_cuda_hmac_md2(key, sizeof(key), &message, bytes, digest);
	memcpy(result, digest, sizeof(digest));
	return CUDA_SUCCESS;
}

static const struct {
	uint8_t id[16];
	const void *const *table;
} tables[] = {
	{ { 0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9 },
	  runtime_table },
	{ { 0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc },
	  tools_tls_table },
	{ { 0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66 },
	  tools_hooks_table },
	{ { 0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93 },
	  storage_table },
	{ { 0x0c, 0xa5, 0x0b, 0x8c, 0x10, 0x04, 0x92, 0x9a, 0x89, 0xa7, 0xd0, 0xdf, 0x10, 0xe7, 0x72, 0x86 },
	  create_bypass_table },
	{ { 0x19, 0x5b, 0xcb, 0xf4, 0xd6, 0x7d, 0x02, 0x4a, 0xac, 0xc5, 0x1d, 0x29, 0xce, 0xa6, 0x31, 0xae },
	  heap_table },
	{ { 0xb1, 0x05, 0x41, 0xe1, 0xf7, 0xc7, 0xc7, 0x4a, 0x9f, 0x64, 0xf2, 0x23, 0xbe, 0x99, 0xf1, 0xe2 },
	  device_table },
	{ { 0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1, 0xf2 },
	  integrity_table },
	{ { 0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e },
	  context_check_table },
	{ { 0x21, 0x31, 0x8c, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8c, 0xa6, 0x41, 0xff, 0x73, 0x24, 0xc8, 0xf2 },
	  context_table },
	{ { 0x6e, 0x16, 0x3f, 0xbe, 0xb9, 0x58, 0x44, 0x4d, 0x83, 0x5c, 0xe1, 0x82, 0xaf, 0xf1, 0x99, 0x1e },
	  module_table },
	{ PL_CUDA_GROUPS_TABLE, groups_table },
};

static void lacks(const uint8_t id[16])
{
	char name[sizeof("cuGetExportTable ") + 32];
	int n = snprintf(name, sizeof(name), "cuGetExportTable ");

	for (int i = 0; i < 16; i++)
		n += snprintf(name + n, sizeof(name) - (size_t)n, "%02x", id[i]);
	pl_cuda_lacks(name, CUDA_VERSION);
}

/* An unknown table is not found; any other error makes runtimes give up or hang. */
CUresult cuGetExportTable(const void **table_out, const CUuuid *id)
{
	if (!table_out || !id)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (memcmp(tables[i].id, id->bytes, sizeof(tables[i].id)))
			continue;
		*table_out = tables[i].table;
		return CUDA_SUCCESS;
	}
	lacks((const uint8_t *)id->bytes);
	return CUDA_ERROR_NOT_FOUND;
}
