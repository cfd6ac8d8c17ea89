/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA's figures: `micro --api cuda`, and vmcuda, the tables and plots of the vmCUDA paper. */
#include "figures.h"

#define MIB                ((size_t)1 << 20)

/* How small the programs are with --quick. */
#define BINOMIAL_QUICK     "--size 1024 --work 128"
#define BLACKSCHOLES_QUICK "--size 625000 --work 2"
#define MATMUL_QUICK       "--size 256 --work 2"
#define STEREO_QUICK       "--size 2097152 --work 4"
#define RADIXSORT_QUICK    "--size 524288"

#define RUN_BESIDE(n, u, s, b, beside, m)                                                                              \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_CUDA, .kind = PL_BENCH_RUN, .unit = u, .samples = s, .bytes = b,          \
		.raw = beside, .meaning = m                                                                            \
	}
#define RUN(n, u, s, b, m) RUN_BESIDE(n, u, s, b, false, m)
/* The machine's own stream stands beside those that are long enough to be one. */
#define COPY_ONE(n, s, b, m) RUN_BESIDE(n #b, PL_BENCH_GBS, s, b, (b) >= MIB, m)
#define COPY(n, s, b)                                                                                                  \
	COPY_ONE("h2d_pinned_", s, b, "cuMemcpyHtoDAsync of " n " from pinned memory, cuStreamSynchronize"),           \
		COPY_ONE("d2h_pinned_", s, b, "cuMemcpyDtoHAsync of " n " into pinned memory, cuStreamSynchronize"),   \
		COPY_ONE("h2d_pageable_", s, b, "cuMemcpyHtoD of " n " from malloc(), until it is there"),             \
		COPY_ONE("d2h_pageable_", s, b, "cuMemcpyDtoH of " n " into malloc()")
#define COUNT(n, loop, k, t, m)                                                                                        \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_CUDA, .kind = PL_BENCH_COUNT, .unit = PL_BENCH_EACH, .samples = 1,        \
		.arg = loop, .key = k, .turns = t, .meaning = m                                                        \
	}

#define PART(n, u, a, k, q, m)                                                                                         \
	{                                                                                                              \
		.name = n, .suite = PL_BENCH_VMCUDA, .kind = PL_BENCH_PART, .unit = u, .samples = 1, .arg = a,         \
		.key = k, .quick = q, .meaning = m                                                                     \
	}
#define APP(n, q)                                                                                                      \
	PART("app_" n, PL_BENCH_S, n, "wall", q, n ": wall time of the program, from its start to its end"),           \
		PART("copy_" n, PL_BENCH_S, n, "copy", q, n ": time in copies"),                                       \
		PART("gpu_" n, PL_BENCH_S, n, "kernel", q, n ": from the first launch until all have ended"),          \
		PART("rest_" n, PL_BENCH_S, n, "rest", q, n ": all other time"),                                       \
		PART("start_" n, PL_BENCH_S, n, "start", q, n ": of that, cuInit, context and module"),                \
		PART("use_" n, PL_BENCH_PERCENT, n, "use", q, n ": processor time of the program / its time"),         \
		PART("server_use_" n, PL_BENCH_PERCENT, n, "server", q,                                                \
		     n ": processor time of server and workers / the program's time"),                                 \
		PART("sent_" n, PL_BENCH_MB, n, "sent_mb", q, n ": bytes copied to the device"),                       \
		PART("back_" n, PL_BENCH_MB, n, "back_mb", q, n ": bytes copied back")
#define LARGE(n, pixels)                                                                                               \
	PART("large_" n, PL_BENCH_S, "stereo --work 1 --repeat 30 --size " #pixels, "wall", "--repeat 4",              \
	     "stereo, 30 times, for the paper's " n " GB: about 1/100 of the bytes")
#define BLOCK(n, size)                                                                                                 \
	{                                                                                                              \
		.name = "block_" #size, .suite = PL_BENCH_VMCUDA, .kind = PL_BENCH_PART, .unit = PL_BENCH_S,           \
		.samples = 1, .bytes = size, .arg = "copies", .key = "copy", .quick = "--divide 8",                    \
		.meaning = "copies of 32 to 624 MiB there and back in blocks of " n                                    \
	}
#define CROWD_ONE(c, n, q, more)                                                                                       \
	{                                                                                                              \
		.name = "clients_" #c "_" n, .suite = PL_BENCH_VMCUDA, .kind = PL_BENCH_PART, .unit = PL_BENCH_S,      \
		.samples = 1, .arg = n more, .key = "total", .quick = q, .clients = c,                                 \
		.meaning = n " in " #c " clients at once, the mean of their times"                                     \
	}
#define CROWD(n, q, more)                                                                                              \
	CROWD_ONE(1, n, q, more), CROWD_ONE(2, n, q, more), CROWD_ONE(3, n, q, more), CROWD_ONE(4, n, q, more),        \
		CROWD_ONE(5, n, q, more), CROWD_ONE(6, n, q, more)
