/* Devices: root devices are listed once per platform; sub-devices are objects like any other. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

/* ---- root devices ---- */

/* Called with the platform's lock held. */
static cl_int devices_ask(struct pl_cl_platform *platform, struct pl_session *session)
{
	struct pl_cl_clGetDeviceIDs_args args = {.platform = platform->object.id, .device_type = CL_DEVICE_TYPE_ALL};
	struct pl_cl_clGetDeviceIDs_reply got;
	struct pl_reply reply;
	struct pl_cl_device **devices;
	int r = PL_CL_ASK(session, clGetDeviceIDs, &args, &reply);

	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clGetDeviceIDs_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return pl_cl_lost();
	devices = calloc(got.devices.count + 1, sizeof(*devices));
	if (!devices)
		return CL_OUT_OF_HOST_MEMORY;
	for (uint64_t i = 0; i < got.devices.count; i++) {
		devices[i] = pl_cl_object_new(platform->object.server, PL_CL_KIND_device, sizeof(*devices[i]),
					      got.devices.at[i]);
		if (!devices[i]) {
			while (i--)
				pl_cl_object_drop(devices[i]);
			free(devices);
			return CL_OUT_OF_HOST_MEMORY;
		}
		devices[i]->platform = platform;
	}
	platform->devices = devices;
	platform->devices_count = (uint32_t)got.devices.count;
	platform->listed = true;
	return CL_SUCCESS;
}

cl_int pl_cl_platform_devices(struct pl_cl_platform *platform)
{
	struct pl_session *session = pl_cl_session(platform);
	cl_int code = CL_SUCCESS;

	if (!session)
		return pl_cl_lost();
	pl_lock(&platform->object.lock);
	if (!platform->listed)
		code = devices_ask(platform, session);
	pl_unlock(&platform->object.lock);
	return code;
}

struct pl_cl_device *pl_cl_device_at(struct pl_cl_platform *platform, uint64_t id)
{
	if (!platform || pl_cl_platform_devices(platform))
		return NULL;
	for (uint32_t i = 0; i < platform->devices_count; i++)
		if (platform->devices[i]->object.id == id)
			return platform->devices[i];
	return NULL;
}

/* The driver chooses by type (what its default is, which bits it knows), the client has the objects. */
cl_int pl_cl_stub_clGetDeviceIDs(cl_platform_id platform_id, cl_device_type device_type, cl_uint num_entries,
				 cl_device_id *devices, cl_uint *num_devices)
{
	struct pl_cl_platform *platform = pl_cl_get(platform_id, PL_CL_KIND_platform);
	struct pl_session *session = pl_cl_session(platform);
	struct pl_cl_clGetDeviceIDs_args args = {.device_type = device_type};
	struct pl_cl_clGetDeviceIDs_reply got;
	struct pl_reply reply;
	cl_int code;
	int r;

	if (!session)
		return CL_INVALID_PLATFORM;
	if ((devices && !num_entries) || (!devices && !num_devices))
		return CL_INVALID_VALUE;
	code = pl_cl_platform_devices(platform);
	if (code)
		return code;
	if (device_type == CL_DEVICE_TYPE_ALL) {
		for (uint32_t i = 0; devices && i < platform->devices_count && i < num_entries; i++)
			devices[i] = (cl_device_id)platform->devices[i];
		if (num_devices)
			*num_devices = platform->devices_count;
		return platform->devices_count ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
	}
	args.platform = platform->object.id;
	r = PL_CL_ASK(session, clGetDeviceIDs, &args, &reply);
	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clGetDeviceIDs_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return pl_cl_lost();
	for (uint64_t i = 0; devices && i < got.devices.count && i < num_entries; i++)
		devices[i] = (cl_device_id)pl_cl_device_at(platform, got.devices.at[i]);
	if (num_devices)
		*num_devices = (cl_uint)got.devices.count;
	return CL_SUCCESS;
}

cl_int pl_cl_stub_clRetainDevice(cl_device_id handle)
{
	struct pl_cl_device *device = pl_cl_get(handle, PL_CL_KIND_device);

	return device && !device->parent ? CL_SUCCESS : pl_cl_retain(device, PL_CL_KIND_device);
}

cl_int pl_cl_stub_clReleaseDevice(cl_device_id handle)
{
	struct pl_cl_device *device = pl_cl_get(handle, PL_CL_KIND_device);

	return device && !device->parent ? CL_SUCCESS : pl_cl_release(device, PL_CL_KIND_device);
}

