#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

/* What clGetSupportedImageFormats answered. */
struct pl_cl_formats {
	struct pl_cl_formats *next;
	cl_mem_flags flags;
	cl_mem_object_type type;
	size_t bytes;
	cl_image_format list[];
};

static uint32_t properties_count(const cl_context_properties *properties)
{
	uint32_t count = 0;

	if (!properties)
		return 0;
	while (count + 2 < PL_CL_LIMIT_PROPERTIES_MAX && properties[count])
		count += 2;
	return count + 1;
}

/* The list with the platform's id in place of its handle.
 * Return: false = something in it that only the driver can judge. */
static bool properties_translate(const cl_context_properties *properties, uint32_t count, uint64_t *words,
				 struct pl_cl_platform **platform_out)
{
	bool plain = true;

	for (uint32_t i = 0; i + 1 < count; i += 2) {
		words[i] = (uint64_t)properties[i];
		words[i + 1] = (uint64_t)properties[i + 1];
		if (properties[i] == CL_CONTEXT_PLATFORM) {
			struct pl_cl_platform *platform = pl_cl_get((void *)properties[i + 1], PL_CL_KIND_platform);
			words[i + 1] = platform ? platform->object.id : 0;
			if (!platform || *platform_out)
				plain = false;
			if (!*platform_out)
				*platform_out = platform;
		} else {
			plain = false;
		}
	}
	if (count)
		words[count - 1] = 0;
	return plain;
}

static struct pl_cl_context *context_new(struct pl_cl_server *server, struct pl_cl_platform *platform,
					 const cl_context_properties *properties, uint32_t count)
{
	struct pl_cl_context *context = pl_cl_object_new(server, PL_CL_KIND_context, sizeof(*context), 0);

	if (!context)
		return NULL;
	context->platform = platform;
	context->properties = malloc((count + 1) * sizeof(*properties));
	if (!context->properties) {
		pl_cl_object_drop(context);
		return NULL;
	}
	if (count)
		memcpy(context->properties, properties, count * sizeof(*properties));
	context->properties_count = count;
	return context;
}

/* Called before the context is made: its first error may be told of before the call returns. */
static bool context_listen(struct pl_cl_context *context, void (*notify)(const char *, const void *, size_t, void *),
			   void *user_data)
{
	context->notify = notify;
	context->notify_data = user_data;
	return !notify ||
	       pl_cl_table_put(&context->object.server->tokens, context->object.id, PL_CL_ENTRY_CONTEXT, context);
}

static uint32_t notify_bits(void (*notify)(const char *, const void *, size_t, void *), void *user_data)
{
	return (notify ? PL_CL_NOTIFY_FUNCTION : 0u) | (user_data ? PL_CL_NOTIFY_DATA : 0u);
}

/* A worker that died is a device that is not available. */
static cl_int context_fault(int r)
{
	cl_int code = pl_cl_fault(r);
	return code == pl_cl_lost() ? CL_DEVICE_NOT_AVAILABLE : code;
}

cl_context pl_cl_stub_clCreateContext(const cl_context_properties *properties, cl_uint num_devices,
				      const cl_device_id *devices,
				      void (*pfn_notify)(const char *, const void *, size_t, void *), void *user_data,
				      cl_int *errcode_ret)
{
	struct pl_cl_device *first = NULL;
	uint32_t count = properties_count(properties);
	uint64_t words[PL_CL_LIMIT_PROPERTIES_MAX];
	struct pl_cl_platform *platform = NULL;
	struct pl_cl_context *context;
	struct pl_cl_clCreateContext_args args = { .notify = notify_bits(pfn_notify, user_data) };
	struct pl_session *session;
	struct pl_cl_ids ids;
	struct pl_reply reply;
	bool plain = properties_translate(properties, count, words, &platform);
	int r;

	if (!num_devices || !devices) {
		pl_cl_code_set(errcode_ret, CL_INVALID_VALUE);
		return NULL;
	}
	for (cl_uint i = 0; i < num_devices && !first; i++)
		first = pl_cl_get(devices[i], PL_CL_KIND_device);
	session = pl_cl_session(first ? (void *)first : (void *)platform);
	if (!session) {
		pl_cl_code_set(errcode_ret, CL_INVALID_DEVICE);
		return NULL;
	}
	context = context_new(first ? first->object.server : platform->object.server,
			      first ? first->platform : platform, properties, count);
	if (!context || !context_listen(context, pfn_notify, user_data) ||
	    !pl_cl_ids_start(&ids, session, (const void *const *)devices, num_devices, PL_CL_KIND_device)) {
		pl_cl_object_drop(context);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	context->devices = pl_cl_devices_hold(devices, num_devices);
	context->devices_count = context->devices ? num_devices : 0;
	for (uint32_t i = 0; i < context->devices_count; i++)
		plain &= context->devices[i]->platform == context->platform;
	plain &= context->devices_count && (!platform || platform == context->platform) && (pfn_notify || !user_data);
	args.properties = (struct pl_u64s){ words, count };
	args.devices = ids.list;
	args.context = context->object.id;
	if (plain && !session->dead) {
		r = PL_CL_POST(session, clCreateContext, &args);
		reply.status = CL_SUCCESS;
	} else {
		r = PL_CL_ASK(session, clCreateContext, &args, &reply);
	}
	pl_cl_ids_end(&ids);
	if (r)
		reply.status = context_fault(r);
	pl_cl_code_set(errcode_ret, reply.status);
	if (!reply.status)
		return (cl_context)context;
	pl_cl_object_drop(context);
	return NULL;
}

static bool context_devices_take(struct pl_cl_context *context, struct pl_u64s ids)
{
	context->devices = calloc(ids.count + 1, sizeof(*context->devices));
	if (!context->devices)
		return false;
	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_cl_device *device = pl_cl_device_at(context->platform, ids.at[i]);
		if (!device)
			return false;
		pl_cl_hold(device);
		context->devices[context->devices_count++] = device;
	}
	return true;
}

