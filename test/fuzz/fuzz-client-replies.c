/*
 * The OpenCL client against a server that answers anything: info replies, the description of a program's kernels, data,
 * records of the reverse lane.  The session below the client is this file's own: it takes each reply from the input.
 *
 * Input: one chunk an ask: u8 bits (1: a record of the reverse lane comes first, as a chunk of its own; 2: fails;
 * 4: refused; 8: the server is gone), u8 operation for that record, u16 bytes of the body, u16 bytes of payload, the
 * body. When the input is over everything fails.
 */
#include <errno.h>
#include <stdio.h>

#include "client/opencl/types.h"
#include "client/session.h"
#include "fuzz.h"
#include "opencl-client.h"

#define PLATFORM  (1ull << 62)
#define DEVICE    ((1ull << 62) | (1ull << 32))
#define VALUE_MAX 256

static struct pl_fuzz input;
static bool canned = true; /* the list of platforms and devices is asked for once, and is good */
static struct pl_session session = { .epoch = 1, .arena.fd = -1 };
static _Alignas(8) uint8_t record[PL_WIRE_RECORD_MAX];
static uint8_t *body;         /* of the last reply; exactly as long as it is */
static uint64_t reverse_bulk; /* of the record at hand, not taken yet */

static struct pl_dec chunk_dec(size_t bytes, uint64_t after_bytes)
{
	free(body);
	body = malloc(bytes ? bytes : 1);
	pl_fuzz_check(body != NULL);
	pl_fuzz_fill(&input, body, bytes);
	return (struct pl_dec){ .at = body, .end = body + bytes, .after_bytes = after_bytes };
}

static void reverse_record(uint8_t op)
{
	_Alignas(8) static uint8_t whole[sizeof(struct pl_wire_head) + 65536];
	struct pl_wire_head *head = (struct pl_wire_head *)(void *)whole;
	size_t bytes = pl_fuzz_number(&input, 2) & ~7u;
	struct pl_dec dec;

	reverse_bulk = pl_fuzz_number(&input, 2);
	*head = (struct pl_wire_head){ .len_bytes = (uint32_t)(sizeof(*head) + bytes),
				       .op = (uint16_t)(PL_CL_OP_plEventStatus + op % 8),
				       .bulk_bytes = reverse_bulk };
	pl_fuzz_fill(&input, head + 1, bytes);
	dec = (struct pl_dec){ .at = whole + sizeof(*head),
			       .end = whole + head->len_bytes,
			       .after_bytes = reverse_bulk };
	pl_cl_reverse(&session, head, &dec);
}

static void reply_canned(struct pl_reply *reply, uint16_t op)
{
	static const uint64_t platforms[] = { 1, PLATFORM }, devices[] = { 1, DEVICE };
	const uint64_t *words = op == PL_CL_OP_clGetPlatformIDs ? platforms : devices;

	reply->dec = (struct pl_dec){ .at = (const uint8_t *)words, .end = (const uint8_t *)(words + 2) };
}

/* ---- the session that the client sees ---- */

int pl_session_open(const char *address, enum pl_api api, const struct pl_functions *functions,
		    pl_reverse_fn reverse_fn,
		    struct pl_session **session_out)
{
	(void)address;
	(void)api;
	(void)functions;
	(void)reverse_fn;
	*session_out = &session;
	return 0;
}

void pl_session_totals_get(struct pl_session_totals *totals_out)
{
	*totals_out = (struct pl_session_totals){ 0 };
}

uint64_t pl_session_id_mint(struct pl_session *of)
{
	return atomic_fetch_add(&of->ids_last, 1) + 1;
}

void pl_session_pump(struct pl_session *of)
{
	(void)of;
}

int pl_session_reverse_bulk(struct pl_session *of, void *data, uint64_t bytes)
{
	(void)of;
	if (bytes > reverse_bulk)
		return -EINVAL;
	reverse_bulk -= bytes;
	memset(data, 0x77, bytes);
	return 0;
}

int pl_call_begin(struct pl_call *call, struct pl_session *of, uint16_t op, uint64_t body_bytes)
{
	struct pl_wire_head head = { .op = op };

	if (body_bytes > PL_WIRE_RECORD_MAX - sizeof(head))
		return -EMSGSIZE;
	memcpy(record, &head, sizeof(head));
	*call = (struct pl_call){ .session = of,
				  .room = record,
				  .len_bytes = (uint32_t)(sizeof(head) + body_bytes),
				  .enc = { record + sizeof(head) } };
	return 0;
}

