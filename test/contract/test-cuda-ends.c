/* The client's and the server's generated sides of CUDA, one behind the other: what a program says is what the driver
 * hears, and the other way.  Ids are handles plus a constant, so that one in the place of the other is seen. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "cuda-client.h"
#include "cuda-serve.h"

#define ID(handle)     ((uint64_t)(uintptr_t)(handle) + 0x1000)
#define HANDLE(number) ((void *)(uintptr_t)(number))
#define GONE           HANDLE(0x666)

static struct {
	unsigned posts, asks;
	uint64_t made, undone, ended, put, dropped;
	int32_t late;
} seen;
static struct pl_session_worker worker;
static struct pl_session *const session = (struct pl_session *)&worker;
static uint8_t record[4096], answer[4096];
static CUresult entered = CUDA_SUCCESS;
static int broken;
static bool plainly = true;

/* ---- the client's half of what is by hand ---- */

CUresult pl_cuda_enter(enum pl_cuda_op op, struct pl_session **session_out)
{
	(void)op;
	*session_out = session;
	return entered;
}

CUresult pl_cuda_fault(int r)
{
	assert(r < 0);
	return CUDA_ERROR_DEVICE_UNAVAILABLE;
}

uint64_t pl_cuda_id(const struct pl_session *of, enum pl_cuda_object_kind kind, const void *object)
{
	assert(of == session);
	if (kind == PL_CUDA_KIND_device)
		return (uintptr_t)object < 4 ? (uintptr_t)object + 1 : 0;
	if (!object || object == GONE)
		return 0;
	return kind == PL_CUDA_KIND_stream && (uintptr_t)object < 3 ? (uintptr_t)object : ID(object);
}

void *pl_cuda_new(struct pl_session *of, enum pl_cuda_object_kind kind, uint64_t *id_out)
{
	(void)of;
	(void)kind;
	*id_out = seen.made = ID(0x40);
	return HANDLE(0x40);
}

bool pl_cuda_reclaim(struct pl_session *of)
{
	(void)of;
	return false;
}

CUresult pl_cuda_enter_of(enum pl_cuda_op op, enum pl_cuda_object_kind kind, const void *object,
			  struct pl_session **session_out)
{
	(void)kind;
	(void)object;
	return pl_cuda_enter(op, session_out);
}

CUresult pl_cuda_enter_at(enum pl_cuda_op op, CUdeviceptr address, struct pl_session **session_out)
{
	(void)address;
	return pl_cuda_enter(op, session_out);
}

void pl_cuda_undo(struct pl_session *of, enum pl_cuda_object_kind kind, void *object)
{
	(void)of;
	(void)kind;
	seen.undone = ID(object);
}

void pl_cuda_end(struct pl_session *of, enum pl_cuda_object_kind kind, uint64_t id)
{
	(void)of;
	(void)kind;
	seen.ended = id;
}

void *pl_cuda_object_of(struct pl_session *of, enum pl_cuda_object_kind kind, uint64_t id)
{
	(void)of;
	(void)kind;
	return id ? HANDLE(id - 0x1000) : NULL;
}

#define CHECK(name, ...)                                                                                               \
	bool pl_cuda_check_##name(__VA_ARGS__)                                                                         \
	{                                                                                                              \
		return plainly;                                                                                        \
	}
#pragma GCC diagnostic ignored "-Wunused-parameter"
PL_CUDA_CHECKS(CHECK)

#define RECORD(name, type)                                                                                             \
	bool pl_cuda_##name##_record_pack(const struct pl_session *of, struct pl_cuda_##name##_record *to,             \
					  const type *from)                                                            \
	{                                                                                                              \
		return false;                                                                                          \
	}                                                                                                              \
	void pl_cuda_##name##_record_unpack(struct pl_session *of, type *to,                                           \
					    const struct pl_cuda_##name##_record *from)                                \
	{                                                                                                              \
	}                                                                                                              \
	bool pl_cuda_##name##_record_open(struct pl_serve *serve, type *to,                                            \
					  const struct pl_cuda_##name##_record *from, int32_t *status_out)             \
	{                                                                                                              \
		return false;                                                                                          \
	}                                                                                                              \
	void pl_cuda_##name##_record_close(struct pl_serve *serve, struct pl_cuda_##name##_record *to,                 \
					   const type *from)                                                           \
	{                                                                                                              \
	}
RECORD(sampling, CUDA_TEXTURE_DESC)
RECORD(texels, CUDA_RESOURCE_DESC)

/* Numbers of devices are one more at the server. */
#define DEVICES(name, type, id)                                                                                        \
	void pl_cuda_##name##_record_home(const struct pl_session *of, struct pl_cuda_##name##_record *one)            \
	{                                                                                                              \
		one->id += one->type == CU_MEM_LOCATION_TYPE_DEVICE;                                                   \
	}                                                                                                              \
	void pl_cuda_##name##_record_away(const struct pl_session *of, struct pl_cuda_##name##_record *one)            \
	{                                                                                                              \
		one->id -= one->type == CU_MEM_LOCATION_TYPE_DEVICE;                                                   \
	}
