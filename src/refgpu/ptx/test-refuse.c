/* What is not PTX, or not for this GPU, is refused at its line with words that say what is wrong. */
#include "ptx.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HEAD       ".version 8.0\n.target sm_80\n.address_size 64\n"
#define REGS       ".reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .pred %p<9>; .reg .b16 %rs<9>;\n"
/* line 4: entry, 5: registers, 6: the statement */
#define BODY(text) HEAD ".visible .entry k(.param .u64 a)\n{" REGS text "\n}\n"

struct refusal {
	const char *text;
	int result;
	uint32_t line;
	const char *words;
};

static const struct refusal refusals[] = {
	{ "", PL_PTX_E_INVALID, 1, "begins with .version" },
	{ "hello", PL_PTX_E_INVALID, 1, "not PTX" },
	{ ".version 8.0\n.visible .entry k() { ret; }\n", PL_PTX_E_INVALID, 2, ".target" },
	{ ".version 10.0\n.target sm_80\n", PL_PTX_E_VERSION, 1, "newer" },
	{ ".version 8.0\n.target sm_999\n", PL_PTX_E_VERSION, 2, "newer" },
	{ ".version 9.5\n.target sm_100x\n", PL_PTX_E_UNSUPPORTED, 2, "'sm_100x' is not known" },
	{ ".version 9.5\n.target sm_120a\n.address_size 64\n.visible .entry k()\n{ frob.u32; ret; }\n",
	  PL_PTX_E_INVALID, 5, "'frob' is not known" },
	{ ".version 9.1\n.target sm_100a\n.address_size 64\n.visible .entry k()\n{ tcgen05.wait.ld; ret; }\n",
	  PL_PTX_E_UNSUPPORTED, 5, "tcgen05" },
	{ ".version 1.4\n.target sm_10, map_f64_to_f32\n.entry k()\n{ .reg .f64 %fd<3>;\nadd.f64 %fd1, %fd2, %fd2; "
	  "exit; }\n",
	  PL_PTX_E_UNSUPPORTED, 5, "map_f64_to_f32" },
	{ ".version 8.0\n.target sm_80\n.address_size 32\n", PL_PTX_E_UNSUPPORTED, 3, "32 bits" },
	{ HEAD ".visible .entry k()\n{\nret;\n", PL_PTX_E_INVALID, 7, "text ends" },
	{ HEAD "/* no end", PL_PTX_E_INVALID, 4, "comment" },
	{ HEAD ".global .u32 a;\n.global .u32 a;\n", PL_PTX_E_INVALID, 5, "declared twice" },
	{ HEAD ".global .u32 a[2] = {1, 2, 3};\n", PL_PTX_E_INVALID, 4, "more initial values" },
	{ HEAD ".global .u32 a = 1.5;\n", PL_PTX_E_INVALID, 4, "floating-point" },
	{ HEAD ".global .u64 a = b;\n", PL_PTX_E_INVALID, 4, "declare it first" },
	{ HEAD ".shared .u32 a = 1;\n", PL_PTX_E_INVALID, 4, "initial value" },
	{ HEAD ".global .align 3 .u32 a;\n", PL_PTX_E_INVALID, 4, "power of two" },
	{ HEAD ".global .b8 a[99999999999999];\n", PL_PTX_E_INVALID, 4, "out of range" },
	{ BODY("frob.u32 %r1, %r2;"), PL_PTX_E_INVALID, 6, "'frob' is not known" },
	{ BODY("add.u32 %r1, %r2;"), PL_PTX_E_INVALID, 6, "operands" },
	{ BODY("add.u32 %r1, %r2, %nope;"), PL_PTX_E_INVALID, 6, "'%nope' is not declared" },
	{ BODY("add.u32 %r1, %r2, %r10;"), PL_PTX_E_INVALID, 6, "'%r10' is not declared" },
	{ BODY("add.u32 %r1, %r2, %rd3;"), PL_PTX_E_INVALID, 6, "does not fit .u32" },
	{ BODY("add.f32 %f1, %f2, %p1;"), PL_PTX_E_INVALID, 6, "does not fit .f32" },
	{ BODY("add.rn.u32 %r1, %r2, %r3;"), PL_PTX_E_INVALID, 6, "rounding" },
	{ BODY("add.sat.u32 %r1, %r2, %r3;"), PL_PTX_E_INVALID, 6, ".sat" },
	{ BODY("add.ftz.f64 %rd1, %rd2, %rd3;"), PL_PTX_E_INVALID, 6, ".ftz" },
	{ BODY("add.wide.u32 %r1, %r2, %r3;"), PL_PTX_E_INVALID, 6, ".wide does not go" },
	{ BODY("add.funny.u32 %r1, %r2, %r3;"), PL_PTX_E_UNSUPPORTED, 6, "'.funny' is not known" },
	{ BODY("setp.lt.b32 %p1, %r1, %r2;"), PL_PTX_E_INVALID, 6, ".eq and .ne" },
	{ BODY("setp.ltu.s32 %p1, %r1, %r2;"), PL_PTX_E_INVALID, 6, "unordered" },
	{ BODY("cvt.f32.s32 %f1, %r1;"), PL_PTX_E_INVALID, 6, "needs a rounding" },
	{ BODY("cvt.rn.e2m3x2.f32 %rs1, %f1, %f2;"), PL_PTX_E_INVALID, 6, "takes .rn and .satfinite" },
	{ BODY("cvt.rz.satfinite.e4m3x2.f32 %rs1, %f1, %f2;"), PL_PTX_E_INVALID, 6, "takes .rn and .satfinite" },
	{ BODY("cvt.rn.ue8m0x2.f32 %rs1, %f1, %f2;"), PL_PTX_E_INVALID, 6, "takes .rz or .rp" },
	{ BODY("cvt.rn.f16x2.ue8m0x2 %r1, %rs2;"), PL_PTX_E_INVALID, 6, "bf16x2" },
	{ BODY("cvt.rs.f16x2.f32 %r1, %f1, %f2, %r2;"), PL_PTX_E_UNSUPPORTED, 6, "stochastic" },
	{ BODY("ld.global.u32 %r1, [%f1];"), PL_PTX_E_INVALID, 6, "address" },
	{ BODY("ld.global.v2.u32 {%r1}, [%rd1];"), PL_PTX_E_INVALID, 6, "vector of 2" },
	{ BODY("st.const.u32 [%rd1], %r1;"), PL_PTX_E_INVALID, 6, "can not be written" },
	{ BODY("st.param.u64 [a], %rd1;"), PL_PTX_E_INVALID, 6, "can not be written" },
	{ BODY("ld.shared.u32 %r1, [a];"), PL_PTX_E_INVALID, 6, "state space" },
	{ BODY("ld.relaxed.global.u32 %r1, [%rd1];"), PL_PTX_E_INVALID, 6, "scope" },
	{ BODY("atom.local.add.u32 %r1, [%rd1], %r2;"), PL_PTX_E_INVALID, 6, "global and shared" },
	{ BODY("atom.global.inc.u64 %rd1, [%rd1], %rd2;"), PL_PTX_E_INVALID, 6, "type .u64" },
	{ BODY("bar.sync 16;"), PL_PTX_E_INVALID, 6, "0 to 15" },
	{ BODY("bar.sync 0, 33;"), PL_PTX_E_INVALID, 6, "multiple of 32" },
	{ BODY("bra nowhere;"), PL_PTX_E_INVALID, 6, "not in this function" },
	{ BODY("@%r1 bra x; x:"), PL_PTX_E_INVALID, 6, "not a predicate" },
	{ BODY("call f, ();"), PL_PTX_E_INVALID, 6, "not a function" },
	{ BODY("x: ret;\nx: ret;"), PL_PTX_E_INVALID, 7, "declared twice" },
	{ BODY(".reg .b128 %q; mov.b128 %q, 5;"), PL_PTX_E_INVALID, 6, "128 bits come from a register" },
	{ BODY(".reg .b128 %q; ld.global.u32 %q, [%rd1];"), PL_PTX_E_INVALID, 6, "does not fit .u32" },
	{ BODY(".reg .b128 %q; st.global.u64 [%rd1], %q;"), PL_PTX_E_INVALID, 6, "does not fit .u64" },
	{ BODY(".reg .b128 %q; add.u64 %rd1, %rd2, %q;"), PL_PTX_E_INVALID, 6, "does not fit .u64" },
	{ BODY(".reg .b128 %q; atom.global.add.b128 %q, [%rd1], %q;"), PL_PTX_E_INVALID, 6, "type .b128" },
	{ HEAD ".visible .func (.reg .b128 r) f() { ret; }\n", PL_PTX_E_UNSUPPORTED, 4, "128 bits" },
	{ BODY("mov.u32 %r1, %envreg32;"), PL_PTX_E_UNSUPPORTED, 6, "not a register of this GPU" },
	{ BODY("tcgen05.wait.ld;"), PL_PTX_E_UNSUPPORTED, 6, "tcgen05" },
	{ BODY("tcgen05.mma.cta_group::1.kind::f16 [%r1], %rd1, %rd2, %r2, %p1;"), PL_PTX_E_UNSUPPORTED, 6,
	  "instruction 'tcgen05' is not supported" },
	{ BODY("wgmma.fence.sync.aligned;"), PL_PTX_E_UNSUPPORTED, 6, "wgmma" },
	{ BODY("wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f1,%f2,%f3,%f4}, %rd1, %rd2, %p1, 1, 1, 0, 0;"),
	  PL_PTX_E_UNSUPPORTED, 6, "instruction 'wgmma' is not supported" },
	{ BODY("multimem.ld_reduce.relaxed.gpu.global.add.f32 %f1, [%rd1];"), PL_PTX_E_UNSUPPORTED, 6,
	  "instruction 'multimem' is not supported" },
	{ BODY("tensormap.replace.tile.global_address.global.b1024.b64 [%rd1], %rd2;"), PL_PTX_E_UNSUPPORTED, 6,
	  "instruction 'tensormap' is not supported" },
	{ BODY("clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%r1], [%r2];"),
	  PL_PTX_E_UNSUPPORTED, 6, "instruction 'clusterlaunchcontrol' is not supported" },
	{ BODY("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, %r3}], "
	       "[%r4];"),
	  PL_PTX_E_UNSUPPORTED, 6, "tensor maps" },
	{ BODY("cp.async.bulk.prefetch.tensor.2d.L2.global [%rd1, {%r2, %r3}];"), PL_PTX_E_UNSUPPORTED, 6,
	  "tensor maps" },
	{ BODY("fence.proxy.tensormap::generic.release.gpu;"), PL_PTX_E_UNSUPPORTED, 6, "tensor map" },
	{ BODY("prefetch.tensormap [%rd1];"), PL_PTX_E_UNSUPPORTED, 6, "tensor map" },
	{ BODY("mma.sp.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r1,%r2}, {%r3,%r4}, {%r5,%r6}, {%r7,%r8}, %r1, "
	       "0x0;"),
	  PL_PTX_E_UNSUPPORTED, 6, "sparse" },
	{ BODY("mma.sync.aligned.m16n8k8.row.col.rz.f32.tf32.tf32.f32 {%r1,%r2,%r3,%r4}, {%r1,%r2,%r3,%r4}, {%r1,%r2}, "
	       "{%r1,%r2,%r3,%r4};"),
	  PL_PTX_E_INVALID, 6, "go with .f64" },
	{ BODY("wmma.mma.sync.aligned.row.col.m8n8k4.rna.f64.f64.f64.f64 {%rd1,%rd2}, {%rd3}, {%rd4}, {%rd5,%rd6};"),
	  PL_PTX_E_INVALID, 6, "go with .f64" },
	{ BODY("fma.rn.oob.f16 %rs1, %rs2, %rs3, %rs4;"), PL_PTX_E_UNSUPPORTED, 6, ".oob" },
	{ BODY("add.rz.f16 %rs1, %rs2, %rs3;"), PL_PTX_E_INVALID, 6, "rounds to nearest" },
	{ BODY("fma.rm.bf16 %rs1, %rs2, %rs3, %rs4;"), PL_PTX_E_INVALID, 6, "rounds to nearest" },
	{ BODY("add.ftz.bf16 %rs1, %rs2, %rs3;"), PL_PTX_E_INVALID, 6, ".ftz does not go with .bf16" },
	{ BODY("add.sat.f32x2 %rd1, %rd2, %rd3;"), PL_PTX_E_INVALID, 6, ".sat does not go with .f32x2" },
	{ BODY("tanh.approx.ftz.f32 %f1, %f2;"), PL_PTX_E_INVALID, 6, ".ftz does not go" },
	{ BODY("max.relu.u32 %r1, %r2, %r3;"), PL_PTX_E_INVALID, 6, ".relu does not go with .u32" },
	{ BODY("max.xorsign.abs.f32 %f1, %f2, %f3, %f4;"), PL_PTX_E_INVALID, 6, ".xorsign" },
	{ BODY("mov.v2.u32 {%r1, %r2}, %r3;"), PL_PTX_E_INVALID, 6, "two vectors of 2" },
	{ BODY("istypep.texref %p1, %rd1;"), PL_PTX_E_UNSUPPORTED, 6, "'istypep' is not supported" },
	{ BODY("mov.u32 %r1, 0x1ffffffffffffffff;"), PL_PTX_E_INVALID, 6, "64 bits" },
	{ BODY("mov.u32 %r1, 1/0;"), PL_PTX_E_INVALID, 6, "zero" },
	{ BODY("mov.u32 %r1, `;"), PL_PTX_E_INVALID, 6, "does not have" },
	{ BODY("shl.b32 %r1, %r2 %r3;"), PL_PTX_E_INVALID, 6, "';'" },
	{ HEAD ".func f(.param .u32 a);\n.visible .entry k() { .param .b32 p; call f, (p); ret; }\n", PL_PTX_E_LINK, 4,
	  "not defined" },
	{ HEAD ".extern .global .u32 v;\n.visible .entry k() { .reg .b64 %rd<2>; .reg .b32 %r<2>;\n"
	       "mov.u64 %rd1, v; ld.global.u32 %r1, [%rd1]; st.global.u32 [%rd1], %r1; ret; }\n",
	  PL_PTX_E_LINK, 4, "not defined" },
	{ HEAD ".shared .b8 big[300000];\n.visible .entry k() { .reg .b32 %r<2>;\nst.shared.u32 [big], %r1; ret; }\n",
	  PL_PTX_E_LINK, 5, "shared" },
};