int pl_call_post(struct pl_call *call)
{
	pl_fuzz_check(call->enc.at == call->room + call->len_bytes); /* measured as it was written */
	atomic_fetch_add(&call->session->ticket, 1);
	return 0;
}

int pl_call_post_after(struct pl_call *call, const void *data, uint64_t bytes)
{
	(void)data;
	(void)bytes;
	return pl_call_post(call);
}

int pl_call_ask_after(struct pl_call *call, const void *data, uint64_t bytes, struct pl_reply *reply)
{
	struct pl_wire_head head;
	size_t body_bytes;
	uint8_t bits, op;

	pl_call_post(call);
	pl_fuzz_touch(data, bytes);
	memcpy(&head, record, sizeof(head));
	*reply = (struct pl_reply){ .status = CL_SUCCESS };
	if (canned) {
		reply_canned(reply, head.op);
		return 0;
	}
	if (!pl_fuzz_left(&input)) {
		reply->status = CL_OUT_OF_RESOURCES;
		reply->dec = chunk_dec(0, 0);
		return 0;
	}
	bits = (uint8_t)pl_fuzz_number(&input, 1);
	op = (uint8_t)pl_fuzz_number(&input, 1);
	if ((bits & 9) == 9)
		return -EPIPE;
	if (bits & 1)
		reverse_record(op);
	body_bytes = pl_fuzz_number(&input, 2) & ~7u;
	reply->bulk_bytes = pl_fuzz_number(&input, 2);
	reply->dec = chunk_dec(body_bytes, reply->bulk_bytes);
	if (bits & 2)
		reply->status = -(int32_t)(op % 72);
	if (bits & 4)
		reply->flags = PL_WIRE_REPLY_REFUSED;
	return 0;
}

int pl_call_ask(struct pl_call *call, struct pl_reply *reply)
{
	return pl_call_ask_after(call, "", 0, reply);
}

int pl_call_bulk(struct pl_reply *reply, void *data, uint64_t bytes)
{
	if (bytes > reply->bulk_bytes)
		return -EPROTO;
	reply->bulk_bytes -= bytes;
	memset(data, 0x66, bytes);
	return 0;
}

int pl_bulk_prepare(struct pl_session *of, struct pl_bulk *bulk, const void *data, uint64_t bytes)
{
	(void)of;
	*bulk = (struct pl_bulk){ .kind = bytes <= PL_WIRE_INLINE_MAX ? PL_BULK_INLINE : PL_BULK_STREAM,
				  .data = data,
				  .bytes = bytes };
	return 0;
}

void pl_bulk_done(struct pl_session *of, struct pl_bulk *bulk)
{
	(void)of;
	bulk->bytes = 0;
}

void pl_bulk_taken(struct pl_session *of, struct pl_bulk *bulk)
{
	pl_bulk_done(of, bulk);
}

uint64_t pl_session_answered(const struct pl_session *of)
{
	return atomic_load(&of->ticket);
}

/* ---- a program that asks for everything ---- */

struct things {
	cl_device_id root, device;
	cl_context context;
	cl_command_queue queue;
	cl_mem buffer, image;
	cl_program program;
	cl_kernel kernel;
	cl_event event;
};

static uint64_t value[VALUE_MAX / 8];

/* Every value of a query: its size, too little room, all of it. */
#define QUERY(call, param, ...)                                                                                        \
	do {                                                                                                           \
		size_t size_ = 0;                                                                                      \
		uint8_t *room_;                                                                                        \
		if (!call(__VA_ARGS__, param, 0, NULL, &size_) && size_ < (1u << 24)) {                                \
			room_ = malloc(size_ ? size_ : 1);                                                             \
			pl_fuzz_check(room_ != NULL);                                                                  \
			(void)call(__VA_ARGS__, param, size_, room_, NULL);                                            \
			free(room_);                                                                                   \
		}                                                                                                      \
		(void)call(__VA_ARGS__, param, 3, value, NULL);                                                        \
	} while (0)

