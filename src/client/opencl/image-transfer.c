/* Reads and writes of images. */
#include "client/opencl/call.h"
#include "client/opencl/move.h"

#include <string.h>

/* What of the application's memory a region of the image takes. */
static struct pl_cl_box image_box(const struct pl_cl_mem *mem, const size_t *region, size_t row_pitch,
				  size_t slice_pitch)
{
	struct pl_cl_box box = {.row_bytes = region[0] * mem->pixel_bytes, .rows = region[1], .slices = region[2]};

	box.row_pitch = row_pitch ? row_pitch : box.row_bytes;
	box.slice_pitch = slice_pitch ? slice_pitch : box.row_pitch * box.rows;
	if (mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY) /* its second dimension counts images */
		box.row_pitch = slice_pitch ? slice_pitch : box.row_pitch;
	return box;
}

static bool is_image(const struct pl_cl_mem *mem)
{
	return mem->type != CL_MEM_OBJECT_BUFFER && mem->type != CL_MEM_OBJECT_PIPE && mem->pixel_bytes;
}

/* Extent in each dimension; dimensions that the image does not have are 1. */
static void extents(const struct pl_cl_mem *mem, size_t *size)
{
	size[0] = mem->desc.image_width;
	size[1] = size[2] = 1;
	switch (mem->type) {
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		size[1] = mem->desc.image_array_size;
		break;
	case CL_MEM_OBJECT_IMAGE2D:
		size[1] = mem->desc.image_height;
		break;
	case CL_MEM_OBJECT_IMAGE3D:
		size[1] = mem->desc.image_height;
		size[2] = mem->desc.image_depth;
		break;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		size[1] = mem->desc.image_height;
		size[2] = mem->desc.image_array_size;
		break;
	default:
		break;
	}
}

bool pl_cl_image_region_plain(const struct pl_cl_mem *mem, const size_t *origin, const size_t *region)
{
	size_t size[3];

	if (!is_image(mem) || mem->desc.num_mip_levels > 1 || mem->desc.num_samples > 1)
		return false;
	extents(mem, size);
	for (int i = 0; i < 3; i++)
		if (!region[i] || origin[i] > size[i] || region[i] > size[i] - origin[i])
			return false;
	return true;
}

static bool image_plain(const struct pl_cl_command *command, struct pl_cl_mem *mem, const size_t *origin,
			const size_t *region, size_t row_pitch, size_t slice_pitch, const void *ptr,
			cl_mem_flags forbidden)
{
	const struct pl_cl_device_facts *facts = pl_cl_device_facts(command->queue->device);
	size_t row, limit = (size_t)1 << 40;
	bool flat;

	if (!ptr || !origin || !region || !pl_cl_command_plain(command, mem) || !facts || !facts->images ||
	    (mem->flags & forbidden) || !pl_cl_image_region_plain(mem, origin, region) || row_pitch > limit ||
	    slice_pitch > limit)
		return false;
	row = region[0] * mem->pixel_bytes;
	flat = mem->type == CL_MEM_OBJECT_IMAGE1D || mem->type == CL_MEM_OBJECT_IMAGE2D ||
	       mem->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
	if (row_pitch && row_pitch < row)
		return false;
	row = row_pitch ? row_pitch : row;
	if (slice_pitch && (flat || slice_pitch < row * (mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? 1 : region[1])))
		return false;
	return true;
}

/* Not plain, and so large that memory of the caller's would be touched that can not be meant. */
static bool box_sane(const struct pl_cl_mem *mem, const size_t *origin, const size_t *region)
{
	return mem && origin && region && is_image(mem) && pl_cl_image_region_plain(mem, origin, region);
}

