/* SPDX-License-Identifier: Apache-2.0 */
/* Special registers, clocks, system calls, and ends that are not a return. */
#include "cases.h"
#include "driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 128
#define ROWS  512

static bool want_places(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (uint64_t i = 0; i < ROWS; i++) {
		uint64_t lane = i % 32, *o = &out[i * 12];
		const uint64_t row[12] = { i % BLOCK,
					   0,
					   BLOCK,
					   1,
					   i / BLOCK,
					   ROWS / BLOCK,
					   lane,
					   (uint64_t)1 << lane,
					   pt_mask((int)lane),
					   pt_mask((int)lane + 1),
					   0xffffffff & ~pt_mask((int)lane),
					   0xffffffff & ~pt_mask((int)lane + 1) };

		memcpy(o, row, sizeof(row));
		(void)in;
	}
	return true;
}

static bool want_true(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	(void)in;
	out[0] = 1;
	return true;
}

static bool want_same(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0];
	return true;
}

/* Lanes whose value is odd leave at once: what they would have written stays as it was. */
static bool want_even_sum(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t sum = 0;

	(void)op;
	for (int i = 0; i < BLOCK; i++)
		sum += in[i] & 1 ? 0 : in[i];
	for (int i = 0; i < BLOCK; i++)
		out[i] = in[i] & 1 ? 0xcdcdcdcd : sum & 0xffffffff;
	return true;
}

static int launched(struct pt_driver *cu, void *function, unsigned threads, CUresult *error_out)
{
	CUdeviceptr memory = 0;
	CUresult e = cu->f.cuMemAlloc(&memory, 65536);

	if (!e)
		e = pt_launch(cu, function, 1, threads, memory, memory, 5);
	if (!e)
		cu->f.cuMemFree(memory);
	*error_out = e;
	return e ? -1 : 0;
}

/* What the device prints goes to standard output. */
static int run_printf(struct pt_driver *cu, const struct pt_case *c, void *function, void *module, char *why)
{
	static const char want[] = "5 -7 2.500000 text 12345678901 x%\n";
	int saved = dup(STDOUT_FILENO), status = 0;
	FILE *file = tmpfile();
	char got[4096] = "";
	CUresult e;

	(void)c;
	(void)module;
	fflush(stdout);
	if (saved < 0 || !file || dup2(fileno(file), STDOUT_FILENO) < 0) {
		snprintf(why, 400, "standard output cannot be caught");
		return -1;
	}
	launched(cu, function, 3, &e);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	got[fread(got, 1, sizeof(got) - 1, file)] = 0;
	fclose(file);
	for (int i = 0; i < 3 && !status; i++)
		status = strncmp(got + (size_t)i * (sizeof(want) - 1), want, sizeof(want) - 1);
	if (!e && !status && strlen(got) == 3 * (sizeof(want) - 1))
		return 0;
	got[strcspn(got, "\n")] = 0;
	snprintf(why, 400, "%s, the first line is \"%.200s\"", e ? pt_error_name(cu, e) : "printed", got);
	return -1;
}

/* The argument is the error that the launch must end with. */
static int run_ends(struct pt_driver *cu, const struct pt_case *c, void *function, void *module, char *why)
{
	CUresult e;

	(void)module;
	launched(cu, function, 64, &e);
	for (const char *at = c->op.arg; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
		if ((unsigned)atoi(at) == (unsigned)e)
			return 0;
	}
	snprintf(why, 400, "ended with %s (%d)", e ? pt_error_name(cu, e) : "success", (int)e);
	return -1;
}

static bool want_moved(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (unsigned i = 0; i < ROWS; i++) {
		out[i * 3] = i % 128;
		out[i * 3 + 1] = 0;
		out[i * 3 + 2] = in[i];
	}
	return true;
}