DEVICES(location, type, id)
DEVICES(access, location_type, location_id)
DEVICES(allocation, location_type, location_id)

/* ---- the server's half ---- */

bool pl_cuda_take(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void **object_out,
		  int32_t *status_out)
{
	*object_out = kind == PL_CUDA_KIND_device ? HANDLE(id - 1) : id < 0x1000 ? HANDLE(id) : HANDLE(id - 0x1000);
	return true;
}

bool pl_cuda_put(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object, int32_t status)
{
	seen.put = id;
	return true;
}

void pl_cuda_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind)
{
	seen.dropped = id;
}

uint64_t pl_cuda_id_of(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object)
{
	return object ? ID(object) : 0;
}

static int32_t answered;
static uint64_t answer_bytes;

void pl_cuda_result(struct pl_serve *serve, int32_t status, uint64_t stream)
{
	answered = status;
	if (!serve->asked)
		seen.late = status;
}

void pl_serve_refuse(struct pl_serve *serve, int32_t status)
{
	assert(!"the client sent what its own server refuses");
}

void pl_serve_give_turn(struct pl_serve *serve)
{
}

int pl_serve_reply_begin(struct pl_serve *serve, int32_t status, uint64_t body_bytes, uint64_t bulk_bytes)
{
	assert(body_bytes <= sizeof(answer) && serve->asked);
	answered = status;
	answer_bytes = body_bytes;
	serve->reply_enc.at = answer;
	return 0;
}

int pl_serve_reply_end(struct pl_serve *serve)
{
	assert(serve->reply_enc.at == answer + answer_bytes);
	return 0;
}

