/* Control flow, barriers, calls, memory paths, atomics, system calls and faults of the engine.  Usage:
 * test-refgpu-engine BUILD */
#include "refgpu/compute/kit.h"

#define HEAD(r) "entry $" #r "\nuld.u64.param U4, [0]\ns2r.u32 R1, $33\ns2r.u32 R2, $6\n"
/* 64 R, 8 P, 16 U; R1 thread, R2 block */
#define BEGIN   HEAD(0x1008040)

static uint32_t *words(struct kit *kit)
{
	return (uint32_t *)(void *)kit->memory;
}

static void run_good(struct kit *kit, const char *text, uint32_t blocks, uint32_t threads)
{
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	if (kit_run(kit, blocks, threads) != PL_RG_FAULT_NONE)
		fprintf(stderr, "fault %x at pc %llx address %llx\n%s", kit->result.fault.code,
			(unsigned long long)kit->result.fault.pc, (unsigned long long)kit->result.fault.address, text);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
	assert(kit->result.blocks == blocks);
}

static void run_bad(struct kit *kit, const char *text, uint32_t threads, uint32_t code)
{
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	if (kit_run(kit, 1, threads) != code)
		fprintf(stderr, "fault %x, not %x\n%s", kit->result.fault.code, code, text);
	assert(kit->result.fault.code == code);
}

static void test_divergent_lanes_meet_again(struct kit *kit)
{
	/* even lanes 10, odd lanes 20; after bsync all 32 vote together */
	run_good(kit,
		 BEGIN "and.u32 R3, R1, #1\nr2p P0, R3\nbssy R10\n@P0 bra odd\nmov.u32 R4, #10\nbra join\nodd: mov.u32 "
		       "R4, #20\n"
		       "join: bsync R10\nactivemask R5\nst.u32.global R4, [U4 + R1 << 2]\nst.u32.global R5, [U4 + R1 "
		       "<< 2 + 4096]\nexit\n",
		 1, 32);
	for (int i = 0; i < 32; i++)
		assert(words(kit)[i] == (i & 1 ? 20u : 10u) && words(kit)[1024 + i] == 0xffffffff);
}

static void test_loops_of_different_length(struct kit *kit)
{
	/* lane i loops i + 1 times; nested region inside */
	run_good(kit,
		 BEGIN
		 "mov.u32 R3, #0\nmov.u32 R4, #0\nbssy R10\nloop: add.u32 R3, R3, #1\nbssy R11\nand.u32 R5, R3, "
		 "#1\nr2p P1, R5\n"
		 "@!P1 bra skip\nadd.u32 R4, R4, #100\nskip: bsync R11\nsetp.u32.le P0, R3, R1, PT\n@P0 bra "
		 "loop\nbsync R10\n"
		 "activemask R6\nst.u32.global R4, [U4 + R1 << 2]\nst.u32.global R6, [U4 + R1 << 2 + 4096]\nexit\n",
		 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(kit)[i] == (i + 2) / 2 * 100 && words(kit)[1024 + i] == 0xffffffff);
}

static void test_lanes_that_exit_are_not_waited_for(struct kit *kit)
{
	run_good(kit,
		 BEGIN "bssy R10\nsetp.u32.lt P0, R1, #5, PT\n@P0 exit\nsetp.u32.lt P0, R1, #9, PT\n@P0 bra "
		       "other\nnop\nother: bsync R10\n"
		       "activemask R5\nst.u32.global R5, [U4 + R1 << 2]\nexit\n",
		 1, 32);
	for (int i = 5; i < 32; i++)
		assert(words(kit)[i] == 0xffffffe0);
}

static void test_a_lane_that_spins_for_another_gets_its_answer(struct kit *kit)
{
	/* lane 0 waits for lane 1's store, which comes later in the program */
	memset(kit->memory, 0, 4096);
	run_good(kit,
		 BEGIN "mov.u64 R20, U4\nsetp.u32.eq P0, R1, #0, PT\n@!P0 bra set\nwait: ld.u32.global.volatile R5, "
		       "[R20 + 128]\n"
		       "setp.u32.eq P1, R5, #0, PT\n@P1 bra wait\nst.u32.global R5, [R20]\nexit\nset: mov.u32 R6, #77\n"
		       "setp.u32.eq P2, R1, #1, PT\n@P2 st.u32.global R6, [R20 + 128]\nexit\n",
		 1, 32);
	assert(words(kit)[0] == 77);
}

