/*
 * Where lanes meet is well nested in whatever is compiled: on every way through a function a meeting is noted before it
 * is waited for, the last that was noted is waited for first, and where two ways come together the same are open.
 */
#include "ptx.h"
#include "refgpu/isa/isa.h"
#include "refgpu/isa/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX  64
#define TEXT_MAX  (1u << 18)
#define SEEDS     400u
#define DEPTH_MAX 5

/* ---- the check ---- */

struct open { /* meetings that are noted and not waited for, the innermost last */
	uint16_t slot[OPEN_MAX];
	uint32_t n;
	bool seen;
};

struct walk {
	const struct pl_isa_insn *code;
	struct open *at; /* by instruction: what is open in front of it */
	uint32_t *work, work_n, meetings;
	char why[120];
};

static bool refuse(struct walk *w, uint32_t at, const char *why)
{
	char text[128];

	pl_isa_disassemble(&w->code[at], text, sizeof(text));
	snprintf(w->why, sizeof(w->why), "%u: %.60s: %s", at, text, why);
	return false;
}

static bool go(struct walk *w, uint32_t from, uint32_t to, const struct open *open)
{
	struct open *there = &w->at[to];

	if (there->seen)
		return (there->n == open->n && !memcmp(there->slot, open->slot, open->n * sizeof(open->slot[0]))) ||
		       refuse(w, from, "another way comes here with other meetings open");
	*there = *open;
	there->seen = true;
	w->work[w->work_n++] = to;
	return true;
}

static bool step_meeting(struct walk *w, uint32_t at, const struct pl_isa_fields *f, struct open *open)
{
	if (f->op == PL_ISA_BSSY) {
		w->meetings++;
		for (uint32_t i = 0; i < open->n; i++)
			if (open->slot[i] == f->d)
				return refuse(w, at, "it is open already");
		if (open->n == OPEN_MAX)
			return refuse(w, at, "too many are open");
		open->slot[open->n++] = f->d;
		return true;
	}
	if (!open->n || open->slot[open->n - 1] != f->a)
		return refuse(w, at, open->n ? "another one is the innermost" : "none is open");
	open->n--;
	return true;
}

static bool step(struct walk *w, uint32_t at, bool entry)
{
	struct open open = w->at[at];
	struct pl_isa_fields f;
	bool always;

	pl_isa_unpack(&w->code[at], &f);
	always = f.guard == PL_ISA_PT && !f.guard_not;
	switch (f.op) {
	case PL_ISA_BSSY:
	case PL_ISA_BSYNC:
		return step_meeting(w, at, &f, &open) && go(w, at, at + 1, &open);
	case PL_ISA_BRA:
		return go(w, at, f.imm, &open) && (always || go(w, at, at + 1, &open));
	case PL_ISA_BRX:
		for (uint32_t i = 0; i < f.d; i++)
			if (!go(w, at, f.imm + i, &open))
				return false;
		return true;
	case PL_ISA_RET:
		if (!entry && open.n)
			return refuse(w, at, "it returns with a meeting open");
		return always || go(w, at, at + 1, &open);
	case PL_ISA_EXIT:
	case PL_ISA_TRAP:
		return always || go(w, at, at + 1, &open);
	default:
		return go(w, at, at + 1, &open);
	}
}

/* How many meetings; -1: not well nested, said on stderr. */
static int meetings_of(const struct pl_ptx_image *image)
{
	const struct pl_ptx_bytes *bytes = &image->sections[PL_PTX_CODE];
	uint32_t n = (uint32_t)(bytes->bytes / 16);
	struct walk w = { .code = (const void *)bytes->data };
	bool good = true;

	w.at = calloc(n + 1, sizeof(*w.at));
	w.work = calloc(n + 1, sizeof(*w.work));
	assert(w.at && w.work);
	for (uint32_t i = 0; i < image->funcs_n && good; i++) {
		static const struct open none;
		uint32_t first = (uint32_t)(image->funcs[i].offset / 16);

		good = go(&w, first, first, &none);
		while (good && w.work_n)
			good = step(&w, w.work[--w.work_n], image->funcs[i].entry);
	}
	if (!good)
		fprintf(stderr, "%s\n", w.why);
	free(w.at);
	free(w.work);
	return good ? (int)w.meetings : -1;
}

/* ---- texts ---- */

static char text[TEXT_MAX];
static size_t text_n;
static uint32_t labels, seed;

static __attribute__((format(printf, 1, 2))) void put(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_n += (size_t)vsnprintf(text + text_n, TEXT_MAX - text_n, format, args);
	va_end(args);
	assert(text_n < TEXT_MAX);
}

static uint32_t any(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 10) % n;
}

static void condition(void)
{
	put("add.u32 %%r5,%%r%u,%u; and.b32 %%r5,%%r5,%u; setp.%s.u32 %%p,%%r5,%u;\n", any(3), any(9), 1 + 2 * any(4),
	    any(2) ? "eq" : "lt", any(4));
}

static void something(void)
{
	put("ld.global.u32 %%r4,[%%d]; add.u32 %%r%u,%%r%u,%%r4; st.global.u32 [%%d+4],%%r2; bar.warp.sync -1;\n",
	    any(4), any(4));
}

