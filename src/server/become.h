/*
 * How a fresh child of the daemon becomes a worker: it keeps nothing of the daemon but the socket to it, follows it
 * into death, hides its environment, and is confined before the driver is loaded.  Called on the main thread, in this
 * order, while there is no other.
 */
#ifndef PL_SERVER_BECOME_H
#define PL_SERVER_BECOME_H

#include "server/worker.h"

/** pl_become_worker() - files, signals, limits, name and environment of a worker; can not fail
 * @control: socket to the daemon
 * Return: its number from now on. */
int pl_become_worker(const struct pl_worker_config *config, int control);

/** pl_become_confined() - before the driver is loaded, for its threads are to be confined as well
 * Return: 0, or <0: nothing may be served. */
int pl_become_confined(const struct pl_worker_config *config);

#endif
