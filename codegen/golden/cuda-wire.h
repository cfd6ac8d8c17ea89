/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * CUDA's calls and messages as they travel.  For each record R: the structure, its encoded size
 * R_bytes(), the encoder R_put() (into room of exactly that size) and the decoder R_get()
 * (sticky-fatal; ask pl_dec_whole() afterwards; what it sets is borrowed from the record).
 */
#ifndef PL_CUDA_WIRE_H
#define PL_CUDA_WIRE_H

#include <stdint.h>
#include <string.h>

#include "wire/codec.h"
#include "wire/functions.h"

/* What the peers agree on: every function that travels, its number and its layout. */
#define PL_CUDA_API_HASH 0x2f8693986e96d569u
extern const struct pl_functions pl_cuda_functions;

#define PL_CUDA_LIMIT_LIST_MAX 64u
#define PL_CUDA_LIMIT_NAME_MAX 4096u
#define PL_CUDA_LIMIT_BYTES_MAX 65536u

enum pl_cuda_object_kind {
	PL_CUDA_KIND_device = 1,
	PL_CUDA_KIND_context = 2,
	PL_CUDA_KIND_stream = 3,
	PL_CUDA_KIND_array = 4,
	PL_CUDA_KIND_node = 5,
	PL_CUDA_KIND_graph = 6,
};

enum pl_cuda_op {
	PL_CUDA_OP_cuInit = 1,
	PL_CUDA_OP_cuDeviceGetName = 2,
	PL_CUDA_OP_cuCtxGetLimit = 3,
	PL_CUDA_OP_cuCtxCreate = 4,
	PL_CUDA_OP_cuCtxDestroy_v2 = 5,
	PL_CUDA_OP_cuMemsetD8_v2 = 6,
	PL_CUDA_OP_cuMemsetD8Async = 7,
	PL_CUDA_OP_cuMemsetD8 = 8,
	PL_CUDA_OP_cuMemSetAccess = 9,
	PL_CUDA_OP_cuMemGetAccess = 10,
	PL_CUDA_OP_cuGraphGetNodes = 11,
	PL_CUDA_OP_cuIpcGetMemHandle = 12,
	PL_CUDA_OP_cuMemAdvise_v2 = 13,
	PL_CUDA_OP_cuLaunchHostFunc = 14,
	PL_CUDA_OP_cuStreamGetWindow = 15,
	PL_CUDA_OP_cuMemFreeHost = 16,
	PL_CUDA_OP_cuGraphLoad = 17,
	PL_CUDA_OP_plCurrent = 18,
	PL_CUDA_OP_COUNT = 19, /* numbers in between may be unused */
};

/* Of an op; "?" for a number that the spec does not have. */
const char *pl_cuda_op_name(uint16_t op);
/* "local", "post", "mint", "ask", "info", "reverse", "absent" */
const char *pl_cuda_op_class(uint16_t op);
/* A moved session says it again: "makes": if it made or ended something; "record": if it succeeded, as it changes
 * something that is there; "none": never */
const char *pl_cuda_op_replays(uint16_t op);
/* The same: 0 = none, 1 = makes, 2 = record. */
int pl_cuda_op_records(uint16_t op);
/* Which word of a call's fields, from 1, names the stream that it goes into; 0 = none.  *per_thread_out: the same of
 * the flag that its default is the thread's own; 0 = it is not known. */
uint32_t pl_cuda_op_stream(uint16_t op, uint32_t *per_thread_out);
/* The op of a name, 0 = none. */
uint16_t pl_cuda_op_find(const char *name);

/* CUmemLocation */
#define PL_CUDA_WORDS_location 2u
struct pl_cuda_location_record {
	uint32_t type;
	int32_t id;
};

static inline void pl_cuda_location_record_put(struct pl_enc *to,
					       const struct pl_cuda_location_record *from)
{
	pl_enc_u64(to, from->type);
	pl_enc_u64(to, (uint64_t)(int64_t)from->id);
}

