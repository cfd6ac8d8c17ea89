#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <lz4.h>
#include <zstd.h>

#include "refgpu/driver/fatbin.h"

#define LZ4_FLAG  0x2000u
#define ZSTD_FLAG 0x8000u
#define ARCH_FLAG 0x100000u
#define KIN_FLAG  0x200000u

struct image {
	uint8_t data[8192];
	size_t size;
};

static void put(uint8_t *at, uint64_t value, int bytes)
{
	memcpy(at, &value, (size_t)bytes);
}

static void image_begin(struct image *image)
{
	memset(image, 0, sizeof(*image));
	put(image->data, 0xba55ed50u, 4);
	put(image->data + 4, 1, 2);
	put(image->data + 6, 16, 2);
	image->size = 16;
}

static void image_add(struct image *image, unsigned int kind, unsigned int sm, const void *payload, size_t size,
		      uint64_t flags, size_t unpacked)
{
	uint8_t *entry = image->data + image->size;
	size_t padded = (size + 7) & ~(size_t)7;
	put(entry, kind, 2);
	put(entry + 2, 0x101, 2);
	put(entry + 4, 64, 4);
	put(entry + 8, padded, 8);
	put(entry + 16, flags & (LZ4_FLAG | ZSTD_FLAG) ? size : 0, 4);
	put(entry + 28, sm, 4);
	put(entry + 40, flags, 8);
	put(entry + 56, flags & (LZ4_FLAG | ZSTD_FLAG) ? unpacked : 0, 8);
	memcpy(entry + 64, payload, size);
	image->size += 64 + padded;
	put(image->data + 8, image->size - 16, 8);
}

static int read_at(const struct image *image, unsigned int sm, char *text_out)
{
	struct pl_cu_texts texts = { 0 };
	const char *why = NULL;
	int r = pl_cu_fatbin_read(&texts, image->data, image->size, sm, &why);
	assert(!r || why);
	if (!r) {
		assert(texts.n == 1 && texts.text[0].len_bytes == strlen(texts.text[0].data));
		strcpy(text_out, texts.text[0].data);
	}
	pl_cu_texts_fini(&texts);
	return r;
}

static void test_the_newest_text_that_the_device_takes_wins(void)
{
	struct image image;
	char text[4096];
	image_begin(&image);
	image_add(&image, 1, 75, "old", 4, 0, 0);
	image_add(&image, 2, 90, "\177ELF", 4, 0, 0);
	image_add(&image, 1, 80, "mid", 4, 0, 0);
	image_add(&image, 1, 100, "new", 4, 0, 0);
	assert(!read_at(&image, 90, text) && !strcmp(text, "mid"));
	assert(!read_at(&image, 75, text) && !strcmp(text, "old"));
	assert(!read_at(&image, 120, text) && !strcmp(text, "new"));
	assert(read_at(&image, 70, text) == PL_CU_FATBIN_E_TOO_NEW);
}

static void test_text_for_one_capability_is_the_last_choice_of_others(void)
{
	struct image image;
	char text[4096];
	image_begin(&image);
	image_add(&image, 1, 80, "all", 4, 0, 0);
	image_add(&image, 1, 90, "90a", 4, ARCH_FLAG, 0);
	image_add(&image, 1, 100, "100f", 5, KIN_FLAG, 0);
	assert(!read_at(&image, 90, text) && !strcmp(text, "90a"));
	assert(!read_at(&image, 100, text) && !strcmp(text, "100f"));
	assert(!read_at(&image, 103, text) && !strcmp(text, "100f"));
	assert(!read_at(&image, 120, text) && !strcmp(text, "all"));
	image_begin(&image);
	image_add(&image, 1, 90, "90a", 4, ARCH_FLAG, 0);
	assert(!read_at(&image, 120, text) && !strcmp(text, "90a"));
	assert(read_at(&image, 89, text) == PL_CU_FATBIN_E_TOO_NEW);
}

static void why_says(const struct image *image, unsigned int sm, const char *first, const char *second)
{
	struct pl_cu_texts texts;
	const char *why = NULL;
	assert(pl_cu_fatbin_read(&texts, image->data, image->size, sm, &why) > 0);
	assert(strstr(why, first) && (second ? strstr(why, second) != NULL : !strstr(why, "PLENUM_")));
}

