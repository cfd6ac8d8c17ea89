/* Lanes of one warp that wait for each other in ways that need fair turns.  Usage: test-refgpu-splits BUILD */
#include "refgpu/compute/kit.h"

/* 64 R, 8 P, 16 U; R1 thread */
#define BEGIN "entry $0x1008040\nuld.u64.param U4, [0]\ns2r.u32 R1, $33\nmov.u64 R20, U4\n"

static uint32_t *words(struct kit *kit)
{
	return (uint32_t *)(void *)kit->memory;
}

static void run_good(struct kit *kit, const char *text, uint32_t blocks, uint32_t threads)
{
	memset(kit->memory, 0, 16384);
	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	if (kit_run(kit, blocks, threads) != PL_RG_FAULT_NONE)
		fprintf(stderr, "fault %x at pc %llx\n%s", kit->result.fault.code,
			(unsigned long long)kit->result.fault.pc, text);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
}

#define LOCK                                                                                                           \
	"mov.u32 R8, #1\nmov.u32 R9, #0\nbssy R10\n"                                                                   \
	"take: atom.u32.global.cas R7, [R20], R9, R8\nsetp.u32.ne P0, R7, #0, PT\n@P0 bra take\nbsync R10\n"
#define UNLOCK "atom.u32.global.exch R7, [R20], R9, R9\n"

static void test_a_lock_goes_from_lane_to_lane(struct kit *kit)
{
	/* all lanes of all warps add 1 to a plain word, under the lock */
	run_good(kit,
		 BEGIN LOCK "ld.u32.global R11, [R20 + 4]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R20 + 4]\n" UNLOCK
			    "exit\n",
		 3, 96);
	assert(words(kit)[0] == 0 && words(kit)[1] == 288);
}

static void test_a_lock_is_taken_again_and_again(struct kit *kit)
{
	run_good(kit,
		 BEGIN "mov.u32 R12, #0\nagain: nop\n" LOCK
		       "ld.u32.global R11, [R20 + 4]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R20 + 4]\n" UNLOCK
		       "add.u32 R12, R12, #1\nsetp.u32.lt P1, R12, #20, PT\n@P1 bra again\nexit\n",
		 1, 64);
	assert(words(kit)[1] == 20 * 64);
}

static void test_lanes_that_spin_and_count_are_waited_for_longer(struct kit *kit)
{
	/* each attempt changes a register */
	run_good(kit,
		 BEGIN
		 "mov.u32 R8, #1\nmov.u32 R9, #0\nmov.u32 R13, #0\nbssy R10\n"
		 "take: atom.u32.global.cas R7, [R20], R9, R8\nadd.u32 R13, R13, #1\nsetp.u32.ne P0, R7, #0, PT\n@P0 "
		 "bra take\nbsync R10\nld.u32.global R11, [R20 + 4]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R20 + "
		 "4]\n" UNLOCK "exit\n",
		 1, 32);
	assert(words(kit)[1] == 32);
}

static void test_lanes_that_go_ahead_have_uniforms_of_their_own(struct kit *kit)
{
	/* Behind the meeting U5 and U6 are written anew; lanes that still spin read them (the lock's address). */
	run_good(kit,
		 BEGIN "umov.u64 U5, U4\numov.u64 U6, #0\nmov.u32 R8, #1\nmov.u32 R9, #0\nbssy R10\n"
		       "take: mov.u64 R20, U5\nadd.u64 R20, R20, U6\natom.u32.global.cas R7, [R20], R9, R8\n"
		       "setp.u32.ne P0, R7, #0, PT\n@P0 bra take\nbsync R10\n"
		       "uadd.u64 U5, U4, #4096\numov.u64 U6, #4\nmov.u64 R22, U5\nadd.u64 R22, R22, U6\n"
		       "ld.u32.global R11, [R22]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R22]\n"
		       "mov.u64 R20, U4\n" UNLOCK "exit\n",
		 1, 32);
	assert(words(kit)[1025] == 32 && words(kit)[0] == 0);
}