static void test_warps_and_blocks_that_spin_for_others(struct kit *kit)
{
	/* block b waits until the counter is b, in any order of arrival; more blocks than stay resident at first */
	memset(kit->memory, 0, 4096);
	run_good(kit,
		 BEGIN "mov.u64 R20, U4\nmov.u32 R6, #1\nwait: ld.u32.global R5, [R20]\nsetp.u32.ne P1, R5, R2, "
		       "PT\n@P1 bra wait\n"
		       "bar 0, R0, R0, PT, $0\nsetp.u32.eq P0, R1, #0, PT\n@P0 red.u32.global [R20], R6\nexit\n",
		 40, 64);
	assert(words(kit)[0] == 40);
}

static void test_each_block_runs_once_whoever_takes_it(struct kit *kit)
{
	static const uint32_t counts[] = { 1, 2, 3, 4, 63, 64, 97, 1000, 4099 };

	kit->desc.shared_static = 0;
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		memset(kit->memory, 0, 4 * 5000);
		run_good(kit,
			 BEGIN "mov.u32 R3, #1\nmulw.u32 R20, R2, #4\nadd.u64 R20, R20, U4\n"
			       "atom.u32.global.add R6, [R20], R3, R2047\nexit\n",
			 counts[n], 32);
		for (uint32_t i = 0; i < 5000; i++)
			assert(words(kit)[i] == (i < counts[n] ? 32 : 0));
	}
}

static void test_blocks_may_wait_for_the_one_before(struct kit *kit)
{
	/* block b adds what block b - 1 has left, once that has told so: more blocks than are resident */
	memset(kit->memory, 0, 16384);
	run_good(kit,
		 BEGIN
		 "mulw.u32 R20, R2, #8\nadd.u64 R20, R20, U4\nmov.u32 R5, #0\nmov.u32 R6, #1\n"
		 "setp.u32.eq P0, R2, #0, PT\n@P0 bra go\n"
		 "wait: ld.u32.global.volatile R4, [R20 - 8]\nsetp.u32.eq P1, R4, #0, PT\n@P1 bra wait\n"
		 "ld.u32.global.volatile R5, [R20 - 4]\ngo: add.u32 R5, R5, R2\nst.u32.global.volatile R5, [R20 + 4]\n"
		 "fence.sub3\nst.u32.global.volatile R6, [R20]\nexit\n",
		 120, 1);
	for (uint32_t i = 0; i < 120; i++)
		assert(words(kit)[2 * i + 1] == i * (i + 1) / 2);
}

static void test_cooperative_blocks_are_all_resident(struct kit *kit)
{
	/* every block waits for every other */
	memset(kit->memory, 0, 4096);
	kit->desc.flags = PL_ISA_LAUNCH_COOPERATIVE;
	run_good(kit,
		 BEGIN "mov.u64 R20, U4\nmov.u32 R6, #1\nsetp.u32.eq P0, R1, #0, PT\n@P0 red.u32.global [R20], R6\n"
		       "wait: ld.u32.global R5, [R20]\nsetp.u32.ne P1, R5, #50, PT\n@P1 bra wait\nexit\n",
		 50, 64);
	kit->desc.flags = 0;
	assert(words(kit)[0] == 50);
}

static void test_barriers_order_shared_memory(struct kit *kit)
{
	/* each thread stores its number, reads its mirror image's */
	kit->desc.shared_static = 4096;
	run_good(kit,
		 BEGIN "shl.u32 R3, R1, #2\nst.u32.shared R1, [R3]\nbar 0, R0, R0, PT, $0\nmov.u32 R4, #4092\nsub.u32 "
		       "R4, R4, R3\n"
		       "ld.u32.shared R5, [R4]\nst.u32.global R5, [U4 + R1 << 2]\nexit\n",
		 3, 1024);
	for (uint32_t i = 0; i < 1024; i++)
		assert(words(kit)[i] == 1023 - i);
	kit->desc.shared_static = 0;
}

