/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * What the client's functions in cuda-client.c lean on; all of it by hand in src/client/cuda.
 */
#ifndef PL_CUDA_CLIENT_H
#define PL_CUDA_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cuda-api.h"
#include "cuda-wire.h"
#include "client/session.h"

/* Before every call that travels: the calling thread's session, its current context known there.
 * Return: success; or what the program gets (not initialised, no server). */
CUresult pl_cuda_enter(enum pl_cuda_op op, struct pl_session **session_out);
/* As well, of a call whose first handle is this one: where that is, it goes.  With NULL as pl_cuda_enter(). */
CUresult pl_cuda_enter_of(enum pl_cuda_op op, enum pl_cuda_object_kind kind, const void *object,
			  struct pl_session **session_out);
/* As well, of a call without a handle: where the memory at this address is. */
CUresult pl_cuda_enter_at(enum pl_cuda_op op, CUdeviceptr address, struct pl_session **session_out);

/* What the program gets where a call could not travel (r < 0, from client/session.h). */
CUresult pl_cuda_fault(int r);

/* The id of a program's handle: 0 for NULL and for what is no live object of this kind and session; values that the API
 * reserves are themselves.  A kind that is a number from 0 (a device) has the number + 1 as its id. */
uint64_t pl_cuda_id(const struct pl_session *session, enum pl_cuda_object_kind kind, const void *object);
/* A new object with a new id; NULL: out of memory.  pl_cuda_undo() where the call failed. */
void *pl_cuda_new(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t *id_out);
void pl_cuda_undo(struct pl_session *session, enum pl_cuda_object_kind kind, void *object);
/* The call that ends an object was taken. */
void pl_cuda_end(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id);
/* The handle of an id that the server gave, made where it is new; NULL for 0. */
void *pl_cuda_object_of(struct pl_session *session, enum pl_cuda_object_kind kind, uint64_t id);

/* The server had no memory: gives back what the client keeps.  Return: there was some, so it is asked again. */
bool pl_cuda_reclaim(struct pl_session *session);

/* ---- plainly valid?  Where one says no, the call is asked, and the driver says what is wrong. ---- */

bool pl_cuda_check_address(CUdeviceptr dst, size_t count);

/* X(name, parameters) for each of them. */
#define PL_CUDA_CHECKS(X) \
	X(address, CUdeviceptr dst, size_t count)

/* The numbers of devices in it, from the program's to the session's; and back. */
void pl_cuda_location_record_home(const struct pl_session *session,
				  struct pl_cuda_location_record *record);
void pl_cuda_location_record_away(const struct pl_session *session,
				  struct pl_cuda_location_record *record);
/* The numbers of devices in it, from the program's to the session's; and back. */
void pl_cuda_access_record_home(const struct pl_session *session,
				struct pl_cuda_access_record *record);
void pl_cuda_access_record_away(const struct pl_session *session,
				struct pl_cuda_access_record *record);

#endif