#define SAMPLE(n)                                                                                                      \
	{                                                                                                              \
		.name = "sample_" n, .suite = PL_BENCH_VMCUDA, .kind = PL_BENCH_EXEC, .unit = PL_BENCH_S,              \
		.samples = 1, .arg = n, .meaning = "the public CUDA sample " n ": wall time"                           \
	}

static const struct pl_bench_figure figures[] = {
	RUN("launch_sync", PL_BENCH_US, 200, 0, "launch an empty kernel, cuStreamSynchronize"),
	RUN("sync_empty", PL_BENCH_US, 200, 0, "cuStreamSynchronize with nothing to wait for"),
	RUN("launch_post", PL_BENCH_US, 20, 0, "client time of a launch that is not waited for (mean of 100)"),
	RUN("launch_rate", PL_BENCH_PER_S, 1, 0, "10000 empty kernels and one cuStreamSynchronize, per second"),
	RUN("copy4_kernel", PL_BENCH_US, 100, 0, "copy 4 B, kernel, copy 4 B back; the answer is checked"),
	RUN("alloc_free", PL_BENCH_US, 10, 0, "cuMemAlloc and cuMemFree of 1 MiB (mean of 100)"),
	RUN("module_load", PL_BENCH_MS, 4, 0, "cuModuleLoadData of 36 KB of PTX that was loaded before, one function"),
	RUN("module_load_new", PL_BENCH_MS, 2, 0, "the same with a text that no cache has seen"),
	RUN("first_context", PL_BENCH_MS, 1, 0, "fresh process: until a context is current"),
	RUN("eager_step", PL_BENCH_US, 4, 0,
	    "a training step: 4 allocations, 3 copies, 200 launches on 3 streams, 13 events, frees, one read"),
	COPY("4 B", 100, 4),
	COPY("4 KiB", 100, 4096),
	COPY("64 KiB", 50, 65536),
	COPY("1 MiB", 20, 1048576),
	COPY("16 MiB", 4, 16777216),
	COPY("64 MiB", 2, 67108864),
	COPY("256 MiB", 1, 268435456),
	COUNT("asks_per_step", "step", "asks", 40, "calls waited for in one such step"),
	COUNT("posts_per_step", "step", "posts", 40, "calls sent without waiting in one such step"),
	COUNT("bytes_out_per_step", "step", "bytes_out", 40, "bytes sent in one such step"),
	COUNT("bytes_in_per_step", "step", "bytes_in", 40, "bytes received in one such step"),
	COUNT("asks_per_launch", "launch", "asks", 0, "calls waited for in launch, event, record, wait, destroy"),
	COUNT("posts_per_launch", "launch", "posts", 0, "calls sent without waiting in such a turn"),
	COUNT("asks_per_alloc", "alloc", "asks", 0, "calls waited for in one cuMemAlloc and cuMemFree"),
	{ .name = "instructions_per_launch",
	  .suite = PL_BENCH_CUDA,
	  .kind = PL_BENCH_CALLGRIND,
	  .unit = PL_BENCH_EACH,
	  .samples = 1,
	  .arg = "post",
	  .meaning = "client instructions per cuLaunchKernel: callgrind, N and 2N calls, calling thread" },

	APP("binomial", BINOMIAL_QUICK),
	APP("blackscholes", BLACKSCHOLES_QUICK),
	APP("matmul", MATMUL_QUICK),
	APP("stereo", STEREO_QUICK),
	APP("radixsort", RADIXSORT_QUICK),
	LARGE("12.5", 268288),
	LARGE("50", 1076224),
	LARGE("100", 2152448),
	LARGE("175", 3767296),
	LARGE("237.5", 5112832),
	BLOCK("128 KiB", 131072),
	BLOCK("256 KiB", 262144),
	BLOCK("512 KiB", 524288),
	BLOCK("1 MiB", 1048576),
	BLOCK("2 MiB", 2097152),
	BLOCK("4 MiB", 4194304),
	BLOCK("8 MiB", 8388608),
	BLOCK("16 MiB", 16777216),
	BLOCK("32 MiB", 33554432),
	BLOCK("64 MiB", 67108864),
	BLOCK("128 MiB", 134217728),
	CROWD("binomial", BINOMIAL_QUICK, " --size 1024"),
	CROWD("blackscholes", BLACKSCHOLES_QUICK, " --size 1562500 --work 2"),
	CROWD("matmul", MATMUL_QUICK, " --size 512 --work 2"),
	CROWD("stereo", STEREO_QUICK, " --size 4194304 --work 4"),
	CROWD("radixsort", RADIXSORT_QUICK, " --size 1048576"),
	SAMPLE("binomialOptions"),
	SAMPLE("BlackScholes"),
	SAMPLE("matrixMul"),
	SAMPLE("stereoDisparity"),
	SAMPLE("radixSortThrust"),
};

const struct pl_bench_figure *pl_bench_figures_cuda(size_t *n_out)
{
	*n_out = sizeof(figures) / sizeof(figures[0]);
	return figures;
}
