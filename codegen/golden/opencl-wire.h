/* Made by codegen/plgen.py from small.api; do not edit. */
/*
 * OpenCL's calls and messages as they travel.  For each record R: the structure, its encoded size
 * R_bytes(), the encoder R_put() (into room of exactly that size) and the decoder R_get()
 * (sticky-fatal; ask pl_dec_whole() afterwards; what it sets is borrowed from the record).
 */
#ifndef PL_OPENCL_WIRE_H
#define PL_OPENCL_WIRE_H

#include <stdint.h>
#include <string.h>

#include "wire/codec.h"
#include "wire/functions.h"

/* What the peers agree on: every function that travels, its number and its layout. */
#define PL_CL_API_HASH 0x5e025456c2d6271eu
extern const struct pl_functions pl_cl_functions;

#define PL_CL_LIMIT_DEVICES_MAX 16u
#define PL_CL_LIMIT_WAITS_MAX 64u
#define PL_CL_LIMIT_PATTERN_MAX 128u
#define PL_CL_LIMIT_PROPERTIES_MAX 32u
#define PL_CL_LIMIT_TRANSFER_MAX 1099511627776ull

enum pl_cl_object_kind {
	PL_CL_KIND_platform = 1,
	PL_CL_KIND_device = 2,
	PL_CL_KIND_context = 3,
	PL_CL_KIND_queue = 4,
	PL_CL_KIND_mem = 5,
	PL_CL_KIND_event = 6,
};

enum pl_cl_op {
	PL_CL_OP_clGetPlatformIDs = 1,
	PL_CL_OP_clGetCommandQueueInfo = 2,
	PL_CL_OP_clRetainMemObject = 3,
	PL_CL_OP_clReleaseMemObject = 4,
	PL_CL_OP_clCreateBuffer = 5,
	PL_CL_OP_clEnqueueReadBuffer = 6,
	PL_CL_OP_clEnqueueFillBuffer = 7,
	PL_CL_OP_clEnqueueFillImage = 13,
	PL_CL_OP_clEnqueueWaitForEvents = 8,
	PL_CL_OP_clCreateImage2D = 9,
	PL_CL_OP_clCreateFromGLBuffer = 10,
	PL_CL_OP_clSetDefaultDeviceCommandQueue = 11,
	PL_CL_OP_clGetExtensionFunctionAddress = 12,
	PL_CL_OP_clCreateCommandQueueWithPropertiesKHR = 20,
	PL_CL_OP_plRelease = 30,
	PL_CL_OP_plInfo = 31,
	PL_CL_OP_plNotify = 40,
	PL_CL_OP_COUNT = 41, /* numbers in between may be unused */
};

/* Of an op; "?" for a number that the spec does not have. */
const char *pl_cl_op_name(uint16_t op);
/* "local", "post", "mint", "ask", "info", "reverse", "absent" */
const char *pl_cl_op_class(uint16_t op);
/* A moved session says it again: "makes": if it made or ended something; "record": if it succeeded, as it changes
 * something that is there; "none": never */
const char *pl_cl_op_replays(uint16_t op);
/* The same: 0 = none, 1 = makes, 2 = record. */
int pl_cl_op_records(uint16_t op);
/* Which word of a call's fields, from 1, names the stream that it goes into; 0 = none.  *per_thread_out: the same of
 * the flag that its default is the thread's own; 0 = it is not known. */
uint32_t pl_cl_op_stream(uint16_t op, uint32_t *per_thread_out);
/* The op of a name, 0 = none. */
uint16_t pl_cl_op_find(const char *name);

/* clGetPlatformIDs (ask) */
struct pl_cl_clGetPlatformIDs_args {
	uint64_t nothing; /* has no fields and does not travel */
};

static inline uint64_t pl_cl_clGetPlatformIDs_bytes(const struct pl_cl_clGetPlatformIDs_args *from)
{
	(void)from;
	return 0;
}

static inline void pl_cl_clGetPlatformIDs_put(struct pl_enc *enc,
					      const struct pl_cl_clGetPlatformIDs_args *from)
{
	(void)enc;
	(void)from;
}