struct pl_cl_device **pl_cl_devices_hold(const cl_device_id *list, uint32_t count)
{
	struct pl_cl_device **devices = calloc(count + 1, sizeof(*devices));

	for (uint32_t i = 0; devices && i < count; i++) {
		devices[i] = pl_cl_get(list[i], PL_CL_KIND_device);
		if (!devices[i] || devices[i]->object.server != devices[0]->object.server) {
			pl_cl_devices_unhold(devices, i);
			return NULL;
		}
		pl_cl_hold(devices[i]);
	}
	return devices;
}

void pl_cl_devices_unhold(struct pl_cl_device **devices, uint32_t count)
{
	for (uint32_t i = 0; devices && i < count; i++)
		pl_cl_unhold(devices[i]);
	free(devices);
}

/* ---- sub-devices ---- */

void pl_cl_device_fini(struct pl_cl_object *object)
{
	struct pl_cl_device *device = (struct pl_cl_device *)object;
	pl_cl_unhold(device->parent);
}

static uint64_t properties_count(const cl_device_partition_property *properties)
{
	uint64_t count = 0;
	bool counts;

	if (!properties)
		return 0;
	/* {BY_COUNTS, n, n, ..., 0, 0}: the first zero closes the counts only. */
	counts = properties[0] == CL_DEVICE_PARTITION_BY_COUNTS;
	if (counts)
		while (count < PL_CL_LIMIT_PROPERTIES_MAX - 2 &&
		       properties[count] != CL_DEVICE_PARTITION_BY_COUNTS_LIST_END)
			count++;
	if (counts)
		return count + 1;
	while (count < PL_CL_LIMIT_PROPERTIES_MAX - 1 && properties[count])
		count += 1;
	return count + 1;
}

cl_int pl_cl_stub_clCreateSubDevices(cl_device_id in_device, const cl_device_partition_property *properties,
				     cl_uint num_devices, cl_device_id *out_devices, cl_uint *num_devices_ret)
{
	struct pl_cl_device *parent = pl_cl_get(in_device, PL_CL_KIND_device);
	struct pl_session *session = pl_cl_session(parent);
	uint32_t room = num_devices < PL_CL_LIMIT_DEVICES_MAX ? num_devices : PL_CL_LIMIT_DEVICES_MAX;
	struct pl_cl_device *made[PL_CL_LIMIT_DEVICES_MAX];
	uint64_t ids[PL_CL_LIMIT_DEVICES_MAX];
	struct pl_cl_clCreateSubDevices_args args = {.has_devices = out_devices != NULL};
	struct pl_cl_clCreateSubDevices_reply got = {0};
	struct pl_reply reply;
	cl_int code;
	int r;

	if (!session)
		return CL_INVALID_DEVICE;
	if (!out_devices)
		room = 0;
	for (uint32_t i = 0; i < room; i++) {
		made[i] = pl_cl_object_new(parent->object.server, PL_CL_KIND_device, sizeof(*made[i]), 0);
		if (!made[i]) {
			room = i;
			break;
		}
		made[i]->platform = parent->platform;
		made[i]->parent = parent;
		pl_cl_hold(parent);
		ids[i] = made[i]->object.id;
	}
	args.device = parent->object.id;
	args.properties = (struct pl_u64s){(const uint64_t *)properties, properties_count(properties)};
	args.devices = (struct pl_u64s){ids, room};
	r = PL_CL_ASK(session, clCreateSubDevices, &args, &reply);
	code = r ? pl_cl_fault(r) : reply.status;
	if (!code) {
		pl_cl_clCreateSubDevices_reply_get(&reply.dec, &got);
		if (num_devices_ret)
			*num_devices_ret = got.num_devices;
	}
	for (uint32_t i = 0; i < room; i++) {
		if (code || i >= got.num_devices)
			pl_cl_object_drop(made[i]);
		else
			out_devices[i] = (cl_device_id)made[i];
	}
	return code;
}

/* ---- what is known of a device ---- */

