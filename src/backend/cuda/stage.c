#include "backend/cuda/stage.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "backend/cuda/own.h"
#include "base/err.h"

#define STAGES_MAX  16u /* limit: of a session */
#define STAGE_BYTES ((uint64_t)PL_CUDA_STAGE_PARTS * PL_CUDA_STAGE_PART_BYTES)

struct pl_cuda_stage {
	struct pl_cuda_stage *next; /* in session->stages, under stages_lock, as are the two below */
	bool busy, gone;            /* gone: its context has left, and it goes when it is given */
	uint64_t context;           /* id */
	uint8_t *at;
	bool pending[PL_CUDA_STAGE_PARTS]; /* the device may be at work there */
	CUevent event[PL_CUDA_STAGE_PARTS];
};

static void stage_free(struct pl_cuda_session *session, struct pl_cuda_stage *stage)
{
	for (unsigned i = 0; i < PL_CUDA_STAGE_PARTS && !stage->gone; i++)
		if (stage->event[i])
			pl_cuda.cuEventDestroy_v2(stage->event[i]);
	if (stage->at) {
		if (!stage->gone)
			pl_cuda.cuMemHostUnregister(stage->at);
		munmap(stage->at, STAGE_BYTES);
	}
	pl_quota_return(&session->worker->quota, PL_QUOTA_HOST, STAGE_BYTES);
	free(stage);
}

static bool driver_can(void)
{
	return pl_cuda.cuMemHostRegister_v2 && pl_cuda.cuMemHostUnregister && pl_cuda.cuEventCreate &&
	       pl_cuda.cuEventDestroy_v2 && pl_cuda.cuEventRecord && pl_cuda.cuEventQuery &&
	       pl_cuda.cuEventSynchronize && pl_cuda.cuMemcpyHtoDAsync_v2 && pl_cuda.cuMemcpyDtoHAsync_v2;
}

static struct pl_cuda_stage *stage_create(struct pl_cuda_session *session)
{
	struct pl_cuda_stage *stage = calloc(1, sizeof(*stage));
	void *at;

	if (!stage || !pl_quota_charge(&session->worker->quota, PL_QUOTA_HOST, STAGE_BYTES)) {
		free(stage);
		return NULL;
	}
	stage->context = pl_cuda_current;
	stage->busy = true;
	at = mmap(NULL, STAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at != MAP_FAILED && pl_cuda_own_register(at, STAGE_BYTES, 0)) {
		munmap(at, STAGE_BYTES);
		at = MAP_FAILED;
	}
	stage->at = at == MAP_FAILED ? NULL : at;
	for (unsigned i = 0; i < PL_CUDA_STAGE_PARTS && stage->at; i++)
		if (pl_cuda.cuEventCreate(&stage->event[i], CU_EVENT_DISABLE_TIMING))
			break;
	if (stage->event[PL_CUDA_STAGE_PARTS - 1])
		return stage;
	stage_free(session, stage);
	return NULL;
}

static bool is_quiet(struct pl_cuda_stage *stage)
{
	for (unsigned i = 0; i < PL_CUDA_STAGE_PARTS; i++) {
		if (stage->pending[i] && pl_cuda_own_event_query(stage->event[i]))
			return false;
		stage->pending[i] = false;
	}
	return true;
}

/* Who waits for a stage's stream could wait for something that comes later: each call has one that nobody waits for. */
static struct pl_cuda_stage *stage_find(struct pl_cuda_session *session, uint32_t *count)
{
	struct pl_cuda_stage *found = NULL;

	*count = 0;
	pthread_mutex_lock(&session->stages_lock);
	for (struct pl_cuda_stage *stage = session->stages; stage && !found; stage = stage->next) {
		++*count;
		if (!stage->busy && stage->context == pl_cuda_current && is_quiet(stage))
			found = stage;
	}
	if (found)
		found->busy = true;
	pthread_mutex_unlock(&session->stages_lock);
	return found;
}

static bool is_worth_it(const struct pl_cuda_session *session, uint64_t bytes)
{
	return bytes >= PL_CUDA_STAGE_MIN && !session->host->memory_back && pl_cuda_current && driver_can();
}

