/* What is noted of which calls, and what is found in images. */
#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/checkpoint.h"
#include "cuda/image.h"

/* ---- rules ---- */

static bool has(const char *name, const char *part)
{
	return strstr(name, part);
}

/* Names say most of it: what makes or ends something is not forgotten, what asks is not noted. */
static void test_each_call_has_the_class_of_its_kind(void)
{
	for (uint16_t op = 1; op < PL_CUDA_OP_COUNT; op++) {
		const char *name = pl_cuda_op_name(op), *kind = pl_cuda_op_class(op);
		enum pl_checkpoint_records records = pl_cuda_checkpoint_records(op);

		if (strcmp(kind, "ask") && strcmp(kind, "post") && strcmp(kind, "mint")) {
			assert(records == PL_CHECKPOINT_NOT);
			continue;
		}
		if (!strcmp(kind, "mint"))
			assert(records == PL_CHECKPOINT_MAKES);
		if (has(name, "Create") && !has(name, "HandleCreate"))
			assert(records == PL_CHECKPOINT_MAKES);
		if (has(name, "Destroy") || has(name, "Unload") || has(name, "cuMemFree"))
			assert(records == PL_CHECKPOINT_MAKES);
		if (has(name, "cuMemAlloc") || has(name, "cuMemHost") || has(name, "HostAlloc") ||
		    has(name, "HostPlace"))
			assert(records == PL_CHECKPOINT_MAKES);
		if (has(name, "cuGraphAdd") && has(name, "Node"))
			assert(records == PL_CHECKPOINT_MAKES);
		if (has(name, "SetParams") || has(name, "cuTexRefSet") || has(name, "ExecUpdate"))
			assert(records == PL_CHECKPOINT_CHANGES);
		if (has(name, "cuMemcpy") || has(name, "cuMemset") || has(name, "cuLaunch") ||
		    has(name, "Synchronize") || has(name, "Query") || has(name, "cuEventRecord") ||
		    has(name, "GetAttribute"))
			assert(records == PL_CHECKPOINT_NOT);
		if (pl_cuda_checkpoint_payload(op))
			assert(records == PL_CHECKPOINT_CHANGES);
	}
}

static void test_calls_that_no_name_tells(void)
{
	static const uint16_t makes[] = { PL_CUDA_OP_cuMemAddressReserve,
					  PL_CUDA_OP_cuMemAddressFree,
					  PL_CUDA_OP_cuMemMap,
					  PL_CUDA_OP_cuMemUnmap,
					  PL_CUDA_OP_cuMemSetAccess,
					  PL_CUDA_OP_cuStreamEndCapture,
					  PL_CUDA_OP_cuDevicePrimaryCtxRetain,
					  PL_CUDA_OP_cuDevicePrimaryCtxRelease_v2,
					  PL_CUDA_OP_plLibraryKernels,
					  PL_CUDA_OP_cuGraphGetNodes,
					  PL_CUDA_OP_cuTexObjectGetResourceDesc,
					  PL_CUDA_OP_cuSurfObjectGetResourceDesc,
					  PL_CUDA_OP_cuStreamGetCaptureInfo,
					  PL_CUDA_OP_plNodeParams };
	static const uint16_t changes[] = { PL_CUDA_OP_cuCtxSetLimit,
					    PL_CUDA_OP_cuCtxEnablePeerAccess,
					    PL_CUDA_OP_cuLinkComplete,
					    PL_CUDA_OP_cuGraphConditionalHandleCreate,
					    PL_CUDA_OP_cuFuncLoad,
					    PL_CUDA_OP_cuGraphAddDependencies,
					    PL_CUDA_OP_cuStreamBeginCapture,
					    PL_CUDA_OP_cuStreamBeginCapture_v2,
					    PL_CUDA_OP_cuStreamBeginCaptureToGraph };

	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++)
		assert(pl_cuda_checkpoint_records(makes[i]) == PL_CHECKPOINT_MAKES);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert(pl_cuda_checkpoint_records(changes[i]) == PL_CHECKPOINT_CHANGES);
}