static inline void pl_cuda_location_record_get(struct pl_dec *dec,
					       struct pl_cuda_location_record *to)
{
	to->type = pl_dec_u32(dec);
	to->id = pl_dec_i32(dec);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_cuda_location_record_at(struct pl_u64s words, uint64_t i, struct pl_cuda_location_record *to)
{
	const uint64_t *at = words.at + i * PL_CUDA_WORDS_location;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_CUDA_WORDS_location) };

	pl_cuda_location_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* CUmemAccessDesc */
#define PL_CUDA_WORDS_access 3u
struct pl_cuda_access_record {
	uint32_t location_type;
	int32_t location_id;
	uint32_t flags;
};

static inline void pl_cuda_access_record_put(struct pl_enc *to,
					     const struct pl_cuda_access_record *from)
{
	pl_enc_u64(to, from->location_type);
	pl_enc_u64(to, (uint64_t)(int64_t)from->location_id);
	pl_enc_u64(to, from->flags);
}

static inline void pl_cuda_access_record_get(struct pl_dec *dec, struct pl_cuda_access_record *to)
{
	to->location_type = pl_dec_u32(dec);
	to->location_id = pl_dec_i32(dec);
	to->flags = pl_dec_u32(dec);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_cuda_access_record_at(struct pl_u64s words, uint64_t i, struct pl_cuda_access_record *to)
{
	const uint64_t *at = words.at + i * PL_CUDA_WORDS_access;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_CUDA_WORDS_access) };

	pl_cuda_access_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* CUipcMemHandle */
#define PL_CUDA_WORDS_ipc 8u
struct pl_cuda_ipc_record {
	uint8_t all[64];
};

static inline void pl_cuda_ipc_record_put(struct pl_enc *to, const struct pl_cuda_ipc_record *from)
{
	pl_enc_raw(to, from->all, 64);
}

static inline void pl_cuda_ipc_record_get(struct pl_dec *dec, struct pl_cuda_ipc_record *to)
{
	pl_dec_raw(dec, to->all, 64);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_cuda_ipc_record_at(struct pl_u64s words, uint64_t i, struct pl_cuda_ipc_record *to)
{
	const uint64_t *at = words.at + i * PL_CUDA_WORDS_ipc;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_CUDA_WORDS_ipc) };

	pl_cuda_ipc_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* CUaccessPolicyWindow */
#define PL_CUDA_WORDS_window 6u
struct pl_cuda_window_record {
	uint64_t base;
	uint64_t bytes;
	float hit_ratio;
	uint8_t rest[12];
	uint64_t stream; /* id, stream */
};

static inline void pl_cuda_window_record_put(struct pl_enc *to,
					     const struct pl_cuda_window_record *from)
{
	pl_enc_u64(to, from->base);
	pl_enc_u64(to, from->bytes);
	pl_enc_f32(to, from->hit_ratio);
	pl_enc_raw(to, from->rest, 12);
	pl_enc_u64(to, from->stream);
}

static inline void pl_cuda_window_record_get(struct pl_dec *dec, struct pl_cuda_window_record *to)
{
	to->base = pl_dec_u64(dec);
	to->bytes = pl_dec_u64(dec);
	to->hit_ratio = pl_dec_f32(dec);
	pl_dec_raw(dec, to->rest, 12);
	to->stream = pl_dec_u64(dec);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_cuda_window_record_at(struct pl_u64s words, uint64_t i, struct pl_cuda_window_record *to)
{
	const uint64_t *at = words.at + i * PL_CUDA_WORDS_window;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_CUDA_WORDS_window) };

	pl_cuda_window_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* cuDeviceGetName (ask) */
struct pl_cuda_cuDeviceGetName_args {
	int32_t len;
	uint64_t device; /* id, device */
};

static inline uint64_t pl_cuda_cuDeviceGetName_bytes(
	const struct pl_cuda_cuDeviceGetName_args *from)
{
	(void)from;
	return 16;
}

static inline void pl_cuda_cuDeviceGetName_put(struct pl_enc *enc,
					       const struct pl_cuda_cuDeviceGetName_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, (uint64_t)(int64_t)from->len);
	pl_enc_u64(&to, from->device);
	*enc = to;
}