static void test_barriers_with_counts_and_reductions(struct kit *kit)
{
	/* warps 0, 1 meet at barrier 3 (64 threads); then all: popc, and, or of "number is odd" */
	run_good(kit,
		 BEGIN "setp.u32.lt P0, R1, #64, PT\n@P0 bar 0, R0, R0, PT, $0x403\nand.u32 R3, R1, #1\nr2p P1, "
		       "R3\nbar.sub2 20, R0, R0, P1, $0\n"
		       "bar.sub3 2, R0, R0, P1, $0\nbar.sub4 3, R0, R0, P1, $0\np2r R21, P2\np2r R22, "
		       "P3\nst.u32.global R20, [U4 + R1 << 2]\n"
		       "st.u32.global R21, [U4 + R1 << 2 + 4096]\nst.u32.global R22, [U4 + R1 << 2 + 8192]\nexit\n",
		 1, 160);
	for (int i = 0; i < 160; i++)
		assert(words(kit)[i] == 80 && words(kit)[1024 + i] == 0 && words(kit)[2048 + i] == 1);
	/* barrier.arrive: warp 1 does not wait */
	run_good(kit,
		 BEGIN "setp.u32.lt P0, R1, #32, PT\n@P0 bar 0, R0, R0, PT, $0x401\n@!P0 bar.sub1 0, R0, R0, PT, "
		       "$0x401\nexit\n",
		 1, 64);
}

static void test_exits_complete_barriers(struct kit *kit)
{
	run_good(kit,
		 BEGIN "setp.u32.lt P0, R1, #32, PT\n@!P0 exit\nbar 0, R0, R0, PT, $0\nst.u32.global R1, [U4 + R1 << "
		       "2]\nexit\n",
		 1, 128);
}

static void test_calls_and_recursion(struct kit *kit)
{
	/* f(n) = n < 2 ? 1 : n * f(n - 1): n is R0, and so is the result; a call's frame begins at R3 */
	static const uint32_t factorial[] = { 1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800 };
	const char *text =
		BEGIN "rem.u32 R60, R1, #12\ncall 60, 2, 0, f\nst.u32.global R60, [U4 + R1 << 2]\nactivemask R6\n"
		      "st.u32.global R6, [U4 + R1 << 2 + 4096]\nexit\n"
		      "f: entry $0x0001004\nbssy R2\nsetp.u32.lt P0, R0, #2, PT\n@P0 bra leaf\nsub.u32 R3, R0, "
		      "#1\ncall 3, 0, 0, f\n"
		      "mul.u32 R0, R0, R3\nbra join\nleaf: mov.u32 R0, #1\njoin: bsync R2\nret\n";

	kit->desc.slots = 60 + 11 * 3 + 1;
	run_good(kit, text, 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(kit)[i] == factorial[i % 12] && words(kit)[1024 + i] == 0xffffffff);
	kit->desc.slots = 60 + 9 * 3; /* too few for the deepest */
	run_bad(kit, text, 64, PL_RG_FAULT_STACK);
	kit->desc.slots = 256;
	kit->desc.call_depth = 5;
	run_bad(kit, text, 64, PL_RG_FAULT_STACK);
	kit->desc.call_depth = 32;
}

static void test_indirect_calls_and_branch_tables(struct kit *kit)
{
	/* lane & 3 chooses the function by its address, then the row of a table */
	const char *text = BEGIN
		"bssy R12\ns2u.u64 U8, $32\nand.u32 R3, R1, #1\nmul.u32 R3, R3, #48\nadd.u32 R3, R3, #%u\ncvt.u64.u32 "
		"R20, R3\n"
		"add.u64 R20, R20, U8\ncalli 40, R20, 0, 0\nand.u32 R4, R1, #3\nbssy R11\nbrx 4, R4, table\n"
		"table: bra t0\nbra t1\nbra t1\nbra t0\nt0: add.u32 R40, R40, #1\nbra join\nt1: add.u32 R40, R40, #2\n"
		"join: bsync R11\nst.u32.global R40, [U4 + R1 << 2]\nexit\nentry $0x4\nmov.u32 R0, #100\nret\n"
		"entry $0x4\nmov.u32 R0, #200\nret\n";
	char full[2048];

	snprintf(full, sizeof(full), text, 25 * 16);
	run_good(kit, full, 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(kit)[i] == (i & 1 ? 200u : 100u) + ((i & 3) == 1 || (i & 3) == 2 ? 2u : 1u));
	snprintf(full, sizeof(full), text, 26 * 16); /* no ENTRY there */
	run_bad(kit, full, 64, PL_RG_FAULT_BAD_CODE);
}