static void ask_devices(struct things *things)
{
	static const cl_device_partition_property parts[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	static const cl_uint params[] = { CL_DEVICE_NAME,
					  CL_DEVICE_EXTENSIONS,
					  CL_DEVICE_MAX_WORK_ITEM_SIZES,
					  CL_DEVICE_PARENT_DEVICE,
					  CL_DEVICE_PLATFORM,
					  CL_DEVICE_EXTENSIONS_WITH_VERSION,
					  CL_DEVICE_SVM_CAPABILITIES,
					  CL_DEVICE_PARTITION_TYPE,
					  CL_DEVICE_VERSION,
					  CL_DEVICE_REFERENCE_COUNT,
					  0x9999 };
	cl_device_id made[2] = { 0 };
	cl_uint count = 0;

	if (!pl_cl_stub_clCreateSubDevices(things->root, parts, 2, made, &count) && made[0])
		things->device = made[0];
	if (made[1])
		pl_cl_stub_clReleaseDevice(made[1]);
	for (size_t i = 0; things->device && i < sizeof(params) / sizeof(params[0]); i++)
		QUERY(pl_cl_stub_clGetDeviceInfo, params[i], things->device);
}

static void ask_context(struct things *things)
{
	cl_device_id device = things->device ? things->device : things->root;
	cl_image_format formats[4];
	cl_uint count;
	cl_int code;

	things->context = pl_cl_stub_clCreateContext(NULL, 1, &device, NULL, NULL, &code);
	if (!things->context)
		return;
	QUERY(pl_cl_stub_clGetContextInfo, CL_CONTEXT_DEVICES, things->context);
	QUERY(pl_cl_stub_clGetContextInfo, 0x7777, things->context);
	(void)pl_cl_stub_clGetSupportedImageFormats(things->context, CL_MEM_READ_ONLY, CL_MEM_OBJECT_IMAGE2D, 4,
						    formats, &count);
	things->queue = pl_cl_stub_clCreateCommandQueue(things->context, device, CL_QUEUE_PROFILING_ENABLE, &code);
	things->buffer = pl_cl_stub_clCreateBuffer(things->context, CL_MEM_READ_WRITE, 100000, NULL, &code);
	things->image = pl_cl_stub_clCreateImage(
		things->context, CL_MEM_READ_WRITE, &(cl_image_format){ CL_RGBA, CL_FLOAT },
		&(cl_image_desc){ .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 16, .image_height = 16 }, NULL,
		&code);
}

static void ask_data(struct things *things)
{
	static uint8_t data[100000];
	size_t origin[3] = { 0 }, region[3] = { 16, 16, 1 };
	cl_int code;
	void *at;

	if (!things->queue || !things->buffer)
		return;
	(void)pl_cl_stub_clEnqueueReadBuffer(things->queue, things->buffer, CL_TRUE, 0, 1000, data, 0, NULL,
					     &things->event);
	(void)pl_cl_stub_clEnqueueReadBuffer(things->queue, things->buffer, CL_TRUE, 0, sizeof(data), data, 0, NULL,
					     NULL);
	(void)pl_cl_stub_clEnqueueWriteBuffer(things->queue, things->buffer, CL_TRUE, 0, sizeof(data), data, 0, NULL,
					      NULL);
	at = pl_cl_stub_clEnqueueMapBuffer(things->queue, things->buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 8, 5000,
					   0, NULL, NULL, &code);
	if (at)
		(void)pl_cl_stub_clEnqueueUnmapMemObject(things->queue, things->buffer, at, 0, NULL, NULL);
	if (things->image)
		(void)pl_cl_stub_clEnqueueReadImage(things->queue, things->image, CL_TRUE, origin, region, 300, 0, data,
						    0, NULL, NULL);
	QUERY(pl_cl_stub_clGetMemObjectInfo, CL_MEM_SIZE, things->buffer);
	QUERY(pl_cl_stub_clGetCommandQueueInfo, CL_QUEUE_PROPERTIES, things->queue);
	if (things->event) {
		QUERY(pl_cl_stub_clGetEventInfo, CL_EVENT_COMMAND_EXECUTION_STATUS, things->event);
		QUERY(pl_cl_stub_clGetEventProfilingInfo, CL_PROFILING_COMMAND_END, things->event);
	}
}

static void ask_program(struct things *things)
{
	static const cl_uint params[] = { CL_PROGRAM_NUM_KERNELS, CL_PROGRAM_KERNEL_NAMES, CL_PROGRAM_BINARY_SIZES,
					  CL_PROGRAM_SOURCE,      CL_PROGRAM_DEVICES,      0x7777 };
	const char *text = "kernel void k() {}";
	unsigned char *binary[1] = { NULL };
	size_t sizes[1] = { 0 }, global = 16;
	cl_kernel kernels[2] = { 0 };
	cl_uint count = 0;
	cl_int code;

	if (!things->queue)
		return;
	things->program = pl_cl_stub_clCreateProgramWithSource(things->context, 1, &text, NULL, &code);
	if (!things->program)
		return;
	(void)pl_cl_stub_clBuildProgram(things->program, 0, NULL, "", NULL, NULL);
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		QUERY(pl_cl_stub_clGetProgramInfo, params[i], things->program);
	QUERY(pl_cl_stub_clGetProgramBuildInfo, CL_PROGRAM_BUILD_LOG, things->program,
	      things->device ? things->device : things->root);
	if (!pl_cl_stub_clGetProgramInfo(things->program, CL_PROGRAM_BINARY_SIZES, sizeof(sizes), sizes, NULL) &&
	    sizes[0] < 1 << 20) {
		binary[0] = malloc(sizes[0] + 1);
		(void)pl_cl_stub_clGetProgramInfo(things->program, CL_PROGRAM_BINARIES, sizeof(binary), binary, NULL);
		free(binary[0]);
	}
	if (!pl_cl_stub_clCreateKernelsInProgram(things->program, 2, kernels, &count))
		for (int i = 0; i < 2; i++)
			if (kernels[i])
				pl_cl_stub_clReleaseKernel(kernels[i]);
	things->kernel = pl_cl_stub_clCreateKernel(things->program, "k", &code);
	if (!things->kernel)
		return;
	(void)pl_cl_stub_clSetKernelArg(things->kernel, 0, sizeof(cl_mem), &things->buffer);
	(void)pl_cl_stub_clSetKernelArg(things->kernel, 1, 4, &count);
	(void)pl_cl_stub_clEnqueueNDRangeKernel(things->queue, things->kernel, 1, NULL, &global, NULL, 0, NULL, NULL);
	QUERY(pl_cl_stub_clGetKernelInfo, CL_KERNEL_FUNCTION_NAME, things->kernel);
	QUERY(pl_cl_stub_clGetKernelArgInfo, CL_KERNEL_ARG_NAME, things->kernel, 0);
	QUERY(pl_cl_stub_clGetKernelWorkGroupInfo, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, things->kernel, NULL);
	(void)pl_cl_stub_clFinish(things->queue);
}

static void give_back(struct things *things)
{
	if (things->event)
		pl_cl_stub_clReleaseEvent(things->event);
	if (things->kernel)
		pl_cl_stub_clReleaseKernel(things->kernel);
	if (things->program)
		pl_cl_stub_clReleaseProgram(things->program);
	if (things->image)
		pl_cl_stub_clReleaseMemObject(things->image);
	if (things->buffer)
		pl_cl_stub_clReleaseMemObject(things->buffer);
	if (things->queue)
		pl_cl_stub_clReleaseCommandQueue(things->queue);
	if (things->context)
		pl_cl_stub_clReleaseContext(things->context);
	if (things->device)
		pl_cl_stub_clReleaseDevice(things->device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static cl_platform_id platform;
	struct things things = { 0 };

	if (!platform) {
		setenv("PLENUM", "unix:/fuzz", 1);
		pthread_mutex_init(&session.lock, NULL);
		pthread_mutex_init(&session.pump_lock, NULL);
		pl_fuzz_check(!pl_cl_stub_clGetPlatformIDs(1, &platform, NULL));
	}
	canned = true;
	pl_fuzz_check(!pl_cl_stub_clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &things.root, NULL));
	canned = false;
	input = (struct pl_fuzz){ data, data + size };
	ask_devices(&things);
	ask_context(&things);
	ask_data(&things);
	ask_program(&things);
	input = (struct pl_fuzz){ 0 };
	give_back(&things);
	return 0;
}