void pl_cl_clGetPlatformIDs_get(struct pl_dec *dec, struct pl_cl_clGetPlatformIDs_args *to);

struct pl_cl_clGetPlatformIDs_reply {
	struct pl_u64s platforms; /* ids, platform; at most DEVICES_MAX */
};

static inline uint64_t pl_cl_clGetPlatformIDs_reply_bytes(
	const struct pl_cl_clGetPlatformIDs_reply *from)
{
	return pl_size_array(from->platforms.count, 8);
}

static inline void pl_cl_clGetPlatformIDs_reply_put(struct pl_enc *enc,
						    const struct pl_cl_clGetPlatformIDs_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_array(&to, from->platforms.at, from->platforms.count, 8);
	*enc = to;
}

void pl_cl_clGetPlatformIDs_reply_get(struct pl_dec *dec, struct pl_cl_clGetPlatformIDs_reply *to);

/* clCreateBuffer (mint) */
struct pl_cl_clCreateBuffer_args {
	uint64_t queue; /* id, queue */
	struct pl_u64s properties; /* words with the closing 0; empty = NULL was given; at most PROPERTIES_MAX */
	uint64_t flags;
	uint64_t size;
	struct pl_bulk data; /* at most TRANSFER_MAX */
	uint64_t mem; /* made by the client: id, mem */
};

static inline uint64_t pl_cl_clCreateBuffer_bytes(const struct pl_cl_clCreateBuffer_args *from)
{
	return 32 +
	       pl_size_array(from->properties.count, 8) +
	       pl_size_bulk(&from->data);
}

static inline void pl_cl_clCreateBuffer_put(struct pl_enc *enc,
					    const struct pl_cl_clCreateBuffer_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->queue);
	pl_enc_array(&to, from->properties.at, from->properties.count, 8);
	pl_enc_u64(&to, from->flags);
	pl_enc_u64(&to, from->size);
	pl_enc_bulk(&to, &from->data);
	pl_enc_u64(&to, from->mem);
	*enc = to;
}

void pl_cl_clCreateBuffer_get(struct pl_dec *dec, struct pl_cl_clCreateBuffer_args *to);

/* clEnqueueReadBuffer (ask(post if !blocking)) */
struct pl_cl_clEnqueueReadBuffer_args {
	uint64_t queue; /* id, queue */
	uint64_t mem; /* id, mem */
	uint32_t blocking;
	uint64_t size;
	int32_t level;
	uint64_t origin[3];
};

static inline uint64_t pl_cl_clEnqueueReadBuffer_bytes(
	const struct pl_cl_clEnqueueReadBuffer_args *from)
{
	(void)from;
	return 64;
}

static inline void pl_cl_clEnqueueReadBuffer_put(struct pl_enc *enc,
						 const struct pl_cl_clEnqueueReadBuffer_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->queue);
	pl_enc_u64(&to, from->mem);
	pl_enc_u64(&to, from->blocking);
	pl_enc_u64(&to, from->size);
	pl_enc_u64(&to, (uint64_t)(int64_t)from->level);
	pl_enc_raw(&to, from->origin, 24);
	*enc = to;
}

void pl_cl_clEnqueueReadBuffer_get(struct pl_dec *dec, struct pl_cl_clEnqueueReadBuffer_args *to);

struct pl_cl_clEnqueueReadBuffer_reply {
	struct pl_bulk data; /* at most TRANSFER_MAX */
};

static inline uint64_t pl_cl_clEnqueueReadBuffer_reply_bytes(
	const struct pl_cl_clEnqueueReadBuffer_reply *from)
{
	return pl_size_bulk(&from->data);
}

static inline void pl_cl_clEnqueueReadBuffer_reply_put(
	struct pl_enc *enc, const struct pl_cl_clEnqueueReadBuffer_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_bulk(&to, &from->data);
	*enc = to;
}

