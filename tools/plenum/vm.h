/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines that use the host's device through Plenum.
 *
 * pl_vm_run() boots a QEMU guest whose root file system is the host's, read
 * through 9p under a layer in the guest's memory: the guest sees every file
 * that the caller may read, and nothing that it writes reaches the host.  One
 * program runs in it with the caller's arguments, folder and user; its standard
 * streams are the caller's, and its exit status comes back.
 *
 * All functions belong to one thread of the calling process.  Results: 0, a
 * fatal -errno, or one of the positive codes below; whatever is not 0 was
 * explained on stderr already.
 */
#ifndef PL_VM_H
#define PL_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "vm-link.h"

#define PL_VM_MEMORY_MIB_MIN 256u       /* limit: the kernel and its root need about 150 */
#define PL_VM_MEMORY_MIB_MAX (1u << 20) /* limit: a typing error, not a machine */
#define PL_VM_CPUS_MAX       64u        /* limit: virtual CPUs beyond this do not help TCG */
#define PL_VM_TIMEOUT_S_MAX  (7u * 24u * 3600u)
#define PL_VM_SILENCE_S_MIN  5u         /* limit: each step of a boot says something, after 3 s at most */
#define PL_VM_SILENCE_S_MAX  3600u

enum {                          /* positive results: the caller must handle them */
	PL_VM_OK,
	PL_VM_E_SETUP,          /* a package, file or right is missing; named on stderr */
	PL_VM_E_BOOT,           /* the guest did not come up; its last words are on stderr */
	PL_VM_E_GUEST,          /* the guest ended without the program's exit status */
	PL_VM_E_TIMEOUT,        /* pl_vm_options.timeout_s passed */
	PL_VM_E_LAST = PL_VM_E_TIMEOUT,
};

enum pl_vm_accel {
	PL_VM_ACCEL_AUTO,       /* KVM where a bounded trial boot succeeds, else TCG */
	PL_VM_ACCEL_KVM,
	PL_VM_ACCEL_TCG,
};

/* Strings are borrowed for the time of the call. */
struct pl_vm_options {
	const struct pl_vm_link *link;  /* the way to the server, if there is one; owned by the caller */
	const char *token;              /* for that server; NULL: none */
	const char *icd_library;        /* OpenCL ICD as the guest's loader shall name it */
	const char *kernel_path;        /* NULL: the newest /boot/vmlinuz-* with modules */
	const char *guest_dir;          /* holds the guest's "init" */
	const char *work_dir;           /* from pl_vm_folder_create() */
	char *const *argv;              /* the program, found along the PATH in env */
	char *const *env;               /* its environment; PLENUM, PLENUM_TOKEN and
					 * OCL_ICD_VENDORS are added by pl_vm_run() */
	enum pl_vm_accel accel;
	uint32_t memory_mib;
	uint32_t cpus;
	uint32_t timeout_s;             /* from the call to the exit status; 0: none */
	uint32_t boot_silence_s;        /* a booting guest that says nothing for so long is started again, once */
	const char *traps_path;         /* where QEMU writes each access to a device that left the guest; NULL: none */
	bool verbose;                   /* show the guest's console on stderr */
	bool tty;                       /* a terminal in the guest, ours in raw mode */
	bool no_stdin;                  /* the program reads /dev/null */
};

/** pl_vm_options_init() - the defaults: 1024 MiB, min(2, host CPUs), AUTO, 60 s of silence */
void pl_vm_options_init(struct pl_vm_options *options);

/** pl_vm_folder_create() - a fresh private folder under $TMPDIR
 * @path_out: set on success only; release with pl_vm_folder_remove()
 * Return: 0, or fatal -errno. */
int pl_vm_folder_create(char **path_out);

/** pl_vm_folder_remove() - delete the folder and the files in it, free @path
 * @keep: leave it on disk and say where it is; NULL @path is fine. */
void pl_vm_folder_remove(char *path, bool keep);

/** pl_vm_run() - run one program in a guest and wait for it
 * @status_out: set on 0 only: the exit status, or 128 + signal; also when SIGINT, SIGTERM,
 *              SIGHUP or SIGQUIT ended the guest from outside
 * Blocks SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGWINCH and ignores SIGPIPE while it works.
 * QEMU is dead and reaped when it returns, and dies with the calling thread.
 * Return: 0, PL_VM_E_*, or fatal -errno. */
int pl_vm_run(const struct pl_vm_options *options, int *status_out);

/** pl_cmd_vm() - `plenum vm`: argv[0] is "vm"
 * Return: the process's exit status. */
int pl_cmd_vm(int argc, char **argv);

#endif