static void test_keys_have_what_is_set_and_not_the_value(void)
{
	uint64_t words[] = { 0, 11, 22, 33, 44 }, key[PL_JOURNAL_KEY_MAX];

	assert(pl_cuda_checkpoint_key(PL_CUDA_OP_cuFuncSetAttribute, words, 4, key) == 2);
	assert(key[0] == 11 && key[1] == 22);
	assert(pl_cuda_checkpoint_key(PL_CUDA_OP_cuKernelSetAttribute, words, 5, key) == 3);
	assert(key[0] == 11 && key[1] == 33 && key[2] == 44);
	assert(pl_cuda_checkpoint_key(PL_CUDA_OP_cuGraphExecMemcpyNodeSetParams, words, 5, key) == 2);
	assert(!pl_cuda_checkpoint_key(PL_CUDA_OP_cuGraphMemcpyNodeSetParams, words, 5, key));
	assert(!pl_cuda_checkpoint_key(PL_CUDA_OP_cuCtxSetLimit, words, 3, key)); /* its context is no word of it */
	words[1] = 2;
	assert(!pl_cuda_checkpoint_key(PL_CUDA_OP_cuStreamSetAttribute, words, 5, key));
}

/* A key is one for the same call only if what is set is all that it changes: no call that makes something has one. */
static void test_only_changes_have_keys(void)
{
	const uint64_t words[] = { 0, 11, 22, 33, 44 };
	uint64_t key[PL_JOURNAL_KEY_MAX];

	for (uint16_t op = 1; op < PL_CUDA_OP_COUNT; op++)
		if (pl_cuda_checkpoint_key(op, words, 5, key))
			assert(pl_cuda_checkpoint_records(op) == PL_CHECKPOINT_CHANGES);
}

/* ---- names of variables ---- */

static bool finds(const struct pl_cuda_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->at[i], name))
			return true;
	return false;
}

static const char ptx[] =
	".version 7.0\n.target sm_70\n.address_size 64\n"
	".visible .global .align 4 .u32 counter;\n"
	".global .attribute(.managed) .align 8 .b8 shared_one[16] = {1, 2};\n"
	".visible .const .align 16 .b8 _ZN1a5tableE[64];\n"
	".global .u32 first, second;\n"
	".global.u32 close;\n"
	".const[2] .u32 banked;\n"
	".visible .entry k(.param .u64 p)\n{\n\tld.global.u32 %r1, [%rd1];\n\tst.global.u32 [local], %r1;\n}\n";

static void test_ptx_has_its_variables(void)
{
	struct pl_cuda_names names;

	assert(!pl_cuda_image_names(ptx, &names));
	assert(!names.unknown);
	assert(finds(&names, "counter") && finds(&names, "shared_one") && finds(&names, "_ZN1a5tableE"));
	assert(finds(&names, "first") && finds(&names, "second"));
	assert(finds(&names, "close") && finds(&names, "banked"));
	assert(!finds(&names, "local") && !finds(&names, "k"));
	pl_cuda_names_fini(&names);
}

struct elf {
	Elf64_Ehdr head;
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[3];
	char strings[32];
};

static struct elf elf_make(void)
{
	struct elf elf = { .strings = "\0kernel\0variable" };

	memcpy(elf.head.e_ident, ELFMAG, SELFMAG);
	elf.head.e_ident[EI_CLASS] = ELFCLASS64;
	elf.head.e_shoff = offsetof(struct elf, sections);
	elf.head.e_shentsize = sizeof(Elf64_Shdr);
	elf.head.e_shnum = 3;
	elf.sections[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
					.sh_offset = offsetof(struct elf, symbols),
					.sh_size = sizeof(elf.symbols),
					.sh_link = 2 };
	elf.sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					.sh_offset = offsetof(struct elf, strings),
					.sh_size = sizeof(elf.strings) };
	elf.symbols[1] = (Elf64_Sym){ .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC) };
	elf.symbols[2] = (Elf64_Sym){ .st_name = 8, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT) };
	return elf;
}