struct pl_cuda_stage *pl_cuda_stage_take_kept(struct pl_cuda_session *session, uint64_t bytes)
{
	uint32_t count;

	return is_worth_it(session, bytes) ? stage_find(session, &count) : NULL;
}

struct pl_cuda_stage *pl_cuda_stage_take(struct pl_cuda_session *session, uint64_t bytes)
{
	struct pl_cuda_stage *stage;
	uint32_t count;

	if (!is_worth_it(session, bytes))
		return NULL;
	stage = stage_find(session, &count);
	if (stage || count >= STAGES_MAX)
		return stage;
	stage = stage_create(session);
	if (!stage)
		return NULL;
	pthread_mutex_lock(&session->stages_lock);
	stage->next = session->stages;
	session->stages = stage;
	pthread_mutex_unlock(&session->stages_lock);
	return stage;
}

/* Called with the lock held. */
static void take_out(struct pl_cuda_session *session, const struct pl_cuda_stage *stage)
{
	struct pl_cuda_stage **link = &session->stages;

	while (*link && *link != stage)
		link = &(*link)->next;
	if (*link)
		*link = stage->next;
}

void pl_cuda_stage_give(struct pl_cuda_session *session, struct pl_cuda_stage *stage)
{
	bool gone;

	pthread_mutex_lock(&session->stages_lock);
	stage->busy = false;
	gone = stage->gone;
	if (gone)
		take_out(session, stage);
	pthread_mutex_unlock(&session->stages_lock);
	if (gone)
		stage_free(session, stage);
}

void pl_cuda_stages_context_leaves(struct pl_cuda_session *session, uint64_t context, uint64_t left)
{
	pthread_mutex_lock(&session->stages_lock);
	for (struct pl_cuda_stage *stage = session->stages; stage; stage = stage->next)
		if (stage->context == context)
			stage->context = left;
	pthread_mutex_unlock(&session->stages_lock);
}

void pl_cuda_stages_context_left(struct pl_cuda_session *session, uint64_t left)
{
	pthread_mutex_lock(&session->stages_lock);
	for (struct pl_cuda_stage **link = &session->stages, *stage; (stage = *link);) {
		if (stage->context == left)
			stage->gone = true;
		if (stage->gone && !stage->busy) {
			*link = stage->next;
			stage_free(session, stage);
		} else {
			link = &stage->next;
		}
	}
	pthread_mutex_unlock(&session->stages_lock);
}

uint8_t *pl_cuda_stage_at(struct pl_cuda_stage *stage, uint64_t n)
{
	return stage->at + n % PL_CUDA_STAGE_PARTS * PL_CUDA_STAGE_PART_BYTES;
}

CUresult pl_cuda_stage_wait(struct pl_cuda_stage *stage, uint64_t n)
{
	unsigned i = n % PL_CUDA_STAGE_PARTS;

	if (!stage->pending[i])
		return CUDA_SUCCESS;
	stage->pending[i] = false;
	return pl_cuda_own_event_wait(stage->event[i]);
}

CUresult pl_cuda_stage_begun(struct pl_cuda_stage *stage, uint64_t n, CUstream stream, bool per_thread)
{
	__typeof__(&cuEventRecord) record = per_thread ? pl_cuda.cuEventRecord_ptsz : pl_cuda.cuEventRecord;
	CUresult r = record ? record(stage->event[n % PL_CUDA_STAGE_PARTS], stream) : CUDA_ERROR_NOT_SUPPORTED;

	if (r)
		(void)pl_cuda_own_wait(stream, per_thread); /* the device is done with the memory */
	stage->pending[n % PL_CUDA_STAGE_PARTS] = !r;
	return r;
}

CUresult pl_cuda_stage_end(struct pl_cuda_stage *stage)
{
	CUresult result = CUDA_SUCCESS;

	for (unsigned i = 0; i < PL_CUDA_STAGE_PARTS; i++) {
		CUresult r = pl_cuda_stage_wait(stage, i);

		result = result ? result : r;
	}
	return result;
}
