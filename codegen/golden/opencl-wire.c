/* Made by codegen/plgen.py from small.api; do not edit. */
#include "opencl-wire.h"

static const struct {
	const char *name, *call_class, *replays;
	int records;
	uint8_t stream, per_thread;
} ops[PL_CL_OP_COUNT] = {
	[1] = { "clGetPlatformIDs", "ask", "none", 0, 0, 0 },
	[2] = { "clGetCommandQueueInfo", "info", "none", 0, 0, 0 },
	[3] = { "clRetainMemObject", "local", "none", 0, 0, 0 },
	[4] = { "clReleaseMemObject", "local", "none", 0, 0, 0 },
	[5] = { "clCreateBuffer", "mint", "none", 0, 0, 0 },
	[6] = { "clEnqueueReadBuffer", "ask", "none", 0, 0, 0 },
	[7] = { "clEnqueueFillBuffer", "post", "none", 0, 0, 0 },
	[8] = { "clEnqueueWaitForEvents", "post", "none", 0, 0, 0 },
	[9] = { "clCreateImage2D", "mint", "none", 0, 0, 0 },
	[10] = { "clCreateFromGLBuffer", "absent", "none", 0, 0, 0 },
	[11] = { "clSetDefaultDeviceCommandQueue", "ask", "record", 2, 0, 0 },
	[12] = { "clGetExtensionFunctionAddress", "local", "none", 0, 0, 0 },
	[13] = { "clEnqueueFillImage", "ask", "none", 0, 0, 0 },
	[20] = { "clCreateCommandQueueWithPropertiesKHR", "local", "none", 0, 0, 0 },
	[30] = { "plRelease", "post", "record", 2, 0, 0 },
	[31] = { "plInfo", "ask", "none", 0, 0, 0 },
	[40] = { "plNotify", "reverse", "none", 0, 0, 0 },
};

const char *pl_cl_op_name(uint16_t op)
{
	return op < PL_CL_OP_COUNT && ops[op].name ? ops[op].name : "?";
}

const char *pl_cl_op_class(uint16_t op)
{
	return op < PL_CL_OP_COUNT && ops[op].name ? ops[op].call_class : "?";
}

const char *pl_cl_op_replays(uint16_t op)
{
	return op < PL_CL_OP_COUNT && ops[op].name ? ops[op].replays : "?";
}

int pl_cl_op_records(uint16_t op)
{
	return op < PL_CL_OP_COUNT ? ops[op].records : 0;
}

uint32_t pl_cl_op_stream(uint16_t op, uint32_t *per_thread_out)
{
	*per_thread_out = op < PL_CL_OP_COUNT ? ops[op].per_thread : 0;
	return op < PL_CL_OP_COUNT ? ops[op].stream : 0;
}

uint16_t pl_cl_op_find(const char *name)
{
	for (uint16_t op = 0; op < PL_CL_OP_COUNT; op++)
		if (ops[op].name && !strcmp(ops[op].name, name))
			return op;
	return 0;
}

static const struct pl_function functions[] = {
	{ "clCreateBuffer", 0x3b9e994c3b9b2115u, 5, false },
	{ "clCreateImage2D", 0x3b9e994c3b9b2115u, 9, false },
	{ "clEnqueueFillBuffer", 0x93f13cca85bca08fu, 7, false },
	{ "clEnqueueFillImage", 0x2fead2aacf226fcdu, 13, false },
	{ "clEnqueueReadBuffer", 0x94e7950d90577abeu, 6, false },
	{ "clEnqueueWaitForEvents", 0x530c8541ea5eb3feu, 8, false },
	{ "clGetCommandQueueInfo", 0xaf63a04c86018698u, 2, false },
	{ "clGetPlatformIDs", 0x1bfaaf098063f246u, 1, false },
	{ "clSetDefaultDeviceCommandQueue", 0x9a1ff15a628cccc5u, 11, false },
	{ "plInfo", 0x66b45813abd1923eu, 31, false },
	{ "plNotify", 0x77caabedf7972edcu, 40, true },
	{ "plRelease", 0x386429a71050ef64u, 30, false },
};

const struct pl_functions pl_cl_functions = {
	.version = 1,
	.count = 12,
	.hash = PL_CL_API_HASH,
	.at = functions,
};

void pl_cl_clGetPlatformIDs_get(struct pl_dec *dec, struct pl_cl_clGetPlatformIDs_args *to)
{
	(void)dec;
	to->nothing = 0;
}

void pl_cl_clGetPlatformIDs_reply_get(struct pl_dec *dec, struct pl_cl_clGetPlatformIDs_reply *to)
{
	to->platforms = pl_dec_u64s(dec, PL_CL_LIMIT_DEVICES_MAX);
}

