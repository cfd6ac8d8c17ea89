/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that need no register, and the barriers in memory. */
#include "cases.h"

#define BLOCK  128
#define SHARED ".shared .align 16 .b8 $_m[4096]; .shared .align 8 .b64 $_b[4];"
#define AT                                                                                                             \
	".reg .b32 %sa; .reg .b64 %f; mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 16, %sa; mov.b64 %f, 0xcdcdcdcdcdcdcdcd;" \
	"st.shared.v2.b64 [%sa], {%f, %f}; "
#define GET " ld.shared.v2.b64 {%o0, %o1}, [%sa];"
#define INIT(count)                                                                                                    \
	".reg .b32 %bar; .reg .pred %q, %w; mov.u32 %bar, $_b; setp.ne.u32 %q, %tx, 0; @!%q mbarrier.init.shared.b64 " \
	"[%bar], " count "; bar.sync 0; "
#define FILL 0xcdcdcdcdcdcdcdcd

static uint64_t bytes_taken(uint64_t from, int count)
{
	return count <= 0 ? 0 : from & pt_mask(count >= 8 ? 64 : count * 8);
}

/* The argument's bytes. */
static bool want_copied(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bytes = (int)op->number;

	out[0] = bytes >= 8 ? in[0] : bytes_taken(in[0], bytes) | (FILL & ~pt_mask(bytes * 8));
	out[1] = bytes == 16 ? in[1] : FILL;
	return true;
}

/* Of which the source has fewer: zeros for the rest. */
static bool want_part(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bytes = (int)op->number, has = (int)(in[2] & 3);

	out[0] = bytes_taken(in[0], has) | (bytes >= 8 ? 0 : FILL & ~pt_mask(bytes * 8));
	out[1] = bytes == 16 ? bytes_taken(in[1], has - 8) : FILL;
	return true;
}

static bool want_both(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = in[0];
	out[1] = in[1];
	return true;
}

/* Each thread reads another's after the barrier. */
static bool want_swap(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < BLOCK; i++)
		out[i] = in[i ^ 95];
	return true;
}

static bool want_true(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	(void)in;
	out[0] = 1;
	return true;
}

static bool want_number(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)in;
	out[0] = op->number;
	return true;
}

#define SWAP_PUT "mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 8, %sa; st.shared.b64 [%sa], %i0; "
#define SWAP_GET                                                                                                       \
	" mov.u32 %sa, $_m; xor.b32 %sb, %tx, 95; mad.lo.u32 %sa, %sb, 8, %sa; ld.shared.b64 %o0, [%sa]; bar.sync 0;"
#define BARRIER(count, wait)                                                                                           \
	.group = BLOCK, .rows = 512, .sig = "d=d", .want = want_swap, .decl = SHARED,                                  \
	.text = ".reg .b32 %sa, %sb; .reg .b64 %st; " INIT(count) SWAP_PUT wait SWAP_GET

/* An mbarrier of the thread's own, which waits for itself and for bytes. */
#define OWN SHARED ".shared .align 8 .b64 $_own[128]; .shared .align 16 .b8 $_n[4096];"
#define OWN_AT(n)                                                                                                      \
	AT ".reg .b32 %wb; .reg .b64 %st; .reg .pred %w; mov.u32 %wb, $_own; mad.lo.u32 %wb, %tx, 8, %wb; "            \
	   "mbarrier.init.shared.b64 [%wb], 1; fence.mbarrier_init.release.cluster; "                                  \
	   "mbarrier.arrive.expect_tx.shared.b64 %st, [%wb], " n "; "
#define OWN_WAIT                                                                                                       \
	"; $_wait: mbarrier.try_wait.parity.shared.b64 %w, [%wb], 0; @!%w bra $_wait; mbarrier.inval.shared.b64 "      \
	"[%wb]; "
#define BULK .sm = 90, .ptx = 81, .sig = "dd=dd", .rows = 256, .decl = OWN

static bool want_second(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	out[0] = 0;
	out[1] = in[1];
	return true;
}