#define HANDLER(name)                                                                                                  \
	void pl_cuda_serve_##name(struct pl_serve *serve, const struct pl_cuda_##name##_args *args)                    \
	{                                                                                                              \
		assert(!"no generated function of the client sends " #name);                                           \
	}
PL_CUDA_HANDLERS(HANDLER)

/* ---- no link ---- */

static uint16_t op_now;
static uint64_t bytes_now;

int pl_call_begin(struct pl_call *call, struct pl_session *of, uint16_t op, uint64_t body_bytes)
{
	if (broken)
		return broken;
	assert(body_bytes <= sizeof(record));
	call->enc.at = record;
	op_now = op;
	bytes_now = body_bytes;
	return 0;
}

static void carry(const struct pl_call *call, bool asked)
{
	struct pl_wire_head head = { .op = op_now };
	struct pl_serve serve = {
		.session = &worker, .head = &head, .asked = asked, .dec = { .at = record, .end = record + bytes_now }
	};

	assert(call->enc.at == record + bytes_now);
	answer_bytes = 0;
	pl_cuda_serve_call(&serve);
}

int pl_call_post(struct pl_call *call)
{
	seen.posts++;
	carry(call, false);
	return 0;
}

int pl_call_ask(struct pl_call *call, struct pl_reply *reply_out)
{
	seen.asks++;
	carry(call, true);
	*reply_out = (struct pl_reply){ .status = answered, .dec = { .at = answer, .end = answer + answer_bytes } };
	return 0;
}

/* ---- the driver ---- */

static CUmemAccessDesc heard[2];
static CUstream heard_stream;
static bool heard_twin;

static CUresult get_limit(size_t *value, CUlimit limit)
{
	*value = 1ull << 40;
	return limit == CU_LIMIT_STACK_SIZE ? CUDA_SUCCESS : CUDA_ERROR_UNSUPPORTED_LIMIT;
}

static CUresult set_access(CUmemoryPool pool, const CUmemAccessDesc *accesses, size_t count)
{
	(void)pool;
	if (!accesses || count != 2)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(heard, accesses, sizeof(heard));
	return CUDA_SUCCESS;
}

static CUresult create_stream(CUstream *stream, unsigned int flags)
{
	*stream = HANDLE(0x70);
	return flags > 1 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static CUresult destroy_stream(CUstream stream)
{
	heard_stream = stream;
	return CUDA_SUCCESS;
}

static CUresult set_bytes(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	assert(dst == 0x7f0000001000 && value == 0xa5 && count == 1ull << 33);
	heard_stream = stream;
	heard_twin = false;
	return CUDA_SUCCESS;
}

static CUresult set_bytes_twin(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	set_bytes(dst, value, count, stream);
	heard_twin = true;
	return CUDA_SUCCESS;
}

static CUresult supports(int *value, CUexecAffinityType type, CUdevice device)
{
	*value = type == CU_EXEC_AFFINITY_TYPE_SM_COUNT && device == 3 ? -1 : 0;
	return CUDA_SUCCESS;
}

static void *find(void *arg, const char *symbol)
{
	static const struct {
		const char *symbol;
		void *at;
	} here[] = { { "cuCtxGetLimit", (void *)get_limit },
		     { "cuMemPoolSetAccess", (void *)set_access },
		     { "cuStreamCreate", (void *)create_stream },
		     { "cuStreamDestroy", (void *)destroy_stream },
		     { "cuMemsetD8Async", (void *)set_bytes },
		     { "cuMemsetD8Async_ptsz", (void *)set_bytes_twin },
		     { "cuDeviceGetExecAffinitySupport", (void *)supports } };

	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		if (!strcmp(here[i].symbol, symbol))
			return here[i].at;
	return NULL;
}

/* ---- what programs see ---- */

static void test_answers_come_back(void)
{
	size_t value = 5;
	int can = 5;

	assert(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE) == CUDA_SUCCESS && value == 1ull << 40);
	value = 5;
	assert(cuCtxGetLimit(&value, CU_LIMIT_SHMEM_SIZE) == CUDA_ERROR_UNSUPPORTED_LIMIT && value == 5);
	assert(cuDeviceGetExecAffinitySupport(&can, CU_EXEC_AFFINITY_TYPE_SM_COUNT, 3) == CUDA_SUCCESS && can == -1);
}

static void test_structures_are_the_same_on_both_sides(void)
{
	const CUmemAccessDesc said[2] = { { { CU_MEM_LOCATION_TYPE_DEVICE, 1 }, CU_MEM_ACCESS_FLAGS_PROT_READ },
					  { { CU_MEM_LOCATION_TYPE_HOST, -9 }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE } };

	assert(cuMemPoolSetAccess(HANDLE(0x20), said, 2) == CUDA_SUCCESS && heard[0].location.id == 2);
	heard[0].location.id--;
	assert(!memcmp(said, heard, sizeof(said)));
	assert(cuMemPoolSetAccess(HANDLE(0x20), NULL, 2) == CUDA_ERROR_INVALID_VALUE);
}

static void test_plainly_valid_calls_are_posted_and_others_asked(void)
{
	CUstream stream = NULL;

	memset(&seen, 0, sizeof(seen));
	assert(cuStreamCreate(&stream, 0) == CUDA_SUCCESS && stream == HANDLE(0x40));
	assert(seen.posts == 1 && !seen.asks && seen.put == seen.made);
	assert(cuMemsetD8Async(0x7f0000001000, 0xa5, 1ull << 33, stream) == CUDA_SUCCESS);
	assert(seen.posts == 2 && heard_stream == stream && !heard_twin);
	assert(cuMemsetD8Async_ptsz(0x7f0000001000, 0xa5, 1ull << 33, CU_STREAM_PER_THREAD) == CUDA_SUCCESS);
	assert(seen.posts == 3 && heard_stream == CU_STREAM_PER_THREAD && heard_twin);
	assert(cuStreamDestroy(stream) == CUDA_SUCCESS);
	assert(seen.posts == 4 && seen.ended == ID(stream) && seen.dropped == ID(stream) && !seen.asks);
	plainly = false;
	assert(cuStreamCreate(&stream, 9) == CUDA_ERROR_INVALID_VALUE);
	assert(seen.asks == 1 && seen.undone == ID(0x40));
	plainly = true;
}

static void test_what_is_wrong_is_said_without_a_call(void)
{
	memset(&seen, 0, sizeof(seen));
	assert(cuCtxGetLimit(NULL, CU_LIMIT_STACK_SIZE) == CUDA_ERROR_INVALID_VALUE);
	assert(cuStreamCreate(NULL, 0) == CUDA_ERROR_INVALID_VALUE);
	assert(cuMemsetD8Async(0, 0, 0, GONE) == CUDA_ERROR_INVALID_HANDLE);
	assert(cuDeviceGetExecAffinitySupport((int[]){ 0 }, CU_EXEC_AFFINITY_TYPE_SM_COUNT, 7) ==
	       CUDA_ERROR_INVALID_DEVICE);
	assert(cuMemPoolSetAccess(HANDLE(0x20), heard, PL_CUDA_LIMIT_LIST_MAX + 1) == CUDA_ERROR_INVALID_VALUE);
	entered = CUDA_ERROR_NOT_INITIALIZED;
	assert(cuCtxGetLimit((size_t[]){ 0 }, CU_LIMIT_STACK_SIZE) == CUDA_ERROR_NOT_INITIALIZED);
	entered = CUDA_SUCCESS;
	broken = -1;
	assert(cuStreamCreate((CUstream[]){ NULL }, 0) == CUDA_ERROR_DEVICE_UNAVAILABLE && seen.undone == ID(0x40));
	broken = 0;
	assert(!seen.posts && !seen.asks);
}

int main(void)
{
	pl_cuda_driver_load(&pl_cuda, find, NULL);
	test_answers_come_back();
	test_structures_are_the_same_on_both_sides();
	test_plainly_valid_calls_are_posted_and_others_asked();
	test_what_is_wrong_is_said_without_a_call();
	return 0;
}
