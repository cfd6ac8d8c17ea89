/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the VM wing; vm.h is for everybody else. */
#ifndef PL_VM_INTERNAL_H
#define PL_VM_INTERNAL_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vm.h"

/* vm-util.c */

/** pl_vm_say() - one line on stderr: "plenum vm: ..." */
__attribute__((format(printf, 1, 2))) void pl_vm_say(const char *format, ...);
/** pl_vm_format() - a fresh string; NULL when memory is short */
__attribute__((format(printf, 1, 2))) char *pl_vm_format(const char *format, ...);
uint64_t pl_vm_now_ms(void);    /* CLOCK_MONOTONIC */
/** pl_vm_write_all() - to a blocking descriptor.  Return: 0 or -errno. */
int pl_vm_write_all(int fd, const void *data, size_t len_bytes);
/** pl_vm_read_file() - the whole of a file, with a NUL after it
 * Return: 0, -EFBIG past @bytes_max, or -errno; @data_out is the caller's. */
int pl_vm_read_file(const char *path, size_t bytes_max, char **data_out, size_t *len_bytes_out);
/** pl_vm_cache_path() - $XDG_CACHE_HOME/plenum/@name; makes the folder
 * Return: a fresh string, or NULL where there is no place for a cache. */
char *pl_vm_cache_path(const char *name);
/** pl_vm_find_program() - along $PATH, then /usr/bin.  A fresh string or NULL. */
char *pl_vm_find_program(const char *name);
/** pl_vm_signals() - those that end a run early, and SIGWINCH */
void pl_vm_signals(sigset_t *signals_out);
/** pl_vm_interrupted() - one that ends a run waits to be taken; all are blocked meanwhile */
bool pl_vm_interrupted(void);
/** pl_vm_reap() - SIGKILL @pid, wait at most two seconds; pids <= 0 are fine */
void pl_vm_reap(pid_t pid);
/** pl_vm_child_begin() - in a fresh child: die with @parent_pid, default signals, own session.
 * The child's standard streams become @in_fd, @out_fd, @err_fd (-1: /dev/null). */
int pl_vm_child_begin(pid_t parent_pid, int in_fd, int out_fd, int err_fd);

/* vm-kernel.c */

struct pl_vm_kernel {
	char *path;             /* the kernel as the distribution installed it */
	char *boot_path;        /* what QEMU loads: unpacked where possible, TCG unpacks slowly */
	char release[128];      /* names the folder under /lib/modules */
};

/** pl_vm_kernel_init() - choose a kernel and read its release
 * @path: NULL for the newest one.  Return: 0, PL_VM_E_SETUP or -errno. */
int pl_vm_kernel_init(struct pl_vm_kernel *kernel, const char *path);
void pl_vm_kernel_fini(struct pl_vm_kernel *kernel);

/* vm-initramfs.c */

/** pl_vm_initramfs_write() - busybox, modules and @init as a newc archive at @path
 * @agent_path: this executable, as the guest shall start it
 * @vsock: the guest has such a device
 * Not compressed: unpacking under TCG takes longer than loading. */
int pl_vm_initramfs_write(const char *path, const struct pl_vm_kernel *kernel, const char *init,
			  const char *agent_path, bool vsock);

/* vm-qemu.c */

enum pl_vm_port {
	PL_VM_CTL,
	PL_VM_STDIN,
	PL_VM_STDOUT,
	PL_VM_STDERR,
	PL_VM_PORTS,
};

struct pl_vm_machine {          /* what to boot */
	const struct pl_vm_kernel *kernel;
	const char *initramfs_path;
	uint32_t memory_mib;
	uint32_t cpus;
	const struct pl_vm_link *link; /* NULL: none */
	const char *traps_path;
	bool kvm;
	bool verbose;
	bool probe;             /* only console; the guest powers off at once */
};

struct pl_vm_qemu {             /* a running QEMU; our ends do not block */
	pid_t pid;
	int console_fd;         /* guest's serial line and QEMU's own stderr */
	int port_fds[PL_VM_PORTS];
};

int pl_vm_qemu_init(struct pl_vm_qemu *qemu, const struct pl_vm_machine *machine);
void pl_vm_qemu_fini(struct pl_vm_qemu *qemu);  /* kills it */

/* vm-accel.c */

#define PL_VM_PROBE_MARK "plenum-probe-ok"      /* the guest's init prints it */
/** pl_vm_kvm_boots() - can KVM boot this kernel here?  At most 8 s, then remembered */
bool pl_vm_kvm_boots(const struct pl_vm_kernel *kernel, const char *initramfs_path, bool verbose);

/** pl_vm_tsc_khz() - how fast this processor's time stamp counter runs, which TCG shows the guest; 0: not known
 * A guest that shares its processor measures it wrongly: its clock then ran three times too fast. */
uint32_t pl_vm_tsc_khz(void);

/* vm-relay.c */

struct pl_vm_job_data {
	void *data;             /* struct pl_vm_job and what follows it */
	size_t len_bytes;
};

#define PL_VM_LAST_SILENCE 4u /* times as long is waited for the guest that is not started again */

enum { PL_VM_E_SILENT = PL_VM_E_LAST + 1 }; /* a guest that boots says nothing; none of standard input was read yet */

/** pl_vm_relay_run() - hand the job to a booting guest and pass bytes until it ends
 * @deadline_ms: on CLOCK_MONOTONIC; 0: none
 * @last: a silent guest is not PL_VM_E_SILENT, but PL_VM_E_BOOT, and later.  Return else as for pl_vm_run(). */
int pl_vm_relay_run(const struct pl_vm_options *options, struct pl_vm_qemu *qemu,
		    const struct pl_vm_job_data *job, uint64_t deadline_ms, bool last, int *status_out);

/* vm-server.c */

struct pl_vm_server {           /* a private `plenum serve` */
	pid_t pid;
	char *address;
	char *token;
};

int pl_vm_server_init(struct pl_vm_server *server, const struct pl_vm_link *link, const char *work_dir, bool verbose);
void pl_vm_server_fini(struct pl_vm_server *server);

/* vm-agent.c */

/** pl_vm_agent_main() - the guest's side; process 1 there, does not return normally */
int pl_vm_agent_main(void);

#endif