/* Statements as a compiler orders them; `out` and `next` of the loop around, or -1. */
static void statements(uint32_t depth, int out, int next)
{
	for (uint32_t i = 0, n = 1 + any(3); i < n; i++) {
		uint32_t a = labels++, b = labels++;

		something();
		condition();
		switch (depth ? any(6) : 5) {
		case 0: /* if */
			put("@%%p bra L%u;\n", a);
			statements(depth - 1, out, next);
			put("L%u:\n", a);
			break;
		case 1: /* if, else */
			put("@%%p bra L%u;\n", a);
			statements(depth - 1, out, next);
			put("bra L%u;\nL%u:\n", b, a);
			statements(depth - 1, out, next);
			put("L%u:\n", b);
			break;
		case 2: /* while */
			put("L%u:\n", a);
			condition();
			put("@%%p bra L%u;\n", b);
			statements(depth - 1, (int)b, (int)a);
			put("bra L%u;\nL%u:\n", a, b);
			break;
		case 3: /* do while */
			put("L%u:\n", a);
			statements(depth - 1, (int)b, (int)a);
			condition();
			put("@%%p bra L%u;\nL%u:\n", a, b);
			break;
		default: /* out, on, away, or nothing */
			if (any(2) && out >= 0)
				put("@%%p bra L%d;\n", any(2) ? out : next);
			else if (!any(4))
				put("@%%p bra END;\n");
			break;
		}
	}
}

/* Branches to anywhere. */
static void thicket(uint32_t n, bool back)
{
	for (uint32_t i = 0; i < n; i++) {
		put("L%u:\n", i);
		something();
		condition();
		put("@%%p bra L%u;\n", back ? any(n + 1) : i + 1 + any(n - i < 9 ? n - i : 9));
	}
	put("L%u:\n", n);
}

static int compiled(void (*shape)(void), bool function)
{
	struct pl_ptx_image *image = NULL;
	struct pl_ptx_source source = { text, 0, "unit" };
	char error[512] = "";
	struct pl_ptx_log log = { .error = error, .error_bytes = sizeof(error) };
	int r, n;

	text_n = labels = 0;
	put(".version 8.0\n.target sm_80\n.address_size 64\n");
	put("%s (.param .b64 o)\n{\n.reg .b32 %%r<9>; .reg .b64 %%d; .reg .pred %%p; ld.param.u64 %%d,[o];\n"
	    "mov.u32 %%r0,%%tid.x; mov.u32 %%r1,%%ctaid.x; mov.u32 %%r2,%%laneid; mov.u32 %%r3,7;\n",
	    function ? ".visible .func f" : ".visible .entry f");
	shape();
	put("END: st.global.u32 [%%d],%%r2; ret;\n}\n");
	source.bytes = text_n;
	r = pl_ptx_compile(&image, &source, 1, NULL, &log);
	if (r)
		fprintf(stderr, "%s%s", text, error);
	assert(r == 0);
	n = meetings_of(image);
	if (n < 0)
		fprintf(stderr, "%s", text);
	pl_ptx_image_destroy(image);
	return n;
}

static void structured(void)
{
	statements(DEPTH_MAX, -1, -1);
}

static void forward(void)
{
	thicket(30, false);
}

static void anywhere(void)
{
	thicket(12, true);
}

static void test_meetings_are_well_nested_in(void (*shape)(void), bool must_meet)
{
	int all = 0;

	for (uint32_t i = 0; i < SEEDS; i++) {
		int n;

		seed = i * 2654435761u + 1;
		n = compiled(shape, i & 1);
		assert(n >= 0);
		all += n;
	}
	assert(!must_meet || all > (int)SEEDS);
}

static void broken(struct walk *w, const char *words)
{
	struct open at[16] = { { .n = 0 } };
	uint32_t work[16];
	bool good;

	w->at = at;
	w->work = work;
	w->work_n = 0;
	good = go(w, 0, 0, &at[15]);
	while (good && w->work_n)
		good = step(w, w->work[--w->work_n], false);
	if (good || !strstr(w->why, words))
		fprintf(stderr, "%s, not %s\n", good ? "good" : w->why, words);
	assert(!good && strstr(w->why, words));
}

/* The check itself finds what is wrong. */
static void test_what_is_not_nested_is_found(void)
{
	struct pl_isa_insn code[8];
	struct pl_isa_fields f[] = { { .op = PL_ISA_BSSY, .d = 4, .guard = PL_ISA_PT },
				     { .op = PL_ISA_BSSY, .d = 5, .guard = PL_ISA_PT },
				     { .op = PL_ISA_BSYNC, .a = 4, .guard = PL_ISA_PT },
				     { .op = PL_ISA_RET, .guard = PL_ISA_PT },
				     { .op = PL_ISA_BRA, .imm = 2, .guard = 1 } };
	struct walk w = { .code = code };

	for (int i = 0; i < 4; i++)
		code[i] = pl_isa_pack(&f[i]);
	broken(&w, "another one is the innermost");
	code[1] = pl_isa_pack(&f[3]);
	broken(&w, "returns with a meeting open");
	code[1] = pl_isa_pack(&f[0]);
	broken(&w, "open already");
	code[0] = pl_isa_pack(&f[4]);
	code[1] = pl_isa_pack(&f[0]);
	broken(&w, "another way comes here");
	code[0] = code[2];
	broken(&w, "none is open");
}

int main(void)
{
	test_what_is_not_nested_is_found();
	test_meetings_are_well_nested_in(structured, true);
	test_meetings_are_well_nested_in(forward, false);
	test_meetings_are_well_nested_in(anywhere, false);
	return 0;
}
