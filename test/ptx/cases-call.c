/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: arguments and results of every kind, recursion, pointers to functions. */
#include "cases.h"

static bool want_narrow(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = (in[0] & 0xff) + (uint64_t)pt_signed(in[1] & 0xffff, 16) + in[2] * 3 + (in[3] ? 7 : 0);
	out[0] &= 0xffffffff;
	return true;
}

/* i0 * 3 + i1, two results. */
static bool want_two(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0] * 3 + in[1];
	out[1] = in[0] ^ in[1];
	return true;
}

static bool want_bytes(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[1] + (in[0] & 0xff);
	out[1] = in[0] + (in[1] >> 56);
	return true;
}

static bool want_fibonacci(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t a = 0, b = 1, n = in[0] & 7;

	(void)op;
	while (n--) {
		uint64_t c = a + b;

		a = b;
		b = c;
	}
	out[0] = a;
	return true;
}

/* i0 and i1 go round six times, and one more is added to the first each time. */
static bool want_round(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0] + 3;
	out[1] = in[1] + 3;
	return true;
}

static bool want_even(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = !(in[0] & 1);
	return true;
}

static bool want_table(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = (in[0] & 3) == 0 ? in[1] + 1 : (in[0] & 3) == 1 ? in[1] * 5 : (in[0] & 3) == 2 ? ~in[1] : in[1] >> 4;
	out[0] &= 0xffffffff;
	return true;
}

static bool want_sum(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = 0;
	for (uint64_t i = 0; i < 12; i++)
		out[0] += (in[0] + i) * (i + 1);
	return true;
}

static bool want_swapped(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[1];
	out[1] = in[0];
	return true;
}

#define UNARY(name, body)                                                                                              \
	".func (.param .b32 $_r) $_" name "(.param .b32 $_a) { .reg .b32 %v; ld.param.b32 %v, [$_a]; " body            \
	" st.param.b32 [$_r], %v; ret; }\n"
#define FOUR                                                                                                           \
	UNARY("f0", "add.u32 %v, %v, 1;")                                                                              \
	UNARY("f1", "mul.lo.u32 %v, %v, 5;") UNARY("f2", "not.b32 %v, %v;") UNARY("f3", "shr.u32 %v, %v, 4;")
#define POINT                                                                                                          \
	".reg .b32 %k; .reg .b64 %at, %fn; and.b32 %k, %i0, 3; mov.u64 %at, $_t; mad.wide.u32 %at, %k, 8, %at;"        \
	"ld.global.u64 %fn, [%at]; "
#define ARGUMENT(n, i)   "add.u64 %v, %i0, " i "; st.param.b64 [a" n "], %v; "
#define PARAMETER(n, i)  "ld.param.u64 %w, [$_a" n "]; mad.lo.u64 %v, %w, " i ", %v; "

/* Results are taken just behind the call: PTX leaves open what is there elsewhere. */
#define CALL_OF(name)    "{ .param .b32 a, r; st.param.b32 [a], %i1; call (r), " name ", (a); ld.param.b32 %o0, [r]; }"
#define IF_NOT(k, label) "setp.ne.u32 %q, %k, " k "; @%q bra " label "; "

