// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "vm-internal.h"
#include "vm-proto.h"

#define QEMU_PROGRAM "qemu-system-x86_64"
#define ARGS_MAX     96

/* A quiet kernel line: what Debian's kernel would probe for in vain or measure slowly. */
#define KERNEL_LINE \
	"console=ttyS0 panic=-1 nokaslr mitigations=off tsc=reliable no_timer_check " \
	"random.trust_cpu=on 8250.nr_uarts=1 raid=noautodetect nmi_watchdog=0"

static const char *const port_names[PL_VM_PORTS] = {
	[PL_VM_CTL] = PL_VM_PORT_CTL,
	[PL_VM_STDIN] = PL_VM_PORT_STDIN,
	[PL_VM_STDOUT] = PL_VM_PORT_STDOUT,
	[PL_VM_STDERR] = PL_VM_PORT_STDERR,
};

struct command {                /* QEMU's argument vector; full is sticky */
	char *args[ARGS_MAX + 1];
	size_t count;
	bool failed;
};

static void command_fini(struct command *command)
{
	for (size_t i = 0; i < command->count; i++)
		free(command->args[i]);
}

/* Takes @text. */
static void command_take(struct command *command, char *text)
{
	if (!text || command->count == ARGS_MAX) {
		free(text);
		command->failed = true;
		return;
	}
	command->args[command->count++] = text;
}

static void command_add(struct command *command, const char *text)
{
	command_take(command, strdup(text));
}

static void command_pair(struct command *command, const char *option, char *value)
{
	command_add(command, option);
	command_take(command, value);
}

/* Memory of the guest's own that a device in another process works on. */
static bool memory_is_shared(const struct pl_vm_machine *machine)
{
	return machine->link && machine->link->device_socket;
}

static void command_link(struct command *command, const struct pl_vm_link *link)
{
	if (link->region_path) {
		command_pair(command, "-object",
			     pl_vm_format("memory-backend-file,id=region,mem-path=%s,size=%llu,share=on",
					  link->region_path, (unsigned long long)link->region_bytes));
		command_pair(command, "-device", strdup("ivshmem-plain,memdev=region"));
	}
	if (link->cid && link->device_socket) {
		command_pair(command, "-chardev", pl_vm_format("socket,id=vsock,path=%s", link->device_socket));
		command_pair(command, "-device", strdup("vhost-user-vsock-pci,chardev=vsock"));
	} else if (link->cid) {
		command_pair(command, "-device", pl_vm_format("vhost-vsock-pci,guest-cid=%u", link->cid));
	}
}

static void command_build(struct command *command, const struct pl_vm_machine *machine,
			  const char *program, int console_fd, const int *port_fds)
{
	uint32_t khz = machine->kvm ? 0 : pl_vm_tsc_khz();
	char tsc[40] = "";

	if (!machine->kvm && khz)
		snprintf(tsc, sizeof(tsc), " tsc_early_khz=%u", khz);
	command_add(command, program);
	command_add(command, "-nodefaults");
	command_add(command, "-no-user-config");
	command_add(command, "-no-reboot");
	command_pair(command, "-name", strdup("plenum-vm"));
	command_pair(command, "-display", strdup("none"));
	/* QEMU reads files for a guest that runs anything: it needs no new programs or rights. */
	command_pair(command, "-sandbox", strdup("on,obsolete=deny,elevateprivileges=deny,"
						 "spawn=deny"));
	command_pair(command, "-machine", pl_vm_format("pc,usb=off,vmport=off,hpet=off%s",
						       memory_is_shared(machine) ? ",memory-backend=ram" : ""));
	if (memory_is_shared(machine))
		command_pair(command, "-object", pl_vm_format("memory-backend-memfd,id=ram,size=%uM,share=on",
							      machine->memory_mib));
	command_pair(command, "-accel", strdup(machine->kvm ? "kvm" : "tcg,thread=multi"));
	command_pair(command, "-cpu", strdup(machine->kvm ? "host" : "max"));
	command_pair(command, "-m", pl_vm_format("%uM", machine->memory_mib));
	/* With room for a second processor TCG keeps atomic operations atomic, and fences fences: others work on what
	 * the guest shares. */
	command_pair(command, "-smp", pl_vm_format("%u,maxcpus=%u", machine->cpus,
						   machine->cpus > 1 ? machine->cpus : 2));
	command_pair(command, "-kernel", strdup(machine->kernel->boot_path));
	command_pair(command, "-initrd", strdup(machine->initramfs_path));
	command_pair(command, "-append", pl_vm_format(KERNEL_LINE "%s%s%s", tsc,
			machine->verbose ? "" : " quiet", machine->probe ? " plenum.probe" : ""));
	command_pair(command, "-chardev", pl_vm_format("socket,id=console,fd=%d", console_fd));
	command_pair(command, "-serial", strdup("chardev:console"));
	if (machine->probe)
		return;
	command_pair(command, "-fsdev", strdup("local,id=host,path=/,security_model=none,"
					       "readonly=on,multidevs=remap"));
	command_pair(command, "-device", strdup("virtio-9p-pci,fsdev=host,mount_tag=host"));
	if (machine->link)
		command_link(command, machine->link);
	if (machine->traps_path) {
		command_pair(command, "-trace", strdup("enable=memory_region_ops_*"));
		command_pair(command, "-trace", strdup("enable=virtio_queue_notify")); /* by ioeventfd too */
		command_pair(command, "-D", strdup(machine->traps_path));
	}
	command_pair(command, "-netdev", strdup("user,id=net"));
	command_pair(command, "-device", strdup("virtio-net-pci,netdev=net,romfile="));
	command_pair(command, "-device", pl_vm_format("virtio-serial-pci,max_ports=%d",
						      PL_VM_PORTS + 1));
	for (int i = 0; i < PL_VM_PORTS; i++) {
		command_pair(command, "-chardev", pl_vm_format("socket,id=port%d,fd=%d", i,
							       port_fds[i]));
		command_pair(command, "-device", pl_vm_format("virtserialport,chardev=port%d,nr=%d,"
							      "name=%s", i, i + 1, port_names[i]));
	}
}

