/* A text's kernels one by one: what each needs comes along, everything else lies where it was. */
#include "slice.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"

static const char text[] = HEAD
	".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n"
	".global .align 4 .u32 before = 7; .const .u64 at = before; // } .entry none() {\n"
	".func (.param .b32 r) twice (.param .b32 a);\n"
	"/* { */ .func (.param .b32 r) leaf (.param .b32 a)\n"
	"{ .reg .b32 %r<2>; ld.param.b32 %r1, [a]; st.param.b32 [r], %r1; ret; }\n"
	".func (.param .b32 r) twice (.param .b32 a)\n"
	"{ .reg .b32 %r<3>; ld.param.b32 %r1, [a];\n"
	"{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call (y), leaf, (x); ld.param.b32 %r2, [y]; }\n"
	"st.param.b32 [r], %r2; ret; }\n"
	".func unused () { ret; }\n"
	".visible .entry first (.param .u64 a, .param .u32 b) .maxntid 64, 1, 1\n"
	"{ .pragma \"} {\"; .reg .b32 %r<3>; .shared .align 4 .b8 s[40]; mov.u32 %r1, s;\n"
	"{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call (y), twice, (x); ld.param.b32 %r2, [y]; } ret; }\n"
	".visible .entry second (.param .align 8 .b8 a[24]) { trap; ret; }\n"
	".entry third () .pragma \"nounroll\";\n"
	"{\n"
	"frob.u32;\n"
	"}\n"
	".file 1 \"what.cu\"\n";

static struct pl_ptx_slices *slices;
static const struct pl_ptx_source source = { .text = text, .bytes = sizeof(text) };

static struct pl_ptx_image *compile(const char *name, int expected, struct pl_ptx_log *log)
{
	struct pl_ptx_image *image = NULL;
	struct pl_ptx_source part = { .name = "part" };
	char *made;

	assert(!pl_ptx_slices_text(slices, &source, name, &made, &part.bytes));
	assert(strlen(made) == part.bytes);
	part.text = made;
	assert(pl_ptx_compile(&image, &part, 1, NULL, log) == expected);
	free(made);
	return image;
}

static void test_the_head_tells_all_kernels_and_compiles_none(void)
{
	struct pl_ptx_image *head = compile(NULL, PL_PTX_OK, NULL);
	const struct pl_ptx_func *first = pl_ptx_image_func(head, "first");

	assert(first && first->entry && first->params_n == 2 && first->params[1].offset == 8);
	assert(first->maxntid[0] == 64 && first->shared_bytes == 0);
	assert(pl_ptx_image_func(head, "second")->params[0].bytes == 24);
	assert(pl_ptx_image_func(head, "third"));
	assert(!pl_ptx_image_func(head, "leaf"));
	pl_ptx_image_destroy(head);
}

static void test_a_kernel_comes_with_the_functions_that_it_reaches(void)
{
	struct pl_ptx_image *head = compile(NULL, PL_PTX_OK, NULL), *part = compile("first", PL_PTX_OK, NULL);

	assert(pl_ptx_image_func(part, "first")->shared_bytes >= 40);
	assert(pl_ptx_image_func(part, "twice") && pl_ptx_image_func(part, "leaf"));
	assert(!pl_ptx_image_func(part, "second") && !pl_ptx_image_func(part, "unused"));
	for (int s = PL_PTX_GLOBAL; s <= PL_PTX_CONST; s++)
		assert(part->sections[s].bytes == head->sections[s].bytes && part->sections[s].bytes);
	pl_ptx_image_destroy(part);
	part = compile("second", PL_PTX_OK, NULL);
	assert(part->funcs_n == 1);
	pl_ptx_image_destroy(part);
	pl_ptx_image_destroy(head);
}

/* Beside a kernel that is wrong the others can be used; the line that is told is the whole text's. */
static void test_what_is_wrong_is_told_with_its_own_line(void)
{
	char error[512];
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };

	(void)compile("third", PL_PTX_E_INVALID, &log);
	assert(strstr(error, "part:20:") && strstr(error, "frob"));
}

static void test_what_is_no_kernel_has_no_text(void)
{
	size_t bytes;
	char *made;

	assert(pl_ptx_slices_text(slices, &source, "none", &made, &bytes) == PL_PTX_E_INVALID);
	assert(pl_ptx_slices_text(slices, &source, "leaf", &made, &bytes) == PL_PTX_E_INVALID);
	assert(pl_ptx_slices_text(slices, &source, "", &made, &bytes) == PL_PTX_E_INVALID);
}

static void test_texts_that_cannot_be_cut_are_refused(void)
{
	static const char *const texts[] = {
		HEAD ".func f () { ret; }\n.global .u64 table[1] = { f };\n.entry k () { ret; }\n",
		HEAD ".func f () { ret; }\n.func g ();\n.alias g, f;\n",
		HEAD ".entry k () { .global .u32 kept; ret; }\n",
		HEAD ".entry k () {\n.const .u32 kept; ret; }\n",
		HEAD ".entry k () { ret; ",
		HEAD ".entry k ( { ret; }",
		HEAD ".entry { ret; }",
		HEAD ".entry k () { ret; }\n.entry k () { ret; }\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pl_ptx_source one = { .text = texts[i], .bytes = strlen(texts[i]) };
		struct pl_ptx_slices *none = NULL;

		assert(pl_ptx_slices_create(&none, &one) == PL_PTX_E_UNSUPPORTED && !none);
	}
}

/* Cut anywhere, or with any byte changed: cut or refused, and nothing is read beyond the end. */
static void test_damaged_texts_do_no_harm(void)
{
	static const char bytes[] = "{}()\"/*.;\n\\a";

	for (size_t i = 0; i < sizeof(text); i++) {
		char *damaged = malloc(sizeof(text)), *made;
		struct pl_ptx_source one = { .text = damaged, .bytes = sizeof(text) - 1 };
		struct pl_ptx_slices *some;
		size_t made_bytes;

		memcpy(damaged, text, sizeof(text));
		if (i % 2)
			damaged[i - 1] = bytes[i % (sizeof(bytes) - 1)];
		else
			one.bytes = i;
		if (!pl_ptx_slices_create(&some, &one)) {
			if (!pl_ptx_slices_text(some, &one, i % 3 ? "first" : NULL, &made, &made_bytes))
				free(made);
			pl_ptx_slices_destroy(some);
		}
		free(damaged);
	}
}

int main(void)
{
	assert(!pl_ptx_slices_create(&slices, &source));
	test_the_head_tells_all_kernels_and_compiles_none();
	test_a_kernel_comes_with_the_functions_that_it_reaches();
	test_what_is_wrong_is_told_with_its_own_line();
	test_what_is_no_kernel_has_no_text();
	test_texts_that_cannot_be_cut_are_refused();
	test_damaged_texts_do_no_harm();
	pl_ptx_slices_destroy(slices);
	return 0;
}