static void test_lanes_that_went_ahead_are_met_by_warpsync(struct kit *kit)
{
	/* afterwards all vote together, and each shuffles with its neighbour */
	run_good(kit,
		 BEGIN LOCK "ld.u32.global R11, [R20 + 4]\nadd.u32 R12, R11, #1\nst.u32.global R12, [R20 + 4]\n" UNLOCK
			    "warpsync #0xffffffff\nactivemask R13\nst.u32.global R13, [U4 + R1 << 2 + 4096]\n"
			    "st.u32.global R11, [U4 + R1 << 2 + 8192]\nexit\n",
		 1, 32);
	for (uint32_t i = 0, seen = 0; i < 32; i++) {
		assert(words(kit)[1024 + i] == 0xffffffff);
		assert(words(kit)[2048 + i] < 32 && !(seen >> words(kit)[2048 + i] & 1));
		seen |= 1u << words(kit)[2048 + i];
	}
}

static void test_outer_meetings_stay_whole(struct kit *kit)
{
	/* the lock lies in a branch that half of the lanes take: behind its meeting all are together again */
	run_good(kit,
		 BEGIN "and.u32 R3, R1, #1\nr2p P1, R3\nbssy R15\n@P1 bra join\n" LOCK
		       "ld.u32.global R11, [R20 + 4]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R20 + 4]\n" UNLOCK
		       "join: bsync R15\nactivemask R13\nst.u32.global R13, [U4 + R1 << 2 + 4096]\nexit\n",
		 1, 32);
	assert(words(kit)[1] == 16);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(kit)[1024 + i] == 0xffffffff);
}

static void test_a_consumer_gets_what_producers_make_behind_the_loop(struct kit *kit)
{
	/* lane i waits for the flag of lane i - 1, which that sets behind the loop that it left */
	run_good(kit,
		 BEGIN "mulw.u32 R22, R1, #8\nadd.u64 R20, R20, R22\nmov.u32 R6, #1\nmov.u32 R5, #0\n"
		       "setp.u32.eq P0, R1, #0, PT\nbssy R10\n@P0 bra go\n"
		       "wait: ld.u32.global.volatile R4, [R20 - 8]\nsetp.u32.eq P1, R4, #0, PT\n@P1 bra wait\n"
		       "ld.u32.global.volatile R5, [R20 - 4]\ngo: bsync R10\n"
		       "add.u32 R5, R5, R1\nst.u32.global R5, [R20 + 4]\nst.u32.global R6, [R20]\nexit\n",
		 1, 32);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(kit)[2 * i + 1] == i * (i + 1) / 2);
}

static void test_barriers_count_lanes_that_went_ahead(struct kit *kit)
{
	run_good(kit,
		 BEGIN LOCK "ld.u32.global R11, [R20 + 4]\nadd.u32 R11, R11, #1\nst.u32.global R11, [R20 + 4]\n" UNLOCK
			    "bar 0, R0, R0, PT, $0\nld.u32.global.volatile R12, [R20 + 4]\n"
			    "st.u32.global R12, [U4 + R1 << 2 + 4096]\nexit\n",
		 1, 96);
	for (uint32_t i = 0; i < 96; i++)
		assert(words(kit)[1024 + i] == 96);
}

static void test_a_long_loop_does_not_part_a_warp(struct kit *kit)
{
	/* lane 0 goes round 5000 times while the others wait: they are together behind it */
	run_good(kit,
		 BEGIN "mov.u32 R3, #0\nmov.u32 R5, #5000\nsetp.u32.ne P0, R1, #0, PT\nbssy R10\n@P0 bra out\n"
		       "loop: add.u32 R3, R3, #1\nsetp.u32.lt P1, R3, R5, PT\n@P1 bra loop\nout: bsync R10\n"
		       "activemask R13\nst.u32.global R13, [U4 + R1 << 2 + 4096]\nexit\n",
		 1, 32);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(kit)[1024 + i] == 0xffffffff);
}

