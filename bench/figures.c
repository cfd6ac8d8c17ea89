/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL's figures, and the list of all. */
#include "figures.h"

#include <assert.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
#define RUN_BESIDE(n, u, s, b, beside, m)                                                                              \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_MICRO, .kind = PL_BENCH_RUN, .unit = u, .samples = s, .bytes = b,         \
		.raw = beside, .meaning = m                                                                            \
	}
#define RUN(n, u, s, b, m) RUN_BESIDE(n, u, s, b, false, m)
/* Long enough for the machine's own stream to stand beside it. */
#define LONG_COPY(n, s, b, m) RUN_BESIDE(n, PL_BENCH_GBS, s, b, true, m)
#define RAW(n, u, s, b, m)                                                                                             \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_MICRO | PL_BENCH_CUDA, .kind = PL_BENCH_RAW, .unit = u, .samples = s,     \
		.bytes = b, .meaning = m                                                                               \
	}
#define COUNT(n, loop, k, m)                                                                                           \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_MICRO, .kind = PL_BENCH_COUNT, .unit = PL_BENCH_EACH, .samples = 1,       \
		.arg = loop, .key = k, .meaning = m                                                                    \
	}
#define KERNEL(n, s, m)                                                                                                \
	{                                                                                                              \
		.name = "kernel_" n, .suite = PL_BENCH_KERNELS, .kind = PL_BENCH_RUN, .unit = PL_BENCH_US,             \
		.samples = s, .meaning = m                                                                             \
	}
#define SHOC(n)                                                                                                        \
	{                                                                                                              \
		.name = "app_shoc_" n, .suite = PL_BENCH_APPS, .kind = PL_BENCH_EXEC, .unit = PL_BENCH_S,              \
		.samples = 1, .arg = n, .meaning = "SHOC " n " -s 1 -n 1 -v: wall time of the program"                 \
	}

