/*
 * Test programs for any driver of CUDA's driver API: the reference GPU's, or a vendor's with hardware.  The library is
 * opened by name, so that the same program runs with either: PLENUM_TEST_LIBCUDA is its path, else libcuda.so.1.
 */
#ifndef PL_TEST_CUDA_CU_H
#define PL_TEST_CUDA_CU_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"

#define CU_SKIP      77 /* exit status: cannot be tested here; the reason was printed */

/* A function of the driver: cu(cuInit)(0). */
#define cu(function) ((__typeof__(&function))cu_symbol(#function))
void *cu_symbol(const char *name);

/* Ends the program where two results differ, with both names. */
#define cu_is(call, want) cu_compare((call), (want), #call, __FILE__, __LINE__)
#define cu_ok(call)       cu_is(call, CUDA_SUCCESS)
void cu_compare(CUresult got, CUresult want, const char *call, const char *file, int line);

#define check(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			cu_fail(#condition, __FILE__, __LINE__);                                                       \
	} while (0)
__attribute__((noreturn)) void cu_fail(const char *what, const char *file, int line);

void cu_nap_ms(long ms);

/* cuInit(), device 0 and a context; skips the program where there is no device. */
CUcontext cu_begin(void);
/* The reference GPU, not hardware: for what only one of them has to do. */
bool cu_is_reference(void);

/* As cu_is(), of the reference GPU alone: hardware's driver trusts its caller, and crashes or answers otherwise. */
#define cu_is_by_reference(call, want)                                                                                 \
	do {                                                                                                           \
		if (cu_is_reference())                                                                                 \
			cu_is(call, want);                                                                             \
	} while (0)

/* PTX that lies beside the sources: its text, malloc()ed. */
char *cu_ptx(const char *name);
CUfunction cu_function(CUmodule module, const char *name);

/* Runs a test, and says so, unless $PLENUM_TEST_SKIP (names, commas between them) has it: for drivers that lack
 * something. */
#define cu_run(test)                                                                                                   \
	do {                                                                                                           \
		if (cu_wanted(#test))                                                                                  \
			test();                                                                                        \
	} while (0)
bool cu_wanted(const char *name);

/* Runs fn in a child process, which has no driver yet.  Return: its exit status, or 128 + signal. */
int cu_child(void (*fn)(void *arg), void *arg);

/* As cu_begin(), for memory that may need userfaultfd(2): skips the program where the device lacks the attribute.  With
 * "forbidden" as first argument that call fails from here on, as in a container that forbids it; then refused() says
 * what is expected where the device has the attribute all the same, or has not, and the program ends. */
CUcontext cu_begin_mirrored(int argc, char **argv, CUdevice_attribute attribute, void (*refused)(bool has));

/* A node of a row of blocks of so many threads. */
static inline CUDA_KERNEL_NODE_PARAMS cu_kernel_node(CUfunction function, unsigned int blocks, unsigned int threads,
						     void **params)
{
	return (CUDA_KERNEL_NODE_PARAMS){ .func = function,
					  .gridDimX = blocks,
					  .gridDimY = 1,
					  .gridDimZ = 1,
					  .blockDimX = threads,
					  .blockDimY = 1,
					  .blockDimZ = 1,
					  .kernelParams = params };
}

#endif