const struct pt_family pt_cases_system[] = {
	{ .ops = "mov.u32 places",
	  .sig = "rrrrrrrrrrrr=r",
	  .rows = ROWS,
	  .group = ROWS,
	  .want = want_places,
	  .text = "mov.u32 %o0, %tid.x; mov.u32 %o1, %tid.y; mov.u32 %o2, %ntid.x; mov.u32 %o3, %ntid.z; mov.u32 %o4, "
		  "%ctaid.x;"
		  "mov.u32 %o5, %nctaid.x; mov.u32 %o6, %laneid; mov.u32 %o7, %lanemask_eq; mov.u32 %o8, %lanemask_lt;"
		  "mov.u32 %o9, %lanemask_le; mov.u32 %o10, %lanemask_ge; mov.u32 %o11, %lanemask_gt;" },
	{ .ops = "mov.v4.u32 of vectors",
	  .sig = "rrr=r",
	  .rows = ROWS,
	  .group = ROWS,
	  .want = want_moved,
	  .text = ".reg .v4 .b32 %v, %u; mov.v4.u32 %v, %tid; mov.v4.u32 %u, %v; mov.v4.u32 %v, {%u.y, %u.x, %u.w, "
		  "%i0}; mov.b32 %o0, %v.y; mov.b32 %o1, %v.z; mov.b32 %o2, %v.w;" },
	{ .ops = "mov.u32 {warpid,smid}",
	  .sig = "p=r",
	  .rows = 256,
	  .want = want_true,
	  .text = ".reg .b32 %v, %n; mov.u32 %v, %~; mov.u32 %n, %n~; setp.lt.u32 %o0, %v, %n;" },
	{ .ops = "mov.u64 %{clock64,globaltimer}",
	  .sig = "p=r",
	  .rows = 256,
	  .want = want_true,
	  .text = ".reg .b64 %v, %n; mov.u64 %v, ~; nanosleep.u32 2000; mov.u64 %n, ~; sub.u64 %n, %n, %v; setp.ge.s64 "
		  "%o0, %n, 0;" },
	{ .ops = "mov.u32 %{clock,clock_hi,globaltimer_lo,globaltimer_hi,gridid,dynamic_smem_size,total_smem_size}",
	  .sig = "p=r",
	  .rows = 128,
	  .want = want_true,
	  .text = ".reg .b32 %v; mov.u32 %v, ~; setp.eq.u32 %o0, %v, %v;" },
	{ .ops = "nanosleep.u32",
	  .sig = "r=r",
	  .rows = 128,
	  .want = want_same,
	  .text = ".reg .b32 %n; and.b32 %n, %i0, 4095; # %n; nanosleep.u32 100; mov.b32 %o0, %i0;" },
	{ .ops = "pmevent", .sig = "r=r", .rows = 128, .want = want_same, .text = "# 3; mov.b32 %o0, %i0;" },
	{ .ops = "exit some lanes",
	  .sig = "r=r",
	  .rows = 512,
	  .group = BLOCK,
	  .want = want_even_sum,
	  .decl = ".shared .align 4 .b32 $_s[1];",
	  .text = ".reg .pred %q, %z; .reg .b32 %v; setp.eq.u32 %z, %tx, 0; mov.b32 %v, 0; @%z st.shared.b32 [$_s], "
		  "%v; bar.sync 0;"
		  "and.b32 %v, %i0, 1; setp.ne.u32 %q, %v, 0; @%q exit; red.shared.add.u32 [$_s], %i0; bar.sync 0; "
		  "ld.shared.b32 %o0, [$_s];" },
	{ .ops = "ret some lanes",
	  .sig = "r=r",
	  .rows = 512,
	  .group = BLOCK,
	  .want = want_even_sum,
	  .decl = ".shared .align 4 .b32 $_s[1];",
	  .text = ".reg .pred %q, %z; .reg .b32 %v; setp.eq.u32 %z, %tx, 0; mov.b32 %v, 0; @%z st.shared.b32 [$_s], "
		  "%v; bar.sync 0;"
		  "and.b32 %v, %i0, 1; setp.ne.u32 %q, %v, 0; @%q ret; red.shared.add.u32 [$_s], %i0; bar.sync 0; "
		  "ld.shared.b32 %o0, [$_s];" },
	{ .ops = "call vprintf",
	  .sig = "=",
	  .run = run_printf,
	  .decl = ".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
		  ".global .align 1 .b8 $_f[23] = "
		  "{37,117,32,37,100,32,37,102,32,37,115,32,37,108,108,100,32,37,99,37,37,10,0};\n"
		  ".global .align 1 .b8 $_t[5] = {116,101,120,116,0};",
	  .text = ".local .align 8 .b8 %l[48]; .reg .b64 %p, %g, %x; .reg .b32 %v; mov.u64 %p, %l; cvta.local.u64 %g, "
		  "%p; mov.b32 %v, 5;"
		  "st.local.u32 [%p], %v; mov.b32 %v, -7; st.local.u32 [%p+4], %v; mov.b64 %x, 0d4004000000000000; "
		  "st.local.b64 [%p+8], %x;"
		  "mov.u64 %x, $_t; cvta.global.u64 %x, %x; st.local.b64 [%p+16], %x; mov.b64 %x, 12345678901; "
		  "st.local.b64 [%p+24], %x;"
		  "mov.b32 %v, 120; st.local.u32 [%p+32], %v; mov.u64 %x, $_f; cvta.global.u64 %x, %x; { .param .b64 "
		  "f; .param .b64 a;"
		  ".param .b32 r; st.param.b64 [f], %x; st.param.b64 [a], %g; call.uni (r), vprintf, (f, a); "
		  "ld.param.b32 %v, [r]; }" },
	{ .ops = "call malloc and free",
	  .sig = "r=r",
	  .rows = 128,
	  .want = want_same,
	  .decl = ".extern .func (.param .b64 r) malloc (.param .b64 a);\n.extern .func free (.param .b64 a);",
	  .text = ".reg .b64 %p, %n; mov.b64 %n, 64; { .param .b64 a; .param .b64 r; st.param.b64 [a], %n; call.uni "
		  "(r), malloc, (a);"
		  "ld.param.b64 %p, [r]; } st.b32 [%p+60], %i0; bar.sync 0; ld.b32 %o0, [%p+60]; { .param .b64 a; "
		  "st.param.b64 [a], %p;"
		  "call.uni free, (a); }" },
	/* 700 illegal address, 710 assert, 715 illegal instruction, 716 misaligned, 719 launch failed */
	{ .ops = "trap 715 719",
	  .sig = "=",
	  .run = run_ends,
	  .alone = true,
	  .text = ".reg .pred %q; setp.eq.u32 %q, %tx, 33; @%q #;" },
	{ .ops = "ld.global.u32 700",
	  .sig = "=",
	  .run = run_ends,
	  .alone = true,
	  .text = ".reg .b64 %p; .reg .b32 %v; mov.b64 %p, 64; ld.volatile.global.u32 %v, [%p]; st.global.u32 [%out], "
		  "%v;" },
	{ .ops = "ld.shared.u32 716 719",
	  .sig = "=",
	  .run = run_ends,
	  .alone = true,
	  .decl = ".shared .align 8 .b8 $_m[64];",
	  .text = ".reg .b32 %p, %v; mov.u32 %p, $_m; cvt.u32.u64 %v, %aux; add.u32 %p, %p, %v; ld.volatile.shared.u32 "
		  "%v, [%p];"
		  "st.global.u32 [%out], %v;" },
	{ .ops = "call __assertfail 710",
	  .sig = "=",
	  .run = run_ends,
	  .alone = true,
	  .decl = ".extern .func __assertfail (.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 "
		  "s);\n"
		  ".global .align 1 .b8 $_m[5] = {116,101,115,116,0};",
	  .text = ".reg .b64 %x, %y; .reg .b32 %v; mov.u64 %x, $_m; cvta.global.u64 %x, %x; mov.b32 %v, 7; mov.b64 %y, "
		  "1;"
		  "{ .param .b64 m; .param .b64 f; .param .b32 l; .param .b64 n; .param .b64 s; st.param.b64 [m], %x; "
		  "st.param.b64 [f], %x;"
		  "st.param.b32 [l], %v; st.param.b64 [n], %x; st.param.b64 [s], %y; call.uni __assertfail, (m, f, l, "
		  "n, s); }" },
	{ 0 },
};
