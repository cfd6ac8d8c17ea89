/* The doctor on this machine: what a client, a server and a virtual machine need. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plenum/check.h"
#include "vm-link.h"

#define VENDORS          "/etc/OpenCL/vendors"
#define FILES_ENOUGH 1024u /* descriptors: a program with some hundred threads, or a server with as many sessions */
#define ARENA_TRY_BYTES  (1ull << 30)

/* ---- the client's side ---- */

static void loader_check(struct pl_checks *checks)
{
	void *dl = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
	struct link_map *map = NULL;

	if (!dl) {
		pl_check_say(checks, PL_CHECK_WARN, "loader", "for OpenCL programs: apt install ocl-icd-libopencl1",
			     "no OpenCL loader: %s", dlerror());
		return;
	}
	if (dlinfo(dl, RTLD_DI_LINKMAP, &map) < 0)
		map = NULL;
	pl_check_say(checks, PL_CHECK_OK, "loader", NULL, "OpenCL loader %s", map ? map->l_name : "");
}

static void icd_check(struct pl_checks *checks)
{
	char path[PATH_MAX], library[PATH_MAX];
	void *dl;
	int r = pl_tool_icd_find(path);

	if (r < 0) {
		const char *told = getenv("PLENUM_ICD_DIR");

		pl_check_say(checks, PL_CHECK_FAIL, "icd",
			     told && *told ? "unset PLENUM_ICD_DIR, or correct it"
					   : "meson install -C build, or set PLENUM_ICD_DIR",
			     "plenum.icd was not found%s%s", told && *told ? " in PLENUM_ICD_DIR, " : "",
			     told ? told : "");
		return;
	}
	r = pl_tool_icd_library(path, library);
	if (r < 0) {
		pl_check_say(checks, PL_CHECK_FAIL, "icd", "install it again", "%s: %s", path, strerror(-r));
		return;
	}
	dl = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!dl || !dlsym(dl, "clGetExtensionFunctionAddress")) {
		pl_check_say(checks, PL_CHECK_FAIL, "icd", "build or install the OpenCL client again",
			     "%s names %s: %s", path, library, dl ? "not a driver" : dlerror());
		return;
	}
	pl_check_say(checks, PL_CHECK_OK, "icd", NULL, "%s names %s, which loads", path, library);
	if (access(VENDORS "/plenum.icd", R_OK) < 0)
		pl_check_say(checks, PL_CHECK_OK, "installed", NULL,
			     "plenum.icd is not in %s: programs see Plenum through `plenum run' only", VENDORS);
}

static void drivers_check(struct pl_checks *checks)
{
	const char *folder = getenv("OCL_ICD_VENDORS");
	char names[512] = "";
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	if (!folder || !*folder)
		folder = VENDORS;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), used = strlen(names);

		if (len < 5 || strcmp(entry->d_name + len - 4, ".icd") || !strcmp(entry->d_name, "plenum.icd"))
			continue;
		snprintf(names + used, sizeof(names) - used, "%s%s", count++ ? ", " : "", entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (count)
		pl_check_say(checks, PL_CHECK_OK, "drivers", NULL, "this machine's own drivers in %s: %s", folder,
			     names);
	else
		pl_check_say(checks, PL_CHECK_WARN, "drivers",
			     "on a machine that serves: install its driver, for a CPU "
			     "apt install pocl-opencl-icd",
			     "no driver of this machine's own in %s", folder);
}

/* What a server here serves to CUDA programs: a device in software is not what everybody looks for. */
static void cuda_check(struct pl_checks *checks)
{
	const char *driver = pl_tool_cuda_driver(NULL);
	char folder[PATH_MAX];

	if (!pl_tool_cuda_client_find(folder))
		pl_check_say(checks, PL_CHECK_FAIL, "cuda", "build or install Plenum again",
			     "the libcuda.so.1 for programs was not found");
	if (driver && strchr(driver, '/'))
		pl_check_say(checks, PL_CHECK_OK, "cuda", NULL,
			     "no NVIDIA device here (/dev/nvidiactl): a server on this machine has the software GPU");
	else
		pl_check_say(checks, driver ? PL_CHECK_OK : PL_CHECK_WARN, "cuda", NULL,
			     "a server on this machine has %s", driver ? "NVIDIA's driver" : "no driver for CUDA");
}

void pl_checks_client(struct pl_checks *checks)
{
	loader_check(checks);
	icd_check(checks);
	drivers_check(checks);
	cuda_check(checks);
}

/* ---- limits ---- */

