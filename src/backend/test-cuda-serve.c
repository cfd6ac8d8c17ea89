/* The generated server side of CUDA on records from a client that may lie, over a driver that notes what it is told. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "cuda-serve.h"
#include "cuda/result.h"

/* ---- what the backend and the server give, noted ---- */

static struct {
	uint8_t reply[512];
	uint64_t reply_bytes, put_id, dropped_id;
	int32_t status, put_status;
	bool refused, answered, gave_turn;
	uint16_t handled;
	const void *put_object;
} seen;

static struct pl_session_worker session;

bool pl_cuda_take(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void **object_out,
		  int32_t *status_out)
{
	(void)serve;
	if (id == 66) {
		*status_out = kind == PL_CUDA_KIND_stream ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE;
		return false;
	}
	*object_out = (void *)(uintptr_t)(id * 16);
	return true;
}

bool pl_cuda_put(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object, int32_t status)
{
	(void)serve;
	(void)kind;
	seen.put_id = id;
	seen.put_object = object;
	seen.put_status = status;
	return true;
}

void pl_cuda_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind)
{
	(void)serve;
	(void)kind;
	seen.dropped_id = id;
}

uint64_t pl_cuda_id_of(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object)
{
	(void)serve;
	(void)kind;
	return (uintptr_t)object / 16;
}

void pl_cuda_result(struct pl_serve *serve, int32_t status, uint64_t stream)
{
	(void)serve;
	(void)stream;
	seen.status = status;
	seen.answered = true;
}

void pl_serve_refuse(struct pl_serve *serve, int32_t status)
{
	(void)serve;
	seen.status = status;
	seen.refused = true;
}

void pl_serve_give_turn(struct pl_serve *serve)
{
	(void)serve;
	seen.gave_turn = true;
}

int pl_serve_reply_begin(struct pl_serve *serve, int32_t status, uint64_t body_bytes, uint64_t bulk_bytes)
{
	assert(body_bytes <= sizeof(seen.reply) && !bulk_bytes);
	seen.status = status;
	seen.reply_bytes = body_bytes;
	serve->reply_enc.at = seen.reply;
	return 0;
}

int pl_serve_reply_end(struct pl_serve *serve)
{
	assert(serve->reply_enc.at == seen.reply + seen.reply_bytes);
	seen.answered = true;
	return 0;
}

/* Handlers that are written by hand, as far as they matter here. */
#define HANDLER(name)                                                                                                  \
	void pl_cuda_serve_##name(struct pl_serve *serve, const struct pl_cuda_##name##_args *args)                    \
	{                                                                                                              \
		(void)serve;                                                                                           \
		(void)args;                                                                                            \
		seen.handled = PL_CUDA_OP_##name;                                                                      \
		seen.answered = true;                                                                                  \
	}
PL_CUDA_HANDLERS(HANDLER)

#define RECORD(name, type)                                                                                             \
	bool pl_cuda_##name##_record_open(struct pl_serve *serve, type *to,                                            \
					  const struct pl_cuda_##name##_record *from, int32_t *status_out)             \
	{                                                                                                              \
		(void)serve;                                                                                           \
		(void)to;                                                                                              \
		(void)from;                                                                                            \
		*status_out = CUDA_ERROR_INVALID_HANDLE;                                                               \
		return false;                                                                                          \
	}                                                                                                              \
	void pl_cuda_##name##_record_close(struct pl_serve *serve, struct pl_cuda_##name##_record *to,                 \
					   const type *from)                                                           \
	{                                                                                                              \
		(void)serve;                                                                                           \
		(void)to;                                                                                              \
		(void)from;                                                                                            \
	}
RECORD(sampling, CUDA_TEXTURE_DESC)
RECORD(texels, CUDA_RESOURCE_DESC)

/* ---- the driver ---- */

static struct {
	unsigned calls;
	CUstream stream;
	bool twin;
	CUmemAccessDesc accesses[4];
	size_t count;
} told;

static CUresult get_limit(size_t *value, CUlimit limit)
{
	told.calls++;
	*value = limit == CU_LIMIT_STACK_SIZE ? 1ull << 40 : 0;
	return limit == CU_LIMIT_STACK_SIZE ? CUDA_SUCCESS : CUDA_ERROR_UNSUPPORTED_LIMIT;
}

