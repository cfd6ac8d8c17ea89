/* plenum refgpu disasm: what the kernels of a PTX text, a fatbin or a program are compiled to, beside their PTX. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plenum/refgpu.h"
#include "plenum/tool.h"
#include "refgpu/driver/fatbin.h"
#include "refgpu/isa/text.h"
#include "refgpu/ptx/ptx.h"

#define DEVICE_SM       90u /* what the driver claims */
#define CONTAINER_MAGIC 0xba55ed50u
#define LOG_BYTES       8192u

struct file {
	const char *path;
	const uint8_t *data;
	size_t bytes;
};

struct totals {
	const char *kernel;             /* a pattern; NULL: all */
	uint32_t texts, shown, refused; /* shown: functions */
	const char *without;            /* why an image has no PTX, where one has none */
	struct pl_cu_texts parts;       /* that need each other */
};

/* -- one compiled text ------------------------------------------------------------------------------------------------
 */

/* Line `number` of a text, from 1, without blanks around it. */
static void ptx_line_print(const struct pl_cu_text *text, uint32_t number)
{
	const char *at = text->data, *end;

	while (at && number > 1) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
		number--;
	}
	if (!at)
		return;
	at += strspn(at, " \t");
	end = at + strcspn(at, "\r\n");
	printf("%.*s", (int)(end - at > 160 ? 160 : end - at), at);
}

static void row_print(const struct pl_ptx_image *image, const struct pl_cu_texts *texts, const struct pl_ptx_line *row)
{
	printf("  ; %u: ", row->ptx_line);
	if (row->unit < texts->n)
		ptx_line_print(&texts->text[row->unit], row->ptx_line);
	if (row->file < image->files_n)
		printf("   (%s:%u)", image->files[row->file], row->line);
	putchar('\n');
}

static void func_print(const struct pl_ptx_image *image, const struct pl_cu_texts *texts,
		       const struct pl_ptx_func *func)
{
	const struct pl_isa_insn *code = (const void *)image->sections[PL_PTX_CODE].data;
	const struct pl_ptx_line *last = NULL;
	char text[PL_ISA_TEXT_LINE_MAX];

	printf("%s %s: %u instructions, %u slots, %u predicates, %u uniforms", func->entry ? "kernel" : "function",
	       func->name, func->instructions, func->own_slots, func->predicates, func->uniforms);
	printf(", shared %u, local %u, parameters %u bytes%s\n", func->shared_bytes, func->local_bytes,
	       func->param_bytes, func->recursive ? ", recursive" : "");
	for (uint64_t at = func->offset; at < func->offset + func->bytes; at += sizeof(*code)) {
		const struct pl_ptx_line *row = pl_ptx_image_line(image, at);

		if (row && (!last || row->ptx_line != last->ptx_line || row->unit != last->unit))
			row_print(image, texts, row);
		last = row;
		pl_isa_disassemble(&code[at / sizeof(*code)], text, sizeof(text));
		printf("%6" PRIu64 "  %s\n", at / sizeof(*code), text);
	}
	putchar('\n');
}

/* Return: PL_PTX_OK, PL_PTX_E_LINK where that is no error yet, or what was said on stderr. */
static int texts_show(struct totals *totals, const struct pl_cu_texts *texts, const char *name, bool last)
{
	static char log_text[LOG_BYTES];
	struct pl_ptx_log log = { .error = log_text, .error_bytes = sizeof(log_text) };
	struct pl_ptx_options options = { .line_info = true };
	struct pl_ptx_source *sources = calloc(texts->n, sizeof(*sources));
	struct pl_ptx_image *image = NULL;
	int r;

	if (!sources)
		return -ENOMEM;
	for (uint32_t i = 0; i < texts->n; i++)
		sources[i] = (struct pl_ptx_source){ texts->text[i].data, texts->text[i].len_bytes, "ptx" };
	r = pl_ptx_compile(&image, sources, texts->n, &options, &log);
	free(sources);
	if (r == PL_PTX_E_LINK && !last)
		return r;
	if (r) {
		fprintf(stderr, "plenum refgpu disasm: %s: %s\n%s", name, r < 0 ? strerror(-r) : "does not compile",
			r < 0 ? "" : log_text);
		totals->refused++;
		return r;
	}
	totals->texts++;
	for (uint32_t i = 0; i < image->funcs_n; i++) {
		if (totals->kernel && fnmatch(totals->kernel, image->funcs[i].name, 0))
			continue;
		func_print(image, texts, &image->funcs[i]);
		totals->shown++;
	}
	pl_ptx_image_destroy(image);
	return PL_PTX_OK;
}

/* Texts that need others are kept until all are there. */
static void image_show(struct totals *totals, const void *image, size_t bytes, const char *name)
{
	struct pl_cu_texts texts = { 0 };
	struct pl_cu_text *more;
	const char *why = "";
	int r = pl_cu_fatbin_read(&texts, image, bytes, DEVICE_SM, &why);

	if (r == PL_CU_FATBIN_E_NO_CODE) { /* the compiler puts such ones beside others */
		totals->without = why;
		return;
	}
	if (r) {
		fprintf(stderr, "plenum refgpu disasm: %s: %s\n", name, r < 0 ? strerror(-r) : why);
		totals->refused++;
		return;
	}
	if (texts_show(totals, &texts, name, false) == PL_PTX_E_LINK) {
		more = realloc(totals->parts.text, (totals->parts.n + texts.n) * sizeof(*more));
		if (more) {
			memcpy(more + totals->parts.n, texts.text, texts.n * sizeof(*more));
			totals->parts.text = more;
			totals->parts.n += texts.n;
			free(texts.text);
			return;
		}
	}
	pl_cu_texts_fini(&texts);
}

