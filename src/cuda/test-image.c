/* Images that travel: measured in a program's memory, unpacked from a peer that may lie. */
#undef NDEBUG
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cuda/image.h"

#define BODY_BYTES 40u

static void container_make(uint8_t *at, uint8_t fill)
{
	struct pl_cuda_container head = {
		.magic = PL_CUDA_IMAGE_CONTAINER, .version = 1, .header_bytes = sizeof(head), .size_bytes = BODY_BYTES
	};

	memcpy(at, &head, sizeof(head));
	memset(at + sizeof(head), fill, BODY_BYTES);
}

/* As it arrives: with room behind it. */
static const void *travelled(const void *image, void **packed_out, size_t *bytes_out)
{
	const void *there;
	void *packed;
	size_t bytes;

	assert(!pl_cuda_image_pack(image, &packed, &bytes));
	*packed_out = malloc(bytes + 8);
	memcpy(*packed_out, packed, bytes);
	free(packed);
	assert(!pl_cuda_image_unpack(*packed_out, bytes, &there));
	*bytes_out = bytes;
	return there;
}

static void test_text_travels_with_its_end(void)
{
	size_t bytes;
	void *packed;
	const char *there = travelled(".version 7.0", &packed, &bytes);

	assert(!strcmp(there, ".version 7.0"));
	free(packed);
}

/* The end of the memory after each page, and in the middle of what is read at once. */
static void test_a_text_is_measured_up_to_its_memory_s_end(void)
{
	enum { PAGE = 4096, PAGES = 20 };
	char *at = mmap(NULL, PAGE * (PAGES + 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len;

	assert(at != MAP_FAILED);
	memset(at, 'x', (size_t)PAGE * PAGES);
	for (int pages = PAGES; pages; pages--) {
		size_t bytes = (size_t)pages * PAGE;

		assert(!munmap(at + bytes, PAGE));
		assert(!pl_cuda_peek_text(at + 5, SIZE_MAX, &len));
		assert(pl_cuda_peek_text(at + 5, bytes - 5, &len) && len == bytes - 5);
		assert(pl_cuda_peek_text(at + 5, bytes - 10, &len) && len == bytes - 10);
		at[bytes - 1] = 0;
		assert(pl_cuda_peek_text(at + 5, SIZE_MAX, &len) && len == bytes - 6);
		at[bytes - PAGE] = 0;
		assert(pl_cuda_peek_text(at, SIZE_MAX, &len) && len == bytes - PAGE);
	}
	assert(!munmap(at, PAGE));
}

static void test_a_container_travels_as_it_is(void)
{
	uint8_t container[sizeof(struct pl_cuda_container) + BODY_BYTES];
	size_t bytes;
	void *packed;

	container_make(container, 7);
	assert(!memcmp(travelled(container, &packed, &bytes), container, sizeof(container)));
	free(packed);
}

static void test_a_wrapper_and_its_parts_are_made_anew(void)
{
	uint8_t part[3][sizeof(struct pl_cuda_container) + BODY_BYTES];
	uint64_t list[] = { (uintptr_t)part[1], (uintptr_t)part[2], 0 };
	struct pl_cuda_wrapper wrapper = {
		.magic = PL_CUDA_IMAGE_WRAPPER, .version = 2, .data = (uintptr_t)part[0], .parts = (uintptr_t)list
	};
	const struct pl_cuda_wrapper *there;
	const uint64_t *parts;
	size_t bytes;
	void *packed;

	for (uint8_t i = 0; i < 3; i++)
		container_make(part[i], i);
	there = travelled(&wrapper, &packed, &bytes);
	parts = (const uint64_t *)(uintptr_t)there->parts;
	assert(there->magic == PL_CUDA_IMAGE_WRAPPER && there->version == 2);
	assert(there->data != wrapper.data && !memcmp((void *)(uintptr_t)there->data, part[0], sizeof(part[0])));
	assert(!memcmp((void *)(uintptr_t)parts[0], part[1], sizeof(part[1])));
	assert(!memcmp((void *)(uintptr_t)parts[1], part[2], sizeof(part[2])) && !parts[2]);
	free(packed);
}

static void test_an_image_that_ends_nowhere_is_refused(void)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *packed;
	size_t bytes;

	assert(page != MAP_FAILED && !munmap(page + 4096, 4096));
	memset(page, 'x', 4096);
	assert(pl_cuda_image_pack(page, &packed, &bytes) == -EINVAL);
	container_make(page + 4096 - sizeof(struct pl_cuda_container) - BODY_BYTES, 1);
	((struct pl_cuda_container *)(page + 4096 - sizeof(struct pl_cuda_container) - BODY_BYTES))->size_bytes++;
	assert(pl_cuda_image_pack(page + 4096 - sizeof(struct pl_cuda_container) - BODY_BYTES, &packed, &bytes) ==
	       -EINVAL);
	munmap(page, 4096);
}

/* Each word of a good one is changed in turn, and its length: whatever is taken must lie inside. */
static void test_a_peer_that_lies_is_refused_or_harmless(void)
{
	static const uint64_t lies[] = { 0, 1, 2, 3, 0xffffffff, UINT64_MAX, 1ull << 32, 1ull << 63, 4097, 5 };
	uint8_t part[2][sizeof(struct pl_cuda_container) + BODY_BYTES];
	uint64_t list[] = { (uintptr_t)part[1], 0 };
	struct pl_cuda_wrapper wrapper = {
		.magic = PL_CUDA_IMAGE_WRAPPER, .version = 2, .data = (uintptr_t)part[0], .parts = (uintptr_t)list
	};
	const void *there;
	void *good, *copy;
	size_t bytes;

	container_make(part[0], 1);
	container_make(part[1], 2);
	assert(!pl_cuda_image_pack(&wrapper, &good, &bytes));
	copy = malloc(bytes + 8);
	for (size_t at = 0; at + 8 <= bytes; at += 8)
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			memcpy(copy, good, bytes);
			memcpy((uint8_t *)copy + at, &lies[i], 8);
			there = NULL;
			if (!pl_cuda_image_unpack(copy, bytes, &there))
				assert((const uint8_t *)there >= (uint8_t *)copy &&
				       (const uint8_t *)there < (uint8_t *)copy + bytes);
		}
	for (size_t cut = 0; cut < bytes; cut++) {
		memcpy(copy, good, cut);
		assert(pl_cuda_image_unpack(copy, cut, &there) == -EINVAL);
	}
	free(copy);
	free(good);
}

/* A wrapper holds addresses: it must not come as an image of its own. */
static void test_addresses_do_not_travel(void)
{
	struct pl_cuda_wrapper wrapper = { .magic = PL_CUDA_IMAGE_WRAPPER, .version = 1, .data = 0x1234 };
	const void *there;
	void *packed, *copy;
	size_t bytes;

	assert(!pl_cuda_image_pack_bytes(&wrapper, sizeof(wrapper), &packed, &bytes));
	copy = malloc(bytes + 8);
	memcpy(copy, packed, bytes);
	assert(pl_cuda_image_unpack(copy, bytes, &there) == -EINVAL);
	free(copy);
	free(packed);
}

int main(void)
{
	test_text_travels_with_its_end();
	test_a_text_is_measured_up_to_its_memory_s_end();
	test_a_container_travels_as_it_is();
	test_a_wrapper_and_its_parts_are_made_anew();
	test_an_image_that_ends_nowhere_is_refused();
	test_a_peer_that_lies_is_refused_or_harmless();
	test_addresses_do_not_travel();
	return 0;
}