void pl_cuda_cuDeviceGetName_get(struct pl_dec *dec, struct pl_cuda_cuDeviceGetName_args *to);

struct pl_cuda_cuDeviceGetName_reply {
	struct pl_bytes name; /* at most NAME_MAX */
};

static inline uint64_t pl_cuda_cuDeviceGetName_reply_bytes(
	const struct pl_cuda_cuDeviceGetName_reply *from)
{
	return pl_size_array(from->name.bytes, 1);
}

static inline void pl_cuda_cuDeviceGetName_reply_put(
	struct pl_enc *enc, const struct pl_cuda_cuDeviceGetName_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_array(&to, from->name.at, from->name.bytes, 1);
	*enc = to;
}

void pl_cuda_cuDeviceGetName_reply_get(struct pl_dec *dec, struct pl_cuda_cuDeviceGetName_reply *to);

/* cuCtxGetLimit (ask) */
struct pl_cuda_cuCtxGetLimit_args {
	uint32_t limit;
};

static inline uint64_t pl_cuda_cuCtxGetLimit_bytes(const struct pl_cuda_cuCtxGetLimit_args *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuCtxGetLimit_put(struct pl_enc *enc,
					     const struct pl_cuda_cuCtxGetLimit_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->limit);
	*enc = to;
}

void pl_cuda_cuCtxGetLimit_get(struct pl_dec *dec, struct pl_cuda_cuCtxGetLimit_args *to);

struct pl_cuda_cuCtxGetLimit_reply {
	uint64_t value;
};

static inline uint64_t pl_cuda_cuCtxGetLimit_reply_bytes(
	const struct pl_cuda_cuCtxGetLimit_reply *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuCtxGetLimit_reply_put(struct pl_enc *enc,
						   const struct pl_cuda_cuCtxGetLimit_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->value);
	*enc = to;
}

void pl_cuda_cuCtxGetLimit_reply_get(struct pl_dec *dec, struct pl_cuda_cuCtxGetLimit_reply *to);

/* cuCtxCreate (ask, recorded for a replay) */
struct pl_cuda_cuCtxCreate_args {
	uint64_t context; /* made by the client: id, context */
	uint32_t flags;
	uint64_t device; /* id, device */
};

static inline uint64_t pl_cuda_cuCtxCreate_bytes(const struct pl_cuda_cuCtxCreate_args *from)
{
	(void)from;
	return 24;
}

static inline void pl_cuda_cuCtxCreate_put(struct pl_enc *enc,
					   const struct pl_cuda_cuCtxCreate_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->context);
	pl_enc_u64(&to, from->flags);
	pl_enc_u64(&to, from->device);
	*enc = to;
}

void pl_cuda_cuCtxCreate_get(struct pl_dec *dec, struct pl_cuda_cuCtxCreate_args *to);

/* cuCtxDestroy_v2 (post, recorded for a replay) */
struct pl_cuda_cuCtxDestroy_v2_args {
	uint64_t context; /* id, context */
};

static inline uint64_t pl_cuda_cuCtxDestroy_v2_bytes(
	const struct pl_cuda_cuCtxDestroy_v2_args *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuCtxDestroy_v2_put(struct pl_enc *enc,
					       const struct pl_cuda_cuCtxDestroy_v2_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->context);
	*enc = to;
}

void pl_cuda_cuCtxDestroy_v2_get(struct pl_dec *dec, struct pl_cuda_cuCtxDestroy_v2_args *to);

/* cuMemsetD8_v2 (post) */
struct pl_cuda_cuMemsetD8_v2_args {
	uint64_t dst;
	uint32_t value;
	uint64_t count;
	uint32_t per_thread;
};

static inline uint64_t pl_cuda_cuMemsetD8_v2_bytes(const struct pl_cuda_cuMemsetD8_v2_args *from)
{
	(void)from;
	return 32;
}

