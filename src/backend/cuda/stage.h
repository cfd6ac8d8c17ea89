/*
 * Stages: pinned memory for data between a socket and a device that has memory of its own.  The device copies one part
 * while the next one comes or goes, and no driver copies it a second time.  Parts are numbered from 0 for each call and
 * lie at n % PL_CUDA_STAGE_PARTS.
 */
#ifndef PL_BACKEND_CUDA_STAGE_H
#define PL_BACKEND_CUDA_STAGE_H

#include "backend/cuda/session.h"

#define PL_CUDA_STAGE_PARTS      4u
#define PL_CUDA_STAGE_PART_BYTES (1u << 20)
#define PL_CUDA_STAGE_MIN        (256u << 10) /* less is not worth it */

struct pl_cuda_stage;

/** pl_cuda_stage_take() - a stage for one call, in the current context
 * Return: NULL: none, the data has to go another way: there are few bytes, the device works in host memory, all stages
 * are in use, no memory (it is charged as host memory), a driver that lacks something. */
struct pl_cuda_stage *pl_cuda_stage_take(struct pl_cuda_session *session, uint64_t bytes);
/* The same, but makes none: a driver may wait for all streams when memory is pinned. */
struct pl_cuda_stage *pl_cuda_stage_take_kept(struct pl_cuda_session *session, uint64_t bytes);
/* The device may still be at work in it: nobody has it until that has ended. */
void pl_cuda_stage_give(struct pl_cuda_session *session, struct pl_cuda_stage *stage);

uint8_t *pl_cuda_stage_at(struct pl_cuda_stage *stage, uint64_t n);
/* Waits until the device has done what it was last told with the n-th part's memory. */
CUresult pl_cuda_stage_wait(struct pl_cuda_stage *stage, uint64_t n);
/* Something with it was put into the stream: pl_cuda_stage_wait() waits for that. */
CUresult pl_cuda_stage_begun(struct pl_cuda_stage *stage, uint64_t n, CUstream stream, bool per_thread);
/* Waits for all. */
CUresult pl_cuda_stage_end(struct pl_cuda_stage *stage);

/* As pl_cuda_context_leaves() and _left() are; with a context its events go. */
void pl_cuda_stages_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left);
void pl_cuda_stages_context_left(struct pl_cuda_session *session, uint64_t left);

#endif