static int compile(const char *text, struct pl_ptx_log *log, char *error, size_t room)
{
	struct pl_ptx_source source = { text, strlen(text), "unit" };
	struct pl_ptx_image *image = NULL;
	int r;

	*log = (struct pl_ptx_log){ .error = error, .error_bytes = room };
	r = pl_ptx_compile(&image, &source, 1, NULL, log);
	assert((r == 0) == (image != NULL));
	pl_ptx_image_destroy(image);
	return r;
}

static void test_refusals_name_line_and_reason(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *want = &refusals[i];
		struct pl_ptx_log log;
		char error[4096];
		int r = compile(want->text, &log, error, sizeof(error));

		if (r != want->result || log.line != want->line || !strstr(error, want->words) ||
		    strncmp(error, "unit:", 5) || error[strlen(error) - 1] != '\n') {
			fprintf(stderr, "case %zu:\n%s\ngot %d, line %u: %s", i, want->text, r, log.line, error);
			wrong++;
		}
	}
	assert(wrong == 0);
}

static void test_good_text_is_taken(void)
{
	struct pl_ptx_log log;
	char error[4096];

	assert(compile(BODY("add.u32 %r1, %r2, %r3; ret;"), &log, error, sizeof(error)) == 0);
	assert(!error[0] && log.line == 0);
	assert(compile(BODY("mov.u32 %r1, %pm3; mov.u64 %rd1, %pm7_64; mov.u32 %r2, %envreg31; pmevent.mask 3;"
			    "isspacep.shared %p1, %r3; ld.u32 %r1, [%rd1].unified;"
			    "createpolicy.range.global.L2::evict_last.L2::evict_unchanged.b64 %rd2, [%rd1], 64, 128;"
			    "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster; ret;"),
		       &log, error, sizeof(error)) == 0);
}

