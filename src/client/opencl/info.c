/*
 * All clGet*Info functions: the spec's `info` tables say for each parameter whether the client knows the answer, keeps
 * the driver's for good, or asks each time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/agree.h"
#include "client/opencl/call.h"
#include "client/opencl/types.h"

#define BUCKETS 32u

struct info_answer {
	struct info_answer *next;
	uint64_t second;
	uint32_t op, index, param;
	size_t bytes;
	uint64_t value[]; /* aligned */
};

/* Buckets are only added to: readers take no lock. */
struct pl_cl_info_entry {
	struct info_answer *_Atomic buckets[BUCKETS];
};

static uint32_t bucket_of(uint32_t op, uint64_t second, uint32_t index, uint32_t param)
{
	return (uint32_t)(((param + index * 31u + op * 7u + second) * 0x9e3779b97f4a7c15u) >> 59) & (BUCKETS - 1);
}

static const struct info_answer *answer_find(struct pl_cl_object *object, uint32_t op, uint64_t second, uint32_t index,
					     uint32_t param)
{
	struct pl_cl_info_entry *infos = atomic_load_explicit(&object->infos, memory_order_acquire);
	struct info_answer *answer;

	if (!infos)
		return NULL;
	answer = atomic_load_explicit(&infos->buckets[bucket_of(op, second, index, param)], memory_order_acquire);
	for (; answer; answer = answer->next)
		if (answer->param == param && answer->op == op && answer->second == second && answer->index == index)
			return answer;
	return NULL;
}

void pl_cl_info_store(struct pl_cl_object *object, uint16_t op, uint64_t second, cl_uint index, cl_uint param,
		      const void *value, size_t bytes)
{
	struct info_answer *answer = malloc(sizeof(*answer) + bytes);
	struct pl_cl_info_entry *infos;
	uint32_t bucket = bucket_of(op, second, index, param);

	if (!answer)
		return;
	*answer = (struct info_answer){ .second = second, .op = op, .index = index, .param = param, .bytes = bytes };
	if (bytes)
		memcpy(answer->value, value, bytes);
	pl_lock(&object->lock);
	infos = object->infos;
	if (!infos) {
		infos = calloc(1, sizeof(*infos));
		atomic_store_explicit(&object->infos, infos, memory_order_release);
	}
	if (!infos || answer_find(object, op, second, index, param)) {
		free(answer);
	} else {
		answer->next = infos->buckets[bucket];
		atomic_store_explicit(&infos->buckets[bucket], answer, memory_order_release);
	}
	pl_unlock(&object->lock);
}

void pl_cl_infos_free(struct pl_cl_object *object)
{
	struct pl_cl_info_entry *infos = object->infos;

	for (uint32_t i = 0; infos && i < BUCKETS; i++) {
		struct info_answer *answer = infos->buckets[i];
		while (answer) {
			struct info_answer *next = answer->next;
			free(answer);
			answer = next;
		}
	}
	free(infos);
	object->infos = NULL;
}

cl_int pl_cl_value_give(const void *at, size_t bytes, size_t size, void *value, size_t *size_ret)
{
	if (value) {
		if (size < bytes)
			return CL_INVALID_VALUE;
		if (bytes)
			memcpy(value, at, bytes);
	}
	if (size_ret)
		*size_ret = bytes;
	return CL_SUCCESS;
}

/* Asks the driver.  *heap_out is set where the value had to be kept in memory of its own. */
static cl_int info_ask(struct pl_session *session, const struct pl_cl_plInfo_args *args, struct pl_reply *reply,
		       struct pl_cl_plInfo_reply *got, const void **at_out, uint64_t *bytes_out, void **heap_out)
{
	struct pl_cl_plInfo_args sent = *args;
	int r;

	sent.function = pl_session_op(session, (uint16_t)args->function);
	r = sent.function ? PL_CL_ASK(session, plInfo, &sent, reply) : -ENOSYS;
	if (r)
		return pl_cl_fault(r);
	if (reply->status)
		return reply->status;
	pl_cl_plInfo_reply_get(&reply->dec, got);
	if (!pl_dec_whole(&reply->dec))
		return pl_cl_lost();
	r = pl_cl_reply_value(reply, got->value, at_out, bytes_out, heap_out);
	return r ? pl_cl_fault(r) : CL_SUCCESS;
}

static bool info_cached(enum pl_cl_info_kind info, cl_uint param)
{
	struct pl_cl_info_rule rule = pl_cl_info_rule(info, param);

	/* What a local function works on, or what it leaves to the driver, does not change either, but for events and
	 * what a build makes. */
	return rule.how == PL_CL_INFO_CONST ||
	       (rule.how == PL_CL_INFO_LOCAL && info != PL_CL_INFO_event && info != PL_CL_INFO_profiling &&
		info != PL_CL_INFO_program && param != CL_QUEUE_DEVICE_DEFAULT);
}