void pl_cl_device_preload(struct pl_cl_device *device)
{
	struct pl_cl_plDeviceSnapshot_args args = {.device = device->object.id};
	struct pl_session *session = pl_cl_session(device);
	struct pl_cl_plDeviceSnapshot_reply got;
	struct pl_reply reply;
	const uint8_t *at;
	uint64_t left;
	void *heap = NULL;

	pl_lock(&device->object.lock);
	if (device->preloaded || !session) {
		pl_unlock(&device->object.lock);
		return;
	}
	device->preloaded = true;
	pl_unlock(&device->object.lock);
	if (PL_CL_ASK(session, plDeviceSnapshot, &args, &reply))
		return;
	pl_cl_plDeviceSnapshot_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || pl_cl_reply_value(&reply, got.answers, (const void **)&at, &left, &heap))
		return;
	while (!reply.status && left >= 8) {
		uint32_t param, bytes;
		memcpy(&param, at, 4);
		memcpy(&bytes, at + 4, 4);
		if (PL_WIRE_PAD(bytes) > left - 8)
			break;
		pl_cl_info_store(&device->object, PL_CL_OP_clGetDeviceInfo, 0, 0, param, at + 8, bytes);
		at += 8 + PL_WIRE_PAD(bytes);
		left -= 8 + PL_WIRE_PAD(bytes);
	}
	free(heap);
}

static bool fact(struct pl_cl_device *device, cl_uint param, void *to, size_t bytes)
{
	const void *at;
	size_t got;
	void *heap;
	bool ok;

	if (pl_cl_info_fetch(PL_CL_OP_clGetDeviceInfo, PL_CL_INFO_device, &device->object, param, &at, &got, &heap))
		return false;
	ok = got >= bytes;
	if (ok)
		memcpy(to, at, bytes);
	free(heap);
	return ok;
}

const struct pl_cl_device_facts *pl_cl_device_facts(struct pl_cl_device *device)
{
	struct pl_cl_device_facts facts = {.known = true};
	cl_uint align_bits = 0, dims = 0;
	cl_bool images = CL_FALSE;
	bool ok;

	if (__atomic_load_n(&device->facts.known, __ATOMIC_ACQUIRE))
		return &device->facts;
	pl_cl_device_preload(device);
	ok = fact(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &facts.alloc_bytes_max, 8) &&
	     fact(device, CL_DEVICE_LOCAL_MEM_SIZE, &facts.local_bytes, 8) &&
	     fact(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits, 4) &&
	     fact(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, &facts.group_items_max, 8) &&
	     fact(device, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, &dims, 4) && dims >= 3 &&
	     fact(device, CL_DEVICE_MAX_WORK_ITEM_SIZES, facts.item_sizes_max, 24) &&
	     fact(device, CL_DEVICE_IMAGE_SUPPORT, &images, 4);
	if (!ok)
		return NULL;
	facts.base_align_bytes = align_bits / 8;
	facts.dims_max = dims;
	facts.images = images;
	pl_lock(&device->object.lock);
	if (!device->facts.known) {
		facts.known = false;
		device->facts = facts;
		__atomic_store_n(&device->facts.known, true, __ATOMIC_RELEASE);
	}
	pl_unlock(&device->object.lock);
	return &device->facts;
}

/* ---- timers ---- */

cl_int pl_cl_stub_clGetDeviceAndHostTimer(cl_device_id handle, cl_ulong *device_timestamp, cl_ulong *host_timestamp)
{
	struct pl_cl_device *device = pl_cl_get(handle, PL_CL_KIND_device);
	struct pl_session *session = pl_cl_session(device);
	struct pl_cl_clGetDeviceAndHostTimer_args args = {
		.given = (device_timestamp ? 1u : 0) | (host_timestamp ? 2u : 0),
	};
	struct pl_cl_clGetDeviceAndHostTimer_reply got;
	struct pl_reply reply;
	int r;

	if (!session)
		return CL_INVALID_DEVICE;
	args.device = device->object.id;
	r = PL_CL_ASK(session, clGetDeviceAndHostTimer, &args, &reply);
	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clGetDeviceAndHostTimer_reply_get(&reply.dec, &got);
	if (device_timestamp)
		*device_timestamp = got.device_timestamp;
	if (host_timestamp)
		*host_timestamp = got.host_timestamp;
	return CL_SUCCESS;
}

cl_int pl_cl_stub_clGetHostTimer(cl_device_id handle, cl_ulong *host_timestamp)
{
	struct pl_cl_device *device = pl_cl_get(handle, PL_CL_KIND_device);
	struct pl_session *session = pl_cl_session(device);
	struct pl_cl_clGetHostTimer_args args = {.given = host_timestamp != NULL};
	struct pl_cl_clGetHostTimer_reply got;
	struct pl_reply reply;
	int r;

	if (!session)
		return CL_INVALID_DEVICE;
	args.device = device->object.id;
	r = PL_CL_ASK(session, clGetHostTimer, &args, &reply);
	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clGetHostTimer_reply_get(&reply.dec, &got);
	if (host_timestamp)
		*host_timestamp = got.host_timestamp;
	return CL_SUCCESS;
}