static const struct pl_bench_figure figures[] = {
	RUN("null_kernel_finish", PL_BENCH_US, 200, 0, "enqueue an empty kernel, clFinish"),
	RUN("null_kernel_event", PL_BENCH_US, 200, 0, "enqueue an empty kernel, clWaitForEvents on its event"),
	RUN("finish_empty", PL_BENCH_US, 200, 0, "clFinish on an empty queue"),
	RUN("rw4_kernel", PL_BENCH_US, 100, 0, "write 4 B, kernel, blocking read of 4 B; the answer is checked"),
	RAW("raw_tcp_rtt_idle", PL_BENCH_US, 200, 0,
	    "64 B and back over loopback TCP, both ends asleep in recv(): includes "
	    "waking a CPU"),
	RAW("raw_tcp_rtt_busy", PL_BENCH_US, 200, 0,
	    "64 B and back over loopback TCP, both ends polling: no CPU has to wake"),
	RAW("raw_shm_rtt", PL_BENCH_US, 500, 0, "64-bit word and back in shared memory, bounded spin, then futex"),
	RUN("enqueue_rate", PL_BENCH_PER_S, 8, 0, "10000 empty kernels and one clFinish, per second"),
	RUN("set_arg", PL_BENCH_NS, 20, 0, "clSetKernelArg with a buffer (mean of 1000)"),
	RUN("create_release_buffer", PL_BENCH_US, 10, 4096, "create and release a buffer of 4 KiB (mean of 100)"),
	RUN("write_4096", PL_BENCH_GBS, 100, 4096, "blocking clEnqueueWriteBuffer of 4 KiB"),
	RUN("write_65536", PL_BENCH_GBS, 100, 65536, "blocking clEnqueueWriteBuffer of 64 KiB"),
	LONG_COPY("write_1048576", 20, MIB, "blocking clEnqueueWriteBuffer of 1 MiB"),
	LONG_COPY("write_16777216", 4, 16 * MIB, "blocking clEnqueueWriteBuffer of 16 MiB"),
	LONG_COPY("write_67108864", 2, 64 * MIB, "blocking clEnqueueWriteBuffer of 64 MiB"),
	RUN("read_4096", PL_BENCH_GBS, 100, 4096, "blocking clEnqueueReadBuffer of 4 KiB"),
	RUN("read_65536", PL_BENCH_GBS, 100, 65536, "blocking clEnqueueReadBuffer of 64 KiB"),
	LONG_COPY("read_1048576", 20, MIB, "blocking clEnqueueReadBuffer of 1 MiB"),
	LONG_COPY("read_16777216", 4, 16 * MIB, "blocking clEnqueueReadBuffer of 16 MiB"),
	LONG_COPY("read_67108864", 2, 64 * MIB, "blocking clEnqueueReadBuffer of 64 MiB"),
	LONG_COPY("write_nb_8x16777216", 1, 128 * MIB, "8 non-blocking writes of 16 MiB and clFinish"),
	RAW("raw_tcp_stream", PL_BENCH_GBS, 1, 128 * MIB, "128 MiB through one loopback TCP connection in 1 MiB sends"),
	RAW("raw_memcpy_4096", PL_BENCH_GBS, 100, 4096, "memcpy of 4 KiB, in cache"),
	RAW("raw_memcpy_65536", PL_BENCH_GBS, 100, 65536, "memcpy of 64 KiB"),
	RAW("raw_memcpy_1048576", PL_BENCH_GBS, 20, MIB, "memcpy of 1 MiB"),
	RAW("raw_memcpy_16777216", PL_BENCH_GBS, 4, 16 * MIB, "memcpy of 16 MiB"),
	RAW("raw_memcpy_67108864", PL_BENCH_GBS, 2, 64 * MIB, "memcpy of 64 MiB"),
	RUN("map_unmap_16777216", PL_BENCH_US, 5, 0, "map 16 MiB for read and write, touch a byte, unmap, clFinish"),
	RUN("build", PL_BENCH_MS, 1, 0, "create and build a program whose text no cache has seen"),
	RUN("first_call", PL_BENCH_MS, 1, 0, "fresh process: until clGetPlatformIDs and clGetDeviceIDs have answered"),
	RUN("first_queue", PL_BENCH_MS, 1, 0, "fresh process: until a context and a queue exist"),
	COUNT("asks_per_iteration", "loop", "asks",
	      "calls waited for in one turn of set 2 arguments, enqueue, query the "
	      "event, release it"),
	COUNT("posts_per_iteration", "loop", "posts", "calls sent without waiting in one such turn"),
	COUNT("bytes_out_per_iteration", "loop", "bytes_out", "bytes sent in one such turn"),
	COUNT("bytes_in_per_iteration", "loop", "bytes_in", "bytes received in one such turn"),
	COUNT("wakeups_per_iteration", "loop", "wakeups", "times the client woke its peer in one such turn"),
	COUNT("sleeps_per_iteration", "loop", "sleeps", "times the client slept in one such turn"),
	COUNT("asks_per_launch", "launch", "asks",
		"calls waited for in one turn of enqueue an empty kernel, clFinish"),
	COUNT("wakeups_per_launch", "launch", "wakeups",
		"times the client woke its peer in one such turn"),
	COUNT("sleeps_per_launch", "launch", "sleeps", "times the client slept in one such turn"),
	COUNT("asks_per_read", "read", "asks", "calls waited for in one blocking read of 4 B"),
	{ .name = "instructions_per_post",
	  .suite = PL_BENCH_MICRO,
	  .kind = PL_BENCH_CALLGRIND,
	  .unit = PL_BENCH_EACH,
	  .samples = 1,
	  .arg = "post",
	  .meaning = "client instructions per clEnqueueNDRangeKernel: callgrind, N and 2N calls, "
		     "calling thread" },
	{ .name = "app_clpeak",
	  .suite = PL_BENCH_APPS,
	  .kind = PL_BENCH_EXEC,
	  .unit = PL_BENCH_S,
	  .samples = 1,
	  .arg = "clpeak",
	  .meaning = "clpeak, wall time of the whole program (with --quick: its latency and transfer "
		     "parts)" },
	SHOC("BusSpeedDownload"),
	SHOC("BusSpeedReadback"),
	SHOC("DeviceMemory"),
	SHOC("KernelCompile"),
	SHOC("QueueDelay"),
	SHOC("MaxFlops"),
	SHOC("BFS"),
	SHOC("FFT"),
	SHOC("GEMM"),
	SHOC("MD"),
	SHOC("MD5Hash"),
	SHOC("Reduction"),
	SHOC("Scan"),
	SHOC("Sort"),
	SHOC("Spmv"),
	SHOC("Stencil2D"),
	SHOC("Triad"),
	SHOC("S3D"),
	{ .name = "app_shoc_geomean",
	  .suite = PL_BENCH_APPS,
	  .kind = PL_BENCH_GEOMEAN,
	  .unit = PL_BENCH_TIMES,
	  .samples = 1,
	  .arg = "app_shoc_",
	  .meaning = "geometric mean over SHOC of native time / time in this mode: 1 is native speed" },
	KERNEL("copy", 8, "copy of 4 Mi floats, launch to finish"),
	KERNEL("saxpy", 8, "a x + y over 4 Mi floats"),
	KERNEL("reduction", 8, "sum of 4 Mi floats in 64 groups, tree in shared memory"),
	KERNEL("transpose", 8, "2048 x 2048 floats through tiles in shared memory"),
	KERNEL("stencil", 8, "five points over 2048 x 2048 floats"),
	KERNEL("matmul", 4, "product of 512 x 512 matrices in 16 x 16 tiles"),
	KERNEL("blackscholes", 8, "1 Mi call options"),
	KERNEL("nbody", 4, "forces among 4096 bodies, tiles in shared memory"),
	KERNEL("histogram", 8, "256 bins of 4 MiB, atomics in shared memory"),
	{ .name = "kernels_geomean",
	  .suite = PL_BENCH_KERNELS,
	  .kind = PL_BENCH_GEOMEAN,
	  .unit = PL_BENCH_TIMES,
	  .samples = 1,
	  .arg = "kernel_",
	  .meaning = "geometric mean over the kernels of native time / time in this mode: 1 is native speed" },
};

