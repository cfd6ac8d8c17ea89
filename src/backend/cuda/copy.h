/* Bytes that come with a call, and copies of them. */
#ifndef PL_BACKEND_CUDA_COPY_H
#define PL_BACKEND_CUDA_COPY_H

#include "backend/cuda/session.h"

#define PL_CUDA_COPY_BLOCK_BYTES (1u << 20) /* what is on the way to the client while the device makes the next */

/* What a copy that goes block by block has of its bytes in memory of ours. */
static inline uint64_t pl_cuda_copy_held(uint64_t bytes)
{
	return bytes < PL_CUDA_COPY_BLOCK_BYTES ? bytes : PL_CUDA_COPY_BLOCK_BYTES;
}

/* The bytes of a bulk field, at `data`; `own` is to be freed after the call that they are for.  They lie in memory
 * which is pageable for the driver: it has taken them when its call returns, also of copies that go on in a stream.
 * Return: false: no memory, or the lane broke. */
bool pl_cuda_bulk_open(struct pl_serve *serve, const struct pl_bulk *bulk, const void **data_out, void **own_out);

/* Bytes that lie in the call's record, whose memory the next one has, get memory of their own, which is to be freed as
 * well.  Return: false: no memory. */
bool pl_cuda_bulk_leave(const struct pl_bulk *bulk, const void **data, void **own);

/* Frees what those two gave.  stays: a graph may have the bytes, wherever they lie. */
void pl_cuda_bulk_end(struct pl_serve *serve, const struct pl_bulk *bulk, void *own, bool stays);

/* Before the turn of a call is given up that puts a copy into a stream, and once it is there: nobody is told meanwhile
 * that nothing is under way. */
void pl_cuda_entering(struct pl_cuda_session *session);
void pl_cuda_entered(struct pl_cuda_session *session);

/* A copy in a stream, of memory here that goes or is used again when the call at hand has ended.  In a graph such a
 * copy would be made of whatever is there by then: a captured stream must not have it. */

/* waits: the call is one that returns when the copy has ended.  Return: the stream is captured, the answer is
 * CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED; with the turn held it stays as it is. */
bool pl_cuda_passing_refused(struct pl_cuda_session *session, CUstream stream, bool per_thread, bool waits);

/* Without the turn another lane may have the stream captured at any time: around the driver's call. */
struct pl_cuda_passing {
	struct pl_cuda_session *session;
	CUstream stream;
	bool per_thread;
	bool listed, captured; /* under passings' lock */
	struct pl_cuda_passing *next;
};

enum pl_cuda_passed {
	PL_CUDA_PASSED,
	PL_CUDA_PASSED_UNSURE,   /* the session's first capture came meanwhile */
	PL_CUDA_PASSED_CAPTURED, /* a graph has it: the memory has to stay, as where it is not sure */
};

/* Return: false: refused, and there is nothing to end. */
bool pl_cuda_passing_begin(struct pl_cuda_passing *passing, struct pl_cuda_session *session, CUstream stream,
			   bool per_thread);
enum pl_cuda_passed pl_cuda_passing_end(struct pl_cuda_passing *passing);
/* Memory stays: the session is charged for it. */
void pl_cuda_passing_stays(struct pl_serve *serve, uint64_t bytes);

/* An end in the client travels packed: it has no place but the one that it gets here. */
bool pl_cuda_copy_packed(const struct pl_cuda_copy3d_record *record);
/* The ends in device memory are memory that the driver knows (pl_cuda_address_known()). */
bool pl_cuda_copy_known(const struct pl_cuda_copy3d_record *record);

/* How many bytes an end in the client has.  Return: false: more than an address can count, or than a transfer may be.
 */
bool pl_cuda_copy_bytes(const struct pl_cuda_copy3d_record *record, uint64_t *bytes_out);
/* A record as the driver's structure, its handles found and the ends in device memory known.  Return: false with
 * *status_out: one is none. */
bool pl_cuda_copy_open(struct pl_serve *serve, const struct pl_cuda_copy3d_record *record, CUDA_MEMCPY3D_PEER *copy_out,
		       int32_t *status_out);
/* A record as the driver's structure, with arrays that were found; an end in the client has no address yet.  An address
 * is the device's whatever the client says of it: the driver must not take it for one of this process. */
CUDA_MEMCPY3D_PEER pl_cuda_copy_of(const struct pl_cuda_copy3d_record *record, CUarray from, CUarray to);
/* The same without contexts. */
CUDA_MEMCPY3D pl_cuda_copy_local(const CUDA_MEMCPY3D_PEER *copy);

#endif
