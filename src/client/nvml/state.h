/*
 * The NVML client of one process: its servers, and the handles that the program holds.  Any thread.
 */
#ifndef PL_CLIENT_NVML_STATE_H
#define PL_CLIENT_NVML_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/servers.h"
#include "nvml-client.h"

struct pl_nvml_server {
	const char *address;
	struct pl_session *session; /* NULL: it does not carry NVML, or does not answer */
	uint32_t count, first;      /* devices, and the index of the first one in the program's list */
};

/* ---- process.c ---- */

bool pl_nvml_started(void);
/* Those that answered; their number and place stay as nvmlInit() found them, until the next one after nvmlShutdown().
 * NULL: there are no more. */
const struct pl_nvml_server *pl_nvml_server(uint32_t i);
const struct pl_nvml_server *pl_nvml_server_of(const struct pl_session *session);
/* After a fork() the session is opened anew.  Return: success, or what the program gets. */
nvmlReturn_t pl_nvml_live(const struct pl_nvml_server *server);

/* ---- object.c ---- */

/* The session of a handle of this kind; NULL: it is no handle. */
struct pl_session *pl_nvml_session_of(unsigned kind, const void *object);
/* A server has a new session: the program's devices are those that have the same ids there. */
void pl_nvml_objects_move(const struct pl_session *from, struct pl_session *to);

#endif
