/* See kit.h. */
#include <sys/mman.h>

#include "base/wait.h"
#include "refgpu/compute/kit.h"
#include "refgpu/device/regs.h"

#define VRAM_BYTES (64ull << 20)
#define TABLES     (60ull << 20) /* page directory, then one table of large pages */

static void *no_dma(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out)
{
	(void)arg, (void)bus, (void)bytes, (void)write, (void)bytes_out;
	return NULL;
}

static uint64_t host_now(void *arg)
{
	(void)arg;
	return pl_now_ns();
}

static void make_tables(struct kit *kit)
{
	uint64_t *directory = (void *)(kit->vram + TABLES), *table = (void *)(kit->vram + TABLES + (1 << 20));

	directory[KIT_VA >> 27] = PL_RG_PDE_LARGE | ((TABLES + (1 << 20)) >> 12 << 4);
	for (uint64_t at = 0; at < KIT_BYTES; at += PL_MMU_LARGE_BYTES)
		table[at / PL_MMU_LARGE_BYTES] =
			PL_RG_PTE_PRESENT | PL_RG_PTE_ADDRESS(at) | (at == KIT_READ_ONLY ? PL_RG_PTE_READ_ONLY : 0);
}

void kit_begin(struct kit *kit, const char *vector, uint32_t threads)
{
	struct pl_mmu_root root = { PL_MMU_F2, false, TABLES };
	char count[12];

	memset(kit, 0, sizeof(*kit));
	kit->vram = mmap(NULL, VRAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(kit->vram != MAP_FAILED);
	kit->memory = kit->vram;
	make_tables(kit);
	if (vector)
		setenv("PLENUM_REFGPU_VECTOR", vector, 1);
	else
		unsetenv("PLENUM_REFGPU_VECTOR");
	snprintf(count, sizeof(count), "%u", threads);
	if (threads)
		setenv("PLENUM_REFGPU_THREADS", count, 1);
	else
		unsetenv("PLENUM_REFGPU_THREADS");
	assert(!pl_mmu_create(&kit->mmu, kit->vram, VRAM_BYTES, no_dma, NULL));
	assert(!pl_mmu_space_ref(&kit->space, kit->mmu, &root, UINT64_MAX));
	assert(!pl_sm_compute.create(&kit->engine, &(struct pl_rg_compute_config){ kit->mmu, 64 }));
	if (vector && strcmp(pl_sm_compute_vector(kit->engine), vector) != 0) {
		printf("this machine has no %s\n", vector);
		exit(77);
	}
	kit->desc = (struct pl_isa_launch){ .magic = PL_ISA_LAUNCH_MAGIC,
					    .slots = 256,
					    .preds = 64,
					    .uniforms = 64,
					    .call_depth = 32,
					    .barriers = 16,
					    .local_bytes = 0 };
	kit_flush(kit);
}

void kit_end(struct kit *kit)
{
	pl_sm_compute.destroy(kit->engine);
	pl_mmu_space_unref(kit->space);
	pl_mmu_destroy(kit->mmu);
	munmap(kit->vram, VRAM_BYTES);
}

void kit_insns(struct kit *kit, const struct pl_isa_insn *insns, uint32_t count)
{
	memcpy(kit->memory + KIT_CODE, insns, count * sizeof(*insns));
	kit->desc.code_va = KIT_VA + KIT_CODE;
	kit->desc.code_insns = count;
	kit->desc.entry = 0;
	kit_flush(kit);
}

void kit_code(struct kit *kit, const char *text)
{
	static struct pl_isa_insn insns[65536];
	struct pl_isa_text_error error;
	uint32_t count;

	if (pl_isa_assemble(text, strlen(text), insns, 65536, &count, &error)) {
		fprintf(stderr, "line %u: %s\n%s", error.line, error.text, text);
		assert(!"the program assembles");
	}
	kit_insns(kit, insns, count);
}

uint32_t kit_run(struct kit *kit, uint32_t blocks, uint32_t threads)
{
	struct pl_rg_launch launch = { .space = kit->space,
				       .descriptor = KIT_VA + KIT_DESC,
				       .stop = &kit->stop,
				       .instructions_max = kit->instructions_max,
				       .instruction_ps = kit->instruction_ps,
				       .now = host_now };

	kit->desc.grid[0] = blocks;
	kit->desc.grid[1] = kit->desc.grid[1] ? kit->desc.grid[1] : 1;
	kit->desc.grid[2] = kit->desc.grid[2] ? kit->desc.grid[2] : 1;
	kit->desc.block[0] = threads;
	kit->desc.block[1] = kit->desc.block[1] ? kit->desc.block[1] : 1;
	kit->desc.block[2] = kit->desc.block[2] ? kit->desc.block[2] : 1;
	kit->desc.param_va = KIT_VA + KIT_PARAM;
	kit->desc.param_bytes = sizeof(kit->param);
	memcpy(kit->memory + KIT_PARAM, kit->param, sizeof(kit->param));
	memcpy(kit->memory + KIT_DESC, &kit->desc, sizeof(kit->desc));
	kit->result = (struct pl_rg_launch_result){ .fault.code = PL_RG_FAULT_NONE };
	pl_sm_compute.launch(kit->engine, &launch, &kit->result);
	return kit->result.fault.code;
}

void kit_flush(struct kit *kit)
{
	pl_mmu_flush_all(kit->mmu);
}

uint64_t kit_va(const struct kit *kit, const void *at)
{
	return KIT_VA + (uint64_t)((const uint8_t *)at - kit->memory);
}
