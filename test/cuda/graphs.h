/* What the parts of the tests of graphs share. */
#ifndef PL_TEST_CUDA_GRAPHS_H
#define PL_TEST_CUDA_GRAPHS_H

#include "cu.h"

#define N 1024

struct graph_test {
	CUcontext ctx;
	CUmodule module;
	CUfunction add;
	CUdeviceptr at[3]; /* N floats each */
	float *host;
	CUstream stream, other; /* the second one waits for the legacy stream */
};
extern struct graph_test graph_test;

static inline CUstream graph_stream(unsigned int flags)
{
	CUstream stream;
	cu_ok(cu(cuStreamCreate)(&stream, flags));
	return stream;
}

void graph_tests_capture(void);
void graph_tests_rules(void);
void graph_test_many(void); /* graphs that come and go, one after the other */
void graph_tests_update(void);
void graph_tests_conditions(void);
void graph_tests_copies(void);
void graph_tests_enable(void);
void graph_tests_refused(void);

#endif
