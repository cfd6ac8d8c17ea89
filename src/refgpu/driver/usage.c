#include "usage.h"

#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096

_Static_assert(sizeof(struct pl_cu_usage) <= PAGE_BYTES, "one page");

/* The descriptor stays open: it is how others find the page. */
struct pl_cu_usage *pl_cu_usage_create(uint64_t vram_bytes)
{
	static struct pl_cu_usage unseen;
	int fd = memfd_create(PL_CU_USAGE_NAME, MFD_CLOEXEC);
	struct pl_cu_usage *usage = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, PAGE_BYTES))
		usage = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (usage == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		usage = &unseen;
	}
	usage->pid = (uint32_t)getpid();
	usage->vram_bytes = vram_bytes;
	usage->magic = PL_CU_USAGE_MAGIC;
	return usage;
}
