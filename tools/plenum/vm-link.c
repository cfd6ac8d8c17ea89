// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vm-internal.h"

#define GUEST_HOST     "10.0.2.2" /* the host's loopback as QEMU's user network shows it */
#define VHOST_DEVICE   "/dev/vhost-vsock"
#define USER_DEVICE    "vhost-device-vsock"
#define CID_FIRST      0x10000u /* far from the small numbers that people give */
#define USER_PORT      7000u    /* nobody else is behind a device of our own */
#define DEVICE_MS_MAX  5000u
#define PREFIX_IVSHMEM "ivshmem:"

bool pl_vm_vsock_usable(const char **how_out)
{
	pl_cleanup(pl_freep) char *program = NULL;

	*how_out = VHOST_DEVICE;
	if (access(VHOST_DEVICE, R_OK | W_OK) == 0)
		return true;
	program = pl_vm_find_program(USER_DEVICE);
	*how_out = program ? USER_DEVICE
			   : "no usable " VHOST_DEVICE " (module vhost_vsock), and no " USER_DEVICE " in PATH";
	return program != NULL;
}

/* ---- ivshmem ---- */

/* Without a name, and sealed: nobody can shorten it under the server. */
static int region_make(struct pl_vm_link *link, uint32_t mib)
{
	link->region_bytes = (uint64_t)mib << 20;
	link->region_fd = memfd_create("plenum-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (link->region_fd < 0 || ftruncate(link->region_fd, (off_t)link->region_bytes) < 0 ||
	    fcntl(link->region_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int r = -errno;

		pl_vm_say("cannot make %u MiB of memory that the guest shares: %s", mib, strerror(-r));
		return r;
	}
	link->listen = pl_vm_format(PREFIX_IVSHMEM "/proc/self/fd/%d,size=%uM;tcp://127.0.0.1:0", link->region_fd, mib);
	return link->listen ? 0 : -ENOMEM;
}

/* ---- vsock ---- */

static int device_wait(const struct pl_vm_link *link)
{
	uint64_t end_ms = pl_vm_now_ms() + DEVICE_MS_MAX;

	while (access(link->device_socket, F_OK) < 0) {
		if (pl_vm_now_ms() > end_ms) {
			pl_vm_say(USER_DEVICE " did not come up");
			return PL_VM_E_SETUP;
		}
		(void)poll(NULL, 0, 10);
	}
	return 0;
}

static int device_start(struct pl_vm_link *link, const char *work_dir)
{
	pl_cleanup(pl_freep) char *program = pl_vm_find_program(USER_DEVICE), *vm = NULL;
	pid_t parent = getpid();

	link->device_socket = pl_vm_format("%s/vsock-device", work_dir);
	vm = pl_vm_format("guest-cid=%u,socket=%s/vsock-device,uds-path=%s/vsock", link->cid, work_dir, work_dir);
	link->listen = pl_vm_format("vsock:%s/vsock_%u", work_dir, USER_PORT);
	if (!program || !vm || !link->device_socket || !link->listen)
		return -ENOMEM;
	link->device_pid = fork();
	if (link->device_pid == 0) {
		if (pl_vm_child_begin(parent, -1, -1, -1) == 0)
			execl(program, program, "--vm", vm, (char *)NULL);
		_exit(127);
	}
	return link->device_pid < 0 ? -errno : device_wait(link);
}

static int vsock_make(struct pl_vm_link *link, const char *work_dir)
{
	const char *how;

	if (!pl_vm_vsock_usable(&how)) {
		pl_vm_say("no vsock for the guest: %s; --link=ivshmem needs neither", how);
		return PL_VM_E_SETUP;
	}
	link->cid = CID_FIRST + (uint32_t)getpid();
	if (strcmp(how, USER_DEVICE) == 0)
		return device_start(link, work_dir);
	link->listen = strdup("vsock:any:any");
	return link->listen ? 0 : -ENOMEM;
}

/* ---- addresses ---- */

/* tcp://127.0.0.1:5000 becomes tcp://10.0.2.2:5000; other hosts keep their names. */
static char *guest_tcp(const char *address)
{
	static const char *const loopbacks[] = { "127.", "localhost:", "[::1]:", "0.0.0.0:", "[::]:" };
	const char *host = address + 6, *colon = strrchr(host, ':');

	for (size_t i = 0; colon && i < sizeof(loopbacks) / sizeof(loopbacks[0]); i++) {
		if (strncmp(host, loopbacks[i], strlen(loopbacks[i])) == 0)
			return pl_vm_format("tcp://" GUEST_HOST "%s", colon);
	}
	return strdup(address);
}

/* vsock:any:5000 and vsock:/folder/vsock_5000 become vsock:host:5000. */
static char *guest_vsock(const char *address)
{
	const char *end = address[6] == '/' ? strrchr(address, '_') : strrchr(address + 6, ':');

	return end ? pl_vm_format("vsock:host:%s", end + 1) : NULL;
}

/* "ivshmem:FILE,size=SIZE;ADDRESS": FILE and SIZE are QEMU's.  Return: ADDRESS, or NULL: explained. */
static const char *region_read(struct pl_vm_link *link, const char *address)
{
	const char *at = address + strlen(PREFIX_IVSHMEM), *end = strchr(at, ';');
	size_t len = strcspn(at, ",;");
	struct stat st;

	if (!end || len == 0) {
		pl_vm_say("%s: ivshmem:FILE;ADDRESS names the file that the server listens with", address);
		return NULL;
	}
	free(link->region_path);
	link->region_path = strndup(at, len);
	if (!link->region_path || stat(link->region_path, &st) < 0) {
		pl_vm_say("%s: %s; the server makes it", link->region_path ? link->region_path : at, strerror(errno));
		return NULL;
	}
	if (strchr(link->region_path, ',')) /* QEMU's options end there */
		return NULL;
	link->region_bytes = (uint64_t)st.st_size;
	return end + 1;
}

static enum pl_vm_link_kind kind_of(const char *address)
{
	return strncmp(address, PREFIX_IVSHMEM, strlen(PREFIX_IVSHMEM)) == 0 ? PL_VM_LINK_IVSHMEM
	       : strncmp(address, "vsock:", 6) == 0                          ? PL_VM_LINK_VSOCK
	       : strncmp(address, "tcp://", 6) == 0                          ? PL_VM_LINK_TCP
									     : PL_VM_LINK_AUTO;
}

/* Return: 0; what is not known was explained. */
static int guest_plain(const char *address, char **guest_out)
{
	enum pl_vm_link_kind kind = kind_of(address);

	if (kind != PL_VM_LINK_TCP && kind != PL_VM_LINK_VSOCK) {
		pl_vm_say("a guest reaches a server by tcp://HOST:PORT, vsock:CID:PORT or ivshmem:FILE;ADDRESS, not by "
			  "%s",
			  address);
		return PL_VM_E_SETUP;
	}
	*guest_out = kind == PL_VM_LINK_TCP ? guest_tcp(address) : guest_vsock(address);
	return *guest_out ? 0 : -ENOMEM;
}

int pl_vm_link_guest(struct pl_vm_link *link, enum pl_vm_link_kind kind, const char *address)
{
	pl_cleanup(pl_freep) char *plain = NULL;
	const char *at = address;
	int r;

	if (!address)
		return 0;
	link->kind = kind_of(address);
	if (kind != PL_VM_LINK_AUTO && kind != link->kind) {
		pl_vm_say("--link is not what the server's address says: %s", address);
		return PL_VM_E_SETUP;
	}
	if (link->kind == PL_VM_LINK_IVSHMEM)
		at = region_read(link, address);
	if (!at)
		return PL_VM_E_SETUP;
	if (kind_of(at) == PL_VM_LINK_VSOCK && !link->cid)
		link->cid = CID_FIRST + (uint32_t)getpid();
	r = guest_plain(at, &plain);
	if (r)
		return r;
	link->guest_address = pl_vm_format("%s%s", at == address ? "" : PREFIX_IVSHMEM ";", plain);
	return link->guest_address ? 0 : -ENOMEM;
}

int pl_vm_link_init(struct pl_vm_link *link, enum pl_vm_link_kind kind, uint32_t region_mib, const char *work_dir)
{
	switch (kind) {
	case PL_VM_LINK_IVSHMEM:
		return region_make(link, region_mib);
	case PL_VM_LINK_VSOCK:
		return vsock_make(link, work_dir);
	default:
		link->listen = strdup("tcp://127.0.0.1:0");
		return link->listen ? 0 : -ENOMEM;
	}
}

void pl_vm_link_fini(struct pl_vm_link *link)
{
	pl_vm_reap(link->device_pid);
	pl_closep(&link->region_fd);
	free(link->listen);
	free(link->guest_address);
	free(link->region_path);
	free(link->device_socket);
}
