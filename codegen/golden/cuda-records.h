/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * Each record that needs no hand: R_take() fills ours from the API's structure, R_give() the API's from ours.  What a
 * record does not have (reserved members) is 0 afterwards.
 */
#ifndef PL_CUDA_RECORDS_H
#define PL_CUDA_RECORDS_H

#include <assert.h>
#include <string.h>

#include "cuda-api.h"
#include "cuda-wire.h"

static inline void pl_cuda_location_record_take(struct pl_cuda_location_record *to,
						const CUmemLocation *from)
{
	to->type = from->type;
	to->id = from->id;
}

static inline void pl_cuda_location_record_give(CUmemLocation *to,
						const struct pl_cuda_location_record *from)
{
	*to = (CUmemLocation){ 0 };
	to->type = from->type;
	to->id = from->id;
}

static inline void pl_cuda_access_record_take(struct pl_cuda_access_record *to,
					      const CUmemAccessDesc *from)
{
	to->location_type = from->location.type;
	to->location_id = from->location.id;
	to->flags = from->flags;
}

static inline void pl_cuda_access_record_give(CUmemAccessDesc *to,
					      const struct pl_cuda_access_record *from)
{
	*to = (CUmemAccessDesc){ 0 };
	to->location.type = from->location_type;
	to->location.id = from->location_id;
	to->flags = from->flags;
}

static_assert(sizeof(((CUipcMemHandle *)0)[0]) == 64, "CUipcMemHandle all");
static inline void pl_cuda_ipc_record_take(struct pl_cuda_ipc_record *to,
					   const CUipcMemHandle *from)
{
	memcpy(to->all, from, 64);
}

static inline void pl_cuda_ipc_record_give(CUipcMemHandle *to,
					   const struct pl_cuda_ipc_record *from)
{
	*to = (CUipcMemHandle){ 0 };
	memcpy(to, from->all, 64);
}

#endif
