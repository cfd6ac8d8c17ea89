/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores of every width in every space; what lies beside a narrow store must stay. */
#include "cases.h"

#include <string.h>

#define TYPES     "{u8,s8,b8,u16,s16,b16,u32,s32,b32,f32,u64,s64,b64,f64}"
#define NARROW    "{b8,u16,b16,u32,s32,f32,u64,b64,f64}"
#define PAIRS     "{u8,s8,u16,s16,b16,u32,s32,f32,u64,s64,f64}"
#define FOURS     "{u8,s8,b8,u16,s16,b16,u32,s32,b32,f32}"
#define FILL      0xcdcdcdcdcdcdcdcd

#define SHARED    ".shared .align 16 .b8 $_m[4096];"
#define SHARED_AT ".reg .b32 %sa; mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 32, %sa; "
#define SHARED_GENERIC                                                                                                 \
	".reg .b64 %sa; .reg .b32 %sb; mov.u32 %sb, $_m; mad.lo.u32 %sb, %tx, 32, %sb; cvt.u64.u32 %sa, %sb;"          \
	"cvta.shared.u64 %sa, %sa; "
#define LOCAL_AT      ".local .align 16 .b8 %m[32]; .reg .b64 %sa; mov.u64 %sa, %m; "
#define LOCAL_GENERIC ".local .align 16 .b8 %m[32]; .reg .b64 %sa; mov.u64 %sa, %m; cvta.local.u64 %sa, %sa; "

#define PUT2(space)   "st" space ".b64 [%sa], %i0; st" space ".b64 [%sa+8], %i1; "
#define FILL2(space)                                                                                                   \
	".reg .b64 %fill; mov.b64 %fill, 0xcdcdcdcdcdcdcdcd; st" space ".b64 [%sa], %fill; st" space                   \
	".b64 [%sa+8], %fill; "
#define GET2(space) " ld" space ".b64 %o0, [%sa]; ld" space ".b64 %o1, [%sa+8];"

/* Elements of a vector, from memory that holds both operands. */
static bool want_load(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	unsigned count = pt_op_has(op, "v4") ? 4 : pt_op_has(op, "v2") ? 2 : 1;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = i * (unsigned)bits;

		out[i] = in[at / 64] >> at % 64 & pt_mask(bits);
	}
	return true;
}

static bool want_store(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	unsigned count = pt_op_has(op, "v4") ? 4 : pt_op_has(op, "v2") ? 2 : 1;

	out[0] = out[1] = FILL;
	for (unsigned i = 0; i < count; i++) {
		unsigned at = i * (unsigned)bits;

		out[at / 64] &= ~(pt_mask(bits) << at % 64);
		out[at / 64] |= (in[i] & pt_mask(bits)) << at % 64;
	}
	return true;
}

static bool want_first(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0];
	return true;
}

static bool want_yes(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	(void)in;
	out[0] = 1;
	return true;
}

/* The constant bytes are 0x01, 0x12, 0x23, ... */
static bool want_constant(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	const uint64_t memory[2] = { 0x7867564534231201, 0x00ffeeddccbbaa89 };

	(void)in;
	return want_load(op, memory, out);
}

static bool want_halves(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < 4; i++)
		out[i] = in[0] >> (i * 16) & 0xffff;
	out[4] = in[0] & 0xffffffff;
	out[5] = in[0] >> 32;
	out[6] = (out[3] << 48) | (out[2] << 32) | (out[1] << 16) | out[0];
	out[7] = out[0] << 16 | out[3];
	out[8] = in[0] << 32 | in[0] >> 32;
	return true;
}

static bool want_isspacep(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	static const char *const spaces[] = { "global", "shared", "local" };

	(void)in;
	for (int i = 0; i < 3; i++)
		out[i] = pt_op_has(op, spaces[i]);
	return true;
}

