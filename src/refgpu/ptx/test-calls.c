/* Calls of every kind, memory of every kind, and what only shows when it runs. */
#include "run.h"

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"

static struct run run;

static uint32_t *words(uint64_t offset)
{
	return (uint32_t *)(void *)(run.kit.memory + offset);
}

static void run_good(const char *text, uint32_t grid, uint32_t threads)
{
	run_compile(&run, text);
	memset(run.kit.memory, 0xee, 1 << 16);
	assert(run_simple(&run, "k", grid, threads, (uint64_t[]){ run_va(0) }) == PL_RG_FAULT_NONE);
}

#define BEGIN                                                                                                          \
	".visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<20>; .reg .b64 %rd<20>; .reg .pred %p<5>; .reg .f64 "     \
	"%fd<5>;\n"                                                                                                    \
	"ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.u64 %rd3, %rd1, %rd2;\n"
#define STORE(reg) "st.global.u32 [%rd3], " reg ";\nret;\n}\n"

static void test_recursion(void)
{
	run_good(
		HEAD
		".func (.param .b32 ret) fib(.param .b32 n)\n{\n.reg .b32 %r<9>; .reg .pred %p;\n"
		"ld.param.u32 %r1, [n]; setp.lt.u32 %p, %r1, 2; @%p bra SMALL;\n"
		"{ .param .b32 a; .param .b32 v; sub.u32 %r2, %r1, 1; st.param.b32 [a], %r2; call.uni (v), fib, (a); "
		"ld.param.b32 %r3, [v]; }\n"
		"{ .param .b32 a; .param .b32 v; sub.u32 %r2, %r1, 2; st.param.b32 [a], %r2; call.uni (v), fib, (a); "
		"ld.param.b32 %r4, [v]; }\n"
		"add.u32 %r1, %r3, %r4;\nSMALL: st.param.b32 [ret], %r1; ret;\n}\n" BEGIN
		"rem.u32 %r2, %r1, 12;\n{ .param .b32 a; .param .b32 v; st.param.b32 [a], %r2; call.uni (v), fib, (a); "
		"ld.param.b32 %r3, [v]; }\n" STORE("%r3"),
		1, 64);
	for (uint32_t i = 0; i < 64; i++) {
		static const uint32_t fib[] = { 0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89 };

		assert(words(0)[i] == fib[i % 12]);
	}
}

/* Lanes call different functions through a table, with values of both widths live across the call. */
static void test_divergent_calls_through_a_table(void)
{
	run_good(HEAD ".func (.param .b64 ret) twice(.param .b64 x)\n{ .reg .b64 %a; ld.param.b64 %a, [x]; add.u64 %a, "
		      "%a, %a; "
		      "st.param.b64 [ret], %a; ret; }\n"
		      ".func (.param .b64 ret) thrice(.param .b64 x)\n{ .reg .b64 %a, %b; .reg .b32 %r<20>; "
		      "ld.param.b64 %a, [x];\n"
		      "cvt.u32.u64 %r1, %a; mov.u32 %r2, 7; L: add.u32 %r2, %r2, %r1; mul.lo.u32 %r3, %r2, %r2; .reg "
		      ".pred %p; "
		      "setp.lt.u32 %p, %r3, 1000; @%p bra L;\n"
		      "mul.lo.u64 %b, %a, 3; st.param.b64 [ret], %b; ret; }\n"
		      ".global .u64 table[2] = {twice, thrice};\n" BEGIN
		      "and.b32 %r2, %r1, 1; mul.wide.u32 %rd4, %r2, 8; mov.u64 %rd5, table; add.u64 %rd5, %rd5, %rd4; "
		      "ld.global.u64 %rd6, [%rd5];\n"
		      "add.u32 %r5, %r1, 100; cvt.u64.u32 %rd7, %r5;\n"
		      "{ .param .b64 a; .param .b64 v; st.param.b64 [a], %rd7; P: .callprototype (.param .b64 _) _ "
		      "(.param .b64 _);\n"
		      "call (v), %rd6, (a), P; ld.param.b64 %rd8, [v]; }\n"
		      "cvt.u32.u64 %r6, %rd8; sub.u32 %r6, %r6, %r5; vote.sync.ballot.b32 %r7, 1, 0xffffffff;\n" STORE(
			      "%r6"),
		 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(0)[i] == (i + 100) * (i & 1 ? 2 : 1));
}