/* Without a platform in the properties the first one is meant, as elsewhere. */
static struct pl_cl_platform *platform_first(void)
{
	cl_platform_id platform = NULL;

	pl_cl_platform_list(1, &platform, NULL);
	return pl_cl_get(platform, PL_CL_KIND_platform);
}

cl_context pl_cl_stub_clCreateContextFromType(const cl_context_properties *properties, cl_device_type device_type,
					      void (*pfn_notify)(const char *, const void *, size_t, void *),
					      void *user_data, cl_int *errcode_ret)
{
	uint32_t count = properties_count(properties);
	uint64_t words[PL_CL_LIMIT_PROPERTIES_MAX], ids_kept[PL_CL_LIMIT_DEVICES_MAX];
	struct pl_cl_platform *platform = NULL;
	struct pl_cl_clCreateContextFromType_args args = { .device_type = device_type,
							   .notify = notify_bits(pfn_notify, user_data) };
	struct pl_cl_clCreateContextFromType_reply got;
	struct pl_cl_context *context;
	struct pl_session *session;
	struct pl_reply reply;
	cl_int code;
	int r;

	properties_translate(properties, count, words, &platform);
	if (!platform)
		platform = platform_first();
	session = pl_cl_session(platform);
	if (!session) {
		pl_cl_code_set(errcode_ret, CL_INVALID_PLATFORM);
		return NULL;
	}
	context = context_new(platform->object.server, platform, properties, count);
	if (!context || !context_listen(context, pfn_notify, user_data)) {
		pl_cl_object_drop(context);
		pl_cl_code_set(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		return NULL;
	}
	args.properties = (struct pl_u64s){ words, count };
	args.context = context->object.id;
	r = PL_CL_ASK(session, clCreateContextFromType, &args, &reply);
	code = r ? context_fault(r) : reply.status;
	if (!code) {
		pl_cl_clCreateContextFromType_reply_get(&reply.dec, &got);
		if (pl_dec_whole(&reply.dec)) {
			/* Finding the devices may ask, which takes the reply's memory. */
			memcpy(ids_kept, got.devices.at, got.devices.count * sizeof(*ids_kept));
			got.devices.at = ids_kept;
		} else {
			got.devices.count = 0;
		}
		if (!context_devices_take(context, got.devices))
			code = CL_OUT_OF_HOST_MEMORY;
	}
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_context)context;
	if (r || reply.status)
		pl_cl_object_drop(context);
	else
		pl_cl_release(context, PL_CL_KIND_context);
	return NULL;
}

static void svm_and_formats_free(struct pl_cl_context *context)
{
	pl_cl_svm_fini(context);
	while (context->formats) {
		struct pl_cl_formats *next = context->formats->next;
		free(context->formats);
		context->formats = next;
	}
}

void pl_cl_context_fini(struct pl_cl_object *object)
{
	struct pl_cl_context *context = (struct pl_cl_context *)object;

	if (context->notify)
		pl_cl_table_take(&object->server->tokens, object->id, PL_CL_ENTRY_CONTEXT);
	pl_cl_devices_unhold(context->devices, context->devices_count);
	free(context->properties);
	svm_and_formats_free(context);
	if (context->destroyed) {
		object->kept = true;
		pl_cl_callbacks_run(context->destroyed, object, pl_cl_object_free);
	}
}

cl_int pl_cl_stub_clSetContextDestructorCallback(cl_context handle, void (*pfn_notify)(cl_context, void *),
						 void *user_data)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);

	if (!context)
		return CL_INVALID_CONTEXT;
	if (!pfn_notify)
		return CL_INVALID_VALUE;
	if (!pl_cl_callback_add(&context->destroyed, &context->object.lock, (void (*)(void *, void *))pfn_notify,
				user_data))
		return CL_OUT_OF_HOST_MEMORY;
	return CL_SUCCESS;
}

/* ---- what commands need to know ---- */