#define SPACE(name, space, declared, at, to)                                                                           \
	{ .ops = "ld" name "." TYPES,                                                                                  \
	  .sig = "T=dd",                                                                                               \
	  .rows = 512,                                                                                                 \
	  .want = want_load,                                                                                           \
	  .decl = declared,                                                                                            \
	  .text = at PUT2(space) "# %o0, [%sa];" },                                                                    \
		{ .ops = "ld" name ".v2." PAIRS,                                                                       \
		  .sig = "TT=dd",                                                                                      \
		  .rows = 512,                                                                                         \
		  .want = want_load,                                                                                   \
		  .decl = declared,                                                                                    \
		  .text = at PUT2(space) "# {%o0,%o1}, [%sa];" },                                                      \
		{ .ops = "ld" name ".v4." FOURS,                                                                       \
		  .sig = "TTTT=dd",                                                                                    \
		  .rows = 512,                                                                                         \
		  .want = want_load,                                                                                   \
		  .decl = declared,                                                                                    \
		  .text = at PUT2(space) "# {%o0,%o1,%o2,%o3}, [%sa];" },                                              \
		{ .ops = "st" name "." NARROW,                                                                         \
		  .sig = "dd=T",                                                                                       \
		  .rows = 512,                                                                                         \
		  .want = want_store,                                                                                  \
		  .decl = declared,                                                                                    \
		  .text = to FILL2(space) "# [%sa], %i0;" GET2(space) },                                               \
		{ .ops = "st" name ".v2." PAIRS,                                                                       \
		  .sig = "dd=TT",                                                                                      \
		  .rows = 512,                                                                                         \
		  .want = want_store,                                                                                  \
		  .decl = declared,                                                                                    \
		  .text = to FILL2(space) "# [%sa], {%i0,%i1};" GET2(space) },                                         \
	{                                                                                                              \
		.ops = "st" name ".v4." FOURS, .sig = "dd=TTTT", .rows = 512, .want = want_store, .decl = declared,    \
		.text = to FILL2(space) "# [%sa], {%i0,%i1,%i2,%i3};" GET2(space)                                      \
	}

/* 128 bits through a register of their own, and back by another way. */
static bool want_both(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0];
	out[1] = in[1];
	return true;
}

static bool want_words(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[1] << 32 | in[0] >> 32;
	out[1] = in[0] << 32 | in[1] >> 32;
	return true;
}

/* By lanes apart: odd ones keep what they had, with the halves the other way round. */
static bool want_some(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[2] & 1 ? in[1] : in[0];
	out[1] = in[2] & 1 ? in[0] : in[1];
	return true;
}

static bool want_eight(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < 4; i++)
		out[i] = in[i & 1] + (uint64_t)i;
	return true;
}

#define WHOLE(space, declared, at, to)                                                                                 \
	{ .ops = "ld" space ".b128",                                                                                   \
	  .sig = "dd=dd",                                                                                              \
	  .rows = 256,                                                                                                 \
	  .want = want_both,                                                                                           \
	  .decl = declared,                                                                                            \
	  .sm = 70,                                                                                                    \
	  .ptx = 83,                                                                                                   \
	  .text = ".reg .b128 %q; " at PUT2(space) "# %q, [%sa]; mov.b128 {%o0, %o1}, %q;" },                          \
	{                                                                                                              \
		.ops = "st" space ".b128", .sig = "dd=dd", .rows = 256, .want = want_both, .decl = declared, .sm = 70, \
		.ptx = 83,                                                                                             \
		.text = ".reg .b128 %q; " to FILL2(space) "mov.b128 %q, {%i0, %i1}; # [%sa], %q;" GET2(space)          \
	}

#define EIGHT_OF(at)                                                                                                   \
	".reg .b64 %v<4>; add.u64 %v0, %i0, 0; add.u64 %v1, %i1, 1; add.u64 %v2, %i0, 2; add.u64 %v3, %i1, 3; " at

