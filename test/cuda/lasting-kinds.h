/* What the files lasting-kinds*.c share. */
#ifndef PL_TEST_CUDA_LASTING_KINDS_H
#define PL_TEST_CUDA_LASTING_KINDS_H

#include <stdint.h>

#include "cu.h"

#define WORDS 1024u

struct kind { /* of objects */
	const char *name;
	void (*make)(void);
	/* Prints what came of it; number: of the round, from 1. */
	void (*use)(uint32_t number);
};

extern const struct kind kind_objects, kind_functions, kind_nodes; /* lasting-kinds-graphs.c */
extern const struct kind kind_arrays;                              /* lasting-kinds-arrays.c */

struct has {
	CUcontext context;
	CUmodule module;
	CUfunction grow; /* each of WORDS words grows, and launches are counted */
	CUstream stream;
	CUdeviceptr words;
};

extern struct has has;

uint32_t hash(const void *data, size_t bytes);
uint32_t hash_of(CUdeviceptr at); /* of WORDS words */
CUdeviceptr words_make(uint32_t value);
/* And waits. */
void grow(CUfunction function, CUdeviceptr at, uint32_t by, CUstream stream);
CUgraph graph_make(void);
CUgraphExec exec_make(CUgraph graph);
/* And waits. */
void exec_run(CUgraphExec exec);

#endif
