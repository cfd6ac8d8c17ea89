/*
 * Instructions from anybody: the validator, and the engine on what the validator accepts.  16 bytes an instruction,
 * behind an ENTRY; most fields are bent towards what exists, so that many programs get as far as running.
 */
#include "fuzz.h"
#include "refgpu/compute/kit.h"
#include "refgpu/isa/validate.h"

#define INSNS_MAX 64u

/* The first byte says how much is bent. */
static void bend(struct pl_isa_insn *insn, unsigned count, bool much)
{
	struct pl_isa_fields f;

	insn->word[0] = (insn->word[0] & ~0x3ffull) | (insn->word[0] & 0x3ff) % PL_ISA_OP_COUNT;
	if (!much)
		return;
	pl_isa_unpack(insn, &f);
	f.guard = f.guard & 1 ? PL_ISA_PT : f.guard % 8;
	f.guard_not = f.guard != PL_ISA_PT && f.guard_not;
	f.d %= 28, f.a %= 28, f.b %= 28, f.c %= f.c & 1 ? 8 : 28;
	f.bkind %= 3;
	while (pl_isa_ops[f.op].types && (f.type >= PL_ISA_TYPE_COUNT || !(pl_isa_ops[f.op].types >> f.type & 1)))
		f.type = (uint8_t)((f.type + 1) % PL_ISA_TYPE_COUNT);
	f.type2 %= PL_ISA_TYPE_COUNT;
	f.round %= 4;
	f.cmp %= PL_ISA_GE + 1;
	f.form %= PL_ISA_ADDR_FORM_COUNT, f.space %= 5, f.atom %= PL_ISA_ATOM_COUNT, f.vec %= 3;
	f.geometry %= 4, f.lod %= 3, f.clamp %= 3;
	if (f.op == PL_ISA_BRA || f.op == PL_ISA_CALL || f.op == PL_ISA_BRX)
		f.imm %= count;
	else if (f.op != PL_ISA_LOP3 && f.op != PL_ISA_BAR &&
		 pl_isa_ops[f.op].mods & (PL_ISA_M_EI | PL_ISA_M_ER | PL_ISA_M_EP))
		f.imm %= 32;
	*insn = pl_isa_pack(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kit kit;
	struct pl_isa_insn insns[INSNS_MAX];
	struct pl_isa_refusal refusal;
	struct pl_fuzz fuzz = { data, data + size };
	uint64_t how = pl_fuzz_number(&fuzz, 1);
	uint32_t count = 1;

	if (!kit.engine) {
		kit_begin(&kit, NULL, 1);
		kit.instructions_max = 20000;
		kit.desc.slots = 64, kit.desc.preds = 16, kit.desc.uniforms = 64, kit.desc.call_depth = 4;
		kit.desc.shared_static = 1024, kit.desc.local_bytes = 128;
	}
	insns[0] = (struct pl_isa_insn){ { PL_ISA_ENTRY | (uint64_t)PL_ISA_PT << 10, pl_isa_entry_imm(32, 8, 32) } };
	while (count < INSNS_MAX - 1 && pl_fuzz_left(&fuzz)) {
		pl_fuzz_fill(&fuzz, &insns[count], sizeof(*insns));
		bend(&insns[count], (uint32_t)(1 + size / 16), how & 1);
		if (how & 1 && pl_isa_validate(insns, count + 1, &refusal) && refusal.insn == count &&
		    !strstr(refusal.text, "target"))
			continue; /* left out, so that the rest has its turn */
		count++;
	}
	insns[count++] = (struct pl_isa_insn){ { PL_ISA_EXIT | (uint64_t)PL_ISA_PT << 10, 0 } };
	for (uint32_t i = 0; i < count; i++) {
		char text[PL_ISA_TEXT_LINE_MAX];

		pl_isa_disassemble(&insns[i], text, sizeof(text));
		pl_fuzz_check(memchr(text, 0, sizeof(text)) != NULL);
	}
	kit.param[0] = KIT_VA;
	kit_insns(&kit, insns, count);
	if (pl_isa_validate(insns, count, &refusal))
		pl_fuzz_check(kit_run(&kit, 1, 48) == PL_RG_FAULT_BAD_CODE);
	else
		(void)kit_run(&kit, 2, 48);
	return 0;
}
