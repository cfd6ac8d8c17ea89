/*
 * The memory that a virtual machine and its host share: the BAR of QEMU's ivshmem-plain device in the guest, a file on
 * the host.  The server owns it: it writes the key into the first page (who can read that sees the region, and may
 * therefore ask for a part of it) and cuts the rest into grants, one a session.  Nothing that the guest writes is ever
 * believed: the server keeps the key and all it knows about grants in its own memory.
 */
#ifndef PL_LINK_IVSHMEM_REGION_H
#define PL_LINK_IVSHMEM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_REGION_UNIT_BYTES    (2ull << 20)   /* grants are made of these; the first holds the head */
#define PL_REGION_BYTES_MIN     (16ull << 20)  /* limit: one session with a few threads and some data */
#define PL_REGION_BYTES_MAX     (64ull << 30)  /* limit: a typing error, not memory */
#define PL_REGION_BYTES_DEFAULT (256ull << 20) /* as QEMU's size= has to say too */
#define PL_REGION_GRANT_MIN     (4ull << 20)   /* limit: what is smaller is not worth being used */
#define PL_REGION_KEY_BYTES     16

struct pl_region; /* the server's end */

/** pl_region_create() - the server's end over a file that QEMU maps as well
 * @path: made (mode 0600) or grown to `bytes` where needed; never shrunk.  /proc/self/fd/N is fine
 * @bytes: power of two between the limits; 0 = as large as the file is, or the default for a new one
 * Return: 0; fatal -EINVAL: size; -EBUSY: another server uses it; -EACCES: it belongs to another user or others may
 * write to it; -errno.  Explained through the log. */
int pl_region_create(const char *path, uint64_t bytes, struct pl_region **region_out);
void pl_region_destroy(struct pl_region *region); /* NULL is fine; the file stays, without contents */

int pl_region_fd(const struct pl_region *region); /* borrowed */
/* Takes as long for each key. */
bool pl_region_key_is(const struct pl_region *region, const uint8_t key[PL_REGION_KEY_BYTES]);

/** pl_region_grant() - a part for one session: half of the largest free one, at least PL_REGION_GRANT_MIN
 * Return: 0 and both outputs, or -ENOSPC (not logged). */
int pl_region_grant(struct pl_region *region, uint64_t *offset_out, uint64_t *bytes_out);
/* The session has ended: its pages go back to the system. */
void pl_region_release(struct pl_region *region, uint64_t offset, uint64_t bytes);

/** pl_region_open() - the client's end
 * @path: "" = the first ivshmem device that a server has written to; else a file, or a device's resource2
 * Return: 0, *fd_out (owned by the caller), its size and the key; fatal -ENODEV: no such device; -EACCES; -EPROTO: no
 *         server of Plenum has it; -errno.  Explained through the log. */
int pl_region_open(const char *path, int *fd_out, uint64_t *bytes_out, uint8_t key_out[PL_REGION_KEY_BYTES]);

/* A number that changes with each boot of this (virtual) machine; 0 = not known. */
uint64_t pl_region_boot(void);

#endif
