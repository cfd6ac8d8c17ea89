/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * What the client's functions in nvml-client.c lean on; all of it by hand in src/client/nvml.
 */
#ifndef PL_NVML_CLIENT_H
#define PL_NVML_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "nvml-api.h"
#include "nvml-wire.h"
#include "client/session.h"

/* Before every call that travels: the session of its first handle, kind 0 = it has none.
 * Return: success; or what the program gets (not initialised, no such handle, no server). */
nvmlReturn_t pl_nvml_enter(enum pl_nvml_op op, unsigned kind, const void *object, struct pl_session **session_out);
/* What the program gets where a call could not travel (r < 0, from client/session.h). */
nvmlReturn_t pl_nvml_fault(int r);

/* The id of a program's handle: 0 for NULL and for what is no live object of this kind and session; values that the API
 * reserves are themselves.  A kind that is a number from 0 (a device) has the number + 1 as its id. */
uint64_t pl_nvml_id(const struct pl_session *session, enum pl_nvml_object_kind kind, const void *object);
/* A new object with a new id; NULL: out of memory.  pl_nvml_undo() where the call failed. */
void *pl_nvml_new(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t *id_out);
void pl_nvml_undo(struct pl_session *session, enum pl_nvml_object_kind kind, void *object);
/* The call that ends an object was taken. */
void pl_nvml_end(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t id);
/* The handle of an id that the server gave, made where it is new; NULL for 0. */
void *pl_nvml_object_of(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t id);

/* ---- plainly valid?  Where one says no, the call is asked, and the driver says what is wrong. ---- */

nvmlReturn_t pl_nvml_on_nvmlSystemGetDriverVersion(struct pl_session *session, char *version, unsigned int room);
nvmlReturn_t pl_nvml_on_nvmlDeviceGetCount_v2(struct pl_session *session, unsigned int *count);
nvmlReturn_t pl_nvml_on_nvmlDeviceGetMemoryInfo_v2(struct pl_session *session, nvmlDevice_t device, nvmlMemory_v2_t *memory);
nvmlReturn_t pl_nvml_on_nvmlDeviceGetComputeRunningProcesses_v3(struct pl_session *session, nvmlDevice_t device,
								unsigned int *count,
								nvmlProcessInfo_t *infos);

/* X(name, parameters) for each of them. */
#define PL_NVML_CHECKS(X) \



#endif