void pl_cl_clEnqueueReadBuffer_reply_get(struct pl_dec *dec,
					 struct pl_cl_clEnqueueReadBuffer_reply *to);

/* clEnqueueFillBuffer (post) */
struct pl_cl_clEnqueueFillBuffer_args {
	uint64_t queue; /* id, queue */
	uint64_t buffer; /* id, mem */
	struct pl_bytes pattern; /* at most PATTERN_MAX */
	uint64_t pattern_size;
	uint64_t offset;
	uint64_t size;
	uint32_t num_waits;
	struct pl_u64s waits; /* ids, event; at most WAITS_MAX */
	uint64_t event; /* made by the client: id, event, 0 = none */
	uint32_t given;
};

static inline uint64_t pl_cl_clEnqueueFillBuffer_bytes(
	const struct pl_cl_clEnqueueFillBuffer_args *from)
{
	return 64 +
	       pl_size_array(from->pattern.bytes, 1) +
	       pl_size_array(from->waits.count, 8);
}

static inline void pl_cl_clEnqueueFillBuffer_put(struct pl_enc *enc,
						 const struct pl_cl_clEnqueueFillBuffer_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->queue);
	pl_enc_u64(&to, from->buffer);
	pl_enc_array(&to, from->pattern.at, from->pattern.bytes, 1);
	pl_enc_u64(&to, from->pattern_size);
	pl_enc_u64(&to, from->offset);
	pl_enc_u64(&to, from->size);
	pl_enc_u64(&to, from->num_waits);
	pl_enc_array(&to, from->waits.at, from->waits.count, 8);
	pl_enc_u64(&to, from->event);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cl_clEnqueueFillBuffer_get(struct pl_dec *dec, struct pl_cl_clEnqueueFillBuffer_args *to);

/* clEnqueueFillImage (ask) */
struct pl_cl_clEnqueueFillImage_args {
	uint64_t queue; /* id, queue */
	uint64_t image; /* id, mem */
	struct pl_bytes fill_color; /* at most PATTERN_MAX */
	uint64_t origin[3];
	uint64_t region[3];
	uint32_t num_waits;
	struct pl_u64s waits; /* ids, event; at most WAITS_MAX */
	uint64_t event; /* made by the client: id, event, 0 = none */
	uint32_t given;
};

static inline uint64_t pl_cl_clEnqueueFillImage_bytes(
	const struct pl_cl_clEnqueueFillImage_args *from)
{
	return 88 +
	       pl_size_array(from->fill_color.bytes, 1) +
	       pl_size_array(from->waits.count, 8);
}

static inline void pl_cl_clEnqueueFillImage_put(struct pl_enc *enc,
						const struct pl_cl_clEnqueueFillImage_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->queue);
	pl_enc_u64(&to, from->image);
	pl_enc_array(&to, from->fill_color.at, from->fill_color.bytes, 1);
	pl_enc_raw(&to, from->origin, 24);
	pl_enc_raw(&to, from->region, 24);
	pl_enc_u64(&to, from->num_waits);
	pl_enc_array(&to, from->waits.at, from->waits.count, 8);
	pl_enc_u64(&to, from->event);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cl_clEnqueueFillImage_get(struct pl_dec *dec, struct pl_cl_clEnqueueFillImage_args *to);

/* clEnqueueWaitForEvents (post) */
struct pl_cl_clEnqueueWaitForEvents_args {
	uint64_t queue; /* id, queue */
	uint32_t num_events;
	struct pl_u64s events; /* ids, event; at most WAITS_MAX */
	uint32_t given;
};

static inline uint64_t pl_cl_clEnqueueWaitForEvents_bytes(
	const struct pl_cl_clEnqueueWaitForEvents_args *from)
{
	return 24 + pl_size_array(from->events.count, 8);
}

static inline void pl_cl_clEnqueueWaitForEvents_put(
	struct pl_enc *enc, const struct pl_cl_clEnqueueWaitForEvents_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->queue);
	pl_enc_u64(&to, from->num_events);
	pl_enc_array(&to, from->events.at, from->events.count, 8);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_cl_clEnqueueWaitForEvents_get(struct pl_dec *dec,
				      struct pl_cl_clEnqueueWaitForEvents_args *to);