const struct pt_family pt_cases_async[] = {
	{ .ops = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes",
	  BULK,
	  .want = want_both,
	  .text = OWN_AT("16") "# [%sa], [%ia], 16, [%wb]" OWN_WAIT GET },
	{ .ops = "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes",
	  BULK,
	  .want = want_both,
	  .text = OWN_AT(
		  "16") ".reg .b32 %sb; mov.u32 %sb, $_n; mad.lo.u32 %sb, %tx, 16, %sb; st.shared.v2.b64 "
			"[%sb], {%i0, %i1}; fence.proxy.async.shared::cta; # [%sa], [%sb], 16, [%wb]" OWN_WAIT GET },
	{ .ops = "cp.async.bulk.global.shared::cta.bulk_group",
	  BULK,
	  .want = want_both,
	  .text = AT "st.shared.v2.b64 [%sa], {%i0, %i1}; fence.proxy.async.shared::cta; # [%oa], [%sa], 16; "
		     "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0; ld.global.v2.b64 {%o0, %o1}, [%oa];" },
	{ .ops = "st.async{,.weak}.shared::cluster.mbarrier::complete_tx::bytes.b64 8",
	  BULK,
	  .want = want_copied,
	  .text = OWN_AT("8") "# [%sa], %i0, [%wb]" OWN_WAIT GET },
	{ .ops = "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b64 16",
	  BULK,
	  .want = want_copied,
	  .text = OWN_AT("16") "# [%sa], {%i0, %i1}, [%wb]" OWN_WAIT GET },
	{ .ops = "st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 4",
	  BULK,
	  .want = want_copied,
	  .text = OWN_AT("4") ".reg .b32 %v<2>; mov.b64 {%v0, %v1}, %i0; # [%sa], %v0, [%wb]" OWN_WAIT GET },
	{ .ops = "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 16",
	  BULK,
	  .want = want_copied,
	  .text = OWN_AT("16") ".reg .b32 %v<4>; mov.b64 {%v0, %v1}, %i0; mov.b64 {%v2, %v3}, %i1; # [%sa], {%v0, %v1, "
			       "%v2, %v3}, [%wb]" OWN_WAIT GET },
	{ .ops = "st.bulk{,.weak}.shared::cta",
	  .sig = "dd=dd",
	  .rows = 256,
	  .decl = OWN,
	  .want = want_second,
	  .sm = 100,
	  .ptx = 86,
	  .text = AT
	  "st.shared.v2.b64 [%sa], {%i0, %i1}; # [%sa], 8, 0; fence.proxy.async.shared::cta; bar.sync 0;" GET },
	{ .ops = "cp.async.ca.shared.global {4,8,16}",
	  .sig = "dd=dd",
	  .rows = 512,
	  .want = want_copied,
	  .decl = SHARED,
	  .text = AT "# [%sa], [%ia], ~; cp.async.wait_all;" GET },
	{ .ops = "cp.async.cg.shared.global 16",
	  .sig = "dd=dd",
	  .rows = 512,
	  .want = want_copied,
	  .decl = SHARED,
	  .text = AT "# [%sa], [%ia], ~; cp.async.commit_group; cp.async.wait_group 0;" GET },
	{ .ops = "cp.async.ca.shared.global.L2::128B {4,8,16}",
	  .sig = "dd=dd",
	  .rows = 256,
	  .want = want_copied,
	  .decl = SHARED,
	  .text = AT "# [%sa], [%ia], ~; cp.async.commit_group; cp.async.wait_group 0;" GET,
	  .ptx = 74 },
	{ .ops = "cp.async.ca.shared.global {4,8,16}, %n",
	  .sig = "dd=ddrr",
	  .rows = 512,
	  .want = want_part,
	  .decl = SHARED,
	  .text = AT ".reg .b32 %n; and.b32 %n, %i2, 3; # [%sa], [%ia], ~; cp.async.wait_all;" GET },
	{ .ops = "cp.async.wait_group two in flight",
	  .sig = "dd=dd",
	  .rows = 512,
	  .want = want_both,
	  .decl = SHARED,
	  .text = AT
	  ".reg .b32 %sb; add.u32 %sb, %sa, 8; cp.async.ca.shared.global [%sa], [%ia], 8; cp.async.commit_group;"
	  "cp.async.ca.shared.global [%sb], [%ia+8], 8; cp.async.commit_group; cp.async.wait_group 1; ld.shared.b64 "
	  "%o0, [%sa];"
	  "cp.async.wait_group 0; ld.shared.b64 %o1, [%sb];" },
	{ .ops = "mbarrier.arrive.shared.b64 test_wait",
	  BARRIER("128", "mbarrier.arrive.shared.b64 %st, [%bar]; $_w: mbarrier.test_wait.shared.b64 %w, [%bar], %st; "
			 "@!%w bra $_w;") },
	{ .ops = "mbarrier.arrive.shared.b64 try_wait",
	  BARRIER("128", "mbarrier.arrive.shared.b64 %st, [%bar]; $_w: mbarrier.try_wait.shared.b64 %w, [%bar], %st; "
			 "@!%w bra $_w;"),
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "mbarrier.arrive.shared.b64 test_wait.parity",
	  BARRIER("128", "mbarrier.arrive.shared.b64 %st, [%bar]; $_w: mbarrier.test_wait.parity.shared.b64 %w, "
			 "[%bar], 0; @!%w bra $_w;") },
	{ .ops = "mbarrier.arrive.release.cta.shared::cta.b64 try_wait.parity.acquire",
	  BARRIER("128",
		  "mbarrier.arrive.release.cta.shared::cta.b64 %st, [%bar];"
		  "$_w: mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %w, [%bar], 0, 1000; @!%w bra $_w;"),
	  .sm = 90,
	  .ptx = 80 },
	{ .ops = "mbarrier.arrive.noComplete.shared.b64",
	  BARRIER("256", "mbarrier.arrive.noComplete.shared.b64 %st, [%bar], 1; mbarrier.arrive.shared.b64 %st, [%bar];"
			 "$_w: mbarrier.test_wait.shared.b64 %w, [%bar], %st; @!%w bra $_w;") },
	{ .ops = "mbarrier.arrive.shared.b64 counted",
	  BARRIER("256", "mbarrier.arrive.shared.b64 %st, [%bar], 2; $_w: mbarrier.test_wait.shared.b64 %w, [%bar], "
			 "%st; @!%w bra $_w;"),
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "mbarrier.arrive_drop.shared.b64",
	  BARRIER("128", "setp.lt.u32 %w, %tx, 64; @%w bra $_drop; mbarrier.arrive.shared.b64 %st, [%bar]; bra $_w;"
			 "$_drop: mbarrier.arrive_drop.shared.b64 %st, [%bar];"
			 "$_w: mbarrier.test_wait.shared.b64 %w, [%bar], %st; @!%w bra $_w; bar.sync 1; setp.lt.u32 "
			 "%w, %tx, 64; "
			 "@%w bra $_over;"
			 "mbarrier.arrive.shared.b64 %st, [%bar]; $_x: mbarrier.test_wait.shared.b64 %w, [%bar], %st; "
			 "@!%w bra $_x; $_over:") },
	{ .ops = "mbarrier.arrive_drop.expect_tx.shared::cta.b64",
	  BARRIER("128",
		  "mbarrier.arrive_drop.expect_tx.shared::cta.b64 %st, [%bar], 16; mbarrier.complete_tx.shared.b64 "
		  "[%bar], 16; $_w: mbarrier.test_wait.parity.shared.b64 %w, [%bar], 0; @!%w bra $_w;"),
	  .sm = 90,
	  .ptx = 80 },
	{ .ops = "mbarrier.arrive.expect_tx.shared.b64",
	  BARRIER("128",
		  "mbarrier.arrive.expect_tx.shared.b64 %st, [%bar], 16; mbarrier.complete_tx.shared.b64 [%bar], 16;"
		  "$_w: mbarrier.test_wait.shared.b64 %w, [%bar], %st; @!%w bra $_w;"),
	  .sm = 90,
	  .ptx = 80 },
	{ .ops = "cp.async.mbarrier.arrive.noinc.shared.b64",
	  .group = BLOCK,
	  .rows = 512,
	  .sig = "d=d",
	  .want = want_swap,
	  .decl = SHARED,
	  .text = ".reg .b32 %sa, %sb; .reg .b64 %st; " INIT(
		  "128") "mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 8, %sa;"
			 "cp.async.ca.shared.global [%sa], [%ia], 8; # [%bar]; $_w: "
			 "mbarrier.test_wait.parity.shared.b64 %w, [%bar], 0; @!%w bra $_w;" SWAP_GET },
	{ .ops = "cp.async.mbarrier.arrive.shared.b64",
	  .group = BLOCK,
	  .rows = 512,
	  .sig = "d=d",
	  .want = want_swap,
	  .decl = SHARED,
	  .text = ".reg .b32 %sa, %sb; .reg .b64 %st; " INIT(
		  "128") "mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 8, %sa;"
			 "cp.async.ca.shared.global [%sa], [%ia], 8; # [%bar]; mbarrier.arrive.shared.b64 %st, [%bar];"
			 "$_w: mbarrier.test_wait.shared.b64 %w, [%bar], %st; @!%w bra $_w;" SWAP_GET },
	{ .ops = "mbarrier.pending_count.b64 4",
	  .sig = "r=r",
	  .rows = 128,
	  .want = want_number,
	  .decl = SHARED,
	  .text = ".reg .b64 %st; .reg .b32 %bar; .reg .pred %q; mov.b32 %o0, ~; mov.u32 %bar, $_b; setp.ne.u32 %q, "
		  "%tx, 0; @%q bra $_end;"
		  "mbarrier.init.shared.b64 [%bar], 5; mbarrier.arrive.noComplete.shared.b64 %st, [%bar], 1;"
		  "mbarrier.arrive.noComplete.shared.b64 %st, [%bar], 1; # %o0, %st; mbarrier.inval.shared.b64 [%bar]; "
		  "$_end: bar.sync 0;" },
	{ .ops = "mbarrier.test_wait.shared.b64 not yet",
	  .sig = "p=r",
	  .rows = 128,
	  .want = want_true,
	  .decl = SHARED,
	  .text = ".reg .b64 %st; .reg .b32 %bar; .reg .pred %q; setp.eq.u32 %o0, %tx, %tx; mov.u32 %bar, $_b; "
		  "setp.ne.u32 %q, %tx, 0;"
		  "@%q bra $_end; mbarrier.init.shared.b64 [%bar], 2; mbarrier.arrive.shared.b64 %st, [%bar]; # %o0, "
		  "[%bar], %st;"
		  "not.pred %o0, %o0; $_end: bar.sync 0;" },
	{ 0 },
};
