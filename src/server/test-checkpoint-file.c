/* What is put into a checkpoint's file comes out of it, or is told to be damaged. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/checkpoint-file.h"

#define LONG_BYTES (5u << 20) /* more than is buffered */

static uint8_t *bytes_make(size_t bytes)
{
	uint8_t *made = malloc(bytes);

	assert(made);
	for (size_t i = 0; i < bytes; i++)
		made[i] = (uint8_t)(i * 7 + i / 251);
	return made;
}

/* Behind what the daemon has written: the stream begins where the descriptor stands. */
static int file_make(const uint8_t *data)
{
	int fd = memfd_create("checkpoint", MFD_CLOEXEC);
	struct pl_checkpoint_file *file;

	assert(fd >= 0 && write(fd, "front", 5) == 5);
	file = pl_checkpoint_file_create(fd);
	assert(file);
	assert(!pl_checkpoint_put_u64(file, 42));
	assert(!pl_checkpoint_put(file, data, 3));
	assert(!pl_checkpoint_put(file, data, 0));
	assert(!pl_checkpoint_put(file, data, LONG_BYTES));
	assert(!pl_checkpoint_put(file, data, 1000000));
	assert(!pl_checkpoint_put_u64(file, 7));
	assert(!pl_checkpoint_file_end(file));
	pl_checkpoint_file_destroy(file);
	return fd;
}

/* Return: 0 and *good_out, or the first failure. */
static int file_read(int fd, const uint8_t *data, bool *good_out)
{
	struct pl_checkpoint_file *file = pl_checkpoint_file_create(fd);
	uint8_t *got = malloc(LONG_BYTES);
	uint64_t number;
	int r;

	assert(file && got && lseek(fd, 5, SEEK_SET) == 5);
	r = pl_checkpoint_get_u64(file, 42, &number);
	if (!r)
		r = pl_checkpoint_get(file, got, 3);
	if (!r)
		r = pl_checkpoint_get(file, got, LONG_BYTES);
	if (!r)
		r = pl_checkpoint_get(file, got, 1000000);
	if (!r)
		r = pl_checkpoint_get_u64(file, UINT64_MAX, &number);
	if (!r)
		*good_out = pl_checkpoint_file_good(file);
	if (!r && *good_out)
		assert(number == 7 && !memcmp(got, data, 1000000));
	free(got);
	pl_checkpoint_file_destroy(file);
	return r;
}

static void test_what_was_put_is_got(void)
{
	uint8_t *data = bytes_make(LONG_BYTES);
	int fd = file_make(data);
	bool good = false;

	assert(!file_read(fd, data, &good) && good);
	close(fd);
	free(data);
}

static void test_each_changed_byte_is_seen(void)
{
	uint8_t *data = bytes_make(LONG_BYTES), byte;
	int fd = file_make(data);
	off_t end = lseek(fd, 0, SEEK_END);

	for (int i = 0; i < 60; i++) {
		off_t at = i < 30 ? 5 + i : end - 1 - (i - 30) * 40001;
		bool good = true;
		int r;

		assert(pread(fd, &byte, 1, at) == 1);
		byte ^= 0x10;
		assert(pwrite(fd, &byte, 1, at) == 1);
		r = file_read(fd, data, &good);
		assert(r == -EPROTO || (!r && !good));
		byte ^= 0x10;
		assert(pwrite(fd, &byte, 1, at) == 1);
	}
	close(fd);
	free(data);
}

static void test_a_file_that_is_shorter_or_longer_is_no_good(void)
{
	uint8_t *data = bytes_make(LONG_BYTES);
	int fd = file_make(data);
	off_t end = lseek(fd, 0, SEEK_END);
	bool good = true;

	assert(write(fd, "x", 1) == 1);
	assert(!file_read(fd, data, &good) && !good);
	assert(!ftruncate(fd, end - 1));
	good = true;
	assert(!file_read(fd, data, &good) && !good);
	assert(!ftruncate(fd, end - 100));
	assert(file_read(fd, data, &good) == -EPROTO);
	assert(!ftruncate(fd, 7));
	assert(file_read(fd, data, &good) == -EPROTO);
	close(fd);
	free(data);
}

static void test_a_number_beyond_its_limit_is_nonsense(void)
{
	int fd = memfd_create("checkpoint", MFD_CLOEXEC);
	struct pl_checkpoint_file *file = pl_checkpoint_file_create(fd);
	uint64_t number = 1;

	assert(file && !pl_checkpoint_put_u64(file, 43) && !pl_checkpoint_file_end(file));
	pl_checkpoint_file_destroy(file);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	file = pl_checkpoint_file_create(fd);
	assert(pl_checkpoint_get_u64(file, 42, &number) == -EPROTO && number == 1);
	pl_checkpoint_file_destroy(file);
	close(fd);
}

static void test_what_can_not_be_written_is_told(void)
{
	int fd = memfd_create("checkpoint", MFD_CLOEXEC);
	struct pl_checkpoint_file *file = pl_checkpoint_file_create(fd);

	assert(file && !pl_checkpoint_put_u64(file, 43));
	close(fd); /* nothing can be written any more */
	assert(pl_checkpoint_file_end(file) < 0);
	pl_checkpoint_file_destroy(file);
}

int main(void)
{
	test_what_was_put_is_got();
	test_each_changed_byte_is_seen();
	test_a_file_that_is_shorter_or_longer_is_no_good();
	test_a_number_beyond_its_limit_is_nonsense();
	test_what_can_not_be_written_is_told();
	return 0;
}