static void test_refusals_say_what_to_set(void)
{
	struct image image;
	image_begin(&image);
	image_add(&image, 1, 121, "new", 4, 0, 0);
	image_add(&image, 1, 120, "new", 4, 0, 0);
	why_says(&image, 90, "PTX for compute_120 and newer only, and the device claims 9.0",
		 "PLENUM_REFGPU_CAPABILITY=13.0");
	image_begin(&image);
	image_add(&image, 1, 150, "new", 4, 0, 0);
	why_says(&image, 130, "the device claims 13.0", "PLENUM_REFGPU_CAPABILITY=15.0");
	image_begin(&image);
	image_add(&image, 2, 120, "\177ELF", 4, 0, 0);
	why_says(&image, 120, "no PTX", "PLENUM_REFGPU_CAPABILITY=13.0");
	why_says(&image, 130, "no PTX: build it with code=compute_XX", NULL);
}

static void test_code_without_text_is_no_code(void)
{
	struct image image;
	char text[4096];
	struct pl_cu_texts texts;
	const char *why;
	image_begin(&image);
	image_add(&image, 2, 90, "\177ELF", 4, 0, 0);
	assert(read_at(&image, 90, text) == PL_CU_FATBIN_E_NO_CODE);
	assert(pl_cu_fatbin_read(&texts, "\177ELF....", 8, 90, &why) == PL_CU_FATBIN_E_NO_CODE);
}

static void test_both_compressions_unpack(void)
{
	struct image image;
	char plain[2000], packed[3000], text[4096];
	size_t size;
	memset(plain, 'x', sizeof(plain));
	plain[sizeof(plain) - 1] = 0;
	size = ZSTD_compress(packed, sizeof(packed), plain, sizeof(plain), 3);
	image_begin(&image);
	image_add(&image, 1, 75, packed, size, ZSTD_FLAG, sizeof(plain));
	assert(!read_at(&image, 90, text) && !strcmp(text, plain));
	size = (size_t)LZ4_compress_default(plain, packed, sizeof(plain), sizeof(packed));
	image_begin(&image);
	image_add(&image, 1, 75, packed, size, LZ4_FLAG, sizeof(plain));
	assert(!read_at(&image, 90, text) && !strcmp(text, plain));
	image_begin(&image);
	image_add(&image, 1, 75, packed, size, LZ4_FLAG, sizeof(plain) - 1);
	assert(read_at(&image, 90, text) == PL_CU_FATBIN_E_INVALID);
	image_begin(&image);
	image_add(&image, 1, 75, packed, size, ZSTD_FLAG, 1ull << 40);
	assert(read_at(&image, 90, text) == PL_CU_FATBIN_E_INVALID);
}

static void test_every_truncation_is_refused(void)
{
	struct image image;
	char text[4096];
	image_begin(&image);
	image_add(&image, 1, 75, "text", 5, 0, 0);
	for (size_t size = image.size - 1; size >= 4; size--) { /* less is a text of so many letters */
		struct image cut = image;
		cut.size = size;
		assert(read_at(&cut, 90, text) == PL_CU_FATBIN_E_INVALID);
	}
}

static void test_sizes_that_lie_are_refused(void)
{
	static const size_t places[] = { 8, 16 + 4, 16 + 8 };
	static const uint64_t lies[] = { UINT64_MAX, 1ull << 63, 1ull << 33, 1, UINT64_MAX - 63 };
	struct image image;
	char text[4096];
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
			image_begin(&image);
			image_add(&image, 1, 75, "text", 5, 0, 0);
			put(image.data + places[i], lies[k], places[i] == 16 + 4 ? 4 : 8);
			assert(read_at(&image, 90, text) == PL_CU_FATBIN_E_INVALID);
		}
}

