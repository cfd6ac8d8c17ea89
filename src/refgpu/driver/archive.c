/* Archives and objects for the linker; see archive.h. */
#include <ar.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "cuda/image.h"

#define EM_CUDA        190
#define RUNTIME_MEMBER "cuda_device_runtime.o" /* of libcudadevrt.a */

struct bytes {
	const uint8_t *at;
	uint64_t size;
};

/*
 * A grid's barrier in the words 2 (threads 0 that came) and 3 (times that it opened) of a cooperative launch's
 * workspace.  The handle is the workspace's address; 0 outside of a cooperative launch.
 */
static const char runtime_text[] =
	".version 6.3\n.target sm_70\n.address_size 64\n"
	".visible .func (.param .b64 out) cudaCGGetIntrinsicHandle(.param .b32 scope)\n{\n"
	"	.reg .b32 %r<4>; .reg .b64 %rd<2>; .reg .pred %p;\n"
	"	ld.param.b32 %r1, [scope];\n	setp.eq.s32 %p, %r1, 1;\n"
	"	mov.u32 %r2, %envreg2;\n	mov.u32 %r3, %envreg1;\n	mov.b64 %rd1, {%r2, %r3};\n"
	"	selp.b64 %rd1, %rd1, 0, %p;\n	st.param.b64 [out], %rd1;\n	ret;\n}\n"
	".visible .func (.param .b32 out) cudaCGSynchronize(.param .b64 handle, .param .b32 flags)\n{\n"
	"	.reg .b32 %r<12>; .reg .b64 %rd<2>; .reg .pred %p<4>;\n"
	"	ld.param.b64 %rd1, [handle];\n	mov.u32 %r9, 1;\n	setp.eq.s64 %p1, %rd1, 0;\n"
	"	@%p1 bra done;\n	barrier.sync 0;\n"
	"	mov.u32 %r1, %tid.x;\n	mov.u32 %r2, %tid.y;\n	mov.u32 %r3, %tid.z;\n"
	"	or.b32 %r1, %r1, %r2;\n	or.b32 %r1, %r1, %r3;\n	setp.ne.s32 %p2, %r1, 0;\n"
	"	@%p2 bra wait;\n"
	"	mov.u32 %r1, %nctaid.x;\n	mov.u32 %r2, %nctaid.y;\n	mov.u32 %r3, %nctaid.z;\n"
	"	mul.lo.s32 %r1, %r1, %r2;\n	mul.lo.s32 %r1, %r1, %r3;\n	sub.s32 %r1, %r1, 1;\n"
	"	ld.volatile.u32 %r4, [%rd1 + 12];\n	fence.acq_rel.gpu;\n"
	"	atom.inc.u32 %r5, [%rd1 + 8], %r1;\n	setp.ne.s32 %p3, %r5, %r1;\n	@%p3 bra spin;\n"
	"	fence.acq_rel.gpu;\n	atom.add.u32 %r6, [%rd1 + 12], 1;\n	bra wait;\n"
	"spin:\n	ld.volatile.u32 %r6, [%rd1 + 12];\n	setp.eq.s32 %p3, %r6, %r4;\n	@%p3 bra spin;\n"
	"	fence.acq_rel.gpu;\n"
	"wait:\n	barrier.sync 0;\n	mov.u32 %r9, 0;\n"
	"done:\n	st.param.b32 [out], %r9;\n	ret;\n}\n"
	".visible .func (.param .b32 out) cudaCGGetSize(.param .b64 threads, .param .b64 grids, .param .b64 "
	"handle)\n{\n"
	"	.reg .b32 %r<8>; .reg .b64 %rd<4>; .reg .pred %p;\n"
	"	ld.param.b64 %rd1, [threads];\n	ld.param.b64 %rd2, [grids];\n"
	"	mov.u32 %r1, %nctaid.x;\n	mov.u32 %r2, %nctaid.y;\n	mov.u32 %r3, %nctaid.z;\n"
	"	mul.lo.s32 %r1, %r1, %r2;\n	mul.lo.s32 %r1, %r1, %r3;\n"
	"	mov.u32 %r4, %ntid.x;\n	mov.u32 %r5, %ntid.y;\n	mov.u32 %r6, %ntid.z;\n"
	"	mul.lo.s32 %r1, %r1, %r4;\n	mul.lo.s32 %r1, %r1, %r5;\n	mul.lo.s32 %r1, %r1, %r6;\n"
	"	setp.eq.s64 %p, %rd1, 0;\n	@!%p st.u32 [%rd1], %r1;\n	mov.u32 %r2, 1;\n"
	"	setp.eq.s64 %p, %rd2, 0;\n	@!%p st.u32 [%rd2], %r2;\n"
	"	mov.u32 %r3, 0;\n	st.param.b32 [out], %r3;\n	ret;\n}\n"
	".visible .func (.param .b32 out) cudaCGGetRank(.param .b64 thread, .param .b64 grid, .param .b64 handle)\n{\n"
	"	.reg .b32 %r<8>; .reg .b64 %rd<4>; .reg .pred %p;\n"
	"	ld.param.b64 %rd1, [thread];\n	ld.param.b64 %rd2, [grid];\n"
	"	mov.u32 %r1, %ctaid.z;\n	mov.u32 %r2, %nctaid.y;\n	mov.u32 %r3, %ctaid.y;\n"
	"	mad.lo.s32 %r1, %r1, %r2, %r3;\n	mov.u32 %r2, %nctaid.x;\n	mov.u32 %r3, %ctaid.x;\n"
	"	mad.lo.s32 %r1, %r1, %r2, %r3;\n	mov.u32 %r2, %ntid.z;\n	mov.u32 %r3, %tid.z;\n"
	"	mad.lo.s32 %r1, %r1, %r2, %r3;\n	mov.u32 %r2, %ntid.y;\n	mov.u32 %r3, %tid.y;\n"
	"	mad.lo.s32 %r1, %r1, %r2, %r3;\n	mov.u32 %r2, %ntid.x;\n	mov.u32 %r3, %tid.x;\n"
	"	mad.lo.s32 %r1, %r1, %r2, %r3;\n"
	"	setp.eq.s64 %p, %rd1, 0;\n	@!%p st.u32 [%rd1], %r1;\n	mov.u32 %r2, 0;\n"
	"	setp.eq.s64 %p, %rd2, 0;\n	@!%p st.u32 [%rd2], %r2;\n	st.param.b32 [out], %r2;\n	"
	"ret;\n}\n";