const struct pt_family pt_cases_memory[] = {
	WHOLE(".shared", SHARED, SHARED_AT, SHARED_AT),
	WHOLE(".local", NULL, LOCAL_AT, LOCAL_AT),
	WHOLE(".global", NULL, ".reg .b64 %sa; mov.b64 %sa, %oa; ", ".reg .b64 %sa; mov.b64 %sa, %oa; "),
	WHOLE("", SHARED, SHARED_GENERIC, SHARED_GENERIC),
	{ .ops = "{ld.volatile.global.b128,ld.relaxed.gpu.global.b128,ld.acquire.sys.global.b128,ld.global.nc.b128}",
	  .sig = "dd=dd",
	  .rows = 256,
	  .want = want_both,
	  .sm = 70,
	  .ptx = 84,
	  .text = ".reg .b128 %q; # %q, [%ia]; mov.b128 {%o0, %o1}, %q;" },
	{ .ops = "{st.volatile.global.b128,st.relaxed.gpu.global.b128,st.release.sys.global.b128}",
	  .sig = "dd=dd",
	  .rows = 256,
	  .want = want_both,
	  .sm = 70,
	  .ptx = 84,
	  .text = ".reg .b128 %q; mov.b128 %q, {%i0, %i1}; # [%oa], %q; ld.global.v2.u64 {%o0, %o1}, [%oa];" },
	{ .ops = "mov.b128 words",
	  .sig = "dd=dd",
	  .want = want_words,
	  .sm = 70,
	  .ptx = 83,
	  .text = ".reg .b128 %q, %p; .reg .b32 %w<4>; mov.b128 %q, {%i0, %i1}; mov.b128 {%w0, %w1, %w2, %w3}, %q;"
		  "mov.b128 %p, {%w1, %w2, %w3, %w0}; mov.b128 {%o0, %o1}, %p;" },
	{ .ops = "mov.b128 guarded",
	  .sig = "dd=ddd",
	  .want = want_some,
	  .sm = 70,
	  .ptx = 83,
	  .text = ".reg .b128 %q, %p; .reg .pred %g; and.b64 %ia, %i2, 1; setp.ne.u64 %g, %ia, 0; mov.b128 %q, {%i0, "
		  "%i1}; mov.b128 %p, {%i1, %i0}; @%g mov.b128 %q, %p; mov.b128 {%o0, %o1}, %q;" },
	/* Lanes that are apart use the same registers for values of other widths. */
	{ .ops = "mov.b128 apart",
	  .sig = "dd=ddd",
	  .want = want_some,
	  .sm = 70,
	  .ptx = 83,
	  .text = ".reg .b128 %q, %p; .reg .pred %g; .reg .b64 %t, %u; .reg .b32 %n; and.b64 %ia, %i2, 1; setp.ne.u64 "
		  "%g, %ia, 0; mov.u32 %n, 0; mov.b128 %p, {%i0, %i1}; @%g bra $_odd;"
		  "$_even: mov.b128 %q, %p; mov.b128 {%t, %u}, %q; mov.b128 %p, {%u, %t}; add.u32 %n, %n, 1; "
		  "setp.lt.u32 %g, %n, 4; @%g "
		  "bra $_even; bra $_all;"
		  "$_odd: mov.b128 {%t, %u}, %p; mov.b128 %p, {%u, %t}; add.u32 %n, %n, 1; setp.lt.u32 %g, %n, 3; @%g "
		  "bra $_odd;"
		  "$_all: mov.b128 {%o0, %o1}, %p;" },
	{ .ops = "st.global.v4.b64 ",
	  .sig = "dddd=dd",
	  .want = want_eight,
	  .sm = 100,
	  .ptx = 88,
	  .text = EIGHT_OF(".reg .b64 %sa; mov.b64 %sa, %oa; ") "# [%sa], {%v0, %v1, %v2, %v3}; .reg .b32 %w<8>; "
								"ld.global.v8.b32 {%w0, %w1, %w2, %w3, %w4, %w5, %w6, "
								"%w7}, [%sa]; mov.b64 %o0, {%w0, "
								"%w1}; mov.b64 %o1, {%w2, %w3}; mov.b64 %o2, {%w4, "
								"%w5}; mov.b64 %o3, {%w6, %w7};" },
	{ .ops = "ld.global.v4.u64 ",
	  .sig = "dddd=dd",
	  .want = want_eight,
	  .sm = 100,
	  .ptx = 88,
	  .text = EIGHT_OF(
		  ".reg .b64 %sa; mov.b64 %sa, %oa; ") ".reg .b32 %w<8>; mov.b64 {%w0, %w1}, %v0; mov.b64 {%w2, %w3}, "
						       "%v1; mov.b64 {%w4, %w5}, %v2; mov.b64 {%w6, %w7}, %v3;"
						       "st.global.v8.f32 [%sa], {%w0, %w1, %w2, %w3, %w4, %w5, %w6, "
						       "%w7}; # {%o0, %o1, %o2, %o3}, [%sa];" },
	SPACE(".shared", ".shared", SHARED, SHARED_AT, SHARED_AT),
	SPACE(".local", ".local", NULL, LOCAL_AT, LOCAL_AT),
	SPACE(".global", ".global", NULL, ".reg .b64 %sa; mov.b64 %sa, %ia; ", ".reg .b64 %sa; mov.b64 %sa, %oa; "),
	{ .ops = "ld.{u8,s16,b32,u64} shared",
	  .sig = "T=dd",
	  .want = want_load,
	  .decl = SHARED,
	  .text = SHARED_GENERIC PUT2("") "# %o0, [%sa];" },
	{ .ops = "ld.v4.{u8,b16,f32} shared",
	  .sig = "TTTT=dd",
	  .want = want_load,
	  .decl = SHARED,
	  .text = SHARED_GENERIC PUT2(".volatile") "# {%o0,%o1,%o2,%o3}, [%sa];" },
	{ .ops = "st.{b8,b16,b32,b64} shared",
	  .sig = "dd=T",
	  .want = want_store,
	  .decl = SHARED,
	  .text = SHARED_GENERIC FILL2("") "# [%sa], %i0;" GET2("") },
	{ .ops = "ld.{u8,s16,b32,u64} local",
	  .sig = "T=dd",
	  .want = want_load,
	  .text = LOCAL_GENERIC PUT2("") "# %o0, [%sa];" },
	{ .ops = "ld.v2.{s8,u64,f64} local",
	  .sig = "TT=dd",
	  .want = want_load,
	  .text = LOCAL_GENERIC PUT2("") "# {%o0,%o1}, [%sa];" },
	{ .ops = "st.{b8,b16,b32,b64} local",
	  .sig = "dd=T",
	  .want = want_store,
	  .text = LOCAL_GENERIC FILL2("") "# [%sa], %i0;" GET2("") },
	{ .ops = "ld.{u8,s8,u16,s16,b32,u64,f64} global", .sig = "T=dd", .want = want_load, .text = "# %o0, [%ia];" },
	{ .ops = "ld.global{.ca,.cg,.cs,.lu,.cv,.nc,.ca.nc,.L1::evict_last,.L1::no_allocate,.L2::128B}.{u8,b32,f64}",
	  .sig = "T=dd",
	  .want = want_load,
	  .text = "# %o0, [%ia];",
	  .ptx = 74 },
	{ .ops = "ld.global.nc.v4.{u16,f32}",
	  .sig = "TTTT=dd",
	  .want = want_load,
	  .text = "# {%o0,%o1,%o2,%o3}, [%ia];" },
	{ .ops = "ld.volatile.global.{u8,b32,u64}", .sig = "T=dd", .want = want_load, .text = "# %o0, [%ia];" },
	{ .ops = "ld{.weak,.relaxed.cta,.relaxed.gpu,.relaxed.sys,.acquire.cta,.acquire.gpu,.acquire.sys}.global.{u8,"
		 "u32,b64}",
	  .sig = "T=dd",
	  .want = want_load,
	  .text = "# %o0, [%ia];" },
	{ .ops = "st{.weak,.volatile,.relaxed.cta,.relaxed.gpu,.release.gpu,.release.sys}.global.{b8,b32,b64}",
	  .sig = "dd=T",
	  .want = want_store,
	  .text = ".reg .b64 %sa; mov.b64 %sa, %oa;" FILL2(".global") "# [%sa], %i0;" GET2(".global") },
	{ .ops = "st.global{.wb,.cg,.cs,.wt}.{b8,b32,b64}",
	  .sig = "dd=T",
	  .want = want_store,
	  .text = ".reg .b64 %sa; mov.b64 %sa, %oa;" FILL2(".global") "# [%sa], %i0;" GET2(".global") },
	{ .ops = "ldu.global.{u8,s16,b32,u64}", .sig = "T=dd", .want = want_load, .text = "# %o0, [%ia];" },
	{ .ops = "ld.const." TYPES,
	  .sig = "T=d",
	  .rows = 256,
	  .want = want_constant,
	  .decl = ".const .align 16 .b8 $_c[16] = {1,18,35,52,69,86,103,120,137,170,187,204,221,238,255,0};",
	  .text = "# %o0, [$_c];" },
	{ .ops = "ld.const.v4.{u8,s16,u32}",
	  .sig = "TTTT=d",
	  .rows = 256,
	  .want = want_constant,
	  .decl = ".const .align 16 .b8 $_c[16] = {1,18,35,52,69,86,103,120,137,170,187,204,221,238,255,0};",
	  .text = ".reg .b64 %sa; mov.u64 %sa, $_c; # {%o0,%o1,%o2,%o3}, [%sa];" },
	{ .ops = "ld.u32 const",
	  .sig = "T=d",
	  .rows = 256,
	  .want = want_constant,
	  .decl = ".const .align 16 .b32 $_c[4] = {0x34231201, 0x78675645, 0xccbbaa89, 0xffeedd};",
	  .text = ".reg .b64 %sa; mov.u64 %sa, $_c; cvta.const.u64 %sa, %sa; # %o0, [%sa];" },
	{ .ops = "ld.global.u64 initialised",
	  .sig = "d=d",
	  .rows = 256,
	  .want = want_constant,
	  .decl = ".global .align 8 .u16 $_g[8] = {4609, 13347, 22085, 30823, 43657, 52411, 61149, 255};",
	  .text = "ld.global.u64 %o0, [$_g];" },
	{ .ops = "mov.u64 generic(global)",
	  .sig = "T=d",
	  .rows = 256,
	  .want = want_constant,
	  .decl = ".global .align 8 .u64 $_g[2] = {0x7867564534231201, 5}; .global .align 8 .u64 $_p = generic($_g);",
	  .text = ".reg .b64 %sa; ld.global.u64 %sa, [$_p]; ld.u64 %o0, [%sa];" },
	{ .ops = "ld.param.{u32,b64}",
	  .sig = "p=d",
	  .rows = 256,
	  .want = want_yes,
	  .text = ".reg .b32 %lo, %hi, %h0, %h1; .reg .b64 %v; ld.param.u32 %lo, [$_out]; ld.param.u32 %hi, [$_out+4];"
		  "mov.b64 %v, {%lo, %hi}; setp.eq.u64 %o0, %v, %out; ld.param.u16 %h0, [$_out]; ld.param.u8 %h1, "
		  "[$_out+2];"
		  "shl.b32 %h1, %h1, 16; or.b32 %h0, %h0, %h1; and.b32 %lo, %lo, 0xffffff; setp.eq.and.u32 %o0, %lo, "
		  "%h0, %o0;" },
	{ .ops = "mov.b64 halves",
	  .sig = "hhhhrrdrd=d",
	  .want = want_halves,
	  .text = "mov.b64 {%o0,%o1,%o2,%o3}, %i0; mov.b64 {%o4,%o5}, %i0; mov.b64 %o6, {%o0,%o1,%o2,%o3};"
		  "mov.b32 %o7, {%o3,%o0}; mov.b64 %o8, {%o5,%o4};" },
	{ .ops = "mov.{b16,u16,s16,b32,u32,s32,f32,b64,u64,s64,f64,pred}", .sig = "T=T", .want = want_first },
	{ .ops = "isspacep.global",
	  .sig = "ppp=d",
	  .rows = 128,
	  .want = want_isspacep,
	  .text = "isspacep.global %o0, %ia; isspacep.shared %o1, %ia; isspacep.local %o2, %ia;" },
	{ .ops = "isspacep.shared",
	  .sig = "ppp=d",
	  .rows = 128,
	  .want = want_isspacep,
	  .decl = SHARED,
	  .text = SHARED_GENERIC "isspacep.global %o0, %sa; isspacep.shared %o1, %sa; isspacep.local %o2, %sa;" },
	{ .ops = "isspacep.local",
	  .sig = "ppp=d",
	  .rows = 128,
	  .want = want_isspacep,
	  .text = LOCAL_GENERIC
	  "st.u32 [%sa], 0; isspacep.global %o0, %sa; isspacep.shared %o1, %sa; isspacep.local %o2, %sa;" },
	{ .ops = "cvta.to.shared.u64",
	  .sig = "d=d",
	  .rows = 256,
	  .want = want_first,
	  .decl = SHARED,
	  .text = SHARED_GENERIC "st.u64 [%sa], %i0; # %sa, %sa; ld.shared.u64 %o0, [%sa];" },
	{ .ops = "cvta.to.local.u64",
	  .sig = "d=d",
	  .rows = 256,
	  .want = want_first,
	  .text = LOCAL_GENERIC "st.u64 [%sa], %i0; # %sa, %sa; ld.local.u64 %o0, [%sa];" },
	{ .ops = "{prefetch.global.L1,prefetch.global.L2,prefetchu.L1,prefetch.global.L2::evict_last}",
	  .sig = "d=d",
	  .rows = 128,
	  .want = want_first,
	  .text = "# [%ia]; mov.b64 %o0, %i0;",
	  .ptx = 74 },
	{ .ops = "{membar.cta,membar.gl,membar.sys,fence.sc.cta,fence.acq_rel.gpu,fence.sc.sys,fence.acq_rel.cta}",
	  .sig = "d=d",
	  .rows = 128,
	  .want = want_first,
	  .text = "st.global.b64 [%oa], %i0; #; ld.global.b64 %o0, [%oa];" },
	{ .ops = "alloca.u64",
	  .sig = "dd=dr",
	  .rows = 256,
	  .want = want_first,
	  .ptx = 73,
	  .text = ".reg .b64 %sa, %n; cvt.u64.u32 %n, %lane; shl.b64 %n, %n, 3; add.u64 %n, %n, 8; alloca.u64 %sa, %n, "
		  "16;"
		  "add.u64 %n, %n, %sa; st.local.b64 [%n+-8], %i0; ld.local.b64 %o0, [%n+-8]; mov.b64 %o1, 0;" },
	{ 0 },
};