/* As the API gives it: no size, and the page after it is not there. */
static void test_an_image_that_says_more_than_is_mapped_is_refused(void)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pl_cu_texts texts = { 0 };
	struct image image;
	const char *why;
	assert(page != MAP_FAILED && !munmap(page + 4096, 4096));
	image_begin(&image);
	image_add(&image, 1, 75, "text", 5, 0, 0);
	put(image.data + 8, 100000, 8);
	put(image.data + 16 + 8, 90000, 8);
	memcpy(page + 4096 - image.size, image.data, image.size);
	assert(pl_cu_fatbin_read(&texts, page + 4096 - image.size, PL_CU_FATBIN_UNKNOWN, 90, &why) ==
	       PL_CU_FATBIN_E_INVALID);
	memset(page + 4096 - 5, 'a', 5);
	assert(pl_cu_fatbin_read(&texts, page + 4096 - 5, PL_CU_FATBIN_UNKNOWN, 90, &why) == PL_CU_FATBIN_E_INVALID);
	assert(pl_cu_fatbin_read(&texts, NULL, PL_CU_FATBIN_UNKNOWN, 90, &why) == PL_CU_FATBIN_E_INVALID);
	page[4095] = 0;
	assert(!pl_cu_fatbin_read(&texts, page + 4096 - 5, PL_CU_FATBIN_UNKNOWN, 90, &why));
	assert(texts.n == 1 && texts.text[0].len_bytes == 4);
	pl_cu_texts_fini(&texts);
	munmap(page, 4096);
}

/* What nvcc -rdc=true makes: code linked when it was built, and the parts of which it was made. */
static void test_parts_are_read_where_the_whole_has_no_text(void)
{
	struct image whole, part[2];
	const void *parts[3] = { part[0].data, part[1].data, NULL };
	struct {
		uint32_t magic, version;
		const void *data, *parts;
	} wrapper = { 0x466243b1u, 2, whole.data, parts };
	struct pl_cu_texts texts = { 0 };
	const char *why;
	image_begin(&whole);
	image_add(&whole, 2, 90, "\177ELF", 4, 0, 0);
	for (int i = 0; i < 2; i++) {
		image_begin(&part[i]);
		image_add(&part[i], 1, 75, i ? "two" : "one", 4, 0, 0);
	}
	assert(!pl_cu_fatbin_read(&texts, &wrapper, PL_CU_FATBIN_UNKNOWN, 90, &why));
	assert(texts.n == 2 && !strcmp(texts.text[0].data, "one") && !strcmp(texts.text[1].data, "two"));
	pl_cu_texts_fini(&texts);
	wrapper.version = 3;
	assert(pl_cu_fatbin_read(&texts, &wrapper, PL_CU_FATBIN_UNKNOWN, 90, &why) == PL_CU_FATBIN_E_INVALID);
	wrapper.version = 2;
	wrapper.parts = (void *)8;
	assert(pl_cu_fatbin_read(&texts, &wrapper, PL_CU_FATBIN_UNKNOWN, 90, &why) == PL_CU_FATBIN_E_INVALID);
}

static void test_texts_that_were_linked_are_read_again_from_anywhere(void)
{
	char one[] = "one", two[] = "two";
	struct pl_cu_text text[] = { { one, 3 }, { two, 3 } };
	struct pl_cu_texts texts = { .text = text, .n = 2 }, got = { 0 };
	const char *why;
	size_t bytes;
	uint8_t *packed = pl_cu_texts_pack(&texts, &bytes), *copy = malloc(bytes);
	assert(packed && copy);
	memcpy(copy, packed, bytes);
	free(packed);
	assert(!pl_cu_fatbin_read(&got, copy, PL_CU_FATBIN_UNKNOWN, 90, &why) && got.n == 2);
	assert(!strcmp(got.text[0].data, one) && !strcmp(got.text[1].data, two));
	pl_cu_texts_fini(&got);
	for (size_t size = 4; size < bytes; size++)
		assert(pl_cu_fatbin_read(&got, copy, size, 90, &why) == PL_CU_FATBIN_E_INVALID);
	put(copy + 16, UINT64_MAX, 8);
	assert(pl_cu_fatbin_read(&got, copy, bytes, 90, &why) == PL_CU_FATBIN_E_INVALID);
	free(copy);
}

int main(void)
{
	test_the_newest_text_that_the_device_takes_wins();
	test_text_for_one_capability_is_the_last_choice_of_others();
	test_refusals_say_what_to_set();
	test_code_without_text_is_no_code();
	test_both_compressions_unpack();
	test_every_truncation_is_refused();
	test_sizes_that_lie_are_refused();
	test_an_image_that_says_more_than_is_mapped_is_refused();
	test_parts_are_read_where_the_whole_has_no_text();
	test_texts_that_were_linked_are_read_again_from_anywhere();
	return 0;
}