static void test_structures_by_value(void)
{
	run_good(HEAD ".func (.param .align 4 .b8 ret[12]) turn(.param .align 4 .b8 s[12], .param .b32 k)\n{\n.reg "
		      ".b32 %r<9>; .reg "
		      ".b64 %rd<4>;\n"
		      "ld.param.u32 %r1, [s]; ld.param.u32 %r2, [s+4]; ld.param.u32 %r3, [s+8]; ld.param.u32 %r4, [k]; "
		      "add.u32 %r1, "
		      "%r1, %r4;\n"
		      "st.param.b32 [ret], %r2; st.param.b32 [ret+4], %r3; st.param.b32 [ret+8], %r1; ret;\n}\n" BEGIN
		      "{ .param .align 4 .b8 s[12]; .param .b32 k; .param .align 4 .b8 v[12];\n"
		      "st.param.b32 [s], %r1; st.param.b32 [s+4], 20; st.param.b32 [s+8], 30; st.param.b32 [k], 5;\n"
		      "call.uni (v), turn, (s, k); ld.param.b32 %r2, [v]; ld.param.b32 %r3, [v+4]; ld.param.b32 %r4, "
		      "[v+8]; }\n"
		      "mad.lo.u32 %r2, %r2, 1000, %r3; mad.lo.u32 %r2, %r2, 1000, %r4;\n" STORE("%r2"),
		 1, 40);
	for (uint32_t i = 0; i < 40; i++)
		assert(words(0)[i] == 20030000 + i + 5);
}

static void test_local_memory_is_each_threads_own(void)
{
	run_good(HEAD BEGIN
		 ".local .align 8 .b8 depot[64]; .reg .b64 %sp; mov.u64 %sp, depot; cvta.local.u64 %rd4, %sp;\n"
		 "mul.lo.u32 %r2, %r1, 3; st.local.u32 [depot+8], %r2; and.b32 %r3, %r1, 7; mul.wide.u32 %rd5, %r3, 4; "
		 "add.u64 "
		 "%rd6, %rd4, %rd5;\n"
		 "st.u32 [%rd6+16], %r1; ld.local.u32 %r4, [%sp+8]; add.u64 %rd7, %sp, %rd5; ld.local.u32 %r5, "
		 "[%rd7+16]; "
		 "mad.lo.u32 %r4, %r5, 1000, %r4;\n" STORE("%r4"),
		 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(0)[i] == i * 1000 + i * 3);
}

static void test_stack_grows_in_loops(void)
{
	run_good(HEAD BEGIN "mov.u32 %r5, 0; mov.u64 %rd9, 0; and.b32 %r2, %r1, 3;\n"
			    "L: alloca.u64 %rd4, 16; cvta.local.u64 %rd5, %rd4; st.u64 [%rd5], %rd9; st.u32 [%rd5+8], "
			    "%r5; mov.u64 %rd9, "
			    "%rd5;\n"
			    "add.u32 %r5, %r5, 1; .reg .pred %q; setp.le.u32 %q, %r5, %r2; @%q bra L;\n"
			    "mov.u32 %r6, 0; M: ld.u32 %r7, [%rd9+8]; mad.lo.u32 %r6, %r6, 10, %r7; ld.u64 %rd9, "
			    "[%rd9]; setp.ne.u64 %q, %rd9, "
			    "0; @%q bra M;\n" STORE("%r6"),
		 1, 32);
	for (uint32_t i = 0; i < 32; i++) {
		static const uint32_t want[] = { 0, 10, 210, 3210 };

		assert(words(0)[i] == want[i & 3]);
	}
}

static void test_variables_with_initial_data(void)
{
	run_good(HEAD ".const .align 4 .u16 c[4] = {1, 0xffff, 3, 4};\n.global .align 8 .u32 g[4] = {10, 20};\n"
		      ".global .align 8 .u64 p[2] = {g+4, generic(c)};\n.global .f64 d = 2.5;\n.global .f32 f[2] = "
		      "{0f3F800000, -3.0};\n"
		      ".global .align 1 .b8 bytes[8] = {0xFF(g), 0xFF00(g), 0xFF0000(g), 0xFF000000(g), "
		      "0xFF00000000(g), 0, 0, 0};\n" BEGIN ".reg .b16 %h<3>; .reg .f32 %f<3>;\n"
		      "ld.global.u64 %rd4, [p]; ld.global.u32 %r2, [%rd4]; ld.const.u16 %h1, [c+2]; cvt.u32.u16 %r3, "
		      "%h1; ld.global.u64 "
		      "%rd5, [p+8]; ld.u16 %r4, [%rd5+4];\n"
		      "ld.global.f64 %fd1, [d]; cvt.rzi.u32.f64 %r5, %fd1; ld.global.f32 %f1, [f+4]; cvt.rni.s32.f32 "
		      "%r6, %f1; "
		      "ld.global.u64 %rd6, [bytes]; ld.global.u32 %r7, [%rd6+12];\n"
		      "st.global.v4.u32 [%rd1], {%r2, %r3, %r4, %r5}; st.global.v2.u32 [%rd1+16], {%r6, %r7}; ret; }\n",
		 1, 1);
	assert(words(0)[0] == 20 && words(0)[1] == 0xffff && words(0)[2] == 3 && words(0)[3] == 2);
	assert(words(0)[4] == (uint32_t)-3 && words(0)[5] == 0);
}

