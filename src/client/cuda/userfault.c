#include "client/cuda/userfault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

static int descriptor = -1;

/* Faults of the kernel's own, in a call that the program hands such memory to, are told only to who may see them. */
int pl_userfault_open(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), r;

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api)) {
		r = -errno;
		close(fd);
		return r;
	}
	descriptor = fd;
	return 0;
}

void pl_userfault_close(void)
{
	if (descriptor >= 0)
		close(descriptor);
	descriptor = -1;
}

int pl_userfault_watch(uint64_t address, uint64_t bytes)
{
	struct uffdio_register registration = { .range = { address, bytes },
						.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP };

	return ioctl(descriptor, UFFDIO_REGISTER, &registration) ? -errno : 0;
}

int pl_userfault_next(struct pl_userfault *touch_out)
{
	struct uffd_msg message;
	ssize_t got = read(descriptor, &message, sizeof(message));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got != sizeof(message))
		return -EIO;
	if (message.event != UFFD_EVENT_PAGEFAULT)
		return 0;
	touch_out->address = message.arg.pagefault.address;
	touch_out->write = message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE;
	touch_out->protected = message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
	return 1;
}

void pl_userfault_wait(int ms)
{
	struct pollfd fd = { .fd = descriptor, .events = POLLIN };

	(void)poll(&fd, 1, ms);
}

void pl_userfault_wake(uint64_t address, uint64_t bytes)
{
	struct uffdio_range range = { address, bytes };

	(void)ioctl(descriptor, UFFDIO_WAKE, &range);
}

void pl_userfault_protect(uint64_t address, uint64_t bytes, bool on)
{
	struct uffdio_writeprotect change = { .range = { address, bytes },
					      .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	if (ioctl(descriptor, UFFDIO_WRITEPROTECT, &change))
		pl_log_error("managed memory at %#lx: %s", (unsigned long)address, strerrordesc_np(errno));
}

void pl_userfault_fill(uint64_t address, const void *data, uint64_t bytes, bool writable)
{
	struct uffdio_copy copy = {
		.dst = address, .src = (uintptr_t)data, .len = bytes, .mode = writable ? 0 : UFFDIO_COPY_MODE_WP
	};

	if (ioctl(descriptor, UFFDIO_COPY, &copy) && errno != EEXIST)
		pl_log_error("managed memory at %#lx: %s", (unsigned long)address, strerrordesc_np(errno));
}
