/* Random calls: launches, with shapes and arguments that are right and that are not, and faults of kernels. */
#include "differ.h"

/* Memory for a kernel's result: of the current context and large enough for every shape below; else launches get none.
 */
static int target(void)
{
	int here = current();
	for (int i = 0; i < SLOTS; i++)
		if (slots[MEMORY][i].live && slots[MEMORY][i].owner == here && slots[MEMORY][i].bytes >= 65536)
			return i;
	return -1;
}

static void do_launch(void)
{
	int f = any(FUNCTION), m = target(), number, n = 64;
	unsigned int grid[3] = { (unsigned int)one_of(1, 1, 2, 3), (unsigned int)one_of(1, 1, 1, 2), 1 };
	unsigned int block[3] = { (unsigned int)one_of(1, 32, 64, 64, 100, 256, 1024), 1, 1 };
	unsigned int shared = (unsigned int)one_of(0, 256, 4096);
	CUfunction function = handle_of(FUNCTION, f, CUfunction);
	CUstream stream = any_stream(&number);
	CUdeviceptr at = m < 0 ? 0 : slots[MEMORY][m].handle;
	/* The first argument of each of the kernels is where it writes, or where it reads what it adds; `add` has 4. */
	CUdeviceptr sum = m < 0 ? 0 : at + 32768; /* apart from what is added: else threads of `add` may race */
	void *params[] = { &at, &at, &sum, &n };
	struct {
		CUdeviceptr at[3];
		int n;
	} packed = { { at, at, sum }, n };
	size_t bytes = one_of(28, 28, 100); /* less would leave arguments 0, and kernels do write there */
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };
	uint32_t way = pick(8);
	if (m < 0 && way < 6) /* nowhere to write: only what is refused at the call */
		way = 6;
	if (one_in(3))
		switch (pick(7)) {
		case 0:
			grid[pick(3)] = 0;
			break;
		case 1:
			block[pick(3)] = 0;
			break;
		case 2:
			block[0] = (unsigned int)one_of(1025, 2048, 1u << 31);
			break;
		case 3:
			grid[1 + pick(2)] = 65536;
			break;
		case 4:
			shared = (unsigned int)one_of(50000, 49152, 1u << 20, 1u << 31);
			break;
		case 5:
			block[2] = 65;
			break;
		default:
			block[1] = 33;
		}
#define SHAPE                                                                                                          \
	"f%d, %u %u %u, %u %u %u, %u, s%d, m%d, way %u", f, grid[0], grid[1], grid[2], block[0], block[1], block[2],   \
		shared, number, m, way
	if (way < 4)
		CALL(cuLaunchKernel,
		     (function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, params, NULL),
		     SHAPE);
	else if (way == 4)
		CALL(cuLaunchKernel,
		     (function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, NULL, extra),
		     SHAPE);
	else if (way == 5)
		CALL(cuLaunchCooperativeKernel,
		     (function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, params),
		     SHAPE);
	else if (way == 6)
		CALL(cuLaunchKernel,
		     (function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, NULL, NULL),
		     SHAPE);
	else
		CALL(cuLaunchKernel,
		     (function, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared, stream, params, extra),
		     SHAPE);
	settle(stream, m);
}

/* A context of its own that a kernel breaks, what its calls say from then on, and that the others go on. */
static void do_fault(void)
{
	CUcontext ctx = NULL, popped = NULL;
	CUmodule module = NULL;
	CUfunction function = NULL;
	CUstream stream = NULL;
	CUevent event = NULL;
	CUdeviceptr at = one_of(0, 16, 1ull << 46), memory = 0;
	int value = 7;
	void *params[] = { &at, &value };
	const char *name = one_in(3) ? "stop" : "store";
	char *text;
	size_t bytes = 0;
	if (!one_in(4))
		return;
	text = cu_ptx("kernels.ptx");
	CALL(cuCtxCreate_v2, (&ctx, 0, 0), "own");
	CALL(cuModuleLoadData, (&module, text), "own");
	CALL(cuModuleGetFunction, (&function, module, name), "own, %s", name);
	CALL(cuStreamCreate, (&stream, 1), "own");
	CALL(cuMemAlloc_v2, (&memory, 4096), "own");
	CALL(cuLaunchKernel, (function, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL), "own, %s", name);
	CALL(cuStreamSynchronize, (stream), "own");
	for (int i = 0; i < 6; i++)
		switch (pick(8)) {
		case 0:
			CALL(cuCtxSynchronize, (), "own");
			break;
		case 1:
			CALL(cuMemAlloc_v2, (&memory, 4096), "own");
			break;
		case 2:
			CALL(cuMemsetD8_v2, (memory, 1, 4096), "own");
			break;
		case 3:
			CALL(cuMemcpyDtoH_v2, (host[0], memory, 100), "own");
			break;
		case 4:
			CALL(cuLaunchKernel, (function, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL), "own");
			break;
		case 5:
			CALL(cuStreamQuery, (stream), "own");
			break;
		case 6:
			CALL(cuEventCreate, (&event, 0), "own");
			break;
		default:
			CALL(cuMemGetInfo_v2, (&bytes, &bytes), "own");
		}
	CALL(cuMemFree_v2, (memory), "own");
	CALL(cuModuleUnload, (module), "own");
	CALL(cuStreamDestroy_v2, (stream), "own");
	CALL(cuCtxPopCurrent_v2, (&popped), "own");
	out_number("own", popped == ctx);
	CALL(cuCtxDestroy_v2, (ctx), "own");
	free(text);
}

const struct operation differ_launch[] = { { "launch", 16, do_launch }, { "fault", 2, do_fault }, { NULL, 0, NULL } };