static inline void pl_cuda_cuMemsetD8_v2_put(struct pl_enc *enc,
					     const struct pl_cuda_cuMemsetD8_v2_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->dst);
	pl_enc_u64(&to, from->value);
	pl_enc_u64(&to, from->count);
	pl_enc_u64(&to, from->per_thread);
	*enc = to;
}

void pl_cuda_cuMemsetD8_v2_get(struct pl_dec *dec, struct pl_cuda_cuMemsetD8_v2_args *to);

/* cuMemsetD8Async (post) */
struct pl_cuda_cuMemsetD8Async_args {
	uint64_t dst;
	uint32_t value;
	uint64_t count;
	uint64_t stream; /* id, stream */
	uint32_t per_thread;
};

static inline uint64_t pl_cuda_cuMemsetD8Async_bytes(
	const struct pl_cuda_cuMemsetD8Async_args *from)
{
	(void)from;
	return 40;
}

static inline void pl_cuda_cuMemsetD8Async_put(struct pl_enc *enc,
					       const struct pl_cuda_cuMemsetD8Async_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->dst);
	pl_enc_u64(&to, from->value);
	pl_enc_u64(&to, from->count);
	pl_enc_u64(&to, from->stream);
	pl_enc_u64(&to, from->per_thread);
	*enc = to;
}

void pl_cuda_cuMemsetD8Async_get(struct pl_dec *dec, struct pl_cuda_cuMemsetD8Async_args *to);

/* cuMemSetAccess (ask, recorded for a replay) */
struct pl_cuda_cuMemSetAccess_args {
	uint64_t address;
	uint64_t bytes;
	struct pl_u64s accesses; /* records, access; at most LIST_MAX */
	uint64_t count;
	uint32_t given;
};

static inline uint64_t pl_cuda_cuMemSetAccess_bytes(const struct pl_cuda_cuMemSetAccess_args *from)
{
	return 32 + pl_size_array(from->accesses.count, 8);
}

static inline void pl_cuda_cuMemSetAccess_put(struct pl_enc *enc,
					      const struct pl_cuda_cuMemSetAccess_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->address);
	pl_enc_u64(&to, from->bytes);
	pl_enc_array(&to, from->accesses.at, from->accesses.count, 8);
	pl_enc_u64(&to, from->count);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cuda_cuMemSetAccess_get(struct pl_dec *dec, struct pl_cuda_cuMemSetAccess_args *to);

/* cuMemGetAccess (ask) */
struct pl_cuda_cuMemGetAccess_args {
	struct pl_cuda_location_record location;
	uint64_t address;
	uint32_t given;
};

static inline uint64_t pl_cuda_cuMemGetAccess_bytes(const struct pl_cuda_cuMemGetAccess_args *from)
{
	(void)from;
	return 32;
}