/* clCreateImage2D (mint) travels as clCreateBuffer under its own op. */

/* clSetDefaultDeviceCommandQueue (ask, recorded for a replay) */
struct pl_cl_clSetDefaultDeviceCommandQueue_args {
	uint64_t context; /* id, context */
	uint64_t device; /* id, device */
	uint64_t queue; /* id, queue, 0 = none */
};

static inline uint64_t pl_cl_clSetDefaultDeviceCommandQueue_bytes(
	const struct pl_cl_clSetDefaultDeviceCommandQueue_args *from)
{
	(void)from;
	return 24;
}

static inline void pl_cl_clSetDefaultDeviceCommandQueue_put(
	struct pl_enc *enc, const struct pl_cl_clSetDefaultDeviceCommandQueue_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->context);
	pl_enc_u64(&to, from->device);
	pl_enc_u64(&to, from->queue);
	*enc = to;
}

void pl_cl_clSetDefaultDeviceCommandQueue_get(struct pl_dec *dec,
					      struct pl_cl_clSetDefaultDeviceCommandQueue_args *to);

/* plRelease (post, recorded for a replay) */
struct pl_cl_plRelease_args {
	uint32_t kind;
	uint64_t id;
};

static inline uint64_t pl_cl_plRelease_bytes(const struct pl_cl_plRelease_args *from)
{
	(void)from;
	return 16;
}

static inline void pl_cl_plRelease_put(struct pl_enc *enc, const struct pl_cl_plRelease_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->kind);
	pl_enc_u64(&to, from->id);
	*enc = to;
}

void pl_cl_plRelease_get(struct pl_dec *dec, struct pl_cl_plRelease_args *to);

/* plInfo (ask) */
struct pl_cl_plInfo_args {
	uint32_t function;
	struct pl_bytes input; /* at most PATTERN_MAX */
};

static inline uint64_t pl_cl_plInfo_bytes(const struct pl_cl_plInfo_args *from)
{
	return 8 + pl_size_array(from->input.bytes, 1);
}

static inline void pl_cl_plInfo_put(struct pl_enc *enc, const struct pl_cl_plInfo_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->function);
	pl_enc_array(&to, from->input.at, from->input.bytes, 1);
	*enc = to;
}

void pl_cl_plInfo_get(struct pl_dec *dec, struct pl_cl_plInfo_args *to);

struct pl_cl_plInfo_reply {
	uint64_t size;
	struct pl_u64s value; /* at most 8 */
};

static inline uint64_t pl_cl_plInfo_reply_bytes(const struct pl_cl_plInfo_reply *from)
{
	return 8 + pl_size_array(from->value.count, 8);
}

static inline void pl_cl_plInfo_reply_put(struct pl_enc *enc, const struct pl_cl_plInfo_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->size);
	pl_enc_array(&to, from->value.at, from->value.count, 8);
	*enc = to;
}

void pl_cl_plInfo_reply_get(struct pl_dec *dec, struct pl_cl_plInfo_reply *to);

/* plNotify (reverse) */
struct pl_cl_plNotify_args {
	uint64_t token;
	struct pl_u32s marks; /* at most 4 */
	const char *text; /* at most 100 */
};

static inline uint64_t pl_cl_plNotify_bytes(const struct pl_cl_plNotify_args *from)
{
	return 8 +
	       pl_size_array(from->marks.count, 4) +
	       pl_size_array(strlen(from->text) + 1, 1);
}

static inline void pl_cl_plNotify_put(struct pl_enc *enc, const struct pl_cl_plNotify_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->token);
	pl_enc_array(&to, from->marks.at, from->marks.count, 4);
	pl_enc_array(&to, from->text, strlen(from->text) + 1, 1);
	*enc = to;
}

void pl_cl_plNotify_get(struct pl_dec *dec, struct pl_cl_plNotify_args *to);

#endif
