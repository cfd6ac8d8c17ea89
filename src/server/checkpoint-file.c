#include "server/checkpoint-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"

#define BUFFER_BYTES (1u << 20)
#define WRITE_MAX    (256ull << 20) /* of one call to the system */

struct pl_checkpoint_file {
	int fd;
	size_t at, end; /* of what is in `buffer`: reading */
	size_t held;    /* writing */
	struct pl_digest_parts digest;
	uint8_t buffer[BUFFER_BYTES];
};

struct pl_checkpoint_file *pl_checkpoint_file_create(int fd)
{
	struct pl_checkpoint_file *file = aligned_alloc(64, (sizeof(*file) + 63) / 64 * 64);

	if (!file)
		return NULL;
	file->fd = fd;
	file->at = file->end = file->held = 0;
	pl_digest_begin(&file->digest);
	return file;
}

void pl_checkpoint_file_destroy(struct pl_checkpoint_file *file)
{
	free(file);
}

static int write_all(int fd, const uint8_t *data, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes < WRITE_MAX ? bytes : WRITE_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return pl_err(n ? -errno : -EIO);
		data += n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int flush(struct pl_checkpoint_file *file)
{
	int r = write_all(file->fd, file->buffer, file->held);

	file->held = 0;
	return pl_trace(r);
}

static int put(struct pl_checkpoint_file *file, const void *data, uint64_t bytes)
{
	int r = 0;

	if (bytes > BUFFER_BYTES - file->held)
		r = flush(file);
	if (!r && bytes > BUFFER_BYTES)
		return pl_trace(write_all(file->fd, data, bytes));
	if (!r) {
		memcpy(file->buffer + file->held, data, bytes);
		file->held += bytes;
	}
	return pl_trace(r);
}

int pl_checkpoint_put(void *arg, const void *data, uint64_t bytes)
{
	struct pl_checkpoint_file *file = arg;

	if (!bytes)
		return 0;
	pl_digest_add(&file->digest, data, bytes);
	return pl_trace(put(file, data, bytes));
}

/* Return: bytes; 0: the file has ended; -errno. */
static ssize_t read_some(int fd, void *data, uint64_t bytes)
{
	ssize_t n;

	do
		n = read(fd, data, bytes < WRITE_MAX ? bytes : WRITE_MAX);
	while (n < 0 && errno == EINTR);
	return n < 0 ? pl_err(-errno) : n;
}

static int get(struct pl_checkpoint_file *file, uint8_t *data, uint64_t bytes)
{
	while (bytes) {
		size_t have = file->end - file->at, part = have < bytes ? have : bytes;
		ssize_t n;

		memcpy(data, file->buffer + file->at, part);
		file->at += part;
		data += part;
		bytes -= part;
		if (!bytes)
			break;
		if (bytes >= BUFFER_BYTES) {
			n = read_some(file->fd, data, bytes);
			data += n > 0 ? n : 0;
			bytes -= n > 0 ? (uint64_t)n : 0;
		} else {
			n = read_some(file->fd, file->buffer, BUFFER_BYTES);
			file->at = 0;
			file->end = n > 0 ? (size_t)n : 0;
		}
		if (n <= 0)
			return n ? pl_trace((int)n) : pl_err(-EPROTO);
	}
	return 0;
}

int pl_checkpoint_get(void *arg, void *data, uint64_t bytes)
{
	struct pl_checkpoint_file *file = arg;
	int r = get(file, data, bytes);

	if (!r)
		pl_digest_add(&file->digest, data, bytes);
	return pl_trace(r);
}

int pl_checkpoint_get_u64(void *arg, uint64_t max, uint64_t *value_out)
{
	uint64_t value;
	int r = pl_checkpoint_get(arg, &value, sizeof(value));

	if (r)
		return pl_trace(r);
	if (value > max)
		return pl_err(-EPROTO);
	*value_out = value;
	return 0;
}

int pl_checkpoint_file_end(struct pl_checkpoint_file *file)
{
	uint8_t digest[PL_DIGEST_BYTES];
	int r;

	pl_digest_end(&file->digest, digest);
	r = put(file, digest, sizeof(digest));
	if (!r)
		r = flush(file);
	if (!r && fsync(file->fd) && errno != EINVAL)
		r = pl_err(-errno);
	return pl_trace(r);
}

bool pl_checkpoint_file_good(struct pl_checkpoint_file *file)
{
	uint8_t digest[PL_DIGEST_BYTES], said[PL_DIGEST_BYTES], more;

	pl_digest_end(&file->digest, digest);
	return !get(file, said, sizeof(said)) && !memcmp(said, digest, sizeof(digest)) && file->at == file->end &&
	       !read_some(file->fd, &more, 1);
}
