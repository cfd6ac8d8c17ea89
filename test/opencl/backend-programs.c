/* Programs, kernels, what they print, the files that they include, shared virtual memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-cases.h"
#include "backend/opencl/files.h"
#include "wire/opencl.h"

static const char source[] = "#pragma OPENCL EXTENSION cl_khr_byte_addressable_store : enable\n"
			     "__kernel void add(__global int *a, int b, __local int *c, float4 d) {\n"
			     "  int i = get_global_id(0); a[i] += b; }\n"
			     "__kernel void say(int n) { if (get_global_id(0) == 0) printf(\"said %d\\n\", n); }\n";

static uint8_t *arg_put(uint8_t *at, uint32_t index, uint32_t kind, uint64_t size, uint64_t id, const void *value)
{
	uint64_t words[] = { index | (uint64_t)kind << 32, size, id };

	memcpy(at, words, sizeof(words));
	at += sizeof(words);
	if (kind != PL_CL_ARG_BYTES || !value)
		return at;
	memset(at, 0, PL_WIRE_PAD(size));
	memcpy(at, value, size);
	return at + PL_WIRE_PAD(size);
}

void program_build(void)
{
	struct peer_answer answer;

	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = source, .bytes = sizeof(source) - 1 },
		  .program = PROGRAM);
	answer =
		PEER_ASK(&lane, clBuildProgram, .program = PROGRAM, .has_options = 1, .options = "-cl-kernel-arg-info");
	if (answer.status) {
		char log[16384] = "";
		answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetProgramBuildInfo,
				  .param = CL_PROGRAM_BUILD_LOG, .object = PROGRAM, .second = device, .has_value = 1,
				  .size = sizeof(log));
		struct pl_cl_plInfo_reply reply;
		pl_cl_plInfo_reply_get(&answer.dec, &reply);
		fprintf(stderr, "%.*s\n", (int)reply.value.bytes, (const char *)reply.value.at);
		abort();
	}
}

void test_kernels_are_described(void)
{
	struct peer_answer answer = PEER_ASK(&lane, plProgramKernels, PROGRAM);
	struct pl_cl_plProgramKernels_reply reply;
	struct pl_dec dec;
	uint64_t count;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plProgramKernels_reply_get(&answer.dec, &reply);
	dec = (struct pl_dec){ .at = reply.kernels.at, .end = (const uint8_t *)reply.kernels.at + reply.kernels.bytes };
	count = pl_dec_u64(&dec);
	CHECK(count == 2);
	for (uint64_t i = 0; i < count; i++) {
		const char *name = pl_dec_string(&dec, 1000);
		uint64_t args = pl_dec_u64(&dec), known = pl_dec_u64(&dec), devices;
		bool add = !strcmp(name, "add");
		uint64_t kinds[4] = { 0 }, sizes[4] = { 0 };

		CHECK(args == (add ? 4 : 1));
		for (uint64_t j = 0; j < args; j++) {
			pl_dec_u64(&dec);
			pl_dec_u64(&dec);
			kinds[j] = pl_dec_u64(&dec);
			sizes[j] = pl_dec_u64(&dec);
		}
		if (add && known)
			CHECK(kinds[0] == PL_CL_PARAM_MEM && kinds[1] == PL_CL_PARAM_VALUE && sizes[1] == 4 &&
			      kinds[2] == PL_CL_PARAM_LOCAL && kinds[3] == PL_CL_PARAM_VALUE && sizes[3] == 16);
		devices = pl_dec_u64(&dec);
		CHECK(devices == 1 && pl_dec_u64(&dec) == device && pl_dec_u64(&dec) >= 1);
		for (int j = 0; j < 5; j++)
			pl_dec_u64(&dec);
	}
	CHECK(pl_dec_whole(&dec));
}

void test_launch(void)
{
	uint64_t args[64], global[] = { 256 }, event = next_event++;
	uint8_t *at = (uint8_t *)args;
	int32_t add = 7, numbers[256], before[256];
	float four[4] = { 0 };
	struct peer_answer answer;

	for (int i = 0; i < 256; i++)
		before[i] = i * 3;
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = DIRECT, .has_ptr = 1, .size = sizeof(before),
		  .data = { .kind = PL_BULK_INLINE, .data = before, .bytes = sizeof(before) });
	PEER_POST(&lane, clCreateKernel, .program = PROGRAM, .has_name = 1, .kernel_name = "add", .kernel = KERNEL);
	at = arg_put(at, 0, PL_CL_ARG_MEM, 8, DIRECT, NULL);
	at = arg_put(at, 1, PL_CL_ARG_BYTES, 4, 0, &add);
	at = arg_put(at, 2, PL_CL_ARG_NULL, 256, 0, NULL);
	at = arg_put(at, 3, PL_CL_ARG_BYTES, 16, 0, four);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 },
		  .args = { args, (uint64_t)(at - (uint8_t *)args) }, .event = event);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 }, .waits = IDS(event, NONE));
	answer = PEER_ASK(&lane, clWaitForEvents, { &event, 1 });
	CHECK_STATUS(answer, CL_SUCCESS);
	read_back(QUEUE, DIRECT, 0, numbers, sizeof(numbers));
	for (int i = 0; i < 256; i++)
		CHECK(numbers[i] == i * 3 + 14);
	answer = PEER_ASK(&lane, plEventTimes, event);
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	/* bytes where a handle belongs never reach the driver */
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 0, .kind = PL_CL_ARG_BYTES, .size = 8,
			  .value = { "\1\2\3\4\5\6\7\10", 8 });
	CHECK(answer.status == CL_INVALID_MEM_OBJECT);
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 99, .kind = PL_CL_ARG_BYTES, .size = 4,
			  .value = { "\1\2\3\4", 4 });
	CHECK_STATUS(answer, CL_INVALID_ARG_INDEX);
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 0, .kind = PL_CL_ARG_MEM, .size = 8,
			  .id = 0);
	CHECK_STATUS(answer, CL_INVALID_MEM_OBJECT);
}

