#include "server/token.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

int pl_token_set(const char *word, char token_out[PL_TOKEN_MAX])
{
	size_t len = strlen(word);

	if (!len || len >= PL_TOKEN_MAX)
		return pl_err(-EINVAL);
	memset(token_out, 0, PL_TOKEN_MAX);
	memcpy(token_out, word, len);
	return 0;
}

int pl_token_read(const char *path, char token_out[PL_TOKEN_MAX], char *why_out, size_t why_room)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[PL_TOKEN_MAX + 2] = { 0 };
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		snprintf(why_out, why_room, "token file %s: %s", path, strerror(-r));
		return pl_err(r);
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why_out, why_room, "token file %s: not a plain file", path);
		return pl_err(-EINVAL);
	}
	if (st.st_mode & 077) {
		snprintf(why_out, why_room, "token file %s: others may read or change it (mode %03o): chmod 600 it",
			 path, (unsigned)(st.st_mode & 0777));
		return pl_err(-EPERM);
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		r = -errno;
		snprintf(why_out, why_room, "token file %s: %s", path, strerror(-r));
		return pl_err(r);
	}
	text[strcspn(text, "\r\n")] = '\0';
	r = pl_token_set(text, token_out);
	explicit_bzero(text, sizeof(text));
	if (r < 0)
		snprintf(why_out, why_room, "token file %s: its first line must have 1 to %d characters", path,
			 PL_TOKEN_MAX - 1);
	return pl_trace(r);
}

int pl_token_make(char token_out[PL_TOKEN_TEXT_ROOM])
{
	uint8_t random[PL_TOKEN_GENERATED_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return pl_err(-EIO);
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token_out + 2 * i, 3, "%02x", random[i]);
	return 0;
}

int pl_token_generate(const char *path)
{
	pl_cleanup(pl_closep) int fd = -1;
	char text[PL_TOKEN_TEXT_ROOM];
	int r = pl_token_make(text);

	if (r < 0)
		return pl_trace(r);
	text[sizeof(text) - 1] = '\n';
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return pl_err(-errno);
	if (write(fd, text, sizeof(text)) != (ssize_t)sizeof(text)) {
		r = errno ? -errno : -EIO;
		unlink(path);
		return pl_err(r);
	}
	return 0;
}

void *pl_secret_room(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, MADV_DONTDUMP);
	if (madvise(at, bytes, MADV_WIPEONFORK) < 0)
		pl_log_debug("workers inherit what is secret: no MADV_WIPEONFORK");
	return at;
}

bool pl_secret_same(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	for (size_t i = 0; i < size; i++)
		differs |= (uint8_t)(x[i] ^ y[i]);
	return !differs;
}