static int refuse(const char **why_out, int result, const char *why)
{
	*why_out = why;
	return result;
}

static bool within(struct bytes all, uint64_t offset, uint64_t size, struct bytes *part_out)
{
	if (offset > all.size || size > all.size - offset)
		return false;
	*part_out = (struct bytes){ all.at + offset, size };
	return true;
}

/* One container after the other, each from a multiple of 8. */
static int section_read(struct pl_cu_texts *texts, struct bytes section, unsigned int sm, const char **why_out)
{
	uint64_t at = 0;

	while (section.size - at >= sizeof(struct pl_cuda_container)) {
		struct pl_cuda_container head;
		struct pl_cu_texts one;
		int r;

		memcpy(&head, section.at + at, sizeof(head));
		if (!head.magic) { /* padding */
			at += 8;
			continue;
		}
		if (head.magic != PL_CUDA_IMAGE_CONTAINER || head.size_bytes > section.size - at - sizeof(head))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an object's images are broken");
		r = pl_cu_fatbin_read(&one, section.at + at, section.size - at, sm, why_out);
		if (!r)
			r = pl_cu_texts_append(texts, &one);
		if (r)
			return r;
		at += (head.header_bytes + head.size_bytes + 7) & ~7ull;
		if (at > section.size)
			break;
	}
	return PL_CU_FATBIN_OK;
}

static bool holds_images(struct bytes names, uint32_t offset)
{
	static const char *const wanted[] = { ".nv_fatbin", "__nv_relfatbin" };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		size_t size = strlen(wanted[i]) + 1;
		if (offset <= names.size && size <= names.size - offset && !memcmp(names.at + offset, wanted[i], size))
			return true;
	}
	return false;
}