bool pl_cl_context_has(const struct pl_cl_context *context, const struct pl_cl_device *device)
{
	for (uint32_t i = 0; i < context->devices_count; i++)
		if (context->devices[i] == device)
			return true;
	return false;
}

bool pl_cl_context_direct(struct pl_cl_context *context)
{
	int direct = atomic_load_explicit(&context->direct, memory_order_relaxed);
	struct pl_session *session = context->object.session;
	struct pl_cl_plContextStore_args args = { .context = context->object.id };
	struct pl_cl_plContextStore_reply got = { 0 };
	struct pl_reply reply;

	if (direct != PL_CL_DIRECT_UNKNOWN)
		return direct == PL_CL_DIRECT_YES;
	if (session->shares_memory && !PL_CL_ASK(session, plContextStore, &args, &reply) && !reply.status)
		pl_cl_plContextStore_reply_get(&reply.dec, &got);
	atomic_store(&context->direct, got.direct ? PL_CL_DIRECT_YES : PL_CL_DIRECT_NO);
	return got.direct;
}

void pl_cl_context_limits(struct pl_cl_context *context, uint64_t *alloc_bytes_max, uint64_t *base_align_bytes)
{
	uint64_t alloc = __atomic_load_n(&context->alloc_bytes_max, __ATOMIC_ACQUIRE);

	if (!alloc) {
		uint64_t align = 1;

		alloc = UINT64_MAX;
		for (uint32_t i = 0; i < context->devices_count; i++) {
			const struct pl_cl_device_facts *facts = pl_cl_device_facts(context->devices[i]);
			if (!facts || facts->alloc_bytes_max < alloc)
				alloc = facts ? facts->alloc_bytes_max : 1;
			if (facts && facts->base_align_bytes > align)
				align = facts->base_align_bytes;
		}
		if (!context->devices_count)
			alloc = 1;
		__atomic_store_n(&context->base_align_bytes, align, __ATOMIC_RELAXED);
		__atomic_store_n(&context->alloc_bytes_max, alloc, __ATOMIC_RELEASE);
	}
	*alloc_bytes_max = alloc;
	*base_align_bytes = __atomic_load_n(&context->base_align_bytes, __ATOMIC_RELAXED);
}

/* ---- image formats ---- */

static struct pl_cl_formats *formats_find(struct pl_cl_context *context, cl_mem_flags flags, cl_mem_object_type type)
{
	struct pl_cl_formats *formats;

	pl_lock(&context->object.lock);
	for (formats = context->formats; formats; formats = formats->next)
		if (formats->flags == flags && formats->type == type)
			break;
	pl_unlock(&context->object.lock);
	return formats;
}

static cl_int formats_ask(struct pl_cl_context *context, cl_mem_flags flags, cl_mem_object_type type,
			  struct pl_cl_formats **formats_out)
{
	struct pl_cl_clGetSupportedImageFormats_args args = { .context = context->object.id,
							      .flags = flags,
							      .image_type = type };
	struct pl_cl_clGetSupportedImageFormats_reply got;
	struct pl_cl_formats *formats;
	struct pl_reply reply;
	const void *at;
	uint64_t bytes;
	void *heap;
	int r = PL_CL_ASK(context->object.session, clGetSupportedImageFormats, &args, &reply);

	if (r)
		return pl_cl_fault(r);
	if (reply.status)
		return reply.status;
	pl_cl_clGetSupportedImageFormats_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return pl_cl_lost();
	r = pl_cl_reply_value(&reply, got.formats, &at, &bytes, &heap);
	if (r)
		return pl_cl_fault(r);
	formats = malloc(sizeof(*formats) + bytes);
	if (formats) {
		*formats = (struct pl_cl_formats){ .flags = flags, .type = type, .bytes = bytes };
		if (bytes)
			memcpy(formats->list, at, bytes);
		pl_lock(&context->object.lock);
		formats->next = context->formats;
		context->formats = formats;
		pl_unlock(&context->object.lock);
	}
	free(heap);
	*formats_out = formats;
	return formats ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

cl_int pl_cl_stub_clGetSupportedImageFormats(cl_context handle, cl_mem_flags flags, cl_mem_object_type image_type,
					     cl_uint num_entries, cl_image_format *image_formats,
					     cl_uint *num_image_formats)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_formats *formats;
	cl_uint count;
	cl_int code;

	if (!context)
		return CL_INVALID_CONTEXT;
	if (image_formats && !num_entries)
		return CL_INVALID_VALUE;
	formats = formats_find(context, flags, image_type);
	if (!formats) {
		code = formats_ask(context, flags, image_type, &formats);
		if (code)
			return code;
	}
	count = (cl_uint)(formats->bytes / sizeof(*formats->list));
	if (num_image_formats)
		*num_image_formats = count;
	if (image_formats)
		memcpy(image_formats, formats->list,
		       (count < num_entries ? count : num_entries) * sizeof(*formats->list));
	return CL_SUCCESS;
}