void test_handles_of_the_wrong_kind_stay_out_of_the_driver(void)
{
	static const struct {
		uint32_t index, kind;
		uint64_t size, id;
		int32_t status;
	} cases[] = {
		{ 0, PL_CL_ARG_SAMPLER, 8, 901, CL_INVALID_MEM_OBJECT },
		{ 0, PL_CL_ARG_QUEUE, 8, QUEUE, CL_INVALID_MEM_OBJECT },
		{ 1, PL_CL_ARG_MEM, 8, DIRECT, CL_INVALID_SAMPLER },
		{ 1, PL_CL_ARG_SVM, 8, 0, CL_INVALID_SAMPLER },
		{ 2, PL_CL_ARG_MEM, 8, DIRECT, CL_INVALID_ARG_VALUE },
		{ 2, PL_CL_ARG_QUEUE, 8, QUEUE, CL_INVALID_ARG_VALUE },
		{ 1, PL_CL_ARG_SAMPLER, 8, 901, CL_SUCCESS },
	};
	static const char text[] = "__kernel void k(__global int *a, sampler_t s, ulong u) { a[0] = u; }\n";
	struct peer_answer answer;
	uint64_t args[8];

	answer = PEER_ASK(&lane, clCreateSampler, CTX, 0, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, 901);
	if (answer.status)
		return; /* no images */
	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = text, .bytes = sizeof(text) - 1 }, .program = 900);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 900, .has_options = 1, .options = "-cl-kernel-arg-info");
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clCreateKernel, .program = 900, .has_name = 1, .kernel_name = "k", .kernel = 902);
	CHECK_STATUS(answer, CL_SUCCESS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *at = arg_put((uint8_t *)args, cases[i].index, cases[i].kind, cases[i].size, cases[i].id, NULL);

		answer = PEER_ASK(&lane, clCloneKernel, 902, { args, (uint64_t)(at - (uint8_t *)args) }, 903 + i);
		CHECK_STATUS(answer, cases[i].status);
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 903 + sizeof(cases) / sizeof(cases[0]) - 1);
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 902);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 900);
	PEER_POST(&lane, plRelease, PL_CL_KIND_sampler, 901);
}