/* -- programs
 * ---------------------------------------------------------------------------------------------------------- */

static bool inside(const struct file *file, uint64_t offset, uint64_t bytes)
{
	return offset <= file->bytes && bytes <= file->bytes - offset;
}

/* Containers stand one after the other, each 8-byte aligned. */
static void containers_show(struct totals *totals, const struct file *file, uint64_t offset, uint64_t bytes)
{
	uint64_t at = offset, end = offset + bytes;
	uint32_t number = 0;

	while (end - at >= 16) {
		uint32_t magic;
		uint16_t head;
		uint64_t size;
		char name[64];

		memcpy(&magic, file->data + at, 4);
		memcpy(&head, file->data + at + 6, 2);
		memcpy(&size, file->data + at + 8, 8);
		if (magic != CONTAINER_MAGIC || size > end - at || head + size > end - at || head < 16) {
			at += 8;
			continue;
		}
		snprintf(name, sizeof(name), "fatbin %u", ++number);
		image_show(totals, file->data + at, head + size, name);
		at = (at + head + size + 7) & ~7ull;
		at = at > end ? end : at;
	}
	if (!number)
		fprintf(stderr, "plenum refgpu disasm: %s: a section for fatbins, but none in it\n", file->path);
}

/* Return: there was a section with fatbins. */
static bool elf_show(struct totals *totals, const struct file *file)
{
	Elf64_Ehdr head;
	Elf64_Shdr names, section;
	bool any = false;

	if (!inside(file, 0, sizeof(head)))
		return false;
	memcpy(&head, file->data, sizeof(head));
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    head.e_shentsize != sizeof(section) || head.e_shstrndx >= head.e_shnum ||
	    !inside(file, head.e_shoff, (uint64_t)head.e_shnum * sizeof(section)))
		return false;
	memcpy(&names, file->data + head.e_shoff + head.e_shstrndx * sizeof(section), sizeof(names));
	if (!inside(file, names.sh_offset, names.sh_size))
		return false;
	for (uint32_t i = 0; i < head.e_shnum; i++) {
		const char *name;

		memcpy(&section, file->data + head.e_shoff + i * sizeof(section), sizeof(section));
		if (section.sh_name >= names.sh_size || section.sh_type == SHT_NOBITS ||
		    !inside(file, section.sh_offset, section.sh_size))
			continue;
		name = (const char *)file->data + names.sh_offset + section.sh_name;
		if (strnlen(name, names.sh_size - section.sh_name) == names.sh_size - section.sh_name ||
		    (strcmp(name, ".nv_fatbin") && strcmp(name, "__nv_relfatbin")))
			continue;
		containers_show(totals, file, section.sh_offset, section.sh_size);
		any = true;
	}
	return any;
}

/* -- the verb
 * ---------------------------------------------------------------------------------------------------------- */

static int file_open(struct file *file)
{
	struct stat stat;
	int fd = open(file->path, O_RDONLY | O_CLOEXEC), r = 0;
	void *data = MAP_FAILED;

	if (fd < 0 || fstat(fd, &stat) < 0) {
		r = errno;
	} else if (!S_ISREG(stat.st_mode) || !stat.st_size) {
		r = EINVAL;
	} else {
		data = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		r = data == MAP_FAILED ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (r) {
		fprintf(stderr, "plenum refgpu disasm: %s: %s\n", file->path, strerror(r));
		return -r;
	}
	file->data = data;
	file->bytes = (size_t)stat.st_size;
	return 0;
}

int refgpu_disasm(const struct refgpu_arguments *arguments)
{
	struct file file = { .path = arguments->program ? arguments->program[0] : NULL };
	struct totals totals = { .kernel = arguments->kernel };

	if (!file.path || arguments->program[1]) {
		fputs("plenum refgpu disasm: one file; try `plenum refgpu disasm FILE'\n", stderr);
		return 2;
	}
	if (file_open(&file))
		return 1;
	if (file.bytes < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG))
		image_show(&totals, file.data, file.bytes, file.path);
	else if (!elf_show(&totals, &file))
		fprintf(stderr, "plenum refgpu disasm: %s: a program without CUDA code\n", file.path);
	if (totals.parts.n)
		(void)texts_show(&totals, &totals.parts, "what is to be linked", true);
	if (totals.without && !totals.texts && !totals.refused)
		fprintf(stderr, "plenum refgpu disasm: %s: %s\n", file.path, totals.without);
	if (totals.kernel && totals.texts && !totals.shown)
		fprintf(stderr, "plenum refgpu disasm: %s: no function `%s'\n", file.path, totals.kernel);
	pl_cu_texts_fini(&totals.parts);
	munmap((void *)(uintptr_t)file.data, file.bytes);
	return totals.shown && !totals.refused ? 0 : 1;
}