static int object_read(struct pl_cu_texts *texts, struct bytes object, unsigned int sm, const char **why_out)
{
	struct bytes table, names, section;
	Elf64_Ehdr head;
	Elf64_Shdr one;

	if (object.size < sizeof(head) || memcmp(object.at, ELFMAG, SELFMAG))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "neither an object nor an archive of objects");
	memcpy(&head, object.at, sizeof(head));
	if (head.e_machine == EM_CUDA)
		return refuse(why_out, PL_CU_FATBIN_E_NO_CODE, "machine code without PTX");
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shentsize != sizeof(one) ||
	    head.e_shstrndx >= head.e_shnum ||
	    !within(object, head.e_shoff, (uint64_t)head.e_shnum * sizeof(one), &table))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an object with a header that cannot be");
	memcpy(&one, table.at + head.e_shstrndx * sizeof(one), sizeof(one));
	if (!within(object, one.sh_offset, one.sh_size, &names))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an object that ends too early");
	for (uint32_t i = 0; i < head.e_shnum; i++) {
		int r;

		memcpy(&one, table.at + i * sizeof(one), sizeof(one));
		if (one.sh_type != SHT_PROGBITS || !holds_images(names, one.sh_name))
			continue;
		if (!within(object, one.sh_offset, one.sh_size, &section))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an object that ends too early");
		r = section_read(texts, section, sm, why_out);
		if (r)
			return r;
	}
	return PL_CU_FATBIN_OK;
}

static int runtime_add(struct pl_cu_texts *texts)
{
	struct pl_cu_text text = { strdup(runtime_text), sizeof(runtime_text) - 1 };
	struct pl_cu_texts one = { .text = &text, .n = 1 };
	int r;

	if (!text.data)
		return pl_err(-ENOMEM);
	one.text = malloc(sizeof(text));
	if (!one.text) {
		free(text.data);
		return pl_err(-ENOMEM);
	}
	*one.text = text;
	r = pl_cu_texts_append(texts, &one);
	if (r)
		pl_cu_texts_fini(&one);
	return r;
}

/* "name/", or "/N": the name lies in the archive's table of long names from N on, up to "/". */
static bool is_runtime(const struct ar_hdr *head, struct bytes names)
{
	static const char runtime[] = RUNTIME_MEMBER "/";
	struct bytes name;

	return head->ar_name[0] == '/' && head->ar_name[1] >= '0' && head->ar_name[1] <= '9' &&
	       within(names, strtoul(head->ar_name + 1, NULL, 10), sizeof(runtime) - 1, &name) &&
	       !memcmp(name.at, runtime, name.size);
}

static int archive_walk(struct pl_cu_texts *texts, struct bytes all, unsigned int sm, const char **why_out)
{
	struct bytes names = { all.at, 0 };
	uint64_t at = SARMAG;

	while (at < all.size) {
		struct ar_hdr head;
		struct bytes member;
		char digits[sizeof(head.ar_size) + 1] = "";
		int r = 0;

		if (all.size - at < sizeof(head))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an archive that ends in a header");
		memcpy(&head, all.at + at, sizeof(head));
		at += sizeof(head);
		memcpy(digits, head.ar_size, sizeof(head.ar_size));
		if (memcmp(head.ar_fmag, ARFMAG, sizeof(head.ar_fmag)) || digits[0] < '0' || digits[0] > '9' ||
		    !within(all, at, strtoull(digits, NULL, 10), &member))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an archive that ends too early");
		at += member.size + (member.size & 1);
		head.ar_date[0] = 0; /* ends the name */
		if (!strncmp(head.ar_name, "// ", 3))
			names = member;
		else if (!strncmp(head.ar_name, "/ ", 2) || !strncmp(head.ar_name, "/SYM64/", 7))
			continue;
		else if (is_runtime(&head, names))
			r = runtime_add(texts);
		else
			r = object_read(texts, member, sm, why_out);
		if (r)
			return r;
	}
	return PL_CU_FATBIN_OK;
}

int pl_cu_archive_read(struct pl_cu_texts *texts_out, const void *data, size_t size_bytes, unsigned int sm,
		       const char **why_out)
{
	struct bytes all = { data, size_bytes };
	struct pl_cu_texts texts = { 0 };
	int r;

	if (size_bytes >= SARMAG && !memcmp(data, ARMAG, SARMAG))
		r = archive_walk(&texts, all, sm, why_out);
	else
		r = object_read(&texts, all, sm, why_out);
	if (r)
		pl_cu_texts_fini(&texts);
	else
		*texts_out = texts;
	return r;
}
