/* What processes of one host share: memory and events, through files in memory that the other opens by /proc. */
#ifndef PL_REFGPU_DRIVER_IPC_H
#define PL_REFGPU_DRIVER_IPC_H

#include "refgpu/driver/event.h"

/* Puts the event's semaphore where others can map it. */
CUresult pl_cu_ipc_event_share(struct pl_cu_event *event);
void pl_cu_ipc_event_close(struct pl_cu_event *event);    /* an event that is not shared is fine */
uint64_t pl_cu_ipc_event_next(struct pl_cu_event *event); /* the value of the next record, of whoever */
uint64_t pl_cu_ipc_event_last(const struct pl_cu_event *event);
CUresult pl_cu_ipc_event_sync(struct pl_cu_event *event, uint64_t value);

#endif