void pl_cl_clCreateBuffer_get(struct pl_dec *dec, struct pl_cl_clCreateBuffer_args *to)
{
	to->queue = pl_dec_u64(dec);
	to->properties = pl_dec_u64s(dec, PL_CL_LIMIT_PROPERTIES_MAX);
	to->flags = pl_dec_u64(dec);
	to->size = pl_dec_u64(dec);
	to->data = pl_dec_bulk(dec, PL_CL_LIMIT_TRANSFER_MAX);
	to->mem = pl_dec_u64(dec);
}

void pl_cl_clEnqueueReadBuffer_get(struct pl_dec *dec, struct pl_cl_clEnqueueReadBuffer_args *to)
{
	to->queue = pl_dec_u64(dec);
	to->mem = pl_dec_u64(dec);
	to->blocking = pl_dec_u32(dec);
	to->size = pl_dec_u64(dec);
	to->level = pl_dec_i32(dec);
	for (int i = 0; i < 3; i++)
		to->origin[i] = pl_dec_u64(dec);
}

void pl_cl_clEnqueueReadBuffer_reply_get(struct pl_dec *dec,
					 struct pl_cl_clEnqueueReadBuffer_reply *to)
{
	to->data = pl_dec_bulk(dec, PL_CL_LIMIT_TRANSFER_MAX);
}

void pl_cl_clEnqueueFillBuffer_get(struct pl_dec *dec, struct pl_cl_clEnqueueFillBuffer_args *to)
{
	to->queue = pl_dec_u64(dec);
	to->buffer = pl_dec_u64(dec);
	to->pattern = pl_dec_bytes(dec, PL_CL_LIMIT_PATTERN_MAX);
	to->pattern_size = pl_dec_u64(dec);
	to->offset = pl_dec_u64(dec);
	to->size = pl_dec_u64(dec);
	to->num_waits = pl_dec_u32(dec);
	to->waits = pl_dec_u64s(dec, PL_CL_LIMIT_WAITS_MAX);
	to->event = pl_dec_u64(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cl_clEnqueueFillImage_get(struct pl_dec *dec, struct pl_cl_clEnqueueFillImage_args *to)
{
	to->queue = pl_dec_u64(dec);
	to->image = pl_dec_u64(dec);
	to->fill_color = pl_dec_bytes(dec, PL_CL_LIMIT_PATTERN_MAX);
	for (int i = 0; i < 3; i++)
		to->origin[i] = pl_dec_u64(dec);
	for (int i = 0; i < 3; i++)
		to->region[i] = pl_dec_u64(dec);
	to->num_waits = pl_dec_u32(dec);
	to->waits = pl_dec_u64s(dec, PL_CL_LIMIT_WAITS_MAX);
	to->event = pl_dec_u64(dec);
	to->given = pl_dec_u32(dec);
}

void pl_cl_clEnqueueWaitForEvents_get(struct pl_dec *dec,
				      struct pl_cl_clEnqueueWaitForEvents_args *to)
{
	to->queue = pl_dec_u64(dec);
	to->num_events = pl_dec_u32(dec);
	to->events = pl_dec_u64s(dec, PL_CL_LIMIT_WAITS_MAX);
	to->given = pl_dec_u32(dec);
}

void pl_cl_clSetDefaultDeviceCommandQueue_get(struct pl_dec *dec,
					      struct pl_cl_clSetDefaultDeviceCommandQueue_args *to)
{
	to->context = pl_dec_u64(dec);
	to->device = pl_dec_u64(dec);
	to->queue = pl_dec_u64(dec);
}

void pl_cl_plRelease_get(struct pl_dec *dec, struct pl_cl_plRelease_args *to)
{
	to->kind = pl_dec_u32(dec);
	to->id = pl_dec_u64(dec);
}

void pl_cl_plInfo_get(struct pl_dec *dec, struct pl_cl_plInfo_args *to)
{
	to->function = pl_dec_u32(dec);
	to->input = pl_dec_bytes(dec, PL_CL_LIMIT_PATTERN_MAX);
}

void pl_cl_plInfo_reply_get(struct pl_dec *dec, struct pl_cl_plInfo_reply *to)
{
	to->size = pl_dec_u64(dec);
	to->value = pl_dec_u64s(dec, 8);
}

void pl_cl_plNotify_get(struct pl_dec *dec, struct pl_cl_plNotify_args *to)
{
	to->token = pl_dec_u64(dec);
	to->marks = pl_dec_u32s(dec, 4);
	to->text = pl_dec_string(dec, 100);
}