/* Of a program as the driver was told to build it, and as its own program told us to. */
static void secret_build(uint32_t has_options, const char *options, bool shown)
{
	static const char text[] = "__kernel void k(__global int *a, int b) { a[0] = b; }\n";
	struct pl_cl_plInfo_reply reply;
	struct peer_answer answer;
	char seen[256] = "";

	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = text, .bytes = sizeof(text) - 1 }, .program = 950);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 950, .has_options = has_options, .options = options);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetProgramBuildInfo, .param = CL_PROGRAM_BUILD_OPTIONS,
			  .object = 950, .second = device, .has_value = 1, .size = sizeof(seen));
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plInfo_reply_get(&answer.dec, &reply);
	CHECK(reply.value.bytes && reply.value.bytes <= sizeof(seen) && reply.value.bytes == reply.size_ret);
	memcpy(seen, reply.value.at, reply.value.bytes);
	CHECK(!seen[reply.value.bytes - 1] && !strncmp(seen, options, strlen(options)) &&
	      !strstr(seen + strlen(options), "info"));
	answer = PEER_ASK(&lane, clCreateKernel, .program = 950, .has_name = 1, .kernel_name = "k", .kernel = 951);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = 951, .index = 0, .kind = PL_CL_ARG_BYTES, .size = 8,
			  .value = { "\1\0\0\0\0\0\0", 8 });
	CHECK_STATUS(answer, CL_INVALID_MEM_OBJECT);
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetKernelArgInfo,
			  .param = CL_KERNEL_ARG_ADDRESS_QUALIFIER, .object = 951, .has_value = 1, .size = 4);
	CHECK(answer.status == CL_SUCCESS || (!shown && answer.status == CL_KERNEL_ARG_INFO_NOT_AVAILABLE));
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetKernelArgInfo,
			  .param = CL_KERNEL_ARG_ADDRESS_QUALIFIER, .object = 951, .index = 2, .has_value = 1,
			  .size = 4);
	CHECK_STATUS(answer, CL_INVALID_ARG_INDEX);
	answer =
		PEER_ASK(&lane, clBuildProgram, .program = 950, .has_options = 1, .options = "-cl-kernel-arg-info -DX");
	if (answer.status == CL_INVALID_OPERATION) { /* it has a kernel: all stays as it was */
		answer = PEER_ASK(&lane, clCreateKernel, .program = 950, .has_name = 1, .kernel_name = "k",
				  .kernel = 952);
		CHECK_STATUS(answer, CL_SUCCESS);
		answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetKernelArgInfo,
				  .param = CL_KERNEL_ARG_ADDRESS_QUALIFIER, .object = 952, .has_value = 1, .size = 4);
		CHECK(answer.status == CL_SUCCESS || (!shown && answer.status == CL_KERNEL_ARG_INFO_NOT_AVAILABLE));
		PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 952);
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 951);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 950);
}

void test_described_parameters_are_our_secret(void)
{
	secret_build(0, "", false);
	secret_build(1, "", false);
	secret_build(1, "-DY=1 -cl-mad-enable", false);
	secret_build(1, "-cl-kernel-arg-info", true);
}

void test_printed_text_comes_before_the_reply(void)
{
	uint64_t args[8], global[] = { 1 };
	int32_t n = 42;
	uint8_t *at = arg_put((uint8_t *)args, 0, PL_CL_ARG_BYTES, 4, 0, &n);
	struct peer_answer answer;
	struct peer_pushed *pushed;
	struct pl_cl_plPrint_args print;
	uint64_t sent;

	PEER_POST(&lane, clCreateKernel, .program = PROGRAM, .has_name = 1, .kernel_name = "say",
		  .kernel = KERNEL + 1000);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL + 1000, .work_dim = 1,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 },
		  .args = { args, (uint64_t)(at - (uint8_t *)args) });
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	sent = answer.after;
	CHECK(sent >= 1);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plPrint);
	pl_cl_plPrint_get(&pushed->dec, &print);
	CHECK(memmem(print.text.at, print.text.bytes, "said 42\n", 8));
	CHECK((uint64_t)(pushed - peer.pushed) < sent);
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, KERNEL + 1000);
}

static uint8_t *file_put(uint8_t *at, const char *path, const char *content)
{
	const char *const texts[] = { path, content };

	for (int i = 0; i < 2; i++) {
		uint64_t length = strlen(texts[i]);

		memcpy(at, &length, 8);
		memset(at + 8, 0, PL_WIRE_PAD(length));
		memcpy(at + 8, texts[i], length);
		at += 8 + PL_WIRE_PAD(length);
	}
	return at;
}