static CUresult set_access(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *accesses, size_t count)
{
	told.calls++;
	told.count = count;
	memcpy(told.accesses, accesses, count * sizeof(*accesses));
	return address == 0x1000 && bytes == 4096 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult create_stream(CUstream *stream, unsigned int flags)
{
	told.calls++;
	*stream = flags ? NULL : (CUstream)(uintptr_t)(7 * 16);
	return flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static CUresult destroy_stream(CUstream stream)
{
	told.calls++;
	told.stream = stream;
	return CUDA_SUCCESS;
}

static CUresult set_bytes(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	(void)dst;
	(void)value;
	(void)count;
	told.calls++;
	told.stream = stream;
	told.twin = false;
	return CUDA_SUCCESS;
}

static CUresult set_bytes_twin(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	set_bytes(dst, value, count, stream);
	told.twin = true;
	return CUDA_SUCCESS;
}

static CUresult synchronize(void)
{
	told.calls++;
	assert(seen.gave_turn);
	return CUDA_ERROR_LAUNCH_FAILED;
}

static void *find(void *arg, const char *symbol)
{
	static const struct {
		const char *symbol;
		void *at;
	} here[] = { { "cuCtxGetLimit", (void *)get_limit },      { "cuMemSetAccess", (void *)set_access },
		     { "cuStreamCreate", (void *)create_stream }, { "cuStreamDestroy", (void *)destroy_stream },
		     { "cuMemsetD8Async", (void *)set_bytes },    { "cuMemsetD8Async_ptsz", (void *)set_bytes_twin },
		     { "cuCtxSynchronize", (void *)synchronize } };

	(void)arg;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		if (!strcmp(here[i].symbol, symbol))
			return here[i].at;
	return NULL;
}

/* ---- calls ---- */

static void call(uint16_t op, bool asked, const uint64_t *words, size_t count)
{
	struct pl_wire_head head = { .op = op };
	struct pl_serve serve = { .session = &session,
				  .head = &head,
				  .asked = asked,
				  .dec = { .at = (const uint8_t *)words, .end = (const uint8_t *)(words + count) } };

	memset(&seen, 0, sizeof(seen));
	memset(&told, 0, sizeof(told));
	pl_cuda_serve_call(&serve);
	assert(seen.refused || seen.answered);
}

#define CALL(op, asked, ...)                                                                                           \
	call(PL_CUDA_OP_##op, asked, (const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8)

static struct pl_dec reply(void)
{
	return (struct pl_dec){ .at = seen.reply, .end = seen.reply + seen.reply_bytes };
}

static void test_an_answer_comes_back(void)
{
	struct pl_cuda_cuCtxGetLimit_reply got;
	struct pl_dec dec;

	CALL(cuCtxGetLimit, true, CU_LIMIT_STACK_SIZE);
	dec = reply();
	pl_cuda_cuCtxGetLimit_reply_get(&dec, &got);
	assert(pl_dec_whole(&dec) && got.value == 1ull << 40 && seen.status == CUDA_SUCCESS);
	CALL(cuCtxGetLimit, true, CU_LIMIT_SHMEM_SIZE);
	assert(seen.status == CUDA_ERROR_UNSUPPORTED_LIMIT && !seen.reply_bytes);
}

static void test_structures_reach_the_driver(void)
{
	CALL(cuMemSetAccess, true, 0x1000, 4096, 6, 1, 0, 3, 4, (uint64_t)-2, 1, 2, 1);
	assert(seen.status == CUDA_SUCCESS && told.count == 2);
	assert(told.accesses[0].location.type == CU_MEM_LOCATION_TYPE_DEVICE && told.accesses[0].flags == 3);
	assert(told.accesses[1].location.id == -2 && told.accesses[1].flags == CU_MEM_ACCESS_FLAGS_PROT_READ);
}

static void test_objects_are_entered_and_end(void)
{
	CALL(cuStreamCreate, false, 9, 0);
	assert(seen.put_id == 9 && seen.put_object == (void *)(uintptr_t)(7 * 16) && !seen.put_status);
	CALL(cuStreamCreate, false, 9, 1);
	assert(seen.put_id == 9 && seen.put_status == CUDA_ERROR_INVALID_VALUE);
	CALL(cuStreamCreate, true, 9, 1);
	assert(!seen.put_id && seen.status == CUDA_ERROR_INVALID_VALUE);
	CALL(cuStreamDestroy, false, 9);
	assert(seen.dropped_id == 9 && told.stream == (CUstream)(uintptr_t)(9 * 16));
}

static void test_the_twin_is_called_where_the_program_called_it(void)
{
	CALL(cuMemsetD8Async, false, 0x1000, 1, 8, 4, 0);
	assert(told.calls && !told.twin && told.stream == (CUstream)(uintptr_t)(4 * 16));
	CALL(cuMemsetD8Async, false, 0x1000, 1, 8, 4, 1);
	assert(told.calls && told.twin);
}

static void test_who_waits_gives_the_turn_away(void)
{
	call(PL_CUDA_OP_cuCtxSynchronize, true, NULL, 0);
	assert(told.calls && seen.gave_turn && seen.status == CUDA_ERROR_LAUNCH_FAILED);
}

static void test_calls_by_hand_are_charged_and_handed_over(void)
{
	struct pl_quota *quota = &session.quota;

	quota->limit[PL_QUOTA_MEMORY] = 5000;
	CALL(cuMemAlloc_v2, false, 0x1000, 4096, 0);
	assert(seen.handled == PL_CUDA_OP_cuMemAlloc_v2 && quota->used[PL_QUOTA_MEMORY] == 4096);
	CALL(cuMemAlloc_v2, false, 0x2000, 4096, 0);
	assert(!seen.handled && seen.status == CUDA_ERROR_OUT_OF_MEMORY && quota->used[PL_QUOTA_MEMORY] == 4096);
	CALL(cuMemAllocFromPoolAsync, false, 0x2000, 100, 0, 0, 0);
	assert(seen.handled == PL_CUDA_OP_cuMemAllocAsync && quota->used[PL_QUOTA_MEMORY] == 4196);
}

static void test_lies_do_not_reach_the_driver(void)
{
	CALL(cuMemSetAccess, true, 0x1000, 4096, 6, 1, 0, 3, 4, 0, 1, 1, 1); /* two records, one said */
	assert(seen.refused && !told.calls);
	CALL(cuMemSetAccess, true, 0x1000, 4096, 5, 1, 0, 3, 4, 0, 0, 2, 1); /* no whole number of records */
	assert(seen.refused && !told.calls);
	CALL(cuMemSetAccess, true, 0x1000, 4096, 3, 1ull << 32, 0, 3, 1, 1); /* no enumerator */
	assert(seen.status == CUDA_ERROR_INVALID_VALUE && !told.calls);
	CALL(cuCtxGetLimit, true, 0, 0); /* more than the call has */
	assert(seen.refused && !told.calls);
	call(PL_CUDA_OP_cuCtxGetLimit, true, NULL, 0);
	assert(seen.refused && !told.calls);
}

static void test_what_is_not_there_is_refused(void)
{
	CALL(cuCtxGetCacheConfig, true, 0); /* has no fields */
	assert(seen.refused);
	call(PL_CUDA_OP_cuCtxGetCacheConfig, true, NULL, 0); /* the driver lacks it */
	assert(seen.status == CUDA_ERROR_NOT_SUPPORTED && !seen.refused);
	call(PL_CUDA_OP_cuInit, true, NULL, 0); /* does not travel */
	assert(seen.refused && seen.status == CUDA_ERROR_NOT_SUPPORTED);
	call(UINT16_MAX, true, NULL, 0);
	assert(seen.refused);
}

int main(void)
{
	pl_cuda_driver_load(&pl_cuda, find, NULL);
	test_an_answer_comes_back();
	test_structures_reach_the_driver();
	test_objects_are_entered_and_end();
	test_the_twin_is_called_where_the_program_called_it();
	test_who_waits_gives_the_turn_away();
	test_calls_by_hand_are_charged_and_handed_over();
	test_lies_do_not_reach_the_driver();
	test_what_is_not_there_is_refused();
	return 0;
}