static void test_memory_of_all_widths_and_strides(struct kit *kit)
{
	static const char *const types[] = { "u8", "s8", "u16", "s16", "u32", "u64", "b128" };
	static const unsigned bytes[] = { 1, 1, 2, 2, 4, 8, 16 };

	/* copies element stride * i + shift of the source, by a 64-bit address, under a partial mask; v1, v2, v4 */
	for (unsigned t = 0; t < 7; t++)
		for (unsigned vec = 0; vec < 3; vec++)
			for (unsigned stride = 0; stride < 4; stride++) {
				unsigned size = bytes[t] << vec;
				char text[1024];

				if (size > 32)
					continue;
				for (unsigned i = 0; i < 65536; i++)
					kit->memory[i] = (uint8_t)(i * 7 + (i >> 8)), kit->memory[65536 + i] = 0xee;
				snprintf(text, sizeof(text),
					 BEGIN "mulw.u32 R20, R1, #%u\nadd.u64 R20, R20, U4\nmulw.u32 R22, R1, "
					       "#%u\nadd.u64 R22, R22, U4\n"
					       "and.u32 R3, R1, #5\nr2p P1, R3\n@P1 ld.%s.v%u R40, [R20 + 64]\n@P1 "
					       "st.%s.v%u R40, [R22 + 65536]\nexit\n",
					 stride * size, size, types[t], 1u << vec, types[t], 1u << vec);
				if (vec == 0) {
					char *v1;
					while ((v1 = strstr(text, ".v1")))
						memmove(v1, v1 + 3, strlen(v1 + 3) + 1);
				}
				run_good(kit, text, 1, 96);
				for (unsigned i = 0; i < 96 * size; i++) {
					unsigned lane = i / size;
					uint8_t want =
						lane & 5 ? kit->memory[64 + stride * size * lane + i % size] : 0xee;
					assert(kit->memory[65536 + i] == want);
				}
			}
}

static void test_shared_and_local_memory_by_every_address(struct kit *kit)
{
	/* a number goes through shared memory (32-bit, generic, scattered), then through local memory (32-bit, 64-bit,
	 * generic, bytes) */
	kit->desc.shared_static = 16384;
	kit->desc.local_bytes = 64;
	run_good(
		kit,
		BEGIN
		"mul.u32 R3, R1, #68\nst.u32.shared R1, [R3 + 4]\ncvt.u64.u32 R20, R3\numov64 U8, 0, 1016, 7, $0x0\n"
		"mov64 R22, 1792, 31, 0, $0\nadd.u64 R24, R20, R22\nld.u32 R5, [R24 + 4]\nmov.u32 R6, #8\nst.u32.local "
		"R5, [R6]\nld.u32.local R7, [R6]\n"
		"add.u32 R7, R7, #1\nst.u32.local R7, [12]\nld.u64.local R30, [R6]\nmov64 R26, 1536, 31, 0, $0\nld.u32 "
		"R8, [R26 + 12]\n"
		"st.u8.local R8, [R6 + 1]\nld.u8.local R9, [R6 + 1]\nld.u32.local.v4 R40, [0]\nhalf.u32.sub1 R11, R30\n"
		"st.u32.global R5, [U4 + R1 << 2]\nst.u32.global R8, [U4 + R1 << 2 + 4096]\nst.u32.global R9, [U4 + R1 "
		"<< 2 + 8192]\n"
		"st.u32.global R43, [U4 + R1 << 2 + 12288]\nst.u32.global R11, [U4 + R1 << 2 + 16384]\nexit\n",
		2, 224);
	for (uint32_t i = 0; i < 224; i++) {
		assert(words(kit)[i] == i && words(kit)[1024 + i] == i + 1 && words(kit)[2048 + i] == ((i + 1) & 255));
		assert(words(kit)[3072 + i] == i + 1 && words(kit)[4096 + i] == i + 1);
	}
	kit->desc.shared_static = 0;
	kit->desc.local_bytes = 0;
}

static void test_atomics_under_contention(struct kit *kit)
{
	/* every thread: add 1 and a lane's number to one word, max, cas loop, f32 add, 64-bit add; shared too */
	memset(kit->memory, 0, 65536);
	kit->desc.shared_static = 64;
	run_good(kit,
		 BEGIN "mov.u64 R20, U4\nmov.u32 R6, #1\natom.u32.global R7, [R20], R6, R0\nst.u32.global R7, [U4 + R7 "
		       "<< 2 + 4096]\n"
		       "red.u32.global.max [R20 + 4], R7\nmov.u32 R8, #0x3f800000\nred.f32.global [R20 + 8], "
		       "R8\ncvt.u64.u32 R22, R1\n"
		       "red.u64.global [R20 + 16], R22\nagain: ld.u32.global R9, [R20 + 24]\nadd.u32 R10, R9, #3\n"
		       "atom.u32.global.cas R11, [R20 + 24], R9, R10\nsetp.u32.ne P1, R11, R9, PT\n@P1 bra again\n"
		       "setp.u32.eq P2, R1, #0, PT\nmov.u32 R12, #0\n@P2 st.u32.shared R12, [0]\nbar 0, R0, R0, PT, "
		       "$0\nred.u32.shared [0], R6\n"
		       "bar 0, R0, R0, PT, $0\nld.u32.shared R13, [0]\n@P2 red.u32.global [R20 + 28], R13\nexit\n",
		 16, 256);
	kit->desc.shared_static = 0;
	assert(words(kit)[0] == 4096 && words(kit)[1] == 4095 && words(kit)[2] == 0x45800000);
	assert(*(uint64_t *)(void *)(kit->memory + 16) == 16 * (255 * 256 / 2));
	assert(words(kit)[6] == 3 * 4096 && words(kit)[7] == 4096);
	for (uint32_t i = 0; i < 4096; i++) /* each old value was seen once */
		assert(words(kit)[1024 + i] == i);
}