static void test_shared_memory_static_and_dynamic(void)
{
	run.dynamic_shared = 1024;
	run_good(HEAD
		 ".shared .align 4 .b8 fixed[256];\n.extern .shared .align 16 .b8 dyn[];\n"
		 ".func (.param .b32 ret) peek(.param .b32 i)\n{ .reg .b32 %r<9>; ld.param.u32 %r1, [i]; shl.b32 %r2, "
		 "%r1, 2; mov.u32 "
		 "%r3, dyn; add.u32 %r3, %r3, %r2; ld.shared.u32 %r4, [%r3]; st.param.b32 [ret], %r4; ret; }\n" BEGIN
		 "shl.b32 %r2, %r1, 2; mov.u32 %r3, fixed; add.u32 %r4, %r3, %r2; mov.u32 %r5, dyn; add.u32 %r6, %r5, "
		 "%r2;\n"
		 "mul.lo.u32 %r7, %r1, 5; st.shared.u32 [%r4], %r7; add.u32 %r8, %r7, 1; st.shared.u32 [%r6], %r8; "
		 "bar.sync 0;\n"
		 "sub.u32 %r9, 63, %r1; shl.b32 %r10, %r9, 2; add.u32 %r11, %r3, %r10; ld.shared.u32 %r12, [%r11];\n"
		 "{ .param .b32 a; .param .b32 v; st.param.b32 [a], %r9; call.uni (v), peek, (a); ld.param.b32 %r13, "
		 "[v]; }\n"
		 "mad.lo.u32 %r12, %r12, 1000, %r13;\n" STORE("%r12"),
		 1, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert(words(0)[i] == (63 - i) * 5 * 1000 + (63 - i) * 5 + 1);
	run.dynamic_shared = 0;
}

static void test_carry_chains(void)
{
	run_good(HEAD BEGIN "mov.u32 %r2, 0xfffffff0; add.cc.u32 %r3, %r2, %r1; addc.cc.u32 %r4, %r1, 0xffffffff; "
			    "addc.u32 %r5, 0, 0;\n"
			    "mad.lo.u32 %r3, %r4, 16, %r3; mad.lo.u32 %r3, %r5, 1000000, %r3;\n" STORE("%r3"),
		 1, 64);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t low = 0xfffffff0u + i, carry = i >= 16, mid = i - 1 + carry,
			 top = (uint64_t)i + 0xffffffffu + carry > 0xffffffffu;

		assert(words(0)[i] == mid * 16 + low + top * 1000000);
	}
}

static void test_lanes_talk(void)
{
	run_good(HEAD BEGIN
		 "shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 0x1f, -1; setp.lt.u32 %p2, %r1, 5; vote.sync.ballot.b32 %r3, "
		 "%p2, -1;\n"
		 "@%p2 bra SOME; mov.u32 %r4, 7; bra JOIN; SOME: activemask.b32 %r4; JOIN:\n"
		 "mad.lo.u32 %r2, %r2, 1000, %r3; mad.lo.u32 %r2, %r4, 1000000, %r2; @!%p1 mov.u32 %r2, 0;\n" STORE(
			 "%r2"),
		 1, 32);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(0)[i] == (i < 5 ? 31u : 7u) * 1000000 + (i ^ 1) * 1000 + 31);
}