static inline void pl_cuda_cuMemGetAccess_put(struct pl_enc *enc,
					      const struct pl_cuda_cuMemGetAccess_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_cuda_location_record_put(&to, &from->location);
	pl_enc_u64(&to, from->address);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cuda_cuMemGetAccess_get(struct pl_dec *dec, struct pl_cuda_cuMemGetAccess_args *to);

struct pl_cuda_cuMemGetAccess_reply {
	uint64_t flags;
};

static inline uint64_t pl_cuda_cuMemGetAccess_reply_bytes(
	const struct pl_cuda_cuMemGetAccess_reply *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuMemGetAccess_reply_put(struct pl_enc *enc,
						    const struct pl_cuda_cuMemGetAccess_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->flags);
	*enc = to;
}

void pl_cuda_cuMemGetAccess_reply_get(struct pl_dec *dec, struct pl_cuda_cuMemGetAccess_reply *to);

/* cuGraphGetNodes (ask, recorded for a replay) */
struct pl_cuda_cuGraphGetNodes_args {
	uint64_t graph; /* id, graph */
	uint64_t count;
	uint32_t given;
};

static inline uint64_t pl_cuda_cuGraphGetNodes_bytes(
	const struct pl_cuda_cuGraphGetNodes_args *from)
{
	(void)from;
	return 24;
}

static inline void pl_cuda_cuGraphGetNodes_put(struct pl_enc *enc,
					       const struct pl_cuda_cuGraphGetNodes_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->graph);
	pl_enc_u64(&to, from->count);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cuda_cuGraphGetNodes_get(struct pl_dec *dec, struct pl_cuda_cuGraphGetNodes_args *to);

struct pl_cuda_cuGraphGetNodes_reply {
	struct pl_u64s nodes; /* ids, node; at most LIST_MAX */
	uint64_t count;
};

static inline uint64_t pl_cuda_cuGraphGetNodes_reply_bytes(
	const struct pl_cuda_cuGraphGetNodes_reply *from)
{
	return 8 + pl_size_array(from->nodes.count, 8);
}

static inline void pl_cuda_cuGraphGetNodes_reply_put(
	struct pl_enc *enc, const struct pl_cuda_cuGraphGetNodes_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_array(&to, from->nodes.at, from->nodes.count, 8);
	pl_enc_u64(&to, from->count);
	*enc = to;
}

void pl_cuda_cuGraphGetNodes_reply_get(struct pl_dec *dec, struct pl_cuda_cuGraphGetNodes_reply *to);

/* cuIpcGetMemHandle (ask) */
struct pl_cuda_cuIpcGetMemHandle_args {
	uint64_t address;
};

static inline uint64_t pl_cuda_cuIpcGetMemHandle_bytes(
	const struct pl_cuda_cuIpcGetMemHandle_args *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuIpcGetMemHandle_put(struct pl_enc *enc,
						 const struct pl_cuda_cuIpcGetMemHandle_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->address);
	*enc = to;
}

void pl_cuda_cuIpcGetMemHandle_get(struct pl_dec *dec, struct pl_cuda_cuIpcGetMemHandle_args *to);

struct pl_cuda_cuIpcGetMemHandle_reply {
	struct pl_cuda_ipc_record handle;
};

static inline uint64_t pl_cuda_cuIpcGetMemHandle_reply_bytes(
	const struct pl_cuda_cuIpcGetMemHandle_reply *from)
{
	(void)from;
	return 64;
}

static inline void pl_cuda_cuIpcGetMemHandle_reply_put(
	struct pl_enc *enc, const struct pl_cuda_cuIpcGetMemHandle_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_cuda_ipc_record_put(&to, &from->handle);
	*enc = to;
}

void pl_cuda_cuIpcGetMemHandle_reply_get(struct pl_dec *dec,
					 struct pl_cuda_cuIpcGetMemHandle_reply *to);

/* cuMemAdvise_v2 (ask) */
struct pl_cuda_cuMemAdvise_v2_args {
	uint64_t address;
	uint64_t bytes;
	uint32_t advice;
	struct pl_cuda_location_record location;
};

static inline uint64_t pl_cuda_cuMemAdvise_v2_bytes(const struct pl_cuda_cuMemAdvise_v2_args *from)
{
	(void)from;
	return 40;
}

static inline void pl_cuda_cuMemAdvise_v2_put(struct pl_enc *enc,
					      const struct pl_cuda_cuMemAdvise_v2_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->address);
	pl_enc_u64(&to, from->bytes);
	pl_enc_u64(&to, from->advice);
	pl_cuda_location_record_put(&to, &from->location);
	*enc = to;
}

void pl_cuda_cuMemAdvise_v2_get(struct pl_dec *dec, struct pl_cuda_cuMemAdvise_v2_args *to);

/* cuLaunchHostFunc (post) */
struct pl_cuda_cuLaunchHostFunc_args {
	uint64_t stream; /* id, stream */
	uint64_t token;
};

static inline uint64_t pl_cuda_cuLaunchHostFunc_bytes(
	const struct pl_cuda_cuLaunchHostFunc_args *from)
{
	(void)from;
	return 16;
}

static inline void pl_cuda_cuLaunchHostFunc_put(struct pl_enc *enc,
						const struct pl_cuda_cuLaunchHostFunc_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->stream);
	pl_enc_u64(&to, from->token);
	*enc = to;
}