static void test_shuffles_votes_and_matches(struct kit *kit)
{
	run_good(kit,
		 BEGIN "s2r.u32 R3, $12\nshfl R4, R3, #, R0, $0x7f001f05\nshfl.sub1 R5, R3, #, R0, "
		       "$0x01000002\nshfl.sub2 R6, R3, #, R0, $0x7f001f03\n"
		       "shfl.sub3 R7, R3, #, R0, $0x7f181f01\np2r R8, P1\nsetp.u32.lt P2, R3, #3, PT\nballot R9, P2, "
		       "#0xffffffff\nvote.sub1 P3, P2, #0xf0\np2r R10, P3\n"
		       "shr.u32 R11, R3, #2\nmov.u32 R12, #0xffffffff\nmatch.u32 R13, R11, R12, PT\nredux.u32 R14, R3, "
		       "#0xffffffff\nelect R15, #0xfffffff0, P4\n"
		       "st.u32.global R4, [U4 + R3 << 2]\nst.u32.global R5, [U4 + R3 << 2 + 128]\nst.u32.global R6, "
		       "[U4 + R3 << 2 + 256]\n"
		       "st.u32.global R7, [U4 + R3 << 2 + 384]\nst.u32.global R8, [U4 + R3 << 2 + 512]\nst.u32.global "
		       "R9, [U4 + R3 << 2 + 640]\n"
		       "st.u32.global R10, [U4 + R3 << 2 + 768]\nst.u32.global R13, [U4 + R3 << 2 + "
		       "896]\nst.u32.global R14, [U4 + R3 << 2 + 1024]\n"
		       "st.u32.global R15, [U4 + R3 << 2 + 1152]\nexit\n",
		 1, 32);
	for (uint32_t i = 0; i < 32; i++) {
		const uint32_t *w = words(kit) + i;
		assert(w[0] == 5 && w[32] == (i < 2 ? i : i - 2) && w[64] == (i + 3 > 31 ? i : i + 3) &&
		       w[96] == (i ^ 1));
		assert(w[128] == (i >= 2) && w[160] == 7 && w[192] == 0 && w[224] == 0xfu << (i & ~3u) &&
		       w[256] == 496 && w[288] == (i < 4 ? i : 4u));
	}
}

static void test_faults_name_address_and_thread(struct kit *kit)
{
	const struct pl_rg_fault *fault = &kit->result.fault;

	run_bad(kit,
		BEGIN "setp.u32.eq P0, R1, #37, PT\nmov64 R20, 1, 0, 0, $0x1234\n@P0 ld.u32.global R5, [R20]\nexit\n",
		64, PL_RG_FAULT_PT_NOT_PRESENT);
	assert(fault->address == 0x100001234ull);
	assert(fault->access == PL_RG_READ && fault->thread[0] == 37 && fault->block[0] == 0 &&
	       fault->pc == KIT_VA + KIT_CODE + 6 * 16);
	run_bad(kit, BEGIN "mov.u64 R20, U4\nst.u32.global R5, [R20 + 48234496]\nexit\n", 32, PL_RG_FAULT_READ_ONLY);
	assert(fault->access == PL_RG_WRITE && fault->address == KIT_VA + KIT_READ_ONLY);
	run_bad(kit, BEGIN "mov.u64 R20, U4\nld.u32.global R5, [R20 + 2]\nexit\n", 32, PL_RG_FAULT_MISALIGNED);
	run_bad(kit, BEGIN "ld.u32.shared R5, [64]\nexit\n", 32, PL_RG_FAULT_SHARED_RANGE);
	run_bad(kit, BEGIN "shl.u32 R3, R1, #2\nst.u32.shared R5, [R3]\nexit\n", 32, PL_RG_FAULT_SHARED_RANGE);
	run_bad(kit, BEGIN "ld.u32.local R5, [0]\nexit\n", 32, PL_RG_FAULT_LOCAL_RANGE);
	run_bad(kit, BEGIN "trap\nexit\n", 32, PL_RG_FAULT_TRAP);
	run_bad(kit, BEGIN "nop\n", 32, PL_RG_FAULT_BAD_CODE); /* falls off the end */
	run_bad(kit, BEGIN "setp.u32.eq P0, R1, #0, PT\n@P0 bar 0, R0, R0, PT, $0x401\nexit\n", 32,
		PL_RG_FAULT_DEADLOCK);
	run_bad(kit, BEGIN "add.u32 R64, R1, R1\nexit\n", 32, PL_RG_FAULT_BAD_CODE);
	assert(fault->pc == KIT_VA + KIT_CODE + 4 * 16);
}

