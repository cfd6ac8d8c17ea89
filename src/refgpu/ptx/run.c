#include "run.h"

#include "refgpu/isa/validate.h"

void run_begin(struct run *run)
{
	memset(run, 0, sizeof(*run));
	kit_begin(&run->kit, NULL, 1);
}

void run_end(struct run *run)
{
	pl_ptx_image_destroy(run->image);
	kit_end(&run->kit);
}

void run_compile(struct run *run, const char *text)
{
	struct pl_ptx_source source = { text, strlen(text), "test" };
	static char error[65536];
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };
	uint64_t bases[PL_PTX_SECTIONS] = { run_va(KIT_CODE), run_va(RUN_GLOBAL), run_va(RUN_CONST) };
	uint8_t *out[PL_PTX_SECTIONS] = { run->kit.memory + KIT_CODE, run->kit.memory + RUN_GLOBAL,
					  run->kit.memory + RUN_CONST };
	struct pl_isa_refusal refusal;
	uint32_t count;

	pl_ptx_image_destroy(run->image);
	run->image = NULL;
	if (pl_ptx_compile(&run->image, &source, 1, NULL, &log))
		fprintf(stderr, "%s", error);
	assert(run->image);
	count = (uint32_t)(run->image->sections[PL_PTX_CODE].bytes / PL_ISA_INSN_BYTES);
	memset(out[PL_PTX_GLOBAL], 0, RUN_CONST - RUN_GLOBAL);
	pl_ptx_image_place(run->image, bases, out);
	if (count && pl_isa_validate((const struct pl_isa_insn *)(const void *)out[PL_PTX_CODE], count, &refusal)) {
		char line[PL_ISA_TEXT_LINE_MAX];

		pl_isa_disassemble((const struct pl_isa_insn *)(const void *)out[PL_PTX_CODE] + refusal.insn, line,
				   sizeof(line));
		fprintf(stderr, "instruction %u, %s: %s\n", refusal.insn, line, refusal.text);
		assert(!"the code is valid");
	}
	kit_flush(&run->kit);
}

static void put_args(struct run *run, const struct pl_ptx_func *func, const uint64_t *args)
{
	memset(run->kit.param, 0, sizeof(run->kit.param));
	for (uint32_t i = 0; i < func->params_n; i++) {
		uint32_t bytes = func->params[i].bytes > 8 ? 8 : func->params[i].bytes;

		assert(func->params[i].offset + bytes <= sizeof(run->kit.param));
		memcpy((uint8_t *)run->kit.param + func->params[i].offset, &args[i], bytes);
	}
}

uint32_t run_kernel(struct run *run, const char *name, const uint32_t grid[3], const uint32_t block[3],
		    const uint64_t *args)
{
	const struct pl_ptx_func *func = pl_ptx_image_func(run->image, name);
	struct pl_isa_launch *desc = &run->kit.desc;
	const struct pl_ptx_line *line;
	uint32_t code;

	assert(func && func->entry);
	put_args(run, func, args);
	desc->code_va = run_va(KIT_CODE);
	desc->code_insns = (uint32_t)(run->image->sections[PL_PTX_CODE].bytes / PL_ISA_INSN_BYTES);
	desc->entry = (uint32_t)(func->offset / PL_ISA_INSN_BYTES);
	desc->slots = func->slots;
	desc->preds = func->predicates;
	desc->uniforms = func->uniforms;
	desc->call_depth = func->call_depth + 1;
	desc->shared_static = func->shared_bytes;
	desc->shared_dynamic = run->dynamic_shared;
	desc->local_bytes = func->local_bytes + (func->recursive ? 16384 : 0);
	for (int i = 1; i < 3; i++) {
		desc->grid[i] = grid[i];
		desc->block[i] = block[i];
	}
	run->kit.instructions_max = 100000000;
	code = kit_run(&run->kit, grid[0], block[0]);
	if (code != PL_RG_FAULT_NONE) {
		line = pl_ptx_image_line(run->image, run->kit.result.fault.pc - run_va(KIT_CODE));
		fprintf(stderr, "%s: fault %x, pc %llx, PTX line %u, address %llx\n", name, code,
			(unsigned long long)run->kit.result.fault.pc, line ? line->ptx_line : 0,
			(unsigned long long)run->kit.result.fault.address);
	}
	return code;
}
