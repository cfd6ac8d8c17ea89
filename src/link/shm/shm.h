/*
 * Lanes in shared memory: one ring of bytes a direction in a sealed memfd that both sides map (each ring twice in a
 * row, so that every record is contiguous).  The peer may write anything at any time: each shared index is loaded once
 * and checked against the ring's size, records are copied out before they are looked at, and each side trusts only its
 * own copy of its own index.  The unix socket that carried the set-up stays open and tells of the peer's death.
 */
#ifndef PL_LINK_SHM_SHM_H
#define PL_LINK_SHM_SHM_H

#include <stdint.h>

#include "link/link.h"

#define PL_SHM_RING_BYTES (256u << 10) /* of one direction; power of two, at least twice the largest record */
#define PL_SHM_LANE_BYTES                                                                                              \
	(4096u + 2u * PL_SHM_RING_BYTES) /* of a lane's memory: indices, to the server, to the client */

/** pl_shm_lane_serve() - server's end: makes the memory
 * @fd: the connected unix socket, taken over in any case
 * @memory_fd_out: to be sent to the client, then closed by the caller
 * Return: 0, or fatal -errno of memfd_create(), mmap(). */
int pl_shm_lane_serve(int fd, struct pl_lane **lane_out, int *memory_fd_out);

/** pl_shm_lane_open() - client's end: maps what the server made
 * @fd, @memory_fd: taken over in any case
 * @ring_bytes: as the greeting said; checked
 * Return: 0, or fatal -EPROTO (memory of the wrong size or not sealed), -errno of mmap(). */
int pl_shm_lane_open(int fd, int memory_fd, uint32_t ring_bytes, struct pl_lane **lane_out);

/** pl_shm_lane_place() - an end of a lane whose memory both have already, where futexes do not reach from one to the
 * other: who sleeps is woken through the socket (link/shm/bell.h)
 * @fd: the connected socket, taken over in any case
 * @memory_fd, @offset: where PL_SHM_LANE_BYTES of it lie, from a page on; borrowed.  The server clears the indices
 * Return: 0, or fatal -errno of mmap(). */
int pl_shm_lane_place(int fd, int memory_fd, uint64_t offset, bool server, struct pl_lane **lane_out);

#endif
