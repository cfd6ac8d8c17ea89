/*
 * Registered memory whose pages can not be shared with the server: over sockets, in a guest, of a file.  The program's
 * memory stays where and what it is; the server has a copy, which is what the device reaches (docs/adr/0036).  What the
 * program has changed goes there ahead of each call that gives the device work, what the device has changed comes back
 * with each answer that says that work has ended.  Neither side sees the other's writes in between.
 */
#ifndef PL_CLIENT_CUDA_ECHO_H
#define PL_CLIENT_CUDA_ECHO_H

#include "client/cuda/memory.h"

#define PL_ECHO_BYTES_MAX (16u << 20) /* limit: of all that has copies, which are compared at each call */

/* How many there are: nothing has to be done while there are none. */
extern _Atomic uint32_t pl_echoes;

/** pl_echo_add() - `memory`, which is registered, gets an address on the device
 * Sets memory->device.  Return: success; CUDA_ERROR_NOT_SUPPORTED, said in the log: too large;
 * CUDA_ERROR_OUT_OF_MEMORY, also where the server's limit for host memory says so. */
CUresult pl_echo_add(struct pl_session *session, struct pl_cuda_memory *memory);
/* Brings back what the device has written, once it has ended, and gives the copy back. */
void pl_echo_remove(const struct pl_cuda_memory *memory);
/* The copy has gone with its context. */
void pl_echo_forget(const struct pl_cuda_memory *memory);

/* What the program has changed goes to the session's server.  free: outside the session's order, and is there, but
 * where the thread has an answer to wait for first.  Of the calls' own hook. */
void pl_echo_push(struct pl_session *session, bool free);
/* What the device has changed comes back, where something was sent since it did. */
void pl_echo_pull(void);

/* All of a range of the program's has a copy.  Return: it has, at *device_out. */
bool pl_echo_find_slow(const void *host, uint64_t bytes, CUdeviceptr *device_out);

static inline bool pl_echo_find(const void *host, uint64_t bytes, CUdeviceptr *device_out)
{
	return __builtin_expect(atomic_load_explicit(&pl_echoes, memory_order_relaxed), 0) &&
	       pl_echo_find_slow(host, bytes, device_out);
}

/* An answer said so much of the device's work. */
static inline CUresult pl_echo_waited(CUresult result)
{
	if (__builtin_expect(atomic_load_explicit(&pl_echoes, memory_order_relaxed), 0) && !result)
		pl_echo_pull();
	return result;
}

#endif