static void test_bad_descriptors_are_refused(struct kit *kit)
{
	struct pl_isa_launch good = kit->desc;

	kit_code(kit, BEGIN "exit\n");
	good = kit->desc;
#define REFUSED(change, code_)                                                                                         \
	kit->desc = good;                                                                                              \
	change;                                                                                                        \
	assert(kit_run(kit, 1, 32) == (code_));
	REFUSED(kit->desc.magic++, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.flags = 64, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.shared_dynamic = 0xffffffff, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.slots = 1u << 30, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.entry = 5, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.entry = 1, PL_RG_FAULT_BAD_CODE)
	REFUSED(kit->desc.code_va = 8, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.code_va = 1ull << 38, PL_RG_FAULT_PT_NOT_PRESENT)
	REFUSED(kit->desc.code_insns = 0xffffffff, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.block[1] = 0x40000000, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.grid[1] = 0x80000000, PL_RG_FAULT_BAD_LAUNCH)
	REFUSED(kit->desc.slots = 3, PL_RG_FAULT_STACK)
	kit->desc = good;
	assert(kit_run(kit, 1, 1025) == PL_RG_FAULT_BAD_LAUNCH);
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_NONE);
}

static void test_endless_kernels_can_be_stopped(struct kit *kit)
{
	const char *text = BEGIN "loop: bra loop\n";

	kit->instructions_max = 1000000;
	run_bad(kit, text, 64, PL_RG_FAULT_WATCHDOG);
	kit->instructions_max = 0;
	kit->stop = PL_RG_FAULT_KILLED;
	run_bad(kit, text, 64, PL_RG_FAULT_KILLED);
	kit->stop = 0;
}

static void test_printf_malloc_and_assert(struct kit *kit)
{
	struct pl_isa_printf *buffer = (void *)(kit->memory + (1 << 20));
	struct pl_isa_printf_record *record = (void *)(buffer + 1);
	struct pl_isa_assert *report = (void *)(kit->memory + (2 << 20));
	char *strings = (char *)kit->memory + 8192;
	double pi = 3.25;

	memset(kit->memory, 0, 4 << 20);
	*buffer = (struct pl_isa_printf){ .bytes = 4096 };
	strcpy(strings, "%d %s %5.2f %lld%%\n");
	strcpy(strings + 64, "text");
	/* arguments: int, pointer, double, long long */
	*(int32_t *)(void *)(strings + 128) = -5;
	*(uint64_t *)(void *)(strings + 136) = KIT_VA + 8192 + 64;
	memcpy(strings + 144, &pi, 8);
	*(int64_t *)(void *)(strings + 152) = 1ll << 40;
	kit->desc.printf_va = KIT_VA + (1 << 20);
	kit->desc.heap_va = KIT_VA + (3 << 20);
	kit->desc.heap_bytes = 65536;
	kit->desc.assert_va = KIT_VA + (2 << 20);
	kit->desc.kernel_id = 9;
	run_good(kit,
		 BEGIN "mov.u64 R20, U4\nadd.u64 R22, R20, #8192\nadd.u64 R24, R22, #128\nsetp.u32.eq P0, R1, #3, "
		       "PT\n@P0 sys R5, R22, R24, R0, $0\n"
		       "@P0 st.u32.global R5, [R20]\nmov.u64 R26, #40\nsys R28, R26, R0, R0, $1\nst.u64.global R28, "
		       "[U4 + R1 << 3 + 4096]\nst.u32.global R1, [R28 + 36]\n"
		       "sys R0, R28, R0, R0, $2\nmov.u64 R26, #100000\nsys R30, R26, R0, R0, $1\nst.u64.global R30, "
		       "[R20 + 8]\nexit\n",
		 1, 32);
	assert(words(kit)[0] == 4 && record->arg_count == 4 && record->thread[0] == 3 && record->kernel_id == 9);
	assert(record->args[0] == (uint64_t)-5 && memcmp(&record->args[2], &pi, 8) == 0 &&
	       record->args[3] == 1ull << 40);
	assert(strcmp((char *)record + record->format_offset, strings) == 0 &&
	       strcmp((char *)record + record->args[1], "text") == 0);
	assert(buffer->used == record->bytes && !buffer->dropped);
	for (int i = 0; i < 32; i++)
		for (int k = 0; k < i; k++) {
			const uint64_t *at = (void *)(kit->memory + 4096);
			assert(at[i] && at[i] % 16 == 0 && at[i] != at[k]);
		}
	assert(*(uint64_t *)(void *)(kit->memory + 8) == 0); /* more than the heap has */
	run_bad(kit,
		BEGIN "mov.u64 R20, U4\nadd.u64 R22, R20, #8256\nmov.u32 R9, #77\nsetp.u32.eq P0, R1, #5, PT\n@P0 sys "
		      "R0, R22, R22, R22, $0x903\nexit\n",
		32, PL_RG_FAULT_ASSERT);
	assert(report->raised == 1 && report->line == 77 && report->thread[0] == 5 &&
	       strcmp(report->file, "text") == 0);
	/* a second free of the same block */
	run_bad(kit,
		BEGIN
		"mov.u64 R26, #40\nsys R28, R26, R0, R0, $1\nsys R0, R28, R0, R0, $2\nsys R0, R28, R0, R0, $2\nexit\n",
		1, PL_RG_FAULT_TRAP);
	kit->desc.printf_va = kit->desc.heap_va = kit->desc.heap_bytes = kit->desc.assert_va = 0;
}

