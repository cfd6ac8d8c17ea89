// SPDX-License-Identifier: Apache-2.0
/*
 * Does KVM work here?  On some virtual hosts /dev/kvm opens, reports every
 * capability, and then never gets through a stock kernel's boot.  Only a boot
 * tells; its result is remembered per kernel and per boot of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/wait.h"
#include "vm-internal.h"

#define PROBE_MS_MAX      8000  /* limit: KVM boots this kernel in well under 2 s */
#define PROBE_MEMORY_MIB  256
#define PROBE_OUTPUT_MAX  65536 /* limit: a quiet boot prints a few lines */
#define SLICE_MS          100   /* how late a signal is noticed */
#define CACHE_BYTES_MAX   4096
#define TSC_MS            20
#define TSC_TRIES         16

#ifdef __x86_64__
struct moment {
	uint64_t ns, ticks;
};

/* The best of a few: one during which nobody else had the processor. */
static struct moment moment_take(void)
{
	struct moment best = { 0 };
	uint64_t best_ns = UINT64_MAX;

	for (int i = 0; i < TSC_TRIES; i++) {
		uint64_t before = pl_now_ns(), ticks = __builtin_ia32_rdtsc(), after = pl_now_ns();

		if (after - before < best_ns) {
			best_ns = after - before;
			best = (struct moment){ .ns = before + best_ns / 2, .ticks = ticks };
		}
	}
	return best;
}

uint32_t pl_vm_tsc_khz(void)
{
	struct moment begin = moment_take(), end;

	(void)poll(NULL, 0, TSC_MS);
	end = moment_take();
	return (uint32_t)((end.ticks - begin.ticks) * 1000000u / (end.ns - begin.ns));
}
#else
uint32_t pl_vm_tsc_khz(void)
{
	return 0;
}
#endif

static bool boot_prints_mark(const struct pl_vm_kernel *kernel, const char *initramfs_path)
{
	const struct pl_vm_machine machine = {
		.kernel = kernel, .initramfs_path = initramfs_path,
		.memory_mib = PROBE_MEMORY_MIB, .cpus = 1, .kvm = true, .probe = true,
	};
	uint64_t end_ms = pl_vm_now_ms() + PROBE_MS_MAX;
	pl_cleanup(pl_freep) char *text = malloc(PROBE_OUTPUT_MAX);
	struct pl_vm_qemu qemu;
	size_t len = 0;
	bool found = false;

	if (!text || pl_vm_qemu_init(&qemu, &machine) != 0)
		return false;
	while (!found && len < PROBE_OUTPUT_MAX) {
		struct pollfd p = { .fd = qemu.console_fd, .events = POLLIN };
		uint64_t now_ms = pl_vm_now_ms();
		ssize_t n;

		if (now_ms >= end_ms || pl_vm_interrupted())
			break;
		if (poll(&p, 1, SLICE_MS) <= 0)
			continue;
		n = read(qemu.console_fd, text + len, PROBE_OUTPUT_MAX - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		found = memmem(text, len, PL_VM_PROBE_MARK, strlen(PL_VM_PROBE_MARK)) != NULL;
	}
	pl_vm_qemu_fini(&qemu);
	return found;
}

bool pl_vm_kvm_boots(const struct pl_vm_kernel *kernel, const char *initramfs_path, bool verbose)
{
	pl_cleanup(pl_freep) char *cache = pl_vm_cache_path("kvm-probe");
	pl_cleanup(pl_freep) char *boot_id = NULL, *known = NULL, *key = NULL, *line = NULL;
	bool boots;

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	if (pl_vm_read_file("/proc/sys/kernel/random/boot_id", CACHE_BYTES_MAX, &boot_id, NULL) < 0)
		boot_id = strdup("unknown");
	if (boot_id)
		boot_id[strcspn(boot_id, "\n")] = '\0';
	key = pl_vm_format("1 %s %s ", boot_id ? boot_id : "", kernel->boot_path);
	if (!key)
		return false;
	if (cache && pl_vm_read_file(cache, CACHE_BYTES_MAX, &known, NULL) == 0 &&
	    strncmp(known, key, strlen(key)) == 0)
		return strcmp(known + strlen(key), "yes\n") == 0;
	if (verbose)
		pl_vm_say("trying KVM, for at most %d s", PROBE_MS_MAX / 1000);
	boots = boot_prints_mark(kernel, initramfs_path);
	if (!boots && pl_vm_interrupted())
		return false;           /* nothing was learnt */
	if (verbose)
		pl_vm_say("KVM %s", boots ? "works" : "does not boot the kernel; using TCG");
	line = pl_vm_format("%s%s\n", key, boots ? "yes" : "no");
	if (cache && line) {
		const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
		pl_cleanup(pl_closep) int fd = open(cache, flags, 0600);

		if (fd >= 0)
			(void)pl_vm_write_all(fd, line, strlen(line));
	}
	return boots;
}
