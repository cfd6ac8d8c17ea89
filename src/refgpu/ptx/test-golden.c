/*
 * The code of a few small kernels, line by line: usage test-golden PTX GOLDEN.  A change that is meant is taken over
 * with PLENUM_GOLDEN=write.
 */
#include "ptx.h"
#include "refgpu/isa/isa.h"
#include "refgpu/isa/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 65536

static size_t file_read(const char *path, char *to)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		perror(path);
	assert(file);
	n = fread(to, 1, TEXT_MAX - 1, file);
	fclose(file);
	to[n] = 0;
	return n;
}

static void code_print(const struct pl_ptx_image *image, char *to)
{
	const struct pl_isa_insn *code = (const void *)image->sections[PL_PTX_CODE].data;
	size_t n = 0;

	for (uint32_t i = 0; i < image->funcs_n; i++) {
		const struct pl_ptx_func *func = &image->funcs[i];

		n += (size_t)snprintf(to + n, TEXT_MAX - n, "%s:\n", func->name);
		for (uint64_t at = func->offset / 16; at < (func->offset + func->bytes) / 16; at++) {
			char line[160];

			pl_isa_disassemble(&code[at], line, sizeof(line));
			n += (size_t)snprintf(to + n, TEXT_MAX - n, "%4u  %s\n", (unsigned)at, line);
			assert(n < TEXT_MAX);
		}
	}
}

/* The first line in which they differ. */
static void difference_print(const char *is, const char *was)
{
	for (unsigned line = 1; *is || *was; line++) {
		size_t a = strcspn(is, "\n"), b = strcspn(was, "\n");

		if (a != b || memcmp(is, was, a)) {
			fprintf(stderr, "line %u: %.*s\n   golden: %.*s\n", line, (int)a, is, (int)b, was);
			return;
		}
		is += a + (is[a] != 0);
		was += b + (was[b] != 0);
	}
}

int main(int argc, char **argv)
{
	static char text[TEXT_MAX], is[TEXT_MAX], was[TEXT_MAX], error[1024];
	struct pl_ptx_source source = { text, 0, "golden.ptx" };
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };
	struct pl_ptx_image *image = NULL;
	const char *mode = getenv("PLENUM_GOLDEN");
	int r;

	assert(argc == 3);
	source.bytes = file_read(argv[1], text);
	r = pl_ptx_compile(&image, &source, 1, NULL, &log);
	if (r)
		fprintf(stderr, "%s", error);
	assert(r == 0);
	code_print(image, is);
	pl_ptx_image_destroy(image);
	if (mode && !strcmp(mode, "write")) {
		FILE *file = fopen(argv[2], "we");

		assert(file && fputs(is, file) >= 0 && fclose(file) == 0);
		return 0;
	}
	file_read(argv[2], was);
	if (strcmp(is, was))
		difference_print(is, was);
	assert(!strcmp(is, was));
	return 0;
}
