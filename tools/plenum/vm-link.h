/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carries the calls of a guest: QEMU's user network, that and memory that guest and host share, or vsock.  A link
 * is prepared before the server that listens on it and before QEMU, and ended after both.
 */
#ifndef PL_VM_LINK_H
#define PL_VM_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_VM_REGION_MIB_MIN 16u           /* limits: src/link/ivshmem/region.h */
#define PL_VM_REGION_MIB_MAX (64u << 10)
#define PL_VM_REGION_MIB     256u

enum pl_vm_link_kind {
	PL_VM_LINK_AUTO, /* what the server's address says; TCP for a private one */
	PL_VM_LINK_TCP,
	PL_VM_LINK_IVSHMEM,
	PL_VM_LINK_VSOCK,
};

struct pl_vm_link {
	enum pl_vm_link_kind kind;
	char *listen;        /* for a private server */
	char *guest_address; /* NULL: no server */
	/* ivshmem */
	char *region_path;   /* for QEMU */
	uint64_t region_bytes;
	int region_fd;       /* -1: the file has a name */
	/* vsock */
	uint32_t cid;
	char *device_socket; /* of a user-space device; NULL: the kernel's */
	pid_t device_pid;
};

/** pl_vm_link_init() - for a private server
 * Return: 0, or PL_VM_E_SETUP, -errno: explained. */
int pl_vm_link_init(struct pl_vm_link *link, enum pl_vm_link_kind kind, uint32_t region_mib, const char *work_dir);
/** pl_vm_link_guest() - how the guest says the server's address
 * @address: a private server's as it is bound, or the one that the user named; NULL: no server
 * @kind:    what the user named besides */
int pl_vm_link_guest(struct pl_vm_link *link, enum pl_vm_link_kind kind, const char *address);
void pl_vm_link_fini(struct pl_vm_link *link);

/* Can this machine carry vsock to a guest?  @how_out: by what, or what is missing; static. */
bool pl_vm_vsock_usable(const char **how_out);

#endif
