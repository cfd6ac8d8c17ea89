/* Objects and archives, as a program gives them to the linker. */
#include <ar.h>
#include <assert.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/driver/archive.h"

struct file {
	uint8_t data[16384];
	size_t size;
};

static void add(struct file *file, const void *bytes, size_t size)
{
	assert(file->size + size <= sizeof(file->data));
	memcpy(file->data + file->size, bytes, size);
	file->size += size;
}

/* A container with one entry: kind 1 is PTX, 2 is machine code. */
static void add_container(struct file *file, uint16_t kind, const char *text)
{
	struct {
		uint32_t magic;
		uint16_t version, header;
		uint64_t bytes;
		uint16_t kind, entry_version;
		uint32_t entry_header;
		uint64_t payload;
		uint32_t packed, options, numbers, sm, name[2];
		uint64_t flags, reserved, unpacked;
		char text[64];
	} image = { .magic = 0xba55ed50u,
		    .version = 1,
		    .header = 16,
		    .bytes = 128,
		    .kind = kind,
		    .entry_version = 0x101,
		    .entry_header = 64,
		    .payload = 64,
		    .sm = 80 };

	_Static_assert(sizeof(image) == 144, "no holes");
	assert(strlen(text) < sizeof(image.text));
	strcpy(image.text, text);
	add(file, &image, sizeof(image));
}

/* An object whose one section besides that of names has `body`. */
static void object_make(struct file *file, const char *section, const struct file *body)
{
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_REL,
			    .e_machine = EM_X86_64,
			    .e_ehsize = sizeof(head),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3,
			    .e_shstrndx = 2 };
	Elf64_Shdr table[3] = { 0 };
	char names[64] = "";

	strcpy(names + 1, section);
	head.e_shoff = sizeof(head) + body->size + sizeof(names);
	table[1] =
		(Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = sizeof(head), .sh_size = body->size };
	table[2] =
		(Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = sizeof(head) + body->size, .sh_size = sizeof(names) };
	file->size = 0;
	add(file, &head, sizeof(head));
	add(file, body->data, body->size);
	add(file, names, sizeof(names));
	add(file, table, sizeof(table));
}

static void archive_begin(struct file *file)
{
	file->size = 0;
	add(file, ARMAG, SARMAG);
}

static void archive_add(struct file *file, const char *name, const void *bytes, size_t size)
{
	char head[sizeof(struct ar_hdr) + 1];

	assert(snprintf(head, sizeof(head), "%-16s%-12d%-6d%-6d%-8d%-10zu`\n", name, 0, 0, 0, 0, size) == 60);
	add(file, head, sizeof(struct ar_hdr));
	add(file, bytes, size);
	if (size & 1)
		add(file, "\n", 1);
}

static int read_at(struct pl_cu_texts *texts, const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size); /* so that a byte too far is seen */
	const char *why = NULL;
	int r;

	assert(exact);
	memcpy(exact, data, size);
	*texts = (struct pl_cu_texts){ 0 };
	r = pl_cu_archive_read(texts, exact, size, 90, &why);
	assert(!r || (why && !texts->n));
	free(exact);
	return r;
}

static void test_all_images_of_an_object_are_read(void)
{
	struct file body = { .size = 0 }, object;
	struct pl_cu_texts texts;

	add_container(&body, 1, "one");
	add_container(&body, 1, "two");
	object_make(&object, ".nv_fatbin", &body);
	assert(!read_at(&texts, object.data, object.size));
	assert(texts.n == 2 && !strcmp(texts.text[0].data, "one") && !strcmp(texts.text[1].data, "two"));
	pl_cu_texts_fini(&texts);
	object_make(&object, "__nv_relfatbin", &body);
	assert(!read_at(&texts, object.data, object.size) && texts.n == 2);
	pl_cu_texts_fini(&texts);
	object_make(&object, ".text", &body);
	assert(!read_at(&texts, object.data, object.size) && !texts.n);
}

static void test_machine_code_alone_is_no_code(void)
{
	struct file body = { .size = 0 }, object, archive;
	struct pl_cu_texts texts;

	add_container(&body, 1, "text");
	add_container(&body, 2, "\177ELF");
	object_make(&object, ".nv_fatbin", &body);
	assert(read_at(&texts, object.data, object.size) == PL_CU_FATBIN_E_NO_CODE);
	archive_begin(&archive);
	archive_add(&archive, "part.o/", object.data, object.size);
	assert(read_at(&texts, archive.data, archive.size) == PL_CU_FATBIN_E_NO_CODE);
}

static void archive_make(struct file *archive)
{
	static const char names[] = "another_long_name.o/\ncuda_device_runtime.o/\n";
	struct file body = { .size = 0 }, object;

	add_container(&body, 1, "text");
	object_make(&object, ".nv_fatbin", &body);
	archive_begin(archive);
	archive_add(archive, "/", "\0\0\0\0", 3);
	archive_add(archive, "//", names, sizeof(names) - 1);
	archive_add(archive, "/21", "machine code", 11);
	archive_add(archive, "/0", object.data, object.size);
}

static void test_the_devices_own_runtime_is_ours(void)
{
	struct pl_cu_texts texts;
	struct file archive;

	archive_make(&archive);
	assert(!read_at(&texts, archive.data, archive.size) && texts.n == 2);
	assert(strstr(texts.text[0].data, "cudaCGSynchronize") && !strcmp(texts.text[1].data, "text"));
	assert(texts.text[0].len_bytes == strlen(texts.text[0].data));
	pl_cu_texts_fini(&texts);
}

static void test_what_ends_too_early_is_refused(void)
{
	struct pl_cu_texts texts;
	struct file archive;
	unsigned good = 0;

	archive_make(&archive);
	for (size_t size = 0; size < archive.size; size++) {
		good += read_at(&texts, archive.data, size) == 0;
		pl_cu_texts_fini(&texts);
	}
	assert(good == 6); /* none to three members; those of odd size with or without the byte behind */
}

static void test_headers_that_lie_are_refused(void)
{
	struct file body = { .size = 0 }, object, bad;
	struct pl_cu_texts texts;

	add_container(&body, 1, "text");
	object_make(&object, ".nv_fatbin", &body);
	for (size_t at = 0; at < object.size; at++)
		for (unsigned value = 0; value < 256; value += 15) {
			bad = object;
			bad.data[at] = (uint8_t)value;
			(void)read_at(&texts, bad.data, bad.size);
			pl_cu_texts_fini(&texts);
		}
	bad = object;
	memset(bad.data + offsetof(Elf64_Ehdr, e_shoff), 0xff, 8);
	assert(read_at(&texts, bad.data, bad.size) == PL_CU_FATBIN_E_INVALID);
	archive_begin(&bad);
	archive_add(&bad, "/7", "x", 1);
	assert(read_at(&texts, bad.data, bad.size) == PL_CU_FATBIN_E_INVALID);
	archive_make(&bad);
	memcpy(bad.data + SARMAG + offsetof(struct ar_hdr, ar_size), "9999999999", 10);
	assert(read_at(&texts, bad.data, bad.size) == PL_CU_FATBIN_E_INVALID);
}

int main(void)
{
	test_all_images_of_an_object_are_read();
	test_machine_code_alone_is_no_code();
	test_the_devices_own_runtime_is_ours();
	test_what_ends_too_early_is_refused();
	test_headers_that_lie_are_refused();
	return 0;
}