const struct pl_bench_figure *pl_bench_figures(size_t *n_out)
{
	static struct pl_bench_figure all[PL_BENCH_FIGURES_MAX];
	size_t n = sizeof(figures) / sizeof(figures[0]), more;
	const struct pl_bench_figure *cuda = pl_bench_figures_cuda(&more);

	assert(n + more <= PL_BENCH_FIGURES_MAX);
	memcpy(all, figures, sizeof(figures));
	memcpy(all + n, cuda, more * sizeof(*cuda));
	*n_out = n + more;
	return all;
}

const char *pl_bench_suite_name(unsigned suites)
{
	return suites == PL_BENCH_APPS      ? "apps"
	       : suites == PL_BENCH_KERNELS ? "kernels"
	       : suites == PL_BENCH_VMCUDA  ? "vmcuda"
					    : "micro";
}

const char *pl_bench_unit_name(enum pl_bench_unit unit)
{
	static const char *const names[] = {
		[PL_BENCH_NS] = "ns",    [PL_BENCH_US] = "us",     [PL_BENCH_MS] = "ms",     [PL_BENCH_S] = "s",
		[PL_BENCH_GBS] = "GB/s", [PL_BENCH_PER_S] = "1/s", [PL_BENCH_EACH] = "each", [PL_BENCH_TIMES] = "x",
		[PL_BENCH_MB] = "MB",    [PL_BENCH_PERCENT] = "%",
	};

	return names[unit];
}

bool pl_bench_unit_more_is_better(enum pl_bench_unit unit)
{
	return unit == PL_BENCH_GBS || unit == PL_BENCH_PER_S || unit == PL_BENCH_TIMES;
}

double pl_bench_unit_value(const struct pl_bench_figure *figure, double seconds)
{
	if (seconds < 1e-12)
		seconds = 1e-12; /* a clock that did not move */
	switch (figure->unit) {
	case PL_BENCH_NS:
		return seconds * 1e9;
	case PL_BENCH_US:
		return seconds * 1e6;
	case PL_BENCH_MS:
		return seconds * 1e3;
	case PL_BENCH_GBS:
		return (double)figure->bytes / seconds / 1e9;
	case PL_BENCH_PER_S:
		return 1 / seconds;
	case PL_BENCH_S:
	case PL_BENCH_EACH:
	case PL_BENCH_TIMES:
	case PL_BENCH_MB:
	case PL_BENCH_PERCENT:
		break;
	}
	return seconds;
}

void pl_bench_list(FILE *to, unsigned suites)
{
	const struct pl_bench_figure *all;
	size_t n;

	all = pl_bench_figures(&n);
	for (size_t i = 0; i < n; i++)
		if (all[i].suite & suites)
			fprintf(to, "%-24s %-5s %s\n", all[i].name, pl_bench_unit_name(all[i].unit), all[i].meaning);
}