void test_include_files(void)
{
	static const char text[] = "#include \"value.h\"\n#include <more/other.h>\n#include \"near.h\"\n"
				   "__kernel void k(__global int *a) { a[0] = VALUE + OTHER + NEAR; }\n";
	static const char broken[] = "#include \"value.h\"\n__kernel void k(__global int *a) { a[0] = nothing; }\n";
	uint8_t blob[4096], *at = blob;
	struct pl_cl_plInfo_reply reply;
	struct peer_answer answer;
	char here[4096], after[4096], *options, *strip;

	CHECK(!pl_cl_files_options(NULL, 0, "-I \"x\"../../../etc -I'x'/../y", &options, &strip) && options);
	CHECK(!strcmp(options, "-I x ../../../etc -I x /../y"));
	free(options);
	free(strip);
	CHECK(getcwd(here, sizeof(here)));
	at = file_put(at, ".", "/home/some one/work");
	at = file_put(at, "/home/some one/work/inc/value.h", "#define VALUE 1\n");
	at = file_put(at, "/opt/x/../include/more/other.h", "#include \"../below.h\"\n");
	at = file_put(at, "/opt/include/more/../below.h", "#define OTHER 2\n");
	at = file_put(at, "/home/some one/work/inc/near.h", "#define NEAR 4\n");
	at = file_put(at, "/../../../../../../tmp/plenum-escaped.h", "no\n");
	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = text, .bytes = sizeof(text) - 1 }, .program = 300);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 300, .has_options = 1,
			  .options = "-Iinc -I /opt/include -DX=1",
			  .files = { .kind = PL_BULK_INLINE, .data = blob, .bytes = (uint64_t)(at - blob) });
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetProgramBuildInfo, .param = CL_PROGRAM_BUILD_OPTIONS,
			  .object = 300, .second = device, .has_value = 1, .size = 1000);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plInfo_reply_get(&answer.dec, &reply);
	CHECK(!strcmp(reply.value.at, "-Iinc -I /opt/include -DX=1"));
	CHECK(access("/tmp/plenum-escaped.h", F_OK));
	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = broken, .bytes = sizeof(broken) - 1 }, .program = 301);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 301, .has_options = 1,
			  .options = "-I \"/home/some one/work/inc\"",
			  .files = { .kind = PL_BULK_INLINE, .data = blob, .bytes = (uint64_t)(at - blob) });
	CHECK(answer.status != CL_SUCCESS);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 300);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 301);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK(getcwd(after, sizeof(after)) && !strcmp(here, after));
	CHECK(!system("! ls -d /tmp/plenum-include-* >&2 2>/dev/null"));
}

void test_binaries(void)
{
	struct peer_answer answer = PEER_ASK(&lane, plProgramBinaries, PROGRAM, 0);
	struct pl_cl_plProgramBinaries_reply reply;
	uint64_t size;
	uint8_t *data;
	struct pl_cl_clCreateProgramWithBinary_args args = { .context = CTX,
							     .devices = { &device, 1 },
							     .program = 400 };

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plProgramBinaries_reply_get(&answer.dec, &reply);
	CHECK(pl_dec_whole(&answer.dec) && reply.sizes.count == 1 && reply.sizes.at[0] == reply.binaries.bytes);
	size = reply.sizes.at[0];
	CHECK(size);
	data = malloc(size);
	if (reply.binaries.kind == PL_BULK_INLINE)
		memcpy(data, reply.binaries.data, size);
	else
		peer_bulk(&lane, data, size);
	args.lengths = (struct pl_u64s){ &size, 1 };
	args.data = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = size };
	peer_begin(&lane);
	pl_cl_clCreateProgramWithBinary_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clCreateProgramWithBinary, PL_WIRE_ASK, data, size);
	answer = peer_recv(&lane);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 400, .options = "");
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clCreateKernel, .program = 400, .has_name = 1, .kernel_name = "add", .kernel = 401);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer =
		PEER_ASK(&lane, clCreateKernel, .program = 400, .has_name = 1, .kernel_name = "nothing", .kernel = 402);
	CHECK_STATUS(answer, CL_INVALID_KERNEL_NAME);
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 401);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 400);
	free(data);
}

