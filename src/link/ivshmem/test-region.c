#include "link/ivshmem/region.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/process.h"

#define BYTES (64ull << 20)
#define UNITS (BYTES / PL_REGION_UNIT_BYTES)

static char folder[PL_TEST_PATH_MAX], path[PL_TEST_PATH_MAX + 16];

static struct pl_region *region_make(uint64_t bytes)
{
	struct pl_region *region;
	int r = pl_region_create(path, bytes, &region);

	assert(!r);
	return region;
}

/* Return: what it gave; 0 = nothing was left. */
static uint64_t grant(struct pl_region *region, bool *used, uint64_t *offset)
{
	uint64_t bytes;

	if (pl_region_grant(region, offset, &bytes))
		return 0;
	assert(*offset % PL_REGION_UNIT_BYTES == 0 && bytes % PL_REGION_UNIT_BYTES == 0);
	assert(bytes >= PL_REGION_GRANT_MIN && *offset >= PL_REGION_UNIT_BYTES && *offset + bytes <= BYTES);
	for (uint64_t unit = *offset / PL_REGION_UNIT_BYTES; unit < (*offset + bytes) / PL_REGION_UNIT_BYTES; unit++) {
		assert(!used[unit]);
		used[unit] = true;
	}
	return bytes;
}

static void test_grants_never_meet_and_come_back(void)
{
	struct pl_region *region = region_make(BYTES);
	uint64_t offset[UNITS], bytes[UNITS], again;
	bool used[UNITS] = { false };
	unsigned count = 0;

	while ((bytes[count] = grant(region, used, &offset[count])))
		count++;
	/* the first gets half, others are not shut out */
	assert(bytes[0] >= BYTES / 2 - PL_REGION_UNIT_BYTES && count > 4);
	for (int round = 0; round < 3; round++)
		for (unsigned i = round % 2; i < count; i += 2) {
			uint64_t first = offset[i] / PL_REGION_UNIT_BYTES;

			pl_region_release(region, offset[i], bytes[i]);
			memset(used + first, false, bytes[i] / PL_REGION_UNIT_BYTES);
			bytes[i] = grant(region, used, &offset[i]);
			assert(bytes[i]);
		}
	pl_region_release(region, 0, 0); /* a session without a part */
	for (unsigned i = 0; i < count; i++)
		pl_region_release(region, offset[i], bytes[i]);
	memset(used, false, sizeof(used));
	again = grant(region, used, &offset[0]);
	assert(again >= BYTES / 2 - PL_REGION_UNIT_BYTES);
	pl_region_destroy(region);
}

static void test_what_a_session_left_is_gone(void)
{
	struct pl_region *region = region_make(BYTES);
	uint64_t offset, bytes;
	uint8_t *at;
	int r = pl_region_grant(region, &offset, &bytes);

	assert(!r);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pl_region_fd(region), (off_t)offset);
	assert(at != MAP_FAILED);
	memset(at, 0x5a, bytes);
	pl_region_release(region, offset, bytes);
	for (uint64_t i = 0; i < bytes; i += 4096)
		assert(!at[i]);
	munmap(at, bytes);
	pl_region_destroy(region);
}

static void test_sizes_that_qemu_could_not_map_are_refused(void)
{
	static const uint64_t bad[] = { 1, 4096, 8u << 20, 48u << 20, (16u << 20) + 4096, 128ull << 30, UINT64_MAX };
	struct pl_region *region = NULL;
	int r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unlink(path);
		r = pl_region_create(path, bad[i], &region);
		assert(r == -EINVAL && !region);
	}
	pl_region_destroy(region_make(32u << 20));
	r = pl_region_create(path, 16u << 20, &region); /* a guest may have all of it mapped */
	assert(r == -EINVAL && !region);
	pl_region_destroy(region_make(0)); /* as large as it is */
	unlink(path);
}

static void test_files_of_others_are_refused(void)
{
	struct pl_region *region = NULL, *first = region_make(BYTES);
	int r = pl_region_create(path, BYTES, &region);

	assert(r == -EBUSY && !region);
	pl_region_destroy(first);
	r = chmod(path, 0666);
	assert(!r);
	r = pl_region_create(path, BYTES, &region);
	assert(r == -EACCES && !region);
	r = pl_region_create("/dev/null", BYTES, &region);
	assert(r == -EACCES && !region);
	r = pl_region_create("/nonexistent/file", BYTES, &region);
	assert(r == -ENOENT && !region);
	unlink(path);
}

static void test_the_key_is_new_each_time_and_seen_by_the_guest(void)
{
	uint8_t key[PL_REGION_KEY_BYTES], other[PL_REGION_KEY_BYTES];
	struct pl_region *region = region_make(BYTES);
	uint64_t bytes;
	int fd, r = pl_region_open(path, &fd, &bytes, key);

	assert(!r && bytes == BYTES && pl_region_key_is(region, key));
	close(fd);
	for (unsigned i = 0; i < PL_REGION_KEY_BYTES; i++) {
		memcpy(other, key, sizeof(key));
		other[i] ^= 1;
		assert(!pl_region_key_is(region, other));
	}
	pl_region_destroy(region);
	region = region_make(BYTES);
	assert(!pl_region_key_is(region, key));
	/* The guest writes what it likes into the first page: the server has its own copy. */
	r = pl_region_open(path, &fd, &bytes, key);
	assert(!r);
	r = pwrite(fd, "liar", 4, 24) == 4;
	assert(r && pl_region_key_is(region, key));
	close(fd);
	pl_region_destroy(region);
}

static void test_memory_without_a_server_is_refused(void)
{
	uint8_t key[PL_REGION_KEY_BYTES];
	uint64_t bytes;
	int fd = -1, made, r;

	pl_region_destroy(region_make(BYTES)); /* its server has ended */
	r = pl_region_open(path, &fd, &bytes, key);
	assert(r == -EPROTO && fd < 0);
	made = open(path, O_RDWR | O_CLOEXEC);
	r = ftruncate(made, 4096);
	assert(made >= 0 && !r);
	close(made);
	r = pl_region_open(path, &fd, &bytes, key);
	assert(r == -EPROTO && fd < 0);
	unlink(path);
	r = pl_region_open(path, &fd, &bytes, key);
	assert(r == -ENOENT && fd < 0);
}

static void test_the_boot_has_a_number(void)
{
	assert(pl_region_boot() == pl_region_boot());
}

int main(void)
{
	pl_test_folder_create(folder);
	snprintf(path, sizeof(path), "%s/region", folder);
	test_grants_never_meet_and_come_back();
	test_what_a_session_left_is_gone();
	unlink(path);
	test_sizes_that_qemu_could_not_map_are_refused();
	test_files_of_others_are_refused();
	test_the_key_is_new_each_time_and_seen_by_the_guest();
	test_memory_without_a_server_is_refused();
	test_the_boot_has_a_number();
	pl_test_folder_remove(folder);
	return 0;
}