/* One container: a header of 64 bytes, then the payload. */
static uint8_t *container_make(const void *payload, uint64_t bytes, uint16_t kind)
{
	const struct pl_cuda_container head = { PL_CUDA_IMAGE_CONTAINER, 1, sizeof(head), 64 + bytes };
	uint8_t *container = calloc(1, sizeof(head) + 64 + bytes);
	const uint32_t header_bytes = 64;

	assert(container);
	memcpy(container, &head, sizeof(head));
	memcpy(container + sizeof(head), &kind, sizeof(kind));
	memcpy(container + sizeof(head) + 4, &header_bytes, sizeof(header_bytes));
	memcpy(container + sizeof(head) + 8, &bytes, sizeof(bytes));
	memcpy(container + sizeof(head) + 64, payload, bytes);
	return container;
}

static void test_containers_are_looked_into(void)
{
	const struct elf elf = elf_make();
	struct pl_cuda_names names;
	uint8_t *container = container_make(&elf, sizeof(elf), 2);

	assert(!pl_cuda_image_names(container, &names));
	assert(!names.unknown && names.count == 1 && finds(&names, "variable"));
	pl_cuda_names_fini(&names);
	free(container);
	container = container_make(ptx, sizeof(ptx), 1);
	assert(!pl_cuda_image_names(container, &names));
	assert(!names.unknown && finds(&names, "counter"));
	pl_cuda_names_fini(&names);
	free(container);
}

static void test_kernels_that_allocate_memory_are_found(void)
{
	const char *const without[] = { "// mallocs, my_malloc\n.func cudamalloc;", "malloc2", "" };
	struct elf elf = elf_make();
	struct pl_cuda_names names;

	assert(!pl_cuda_image_names(".extern .func (.param .b64 r) malloc\n(\n.param .b64 n\n)\n;\n", &names));
	assert(names.heap);
	pl_cuda_names_fini(&names);
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		char text[64] = { 0 };

		memcpy(text, without[i], strlen(without[i]));
		assert(!pl_cuda_image_names(text, &names));
		assert(!names.heap);
		pl_cuda_names_fini(&names);
	}
	for (unsigned int with = 0; with < 2; with++) {
		uint8_t *container;

		if (with)
			memcpy(elf.strings, "\0malloc", sizeof("\0malloc"));
		container = container_make(&elf, sizeof(elf), 2);
		assert(!pl_cuda_image_names(container, &names));
		assert(!names.unknown && names.heap == with && finds(&names, "variable"));
		pl_cuda_names_fini(&names);
		free(container);
	}
}

static void test_what_is_not_understood_is_said(void)
{
	struct pl_cuda_names names;
	static const char other[] = "something else";
	uint8_t *container = container_make(other, sizeof(other), 9);
	struct elf elf = elf_make();

	assert(!pl_cuda_image_names(container, &names));
	assert(names.unknown);
	pl_cuda_names_fini(&names);
	free(container);
	elf.sections[1].sh_size = UINT64_MAX; /* a liar's */
	assert(!pl_cuda_image_names(&elf, &names));
	assert(names.unknown && !names.count);
	pl_cuda_names_fini(&names);
	elf = elf_make();
	elf.symbols[2].st_name = UINT32_MAX;
	assert(!pl_cuda_image_names(&elf, &names));
	assert(!names.count);
	pl_cuda_names_fini(&names);
}

int main(void)
{
	test_each_call_has_the_class_of_its_kind();
	test_calls_that_no_name_tells();
	test_keys_have_what_is_set_and_not_the_value();
	test_only_changes_have_keys();
	test_ptx_has_its_variables();
	test_containers_are_looked_into();
	test_kernels_that_allocate_memory_are_found();
	test_what_is_not_understood_is_said();
	return 0;
}