static void memory_check(struct pl_checks *checks)
{
	pl_cleanup(pl_closep) int fd = memfd_create("plenum-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, (off_t)ARENA_TRY_BYTES) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		at = mmap(NULL, ARENA_TRY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED) {
		pl_check_say(checks, PL_CHECK_WARN, "memory",
			     "see ulimit -v, ulimit -f and /proc/sys/vm/overcommit_memory",
			     "1 GiB of shared memory: %s; data is copied through sockets instead", strerror(errno));
		return;
	}
	munmap(at, ARENA_TRY_BYTES);
	pl_check_say(checks, PL_CHECK_OK, "memory", NULL, "shared memory can be made, sealed and mapped");
}

static void limits_check(struct pl_checks *checks)
{
	struct rlimit files, space;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_AS, &space) < 0)
		return;
	if (files.rlim_max < FILES_ENOUGH)
		pl_check_say(checks, PL_CHECK_WARN, "files",
			     "raise the hard limit (ulimit -Hn, /etc/security/limits.conf)",
			     "only %llu file descriptors: each session and each thread takes some",
			     (unsigned long long)files.rlim_max);
	else
		pl_check_say(checks, PL_CHECK_OK, "files", NULL, "%llu file descriptors, up to %llu",
			     (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
	if (space.rlim_cur != RLIM_INFINITY)
		pl_check_say(
			checks, PL_CHECK_WARN, "addresses", "ulimit -v unlimited",
			"address space is limited to %llu MiB: shared memory takes addresses for all device memory",
			(unsigned long long)space.rlim_cur >> 20);
}

/* ---- virtual machines ---- */

static bool in_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
		int len = (int)strcspn(at, ":");

		snprintf(file, sizeof(file), "%.*s/%s", len, at, name);
		if (!access(file, X_OK))
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

/* What a guest boots. */
static void guest_check(struct pl_checks *checks)
{
	char folder[PATH_MAX];
	glob_t kernels;
	int r = glob("/boot/vmlinuz-*", 0, NULL, &kernels);

	if (r)
		pl_check_say(checks, PL_CHECK_WARN, "kernel",
			     "apt install linux-image-amd64, or plenum vm --kernel FILE",
			     "no kernel in /boot: `plenum vm' boots one");
	else
		pl_check_say(checks, PL_CHECK_OK, "kernel", NULL, "a kernel in /boot, for `plenum vm'");
	globfree(&kernels);
	if (!in_path("busybox"))
		pl_check_say(checks, PL_CHECK_WARN, "busybox", "apt install busybox-static",
			     "no busybox: guests of `plenum vm' begin with it");
	if (pl_tool_guest_find(folder) < 0)
		pl_check_say(checks, PL_CHECK_WARN, "guest", "install Plenum again, or set PLENUM_GUEST_DIR",
			     "the guest's files are not in %s: `plenum vm' needs them", folder);
}

/* What may carry a guest's calls.  tcp and ivshmem need nothing but QEMU. */
static void guest_links_check(struct pl_checks *checks)
{
	const char *how;

	if (pl_vm_vsock_usable(&how))
		pl_check_say(checks, PL_CHECK_OK, "vsock", NULL, "vsock to guests by %s", how);
	else
		pl_check_say(checks, PL_CHECK_WARN, "vsock",
			     "modprobe vhost_vsock, or use `plenum vm --link=ivshmem', which is faster",
			     "no vsock to guests: %s", how);
}

static void vm_check(struct pl_checks *checks)
{
	pl_cleanup(pl_closep) int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		pl_check_say(checks, PL_CHECK_OK, "kvm", NULL,
			     "/dev/kvm can be used; `plenum vm' tries whether it works");
	else
		pl_check_say(checks, PL_CHECK_WARN, "kvm", errno == EACCES ? "join the group kvm" :
			     "switch virtualisation on in the firmware or the outer machine",
			     "/dev/kvm: %s; `plenum vm' emulates instead, which is slow", strerror(errno));
	if (in_path("qemu-system-x86_64"))
		pl_check_say(checks, PL_CHECK_OK, "qemu", NULL, "QEMU is there, for `plenum vm'");
	else
		pl_check_say(checks, PL_CHECK_WARN, "qemu", "apt install qemu-system-x86",
			     "no QEMU: `plenum vm' needs it");
	guest_check(checks);
	guest_links_check(checks);
}

void pl_checks_host(struct pl_checks *checks)
{
	memory_check(checks);
	limits_check(checks);
	vm_check(checks);
}
