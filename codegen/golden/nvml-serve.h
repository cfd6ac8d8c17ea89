/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * The server's side.  pl_nvml_serve_call() decodes, charges and dispatches one call.  What is declared as by hand stands
 * in src/backend/nvml.  A handler sees whole, checked arguments, which are borrowed until it returns, and holds the
 * turn until it gives it up.
 */
#ifndef PL_NVML_SERVE_H
#define PL_NVML_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "nvml-api.h"
#include "nvml-wire.h"
#include "server/serve.h"

/* The driver's functions, twins too; NULL where it lacks one. */
struct pl_nvml_driver {
	__typeof__(&nvmlInit_v2) nvmlInit_v2;
	__typeof__(&nvmlSystemGetDriverVersion) nvmlSystemGetDriverVersion;
	__typeof__(&nvmlDeviceGetCount_v2) nvmlDeviceGetCount_v2;
	__typeof__(&nvmlDeviceGetMemoryInfo_v2) nvmlDeviceGetMemoryInfo_v2;
	__typeof__(&nvmlDeviceGetComputeRunningProcesses_v3) nvmlDeviceGetComputeRunningProcesses_v3;
};
extern struct pl_nvml_driver pl_nvml; /* written once, by pl_nvml_driver_load() before the first call */

/** pl_nvml_driver_load() - fill the table
 * @find: the address of a function by its exported name, NULL = the driver does not have it */
void pl_nvml_driver_load(struct pl_nvml_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg);

/* pl_backend_ops.call */
void pl_nvml_serve_call(struct pl_serve *serve);

/* A handler whose call is charged host or inflight bytes: they stay charged after it has returned, and whoever ends the
 * work gives them back with pl_quota_return().  Call it on the handler's thread before it returns. */
void pl_nvml_charge_keep(void);

/* ---- helpers, by hand ---- */

/* The driver's handle of an id, a number in the place of a pointer for kinds that are numbers.  id 0 and the values that
 * the API reserves are themselves; a device's id is its number + 1.  false: *status_out is the code to answer with. */
bool pl_nvml_take(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind, void **object_out,
		  int32_t *status_out);
/* Enters a new object, charging it; status != 0: its creation failed with that, later uses answer with it.
 * Return: the id stands for the object.  false: nothing does; it has ended, if it was made for this call. */
bool pl_nvml_put(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind, void *object, int32_t status);
/* The object of an id has ended. */
void pl_nvml_drop(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind);
/* The id of a handle that the driver gave, made where it has none yet; 0 for NULL. */
uint64_t pl_nvml_id_of(struct pl_serve *serve, enum pl_nvml_object_kind kind, void *object);
/* Answers an ask without fields; for a post, keeps a failure as the late error of the stream (0 = of none). */
void pl_nvml_result(struct pl_serve *serve, int32_t status, uint64_t stream);


/* ---- handlers, by hand ---- */

/* X(name) for each of them. */
#define PL_NVML_HANDLERS(X) \


#endif