/* ---- shared virtual memory ---- */

static uint64_t svm_alloc(uint64_t size, uint64_t store)
{
	struct peer_answer answer =
		PEER_ASK(&lane, clSVMAlloc, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = size, .store = store);
	struct pl_cl_clSVMAlloc_reply reply;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clSVMAlloc_reply_get(&answer.dec, &reply);
	return reply.address;
}

void test_shared_virtual_memory(void)
{
	uint64_t store = arena ? 16u << 20 : NONE, address = svm_alloc(10000, store), global[] = { 100 }, args[64];
	uint8_t *at = (uint8_t *)args;
	struct pl_cl_clEnqueueSVMMap_reply mapped;
	struct pl_cl_clEnqueueSVMMemcpy_reply copied;
	int32_t add = 5, numbers[100];
	float four[4] = { 0 };
	struct peer_answer answer;
	struct peer_pushed *pushed;

	if (!address) {
		fprintf(stderr, "no shared virtual memory\n");
		return;
	}
	CHECK(!(address % 4096));
	for (int i = 0; i < 100; i++)
		numbers[i] = i;
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_SRC, .dst = address,
			  .size = sizeof(numbers), .stage = NONE,
			  .data = { .kind = PL_BULK_INLINE, .data = numbers, .bytes = sizeof(numbers) });
	CHECK_STATUS(answer, CL_SUCCESS);
	if (arena)
		CHECK(!memcmp(peer.session.arena + store, numbers, sizeof(numbers)));
	at = arg_put(at, 0, PL_CL_ARG_SVM, 8, address, NULL);
	at = arg_put(at, 1, PL_CL_ARG_BYTES, 4, 0, &add);
	at = arg_put(at, 2, PL_CL_ARG_NULL, 256, 0, NULL);
	at = arg_put(at, 3, PL_CL_ARG_BYTES, 16, 0, four);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 },
		  .args = { args, (uint64_t)(at - (uint8_t *)args) });
	answer = PEER_ASK(&lane, clEnqueueSVMMap, .queue = QUEUE, .blocking = 1, .flags = CL_MAP_READ,
			  .address = address, .size = sizeof(numbers));
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueSVMMap_reply_get(&answer.dec, &mapped);
	CHECK(mapped.data.bytes == (arena ? 0 : sizeof(numbers)));
	memcpy(numbers, arena ? peer.session.arena + store : mapped.data.data, sizeof(numbers));
	for (int i = 0; i < 100; i++)
		CHECK(numbers[i] == i + 5);
	PEER_POST(&lane, clEnqueueSVMUnmap, .queue = QUEUE, .address = address);
	answer = PEER_ASK(&lane, clEnqueueSVMMemFill, .queue = QUEUE, .address = address + 8, .pattern = { "\x5a", 1 },
			  .pattern_size = 1, .size = 16);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_DST, .src = address,
			  .size = 32, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueSVMMemcpy_reply_get(&answer.dec, &copied);
	CHECK(copied.reply_data.bytes == 32 && ((const uint8_t *)copied.reply_data.data)[8] == 0x5a &&
	      ((const uint8_t *)copied.reply_data.data)[23] == 0x5a);
	PEER_POST(&lane, clEnqueueSVMMemcpy, .queue = QUEUE,
		  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_DST, .src = address, .size = 32,
		  .stage = NONE, .token = 31);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
	CHECK(pushed->body_bytes > 32);
	/* outside of every allocation */
	answer = PEER_ASK(&lane, clEnqueueSVMMemFill, .queue = QUEUE, .address = address + 12288 - 8,
			  .pattern = { "\x5a", 1 }, .pattern_size = 1, .size = 16);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC, .dst = address, .src = (uintptr_t)&peer,
			  .size = 16, .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	PEER_POST(&lane, clEnqueueSVMFree, .queue = QUEUE, .has_pointers = 1, .addresses = { &address, 1 });
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	address = svm_alloc(100, arena ? 20u << 20 : NONE);
	PEER_POST(&lane, clEnqueueSVMFree, .queue = QUEUE, .has_pointers = 1, .addresses = { &address, 1 }, .token = 8);
	peer_pushed_wait(&peer, PL_CL_OP_plSVMFree);
	PEER_POST(&lane, clSVMFree, CTX, address);
}
