/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * The server's side.  pl_cuda_serve_call() decodes, charges and dispatches one call.  What is declared as by hand stands
 * in src/backend/cuda.  A handler sees whole, checked arguments, which are borrowed until it returns, and holds the
 * turn until it gives it up.
 */
#ifndef PL_CUDA_SERVE_H
#define PL_CUDA_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cuda-api.h"
#include "cuda-wire.h"
#include "server/serve.h"

/* The driver's functions, twins too; NULL where it lacks one. */
struct pl_cuda_driver {
	__typeof__(&cuInit) cuInit;
	__typeof__(&cuDeviceGetName) cuDeviceGetName;
	__typeof__(&cuCtxGetLimit) cuCtxGetLimit;
	__typeof__(&cuCtxCreate) cuCtxCreate;
	__typeof__(&cuCtxDestroy_v2) cuCtxDestroy_v2;
	__typeof__(&cuMemsetD8_v2) cuMemsetD8_v2;
	__typeof__(&cuMemsetD8_v2_ptds) cuMemsetD8_v2_ptds;
	__typeof__(&cuMemsetD8Async) cuMemsetD8Async;
	__typeof__(&cuMemsetD8Async_ptsz) cuMemsetD8Async_ptsz;
	__typeof__(&cuMemSetAccess) cuMemSetAccess;
	__typeof__(&cuMemGetAccess) cuMemGetAccess;
	__typeof__(&cuGraphGetNodes) cuGraphGetNodes;
	__typeof__(&cuIpcGetMemHandle) cuIpcGetMemHandle;
	__typeof__(&cuMemAdvise_v2) cuMemAdvise_v2;
	__typeof__(&cuLaunchHostFunc) cuLaunchHostFunc;
	__typeof__(&cuLaunchHostFunc_ptsz) cuLaunchHostFunc_ptsz;
	__typeof__(&cuStreamGetWindow) cuStreamGetWindow;
	__typeof__(&cuMemFreeHost) cuMemFreeHost;
	__typeof__(&cuGraphLoad) cuGraphLoad;
};
extern struct pl_cuda_driver pl_cuda; /* written once, by pl_cuda_driver_load() before the first call */

/** pl_cuda_driver_load() - fill the table
 * @find: the address of a function by its exported name, NULL = the driver does not have it */
void pl_cuda_driver_load(struct pl_cuda_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg);

/* pl_backend_ops.call */
void pl_cuda_serve_call(struct pl_serve *serve);

/* A handler whose call is charged host or inflight bytes: they stay charged after it has returned, and whoever ends the
 * work gives them back with pl_quota_return().  Call it on the handler's thread before it returns. */
void pl_cuda_charge_keep(void);

/* ---- helpers, by hand ---- */

/* The driver's handle of an id, a number in the place of a pointer for kinds that are numbers.  id 0 and the values that
 * the API reserves are themselves; a device's id is its number + 1.  false: *status_out is the code to answer with. */
bool pl_cuda_take(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void **object_out,
		  int32_t *status_out);
/* Enters a new object, charging it; status != 0: its creation failed with that, later uses answer with it.
 * Return: the id stands for the object.  false: nothing does; it has ended, if it was made for this call. */
bool pl_cuda_put(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, void *object, int32_t status);
/* The object of an id has ended. */
void pl_cuda_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind);
/* The id of a handle that the driver gave, made where it has none yet; 0 for NULL. */
uint64_t pl_cuda_id_of(struct pl_serve *serve, enum pl_cuda_object_kind kind, void *object);
/* Answers an ask without fields; for a post, keeps a failure as the late error of the stream (0 = of none). */
void pl_cuda_result(struct pl_serve *serve, int32_t status, uint64_t stream);


/* ---- handlers, by hand ---- */

/* X(name) for each of them. */
#define PL_CUDA_HANDLERS(X) \
	X(cuLaunchHostFunc) \
	X(cuStreamGetWindow) \
	X(plCurrent)

void pl_cuda_serve_cuLaunchHostFunc(struct pl_serve *serve,
				    const struct pl_cuda_cuLaunchHostFunc_args *args);
void pl_cuda_serve_cuStreamGetWindow(struct pl_serve *serve,
				     const struct pl_cuda_cuStreamGetWindow_args *args);
void pl_cuda_serve_plCurrent(struct pl_serve *serve, const struct pl_cuda_plCurrent_args *args);

#endif