static void test_newer_versions_and_targets_are_taken_where_all_is_known(void)
{
	static const char *const heads[] = { ".version 9.1\n.target sm_100\n", ".version 9.3\n.target sm_100a\n",
					     ".version 9.5\n.target sm_110f\n",
					     ".version 9.9\n.target sm_120a, debug\n",
					     ".version 8.8\n.target sm_103f\n" };

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct pl_ptx_log log;
		char error[4096], text[512];

		strcpy(text, heads[i]);
		strcat(text, ".address_size 64\n.visible .entry k(.param .u64 a)\n{" REGS
			     "ld.param.u64 %rd1, [a]; mov.u32 %r1, %tid.x; st.global.u32 [%rd1], %r1; ret;\n}\n");
		assert(compile(text, &log, error, sizeof(error)) == 0 && !error[0]);
	}
}

static void test_a_target_beyond_what_the_device_claims_is_refused(void)
{
	static const char text[] = ".version 9.5\n.target sm_120\n.address_size 64\n.visible .entry k() { ret; }\n";
	struct pl_ptx_options options = { .target = 90 };
	struct pl_ptx_source source = { text, sizeof(text) - 1, NULL };
	char error[4096];
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };
	struct pl_ptx_image *image = NULL;

	assert(pl_ptx_compile(&image, &source, 1, &options, &log) == PL_PTX_E_VERSION && !image);
	assert(strstr(error, "sm_120 is newer than this GPU, which is sm_90") &&
	       strstr(error, "PLENUM_REFGPU_CAPABILITY"));
	options.target = 120;
	assert(!pl_ptx_compile(&image, &source, 1, &options, &log));
	pl_ptx_image_destroy(image);
}

