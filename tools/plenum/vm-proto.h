/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host's side and the guest's agent say to each other: both are the
 * same executable on the same machine, so integers are in native order.
 * Four virtio-serial ports: one carries a job and then messages both ways, one
 * each carries the program's standard streams as plain bytes.  The ends of the
 * streams are announced as byte counts, so nothing hangs on when a port closes.
 */
#ifndef PL_VM_PROTO_H
#define PL_VM_PROTO_H

#include <assert.h>
#include <stdint.h>

#define PL_VM_JOB_MAGIC      0x4a4d5650u
#define PL_VM_JOB_VERSION    1u
#define PL_VM_JOB_BYTES_MAX  (8u << 20) /* limit: ARG_MAX is 2 MiB on Linux by default */
#define PL_VM_JOB_GROUPS_MAX 1024u      /* limit: far above what identities have */
#define PL_VM_JOB_STRINGS_MAX (1u << 20)

#define PL_VM_PORT_CTL    "org.plenum.ctl"
#define PL_VM_PORT_STDIN  "org.plenum.stdin"
#define PL_VM_PORT_STDOUT "org.plenum.stdout"
#define PL_VM_PORT_STDERR "org.plenum.stderr"

enum {                          /* pl_vm_job.flags */
	PL_VM_JOB_TTY = 1u << 0,
	PL_VM_JOB_NO_STDIN = 1u << 1,
	PL_VM_JOB_IVSHMEM = 1u << 2, /* the program's user may use the devices */
};

/* Host to guest, once.  Then len_bytes follow: group_count uint32_t, and the
 * NUL-terminated strings folder, icd library ("": none), arguments, environment. */
struct pl_vm_job {
	uint32_t magic;
	uint32_t version;
	uint32_t len_bytes;
	uint32_t flags;
	uint32_t uid;
	uint32_t gid;
	uint32_t group_count;
	uint32_t arg_count;
	uint32_t env_count;
	uint32_t umask;
	uint32_t rows;
	uint32_t columns;
};

static_assert(sizeof(struct pl_vm_job) == 48, "both sides read it as bytes");

enum pl_vm_msg_type {
	PL_VM_MSG_READY = 1,    /* guest: the program is about to start */
	PL_VM_MSG_STREAM_END,   /* guest: stream `arg` (1, 2) ends after `value` bytes */
	PL_VM_MSG_EXIT,         /* guest: exit status `arg`; the last message */
	PL_VM_MSG_STDIN_END,    /* host: stdin ends after `value` bytes */
	PL_VM_MSG_STREAM_SHUT,  /* host: nobody reads stream `arg` any more */
	PL_VM_MSG_WINDOW,       /* host: the terminal has `arg` rows and `value` columns */
};

struct pl_vm_msg {
	uint32_t type;
	uint32_t arg;
	uint64_t value;
};

static_assert(sizeof(struct pl_vm_msg) == 16, "both sides read it as bytes");

#endif