cl_int pl_cl_info_fetch(uint16_t op, enum pl_cl_info_kind info, struct pl_cl_object *object, cl_uint param,
			const void **at_out, size_t *bytes_out, void **heap_out)
{
	const struct info_answer *answer = answer_find(object, op, 0, 0, param);
	struct pl_session *session = pl_cl_session(object);
	struct pl_cl_plInfo_args args = { .function = op, .param = param, .object = object->id };
	struct pl_cl_plInfo_reply got;
	struct pl_reply reply;
	const void *at = NULL;
	uint64_t bytes = 0;
	cl_int code;

	*heap_out = NULL;
	if (!answer) {
		if (!session)
			return pl_cl_lost();
		code = info_ask(session, &args, &reply, &got, &at, &bytes, heap_out);
		if (code)
			return code;
		if (!info_cached(info, param)) {
			void *copy = *heap_out ? *heap_out : malloc(bytes + 1);
			if (!copy)
				return CL_OUT_OF_HOST_MEMORY;
			if (copy != *heap_out && bytes)
				memcpy(copy, at, bytes);
			*at_out = *heap_out = copy;
			*bytes_out = bytes;
			return CL_SUCCESS;
		}
		pl_cl_info_store(object, op, 0, 0, param, at, bytes);
		free(*heap_out);
		*heap_out = NULL;
		answer = answer_find(object, op, 0, 0, param);
		if (!answer)
			return CL_OUT_OF_HOST_MEMORY;
	}
	*at_out = answer->value;
	*bytes_out = answer->bytes;
	return CL_SUCCESS;
}

static cl_int info_local(enum pl_cl_info_kind info, struct pl_cl_object *object, const void *second, cl_uint param,
			 size_t size, void *value, size_t *size_ret, bool *answered)
{
	struct pl_cl_value got = { 0 };
	int r = pl_cl_info_local(info, object, second, param, size, value, &got);
	cl_int code = r;

	*answered = r != 0;
	if (r > 0)
		code = pl_cl_value_give(got.at, got.bytes, size, value, size_ret);
	free(got.heap);
	return code;
}

static cl_int info_remote(struct pl_session *session, enum pl_cl_info_kind info, struct pl_cl_object *object,
			  struct pl_cl_plInfo_args *args, size_t size, void *value, size_t *size_ret)
{
	bool sized = info == PL_CL_INFO_kernel_sub_group; /* the size says what is wanted */
	struct pl_cl_plInfo_reply got;
	struct pl_reply reply;
	const void *at;
	uint64_t bytes;
	void *heap = NULL;
	cl_int code;

	if (session->dead)
		return pl_cl_lost();
	code = info_ask(session, args, &reply, &got, &at, &bytes, &heap);
	if (!code && !sized) {
		if (object && info_cached(info, args->param))
			pl_cl_info_store(object, (uint16_t)args->function, args->second, args->index, args->param, at,
					 bytes);
		code = pl_cl_value_give(at, bytes, size, value, size_ret);
	} else if (!code) {
		if (value && bytes)
			memcpy(value, at, bytes < size ? bytes : size);
		if (size_ret)
			*size_ret = got.size_ret;
	}
	free(heap);
	return code;
}

/* The count is the client's own; that the object is there at all, as its creation was not waited for, the server says.
 */
static cl_int refs_answer(uint16_t op, enum pl_cl_info_kind info, struct pl_cl_object *object, cl_uint param,
			  size_t size, void *value, size_t *size_ret)
{
	bool root = object->id & PL_CL_ID_LASTING;
	cl_uint refs = root ? 1 : (cl_uint)atomic_load(&object->refs);
	const void *at;
	size_t bytes;
	void *heap;
	cl_int code;

	if (!root && !object->unsent && !atomic_load_explicit(&object->seen, memory_order_relaxed)) {
		code = pl_cl_info_fetch(op, info, object, param, &at, &bytes, &heap);
		if (code)
			return code;
		free(heap);
		object->seen = true;
	}
	return pl_cl_value_give(&refs, sizeof(refs), size, value, size_ret);
}

cl_int pl_cl_info(uint16_t op, enum pl_cl_info_kind info, const void *handle, const void *second, cl_uint index,
		  const void *input, size_t input_bytes, cl_uint param, size_t size, void *value, size_t *size_ret)
{
	enum pl_cl_object_kind kind = pl_cl_info_object(info);
	struct pl_cl_object *object = pl_cl_get(handle, kind);
	struct pl_session *session = pl_cl_session(object);
	struct pl_cl_info_rule rule = pl_cl_info_rule(info, param);
	const struct info_answer *answer;
	struct pl_cl_plInfo_args args;
	bool answered;
	cl_int code;

	if (!session)
		return pl_cl_invalid(kind);
	if (rule.how == PL_CL_INFO_REFS)
		return refs_answer(op, info, object, param, size, value, size_ret);
	if (rule.how == PL_CL_INFO_LOCAL || rule.how == PL_CL_INFO_HANDLE || rule.how == PL_CL_INFO_HANDLES) {
		code = info_local(info, object, second, param, size, value, size_ret, &answered);
		if (answered)
			return code;
	}
	args = (struct pl_cl_plInfo_args){
		.function = op,
		.param = param,
		.object = object->id,
		.second = second ? pl_cl_id_at(session, second, PL_CL_KIND_device) : 0,
		.index = index,
		.has_value = value != NULL,
		.size = size,
		.input = { input, input ? input_bytes : 0 },
	};
	if (!input_bytes && (!second || args.second) && info_cached(info, param)) {
		if (kind == PL_CL_KIND_device)
			pl_cl_device_preload((struct pl_cl_device *)object);
		answer = answer_find(object, op, args.second, index, param);
		if (answer)
			return pl_cl_value_give(answer->value, answer->bytes, size, value, size_ret);
		return info_remote(session, info, object, &args, size, value, size_ret);
	}
	if (second && !args.second)
		args.second = UINT64_MAX; /* not NULL, and nothing that the server knows */
	return info_remote(session, info, NULL, &args, size, value, size_ret);
}