/* What compilers of 2011 wrote is in programs of today. */
static void test_the_first_devices_texts_are_taken(void)
{
	static const char text[] = "\t.version 1.4\n\t.target sm_10, map_f64_to_f32\n"
				   "\t.shared .align 4 .b8 tile[64];\n"
				   "\t.entry k (.param .u64 __cudaparm_a)\n{\n.reg .u16 %rh<3>; .reg .u32 %r<4>;\n"
				   ".reg .u64 %rd<4>; .reg .f32 %f<4>;\n"
				   "cvt.s32.u16 %r1, %ctaid.x; mov.u16 %rh1, %ntid.x; mul.wide.u16 %r2, %rh1, %rh1;\n"
				   "ld.param.u64 %rd1, [__cudaparm_a]; ld.global.f32 %f1, [%rd1+0];\n"
				   "mad.f32 %f2, %f1, %f1, %f1; bar.sync 0; st.global.f32 [%rd1+0], %f2; exit;\n}\n";
	struct pl_ptx_log log;
	char error[4096];
	int r = compile(text, &log, error, sizeof(error));

	if (r)
		fputs(error, stderr);
	assert(!r);
}

static void test_several_errors_are_reported_at_once(void)
{
	struct pl_ptx_log log;
	char error[4096];

	assert(compile(BODY("bad.u32 %r1;\nadd.u32 %r1, %r2, %r3;\nworse %r1;"), &log, error, sizeof(error)) ==
	       PL_PTX_E_INVALID);
	assert(log.line == 6 && strstr(error, "unit:6:") && strstr(error, "unit:8:") && !strstr(error, "unit:7:"));
}