/* Into run, from two modules. */
static void link_two(const char *const texts[2])
{
	struct pl_ptx_source sources[2] = { { texts[0], strlen(texts[0]), "one" },
					    { texts[1], strlen(texts[1]), "two" } };
	uint64_t bases[PL_PTX_SECTIONS] = { run_va(KIT_CODE), run_va(RUN_GLOBAL), run_va(RUN_CONST) };
	uint8_t *out[PL_PTX_SECTIONS] = { run.kit.memory + KIT_CODE, run.kit.memory + RUN_GLOBAL,
					  run.kit.memory + RUN_CONST };
	struct pl_ptx_image *image = NULL;

	assert(pl_ptx_compile(&image, sources, 2, NULL, NULL) == 0);
	pl_ptx_image_destroy(run.image);
	run.image = image;
	pl_ptx_image_place(image, bases, out);
	kit_flush(&run.kit);
}

static void test_unit_finds_what_another_defines(void)
{
	static const char *const texts[] = {
		HEAD ".extern .global .u32 there;\n.extern .func (.param .b32 r) give(.param .b32 x);\n" BEGIN
		     "{ .param .b32 a; .param .b32 v; st.param.b32 [a], %r1; call.uni (v), give, (a); ld.param.b32 "
		     "%r2, [v]; }\n"
		     "ld.global.u32 %r3, [there]; add.u32 %r2, %r2, %r3;\n" STORE("%r2"),
		HEAD ".visible .global .u32 there = 9;\n.visible .func (.param .b32 r) give(.param .b32 x)\n{ .reg "
		     ".b32 %r<3>; "
		     "ld.param.b32 %r1, [x]; mul.lo.u32 %r1, %r1, 4; st.param.b32 [r], %r1; ret; }\n",
	};
	struct pl_ptx_source alone = { texts[0], strlen(texts[0]), "one" };
	struct pl_ptx_image *image = NULL;

	assert(pl_ptx_compile(&image, &alone, 1, NULL, NULL) == PL_PTX_E_LINK && !image);
	link_two(texts);
	assert(run_simple(&run, "k", 1, 32, (uint64_t[]){ run_va(0) }) == PL_RG_FAULT_NONE);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(0)[i] == i * 4 + 9);
	assert(pl_ptx_image_var(run.image, "there")->visible && !pl_ptx_image_func(run.image, "give")->entry);
}

/* As numba writes it: the declaration has a returned value, the definition elsewhere has none, and nobody reads it. */
static void test_arguments_are_found_whatever_is_said_to_be_returned(void)
{
	static const char *const texts[] = {
		HEAD
		".extern .func (.param .b64 r) take(.param .b64 at, .param .b32 value);\n" BEGIN
		"{ .param .b64 a; .param .b32 b; .param .b64 v; add.u64 %rd5, %rd1, 0; mov.b32 %r2, 42;\n"
		"mul.wide.u32 %rd6, %r1, 4; add.u64 %rd5, %rd5, %rd6; st.param.b64 [a], %rd5; st.param.b32 [b], %r2;\n"
		"call.uni (v), take, (a, b); ld.param.b64 %rd7, [v]; }\nret;\n}\n",
		HEAD ".visible .func take(.param .b64 at, .param .b32 value)\n{ .reg .b64 %rd<2>; .reg .b32 %r<2>;\n"
		     "ld.param.b64 %rd1, [at]; ld.param.b32 %r1, [value]; st.global.u32 [%rd1], %r1; ret; }\n",
	};

	link_two(texts);
	assert(run_simple(&run, "k", 1, 32, (uint64_t[]){ run_va(0) }) == PL_RG_FAULT_NONE);
	for (uint32_t i = 0; i < 32; i++)
		assert(words(0)[i] == 42);
}

static void test_faults_name_their_line(void)
{
	const struct pl_ptx_line *line;

	run_compile(&run, HEAD BEGIN "mov.u64 %rd9, 64;\nld.global.u32 %r2, [%rd9];\n" STORE("%r2"));
	assert(run_simple(&run, "k", 1, 1, (uint64_t[]){ run_va(0) }) != PL_RG_FAULT_NONE);
	line = pl_ptx_image_line(run.image, run.kit.result.fault.pc - run_va(KIT_CODE));
	assert(line && line->ptx_line == 9);
}

int main(void)
{
	run_begin(&run);
	test_recursion();
	test_divergent_calls_through_a_table();
	test_structures_by_value();
	test_local_memory_is_each_threads_own();
	test_stack_grows_in_loops();
	test_variables_with_initial_data();
	test_shared_memory_static_and_dynamic();
	test_carry_chains();
	test_lanes_talk();
	test_unit_finds_what_another_defines();
	test_arguments_are_found_whatever_is_said_to_be_returned();
	test_faults_name_their_line();
	run_end(&run);
	return 0;
}