void pl_cuda_cuLaunchHostFunc_get(struct pl_dec *dec, struct pl_cuda_cuLaunchHostFunc_args *to);

/* cuStreamGetWindow (ask) */
struct pl_cuda_cuStreamGetWindow_args {
	uint64_t stream; /* id, stream */
	struct pl_u64s places; /* records, location; at most LIST_MAX */
};

static inline uint64_t pl_cuda_cuStreamGetWindow_bytes(
	const struct pl_cuda_cuStreamGetWindow_args *from)
{
	return 8 + pl_size_array(from->places.count, 8);
}

static inline void pl_cuda_cuStreamGetWindow_put(struct pl_enc *enc,
						 const struct pl_cuda_cuStreamGetWindow_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->stream);
	pl_enc_array(&to, from->places.at, from->places.count, 8);
	*enc = to;
}

void pl_cuda_cuStreamGetWindow_get(struct pl_dec *dec, struct pl_cuda_cuStreamGetWindow_args *to);

struct pl_cuda_cuStreamGetWindow_reply {
	struct pl_cuda_window_record window;
	float ratio;
};

static inline uint64_t pl_cuda_cuStreamGetWindow_reply_bytes(
	const struct pl_cuda_cuStreamGetWindow_reply *from)
{
	(void)from;
	return 56;
}

static inline void pl_cuda_cuStreamGetWindow_reply_put(
	struct pl_enc *enc, const struct pl_cuda_cuStreamGetWindow_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_cuda_window_record_put(&to, &from->window);
	pl_enc_f32(&to, from->ratio);
	*enc = to;
}

void pl_cuda_cuStreamGetWindow_reply_get(struct pl_dec *dec,
					 struct pl_cuda_cuStreamGetWindow_reply *to);

/* cuGraphLoad (ask, recorded for a replay) */
struct pl_cuda_cuGraphLoad_args {
	const char *path; /* at most NAME_MAX */
	struct pl_bytes data; /* at most BYTES_MAX */
	uint64_t bytes;
	float ratio;
	uint32_t given;
};

static inline uint64_t pl_cuda_cuGraphLoad_bytes(const struct pl_cuda_cuGraphLoad_args *from)
{
	return 24 +
	       pl_size_array(strlen(from->path) + 1, 1) +
	       pl_size_array(from->data.bytes, 1);
}

static inline void pl_cuda_cuGraphLoad_put(struct pl_enc *enc,
					   const struct pl_cuda_cuGraphLoad_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_array(&to, from->path, strlen(from->path) + 1, 1);
	pl_enc_array(&to, from->data.at, from->data.bytes, 1);
	pl_enc_u64(&to, from->bytes);
	pl_enc_f32(&to, from->ratio);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cuda_cuGraphLoad_get(struct pl_dec *dec, struct pl_cuda_cuGraphLoad_args *to);

struct pl_cuda_cuGraphLoad_reply {
	uint64_t graph; /* id, graph */
};

static inline uint64_t pl_cuda_cuGraphLoad_reply_bytes(const struct pl_cuda_cuGraphLoad_reply *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_cuGraphLoad_reply_put(struct pl_enc *enc,
						 const struct pl_cuda_cuGraphLoad_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->graph);
	*enc = to;
}

void pl_cuda_cuGraphLoad_reply_get(struct pl_dec *dec, struct pl_cuda_cuGraphLoad_reply *to);

/* plCurrent (post) */
struct pl_cuda_plCurrent_args {
	uint64_t context; /* id, context, 0 = none */
};

static inline uint64_t pl_cuda_plCurrent_bytes(const struct pl_cuda_plCurrent_args *from)
{
	(void)from;
	return 8;
}

static inline void pl_cuda_plCurrent_put(struct pl_enc *enc,
					 const struct pl_cuda_plCurrent_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->context);
	*enc = to;
}

void pl_cuda_plCurrent_get(struct pl_dec *dec, struct pl_cuda_plCurrent_args *to);

#endif