static void test_mbarriers_and_async_copies(struct kit *kit)
{
	/* 64 threads arrive at an mbarrier of 64 with what each copied; all see all */
	for (uint32_t i = 0; i < 64; i++)
		words(kit)[i] = i * 3;
	kit->desc.shared_static = 1024;
	run_good(kit,
		 BEGIN "setp.u32.eq P0, R1, #0, PT\nmov.u32 R3, #512\nmov.u32 R4, #64\n@P0 mbar 0, R3, R4, R0, $0\nbar "
		       "0, R0, R0, PT, $0\n"
		       "shl.u32 R5, R1, #2\ncvt.u64.u32 R20, R5\nadd.u64 R20, R20, U4\ncpasync.u32 R5, R20, R2047, "
		       "$0\nmov.u32 R6, #1\nmbar.sub2 30, R3, R6, R0, $0\n"
		       "wait: mbar.sub9 1, R3, R0, R30, $0\n@!P1 bra wait\nmov.u32 R7, #252\nsub.u32 R7, R7, "
		       "R5\nld.u32.shared R8, [R7]\n"
		       "st.u32.global R8, [U4 + R1 << 2 + 4096]\nexit\n",
		 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(kit)[1024 + i] == (63 - i) * 3);
	kit->desc.shared_static = 0;
}

static void test_a_warp_that_asks_an_mbarrier_gives_way(struct kit *kit)
{
	bool told[1025] = { false };
	char text[1024];

	kit->desc.shared_static = 1024;
	sprintf(text,
		BEGIN "setp.u32.eq P0, R1, #0, PT\nmov.u32 R3, #512\nmov.u32 R4, #1024\n@P0 mbar 0, R3, R4, R0, $0\n"
		      "bar 0, R0, R0, PT, $0\nmov.u32 R6, #1\nmbar.sub%u 30, R3, R6, R0, $0\n"
		      "wait: mbar.sub%u 1, R3, R0, R30, $0\n@!P1 bra wait\ncvt.u32.u64 R8, R30\n"
		      "and.u32 R8, R8, #0xfffff\nst.u32.global R8, [U4 + R1 << 2]\nexit\n",
		PL_ISA_MBAR_ARRIVE, PL_ISA_MBAR_TEST);
	run_good(kit, text, 1, 1024);
	for (uint32_t i = 0; i < 1024; i++) { /* arrivals that were still to come */
		uint32_t pending = words(kit)[i];

		assert(pending >= 1 && pending <= 1024 && !told[pending]);
		assert(i % 32 == 0 || pending == words(kit)[i - 1] - 1);
		told[pending] = true;
	}
	assert(kit->result.instructions < 32 * 40);
	kit->desc.shared_static = 0;
}