cl_int pl_cl_stub_clEnqueueReadImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_read,
				     const size_t *origin, const size_t *region, size_t row_pitch, size_t slice_pitch,
				     void *ptr, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
				     cl_event *event)
{
	struct pl_cl_mem *mem = pl_cl_get(image, PL_CL_KIND_mem);
	struct pl_cl_landing landing = {.to = NULL};
	struct pl_cl_clEnqueueReadImage_args args = {
		.has_ptr = ptr != NULL, .row_pitch = row_pitch, .slice_pitch = slice_pitch};
	struct pl_cl_clEnqueueReadImage_reply got;
	struct pl_cl_command command;
	struct pl_reply reply;
	bool plain;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueReadImage, command_queue, blocking_read,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (code)
		return code;
	plain = image_plain(&command, mem, origin, region, row_pitch, slice_pitch, ptr,
			    CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS);
	if (box_sane(mem, origin, region) && ptr) {
		landing.box = image_box(mem, region, row_pitch, slice_pitch);
		landing.to = ptr;
	}
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	if (!pl_cl_landing_start(&landing, command.server, blocking_read, plain))
		return pl_cl_command_end(&command, CL_OUT_OF_HOST_MEMORY);
	args.queue = command.queue->object.id;
	args.mem = pl_cl_id_at(command.session, mem, PL_CL_KIND_mem);
	args.blocking = blocking_read;
	if (origin && region) {
		args.has_box = 1;
		memcpy(args.origin, origin, sizeof(args.origin));
		memcpy(args.region, region, sizeof(args.region));
	}
	args.size = landing.bytes;
	args.stage = landing.stage;
	args.token = landing.token;
	args.waits = command.ids.list;
	args.event = command.event_id;
	if (plain && !blocking_read) {
		r = PL_CL_POST(command.session, clEnqueueReadImage, &args);
		code = r ? pl_cl_fault(r) : CL_SUCCESS;
	} else {
		r = PL_CL_ASK(command.session, clEnqueueReadImage, &args, &reply);
		code = r ? pl_cl_fault(r) : pl_cl_queue_reply(command.queue, &reply);
		if (!code) {
			pl_cl_clEnqueueReadImage_reply_get(&reply.dec, &got);
			r = pl_cl_landing_reply(&landing, command.server, &reply, &got.data);
			code = r ? pl_cl_fault(r) : CL_SUCCESS;
		}
	}
	if (code)
		pl_cl_landing_cancel(&landing, command.server);
	return pl_cl_command_end(&command, code);
}

cl_int pl_cl_stub_clEnqueueWriteImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_write,
				      const size_t *origin, const size_t *region, size_t input_row_pitch,
				      size_t input_slice_pitch, const void *ptr, cl_uint num_events_in_wait_list,
				      const cl_event *event_wait_list, cl_event *event)
{
	struct pl_cl_mem *mem = pl_cl_get(image, PL_CL_KIND_mem);
	struct pl_cl_clEnqueueWriteImage_args args = {
		.has_ptr = ptr != NULL, .row_pitch = input_row_pitch, .slice_pitch = input_slice_pitch};
	struct pl_cl_box box = {0};
	struct pl_cl_command command;
	struct pl_cl_load load;
	struct pl_reply reply;
	bool plain, asked, readable;
	cl_int code = pl_cl_command_init(&command, PL_CL_OP_clEnqueueWriteImage, command_queue, blocking_write,
					 num_events_in_wait_list, event_wait_list, event);
	int r;

	if (code)
		return code;
	plain = image_plain(&command, mem, origin, region, input_row_pitch, input_slice_pitch, ptr,
			    CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS);
	readable = ptr && box_sane(mem, origin, region);
	if (readable)
		box = image_box(mem, region, input_row_pitch, input_slice_pitch);
	asked = !plain || blocking_write;
	code = pl_cl_command_start(&command);
	if (code)
		return code;
	r = pl_cl_load_start(&load, command.session, readable ? ptr : NULL, &box,
			     asked ? PL_CL_LOAD_ASKED : PL_CL_LOAD_POSTED);
	if (!r) {
		args.queue = command.queue->object.id;
		args.mem = pl_cl_id_at(command.session, mem, PL_CL_KIND_mem);
		args.blocking = blocking_write;
		if (origin && region) {
			args.has_box = 1;
			memcpy(args.origin, origin, sizeof(args.origin));
			memcpy(args.region, region, sizeof(args.region));
		}
		args.data = load.bulk;
		args.waits = command.ids.list;
		args.event = command.event_id;
		r = asked ? PL_CL_ASK_LOAD(command.session, clEnqueueWriteImage, &args, &load, &reply)
			  : PL_CL_POST(command.session, clEnqueueWriteImage, &args);
	}
	code = r ? pl_cl_fault(r) : asked ? pl_cl_queue_reply(command.queue, &reply) : CL_SUCCESS;
	code = pl_cl_command_end(&command, code);
	pl_cl_load_end(&load, command.session);
	return code;
}
