/* Encoding: every field comes back, formats do not leak into each other, what does not exist is named. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/isa/isa.h"
#include "refgpu/isa/launch.h"
#include "refgpu/isa/texture.h"
#include "refgpu/isa/values.h"

static void test_any_bits_survive_unpack_and_pack(void)
{
	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct pl_isa_insn insn, again;
		struct pl_isa_fields fields, twice;

		for (int w = 0; w < 2; w++)
			insn.word[w] = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
		insn.word[0] = (insn.word[0] & ~0x3ffull) | (unsigned)(rand() % PL_ISA_OP_COUNT);
		pl_isa_unpack(&insn, &fields);
		again = pl_isa_pack(&fields);
		pl_isa_unpack(&again, &twice);
		assert(memcmp(&fields, &twice, sizeof(fields)) == 0);
		if (pl_isa_ops[fields.op].format != PL_ISA_FMT_MEM && pl_isa_ops[fields.op].format != PL_ISA_FMT_TEX)
			assert(memcmp(&insn, &again, sizeof(insn)) == 0);
	}
}

static void test_unknown_operation_is_named(void)
{
	struct pl_isa_insn insn = { { 0x3ff, 0 } };
	struct pl_isa_fields fields;

	pl_isa_unpack(&insn, &fields);
	assert(fields.op == PL_ISA_OP_COUNT);
}

static void test_table_is_whole(void)
{
	for (unsigned op = 0; op < PL_ISA_OP_COUNT; op++) {
		const struct pl_isa_op_info *info = &pl_isa_ops[op];

		assert(info->name && info->name[0]);
		/* an operation with a typed operand names its types */
		if (info->d == PL_ISA_K_RT || info->a == PL_ISA_K_RT || info->d == PL_ISA_K_RV)
			assert(info->types != 0);
		/* e takes the immediate's place */
		if (info->mods & (PL_ISA_M_ER | PL_ISA_M_EI))
			assert(info->b != PL_ISA_K_BT || info->mods & PL_ISA_M_EP);
	}
	for (unsigned type = 0; type < PL_ISA_TYPE_COUNT; type++)
		assert(pl_isa_types[type].name && pl_isa_type_slots(type) >= 1 && pl_isa_type_bytes(type) >= 1);
	assert(pl_isa_type_bytes(PL_ISA_TYPE_COUNT) == 0);
}

int main(void)
{
	test_any_bits_survive_unpack_and_pack();
	test_unknown_operation_is_named();
	test_table_is_whole();
	return 0;
}