static void test_check_mode_finds_races(struct kit *kit)
{
	kit->desc.flags = PL_ISA_LAUNCH_CHECK;
	kit->desc.shared_static = 1024;
	run_good(kit,
		 BEGIN "shl.u32 R3, R1, #2\nst.u32.shared R1, [R3]\nbar 0, R0, R0, PT, $0\nxor.u32 R4, R3, "
		       "#128\nld.u32.shared R5, [R4]\nexit\n",
		 2, 64);
	run_bad(kit,
		BEGIN
		"shl.u32 R3, R1, #2\nst.u32.shared R1, [R3]\nxor.u32 R4, R3, #128\nld.u32.shared R5, [R4]\nexit\n",
		64, PL_RG_FAULT_SHARED_UNINIT);
	run_bad(kit, BEGIN "mov.u32 R3, #0\nst.u32.shared R1, [R3]\nexit\n", 64, PL_RG_FAULT_SHARED_RACE);
	run_bad(kit, BEGIN "ld.u32.shared R1, [4]\nexit\n", 32, PL_RG_FAULT_SHARED_UNINIT);
	run_bad(kit, BEGIN "setp.u32.lt P0, R1, #5, PT\n@P0 bar 0, R0, R0, PT, $0\nexit\n", 32,
		PL_RG_FAULT_DIVERGENT_BARRIER);
	kit->desc.flags = 0;
	kit->desc.shared_static = 0;
}

static void test_changed_code_shows_after_a_flush(struct kit *kit)
{
	struct pl_isa_text_error error;
	struct pl_isa_insn insn;
	uint32_t count;

	run_good(kit, BEGIN "mov.u32 R3, #1\nst.u32.global R3, [U4 + R1 << 2]\nexit\n", 1, 32);
	assert(!pl_isa_assemble("mov.u32 R3, #2", 14, &insn, 1, &count, &error));
	memcpy(kit->memory + KIT_CODE + 4 * 16, &insn, 16);
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_NONE && words(kit)[0] == 1); /* stale, as no flush was asked for */
	kit_flush(kit);
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_NONE && words(kit)[0] == 2);
}

static void test_virtual_time_is_the_same_each_run(struct kit *kit)
{
	uint64_t first[2];

	kit->instruction_ps = 1000;
	for (int i = 0; i < 2; i++) {
		run_good(kit,
			 BEGIN "mov.u32 R3, #0\nloop: add.u32 R3, R3, #1\nsetp.u32.lt P0, R3, #1000, PT\n@P0 bra "
			       "loop\ns2r.u64 R20, $25\n"
			       "mov.u64 R22, U4\nst.u64.global R20, [R22]\nexit\n",
			 1, 32);
		first[i] = *(uint64_t *)(void *)kit->memory;
		assert(kit->result.instructions > 3000 && kit->result.instructions < 3020);
	}
	assert(first[0] == first[1] && first[0] >= 3000 && first[0] < 3020);
	kit->instruction_ps = 0;
}

int main(int argc, char **argv)
{
	static void (*const tests[])(struct kit *) = {
		test_divergent_lanes_meet_again,
		test_loops_of_different_length,
		test_lanes_that_exit_are_not_waited_for,
		test_a_lane_that_spins_for_another_gets_its_answer,
		test_warps_and_blocks_that_spin_for_others,
		test_each_block_runs_once_whoever_takes_it,
		test_blocks_may_wait_for_the_one_before,
		test_cooperative_blocks_are_all_resident,
		test_barriers_order_shared_memory,
		test_barriers_with_counts_and_reductions,
		test_exits_complete_barriers,
		test_calls_and_recursion,
		test_indirect_calls_and_branch_tables,
		test_memory_of_all_widths_and_strides,
		test_shared_and_local_memory_by_every_address,
		test_atomics_under_contention,
		test_shuffles_votes_and_matches,
		test_faults_name_address_and_thread,
		test_bad_descriptors_are_refused,
		test_endless_kernels_can_be_stopped,
		test_printf_malloc_and_assert,
		test_mbarriers_and_async_copies,
		test_a_warp_that_asks_an_mbarrier_gives_way,
		test_check_mode_finds_races,
		test_changed_code_shows_after_a_flush,
		test_virtual_time_is_the_same_each_run,
	};
	static struct kit kit;

	assert(argc == 2);
	for (uint32_t threads = 1; threads <= 3; threads += 2) {
		kit_begin(&kit, argv[1], threads);
		for (unsigned i = 0; i < sizeof(tests) / sizeof(*tests); i++)
			tests[i](&kit);
		kit_end(&kit);
	}
	return 0;
}