/* In the child: the descriptors QEMU shall have lose close-on-exec. */
static void exec_qemu(const struct command *command, const struct pl_vm_link *link, pid_t parent, int console_fd,
		      const int *port_fds, int ports)
{
	if (pl_vm_child_begin(parent, -1, console_fd, console_fd) < 0)
		_exit(127);
	(void)fcntl(console_fd, F_SETFD, 0);
	if (link && link->region_fd >= 0)
		(void)fcntl(link->region_fd, F_SETFD, 0);
	for (int i = 0; i < ports; i++)
		(void)fcntl(port_fds[i], F_SETFD, 0);
	execv(command->args[0], command->args);
	dprintf(STDERR_FILENO, "%s: %s\n", command->args[0], strerror(errno));
	_exit(127);
}

static int pair_init(int *ours, int *theirs)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*ours = fds[0];
	*theirs = fds[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

void pl_vm_qemu_fini(struct pl_vm_qemu *qemu)
{
	pl_vm_reap(qemu->pid);
	qemu->pid = 0;
	pl_closep(&qemu->console_fd);
	for (int i = 0; i < PL_VM_PORTS; i++)
		pl_closep(&qemu->port_fds[i]);
}

int pl_vm_qemu_init(struct pl_vm_qemu *qemu, const struct pl_vm_machine *machine)
{
	pl_cleanup(pl_freep) char *program = pl_vm_find_program(QEMU_PROGRAM);
	struct command command = { .count = 0 };
	int console_fd = -1, port_fds[PL_VM_PORTS] = { -1, -1, -1, -1 };
	int ports = machine->probe ? 0 : PL_VM_PORTS;
	pid_t parent = getpid();
	int r;

	*qemu = (struct pl_vm_qemu){ .console_fd = -1, .port_fds = { -1, -1, -1, -1 } };
	if (!program) {
		pl_vm_say(QEMU_PROGRAM " is missing; install the packages qemu-system-x86, "
			  "linux-image-amd64 and busybox-static");
		return PL_VM_E_SETUP;
	}
	r = pair_init(&qemu->console_fd, &console_fd);
	for (int i = 0; i < ports && r == 0; i++)
		r = pair_init(&qemu->port_fds[i], &port_fds[i]);
	if (r == 0) {
		command_build(&command, machine, program, console_fd, port_fds);
		r = command.failed ? -ENOMEM : 0;
	}
	if (r == 0) {
		qemu->pid = fork();
		if (qemu->pid == 0)
			exec_qemu(&command, machine->probe ? NULL : machine->link, parent, console_fd, port_fds, ports);
		r = qemu->pid < 0 ? -errno : 0;
	}
	command_fini(&command);
	pl_closep(&console_fd);
	for (int i = 0; i < ports; i++)
		pl_closep(&port_fds[i]);
	if (r < 0) {
		pl_vm_say("cannot start QEMU: %s", strerror(-r));
		pl_vm_qemu_fini(qemu);
	}
	return r;
}