static void test_a_warpsync_in_a_branch_is_met_by_lanes_behind_it(struct kit *kit)
{
	/* lanes 0 and 1 come to a WARPSYNC of all within two branches, the others behind either */
	run_good(kit,
		 BEGIN "setp.u32.ge P0, R1, #8, PT\nsetp.u32.ge P1, R1, #2, PT\nmov.u32 R6, #0\nmov.u32 R3, #0\n"
		       "bssy R10\n@P0 bra outer\nbssy R11\n@P1 bra inner\n"
		       "st.u32.global R1, [U4 + R1 << 2 + 4096]\nwarpsync #0xffffffff\nmov.u32 R6, #1\n"
		       "inner: bsync R11\nouter: bsync R10\nsetp.u32.ne P2, R6, #0, PT\nbssy R12\n@P2 bra join\n"
		       "warpsync #0xffffffff\nld.u32.global R3, [U4 + 4100]\njoin: bsync R12\nwarpsync #0xffffffff\n"
		       "activemask R13\nst.u32.global R13, [U4 + R1 << 2 + 4096]\n"
		       "st.u32.global R3, [U4 + R1 << 2 + 8192]\nexit\n",
		 1, 64);
	for (uint32_t i = 0; i < 32; i++) {
		assert(words(kit)[1024 + i] == 0xffffffff);
		assert(words(kit)[2048 + i] == (i < 2 ? 0 : 1));
	}
}

static void test_a_barrier_in_a_branch_is_met_by_lanes_behind_it(struct kit *kit)
{
	/* even lanes come to the block's barrier in a branch, odd ones behind it */
	run_good(kit,
		 BEGIN "and.u32 R3, R1, #1\nr2p P1, R3\nbssy R10\n@P1 bra join\n"
		       "st.u32.global R1, [U4 + R1 << 2 + 4096]\nbar 0, R0, R0, PT, $0\njoin: bsync R10\n"
		       "@!P1 bra end\nbar 0, R0, R0, PT, $0\nld.u32.global.volatile R12, [U4 + R1 << 2 + 4092]\n"
		       "st.u32.global R12, [U4 + R1 << 2 + 4096]\nend: exit\n",
		 1, 96);
	for (uint32_t i = 0; i < 96; i++)
		assert(words(kit)[1024 + i] == (i & ~1u));
}

static void test_lanes_that_wait_for_each_other_at_barriers_are_told(struct kit *kit)
{
	/* each half names all lanes, one at the warp's barrier and one at the block's: neither can go on */
	kit_code(kit, BEGIN "and.u32 R3, R1, #1\nr2p P1, R3\nbssy R10\n@P1 bra odd\nwarpsync #0xffffffff\nbra join\n"
			    "odd: bar 0, R0, R0, PT, $0\njoin: bsync R10\nexit\n");
	kit->param[0] = KIT_VA;
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_DEADLOCK);
}

int main(int argc, char **argv)
{
	static void (*const tests[])(struct kit *) = {
		test_a_lock_goes_from_lane_to_lane,
		test_a_lock_is_taken_again_and_again,
		test_lanes_that_spin_and_count_are_waited_for_longer,
		test_lanes_that_go_ahead_have_uniforms_of_their_own,
		test_lanes_that_went_ahead_are_met_by_warpsync,
		test_outer_meetings_stay_whole,
		test_a_consumer_gets_what_producers_make_behind_the_loop,
		test_barriers_count_lanes_that_went_ahead,
		test_a_long_loop_does_not_part_a_warp,
		test_a_warpsync_in_a_branch_is_met_by_lanes_behind_it,
		test_a_barrier_in_a_branch_is_met_by_lanes_behind_it,
		test_lanes_that_wait_for_each_other_at_barriers_are_told,
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
