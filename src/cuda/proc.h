/*
 * The table behind cuGetProcAddress(): cuda-proc.c, made from spec/cuda.api, has a row for each exported function of
 * each version and flavour, sorted by name, flavour (per thread last) and version.  A library that links it defines
 * what it can; the rows of the others have no address.
 */
#ifndef PL_CUDA_PROC_H
#define PL_CUDA_PROC_H

#include <stdbool.h>
#include <stddef.h>

struct pl_cuda_proc {
	const char *name;   /* what programs ask for: without _v2, _ptsz */
	const char *symbol; /* what is exported */
	int version;        /* programs built for this CUDA version (11020 = 11.2) or a newer one expect this ABI */
	bool per_thread;    /* its default stream is the calling thread's own */
	void (*at)(void);   /* NULL: this library does not define it */
};

extern const struct pl_cuda_proc pl_cuda_procs[];
extern const size_t pl_cuda_procs_count;

/** pl_cuda_proc_find() - the function that a program built for a CUDA version means by a name
 * @procs, count: a table as above
 * @per_thread:   prefer the flavour whose default stream is the thread's own; a function without one has one flavour
 * @newer_out:    set when NULL is returned: true where the name is known, but only to newer programs
 * Return: a row with an address, the newest that is not newer than @version; NULL: none. */
const struct pl_cuda_proc *pl_cuda_proc_find(const struct pl_cuda_proc *procs, size_t count, const char *name,
					     int version, bool per_thread, bool *newer_out);

#endif