const struct pt_family pt_cases_call[] = {
	{ .ops = "call narrow arguments",
	  .sig = "r=rrrp",
	  .want = want_narrow,
	  .decl = ".func (.param .b32 $_r) $_f(.param .b8 $_a, .param .b16 $_b, .param .b32 $_c, .param .b32 $_d) { "
		  ".reg .b32 %a, %b, %c, %d;"
		  ".reg .b16 %h; .reg .pred %q; ld.param.u8 %a, [$_a]; ld.param.s16 %h, [$_b]; cvt.s32.s16 %b, %h; "
		  "ld.param.u32 %c, [$_c];"
		  "ld.param.u32 %d, [$_d]; add.u32 %a, %a, %b; mad.lo.u32 %a, %c, 3, %a; setp.ne.u32 %q, %d, 0; @%q "
		  "add.u32 %a, %a, 7;"
		  "st.param.b32 [$_r], %a; ret; }",
	  .text = ".reg .b32 %d; selp.u32 %d, 1, 0, %i3; { .param .b8 a; .param .b16 b; .param .b32 c; .param .b32 d; "
		  ".param .b32 r; "
		  "st.param.b8 [a], %i0;"
		  "st.param.b16 [b], %i1; st.param.b32 [c], %i2; st.param.b32 [d], %d; call.uni (r), $_f, (a, b, c, d);"
		  "ld.param.b32 %o0, [r]; }" },
	{ .ops = "call results in a structure",
	  .sig = "dd=dd",
	  .want = want_two,
	  .decl = ".func (.param .align 8 .b8 $_r[16]) $_f(.param .b64 $_a, .param .b64 $_b) { .reg .b64 %a, %b, %c; "
		  "ld.param.b64 %a, [$_a];"
		  "ld.param.b64 %b, [$_b]; mad.lo.u64 %c, %a, 3, %b; xor.b64 %a, %a, %b; st.param.v2.b64 [$_r], {%c, "
		  "%a}; ret; }",
	  .text = "{ .param .b64 a; .param .b64 b; .param .align 8 .b8 r[16]; st.param.b64 [a], %i0; st.param.b64 [b], "
		  "%i1; call "
		  "(r), $_f, (a, b);"
		  "ld.param.b64 %o0, [r]; ld.param.b64 %o1, [r+8]; }" },
	{ .ops = "call with 128 bits",
	  .sig = "dd=dd",
	  .want = want_round,
	  .sm = 70,
	  .ptx = 83,
	  .decl = ".func (.param .b128 $_r) $_f(.param .b128 $_a, .param .b32 $_n) { .reg .b128 %q; .reg .b64 %l, %h; "
		  ".reg .b32 %n; .reg .pred %p; ld.param.b128 %q, [$_a]; ld.param.b32 %n, [$_n]; setp.eq.u32 %p, %n, "
		  "0; "
		  "@%p bra $_end; mov.b128 {%l, %h}, %q; add.u64 %l, %l, 1; mov.b128 %q, {%h, %l}; sub.u32 %n, %n, 1;"
		  "{ .param .b128 a; .param .b32 n; .param .b128 r; st.param.b128 [a], %q; st.param.b32 [n], %n; call "
		  "(r), $_f, "
		  "(a, n); ld.param.b128 %q, [r]; } $_end: st.param.b128 [$_r], %q; ret; }",
	  .text = ".reg .b128 %q; mov.b128 %q, {%i0, %i1}; { .param .b128 a; .param .b32 n; .param .b128 r; "
		  "st.param.b128 "
		  "[a], %q; st.param.b32 [n], 6; call (r), $_f, (a, n); ld.param.b128 %q, [r]; } mov.b128 {%o0, %o1}, "
		  "%q;" },
	{ .ops = "call a structure by value",
	  .sig = "dd=dd",
	  .want = want_bytes,
	  .decl = ".func (.param .align 16 .b8 $_r[16]) $_f(.param .align 16 .b8 $_a[16]) { .reg .b64 %a, %b, %c, %d; "
		  ".reg .b32 %x;"
		  "ld.param.v2.u64 {%a, %b}, [$_a]; ld.param.u8 %x, [$_a]; cvt.u64.u32 %c, %x; ld.param.u8 %x, "
		  "[$_a+15];"
		  "cvt.u64.u32 %d, %x; add.u64 %c, %c, %b; add.u64 %d, %d, %a; st.param.v2.b64 [$_r], {%c, %d}; ret; }",
	  .text = "{ .param .align 16 .b8 a[16]; .param .align 16 .b8 r[16]; st.param.v2.b64 [a], {%i0, %i1}; call.uni "
		  "(r), $_f, (a);"
		  "ld.param.v2.b64 {%o0, %o1}, [r]; }" },
	{ .ops = "call recursion",
	  .sig = "r=r",
	  .want = want_fibonacci,
	  .decl = ".func (.param .b32 $_r) $_f(.param .b32 $_a) { .reg .b32 %n, %x, %y; .reg .pred %q; ld.param.b32 "
		  "%n, [$_a]; mov.b32 %y, %n;"
		  "setp.lt.u32 %q, %n, 2; @%q bra $_end; { .param .b32 a; .param .b32 r; sub.u32 %x, %n, 1; "
		  "st.param.b32 [a], %x; "
		  "call (r), $_f, (a);"
		  "ld.param.b32 %y, [r]; } { .param .b32 a; .param .b32 r; sub.u32 %x, %n, 2; st.param.b32 [a], %x; "
		  "call (r), $_f, "
		  "(a); ld.param.b32 %x, [r]; }"
		  "add.u32 %y, %x, %y; $_end: st.param.b32 [$_r], %y; ret; }",
	  .text = "and.b32 %i0, %i0, 7; { .param .b32 a; .param .b32 r; st.param.b32 [a], %i0; call (r), $_f, (a); "
		  "ld.param.b32 "
		  "%o0, [r]; }" },
	{ .ops = "call mutual recursion",
	  .sig = "r=r",
	  .want = want_even,
	  .decl = ".func (.param .b32 $_r) $_odd(.param .b32 $_a);"
		  ".func (.param .b32 $_r) $_even(.param .b32 $_a) { .reg .b32 %n; .reg .pred %q; ld.param.b32 %n, "
		  "[$_a]; setp.ne.u32 %q, %n, 0;"
		  "@%q bra $_go; mov.b32 %n, 1; bra $_end; $_go: { .param .b32 a; .param .b32 r; sub.u32 %n, %n, 1; "
		  "st.param.b32 "
		  "[a], %n;"
		  "call (r), $_odd, (a); ld.param.b32 %n, [r]; } $_end: st.param.b32 [$_r], %n; ret; }"
		  ".func (.param .b32 $_r) $_odd(.param .b32 $_a) { .reg .b32 %n; .reg .pred %q; ld.param.b32 %n, "
		  "[$_a]; setp.ne.u32 %q, %n, 0;"
		  "@!%q bra $_stop; { .param .b32 a; .param .b32 r; sub.u32 %n, %n, 1; st.param.b32 [a], %n; call (r), "
		  "$_even, (a);"
		  "ld.param.b32 %n, [r]; } $_stop: st.param.b32 [$_r], %n; ret; }",
	  .text = "and.b32 %i0, %i0, 15; { .param .b32 a; .param .b32 r; st.param.b32 [a], %i0; call (r), $_even, (a); "
		  "ld.param.b32 %o0, [r]; }" },
	{ .ops = "call through a table, prototype",
	  .sig = "r=rr",
	  .want = want_table,
	  .decl = FOUR ".global .align 8 .u64 $_t[4] = {$_f0, $_f1, $_f2, $_f3};",
	  .text = POINT "{ .param .b32 a; .param .b32 r; st.param.b32 [a], %i1; $_p: .callprototype (.param .b32 _) _ "
			"(.param .b32 _);"
			"call (r), %fn, (a), $_p; ld.param.b32 %o0, [r]; }" },
	{ .ops = "call through a table, targets",
	  .sig = "r=rr",
	  .want = want_table,
	  .decl = FOUR ".global .align 8 .u64 $_t[4] = {$_f0, $_f1, $_f2, $_f3};",
	  .text = POINT
	  "{ .param .b32 a; .param .b32 r; st.param.b32 [a], %i1; $_p: .calltargets $_f0, $_f1, $_f2, $_f3;"
	  "call (r), %fn, (a), $_p; ld.param.b32 %o0, [r]; }" },
	{ .ops = "call address taken by mov",
	  .sig = "r=rr",
	  .want = want_table,
	  .decl = FOUR,
	  .text = ".reg .b64 %fn, %f1; .reg .b32 %k; .reg .pred %q; and.b32 %k, %i0, 3; mov.u64 %fn, $_f0; mov.u64 "
		  "%f1, $_f1;"
		  "setp.eq.u32 %q, %k, 1; selp.b64 %fn, %f1, %fn, %q; mov.u64 %f1, $_f2; setp.eq.u32 %q, %k, 2; "
		  "selp.b64 %fn, %f1, %fn, %q;"
		  "mov.u64 %f1, $_f3; setp.eq.u32 %q, %k, 3; selp.b64 %fn, %f1, %fn, %q; { .param .b32 a; .param .b32 "
		  "r; "
		  "st.param.b32 [a], %i1;"
		  "$_p: .callprototype (.param .b32 _) _ (.param .b32 _); call (r), %fn, (a), $_p; ld.param.b32 %o0, "
		  "[r]; }" },
	{ .ops = "call only some lanes",
	  .sig = "r=rr",
	  .want = want_table,
	  .decl = FOUR,
	  .text = ".reg .b32 %k; .reg .pred %q; and.b32 %k, %i0, 3; " IF_NOT("0", "$_1") CALL_OF(
		  "$_f0") "bra $_end; $_1: " IF_NOT("1", "$_2") CALL_OF("$_f1") "bra $_end; $_2: " IF_NOT("2", "$_3")
		  CALL_OF("$_f2") "bra $_end; $_3: " CALL_OF("$_f3") "$_end:" },
	{ .ops = "call twelve arguments",
	  .sig = "d=d",
	  .want = want_sum,
	  .decl = ".func (.param .b64 $_r) $_f(.param .b64 $_a0, .param .b64 $_a1, .param .b64 $_a2, .param .b64 $_a3, "
		  ".param .b64 $_a4,"
		  ".param .b64 $_a5, .param .b64 $_a6, .param .b64 $_a7, .param .b64 $_a8, .param .b64 $_a9, .param "
		  ".b64 $_a10,"
		  ".param .b64 $_a11) { .reg .b64 %v, %w; mov.b64 %v, 0;" PARAMETER("0", "1") PARAMETER("1", "2")
			  PARAMETER("2", "3") PARAMETER("3", "4") PARAMETER("4", "5") PARAMETER("5", "6")
				  PARAMETER("6", "7") PARAMETER("7", "8") PARAMETER("8", "9") PARAMETER("9", "10")
					  PARAMETER("10", "11") PARAMETER("11", "12") "st.param.b64 [$_r], %v; ret; }",
	  .text = ".reg .b64 %v; { .param .b64 a0; .param .b64 a1; .param .b64 a2; .param .b64 a3; .param .b64 a4; "
		  ".param .b64 a5; .param .b64 a6; .param .b64 a7; .param .b64 a8; .param .b64 a9; .param .b64 a10; "
		  ".param .b64 a11; .param .b64 r;" ARGUMENT("0", "0") ARGUMENT("1", "1") ARGUMENT("2", "2")
			  ARGUMENT("3", "3") ARGUMENT("4", "4") ARGUMENT("5", "5") ARGUMENT("6", "6") ARGUMENT("7", "7")
				  ARGUMENT("8", "8") ARGUMENT("9", "9") ARGUMENT("10", "10")
					  ARGUMENT("11", "11") "call (r), $_f, (a0, a1, a2, a3, a4, a5, a6, a7, "
							       "a8, a9, a10, a11); ld.param.b64 %o0, [r]; }" },
	{ .ops = "call a pointer to the caller's memory",
	  .sig = "dd=dd",
	  .want = want_swapped,
	  .decl = ".func $_f(.param .b64 $_a) { .reg .b64 %p, %x, %y; ld.param.b64 %p, [$_a]; ld.u64 %x, [%p]; ld.u64 "
		  "%y, [%p+8];"
		  "st.u64 [%p], %y; st.u64 [%p+8], %x; ret; }",
	  .text = ".local .align 8 .b8 %l[16]; .reg .b64 %p, %g; mov.u64 %p, %l; cvta.local.u64 %g, %p; st.local.u64 "
		  "[%p], %i0;"
		  "st.local.u64 [%p+8], %i1; { .param .b64 a; st.param.b64 [a], %g; call $_f, (a); } ld.local.u64 %o0, "
		  "[%p];"
		  "ld.local.u64 %o1, [%p+8];" },
	{ 0 },
};
