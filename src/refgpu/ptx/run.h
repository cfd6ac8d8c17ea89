/* For tests: compiles a text and runs its kernels on the compute engine over the kit's flat memory. */
#ifndef PL_REFGPU_PTX_RUN_H
#define PL_REFGPU_PTX_RUN_H

#include "refgpu/compute/kit.h"
#include "refgpu/ptx/ptx.h"

#define RUN_GLOBAL (32ull << 20) /* offsets in kit->memory; below: the test's own */
#define RUN_CONST  (38ull << 20)

struct run {
	struct kit kit;
	struct pl_ptx_image *image;
	uint32_t dynamic_shared;
};

void run_begin(struct run *run);
void run_end(struct run *run);
/* Fails the test with the log where the text is refused. */
void run_compile(struct run *run, const char *text);
/* Arguments in order, each in as many bytes as its parameter has.  Return: the fault's code; reported on stderr. */
uint32_t run_kernel(struct run *run, const char *name, const uint32_t grid[3], const uint32_t block[3],
		    const uint64_t *args);
static inline uint32_t run_simple(struct run *run, const char *name, uint32_t grid, uint32_t block,
				  const uint64_t *args)
{
	return run_kernel(run, name, (const uint32_t[3]){ grid, 1, 1 }, (const uint32_t[3]){ block, 1, 1 }, args);
}

static inline uint64_t run_va(uint64_t offset)
{
	return KIT_VA + offset;
}

#endif
