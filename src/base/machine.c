#include "base/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

uint64_t pl_machine(void)
{
	static const char of[] = "plenum, machine: ";
	uint8_t digest[PL_DIGEST_BYTES];
	uint64_t machine = 0;
	char text[128];
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = -1;

	memcpy(text, of, sizeof(of));
	if (fd >= 0) {
		bytes = read(fd, text + sizeof(of), sizeof(text) - sizeof(of));
		close(fd);
	}
	if (bytes < 16)
		return 0;
	pl_digest(text, sizeof(of) + (size_t)bytes, digest);
	memcpy(&machine, digest, sizeof(machine));
	return machine;
}