static void test_small_log_is_cut_at_a_line(void)
{
	struct pl_ptx_log log;
	char error[64];

	assert(compile(BODY("bad.u32 %r1;\nworse %r1;"), &log, error, sizeof(error)) == PL_PTX_E_INVALID);
	assert(strlen(error) < sizeof(error) && (!error[0] || error[strlen(error) - 1] == '\n'));
	assert(log.error_used == strlen(error) && log.line == 6);
}

static void test_deep_nesting_is_limited(void)
{
	static char text[20000];
	struct pl_ptx_log log;
	char error[4096];
	size_t n = (size_t)sprintf(text, HEAD ".global .u32 a = ");

	memset(text + n, '(', 8000);
	assert(compile(text, &log, error, sizeof(error)) == PL_PTX_E_LIMIT && strstr(error, "nested"));
	n = (size_t)sprintf(text, HEAD ".visible .entry k() ");
	memset(text + n, '{', 8000);
	text[n + 8000] = 0;
	assert(compile(text, &log, error, sizeof(error)) == PL_PTX_E_LIMIT && strstr(error, "nested"));
}

int main(void)
{
	test_refusals_name_line_and_reason();
	test_good_text_is_taken();
	test_newer_versions_and_targets_are_taken_where_all_is_known();
	test_a_target_beyond_what_the_device_claims_is_refused();
	test_the_first_devices_texts_are_taken();
	test_several_errors_are_reported_at_once();
	test_small_log_is_cut_at_a_line();
	test_deep_nesting_is_limited();
	return 0;
}
