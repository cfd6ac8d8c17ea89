/*
 * Random programs, with any flow between their blocks that jumps can make, compared with a plain interpreter of the
 * same program for each thread: branches that lanes take apart, loops of different length, uniform and varying values,
 * guarded instructions, registers that live across all of it.
 */
#include "run.h"

#define REGS    6 /* of 32 bits; the first two begin the same in all threads */
#define WIDES   3 /* of 64 bits; the first begins the same in all threads */
#define PREDS   3
#define BLOCKS  12
#define OPS     7
#define FUEL    60 /* blocks until a thread leaves */
#define THREADS 96
#define TWISTS  5 /* most rounds of the function that is called */

enum { ADD, SUB, XOR, MUL, MAD, SHL, MIN, SELP, SETP, PLOP, NOTP, WADD, WMUL, WCVT, NARROW, LOAD, MOVI, CALL, KINDS };
enum { FALL, JUMP, BRANCH, TABLE, ENDS };

struct op {
	uint8_t kind, d, a, b, c, guard /* PREDS: none */;
	bool guard_not;
	int32_t imm; /* used instead of b where b == REGS */
};
struct block {
	struct op ops[OPS];
	uint32_t ops_n;
	uint8_t end, pred, target, targets[4];
	bool not ;
};
struct program {
	struct block blocks[BLOCKS];
	uint32_t n;
};

static uint32_t seed;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static void make_op(struct op *op)
{
	*op = (struct op){ .kind = (uint8_t)pick(KINDS), .guard = PREDS };
	op->d = (uint8_t)pick((op->kind >= WADD && op->kind <= WCVT) || op->kind == CALL ? WIDES
			      : op->kind == SETP || op->kind == PLOP || op->kind == NOTP ? PREDS
											 : REGS);
	op->a = (uint8_t)pick(REGS);
	op->b = (uint8_t)pick(REGS + 2);
	if (op->b > REGS)
		op->b = REGS;
	op->c = (uint8_t)pick(REGS);
	op->imm = (int32_t)pick(64) - 16;
	if (pick(4) == 0) {
		op->guard = (uint8_t)pick(PREDS);
		op->guard_not = pick(2);
	}
}

/* Jumps lead anywhere, or with `structured` mostly a little forward, and back to form loops. */
static void make_program(struct program *p, bool structured)
{
	p->n = 3 + pick(BLOCKS - 3);
	for (uint32_t i = 0; i < p->n; i++) {
		struct block *block = &p->blocks[i];

		block->ops_n = pick(OPS + 1);
		for (uint32_t k = 0; k < block->ops_n; k++)
			make_op(&block->ops[k]);
		block->end = (uint8_t)(pick(5) < 3 ? BRANCH : pick(8) == 0 ? TABLE : pick(2) ? JUMP : FALL);
		block->pred = (uint8_t)pick(PREDS);
		block->not = pick(2);
		block->target = (uint8_t)(structured && pick(4) ? i + 1 + pick(3) : pick(p->n));
		if (block->target >= p->n)
			block->target = (uint8_t)(p->n - 1);
		for (int k = 0; k < 4; k++)
			block->targets[k] = (uint8_t)pick(p->n);
		if (structured && block->end == JUMP && block->target <= i)
			block->end = BRANCH;
	}
}

/* ---- as PTX ---- */

#define FUNCTION                                                                                                       \
	".func (.param .b64 ret) twist(.param .b32 a, .param .b64 w)\n{ .reg .b32 %r<9>; .reg .b64 %w<9>; .reg .pred " \
	"%p<3>;\n"                                                                                                     \
	"ld.param.u32 %r1, [a]; ld.param.u64 %w1, [w]; rem.u32 %r2, %r1, 5; mov.u32 %r3, 0; cvt.u64.u32 %w2, %r1;\n"   \
	"L: and.b32 %r4, %r3, 1; setp.eq.u32 %p1, %r4, 0; @%p1 bra EVEN; mad.lo.u64 %w1, %w1, 3, %w2; bra NEXT;\n"     \
	"EVEN: add.u32 %r5, %r1, %r3; cvt.u64.u32 %w3, %r5; shl.b64 %w3, %w3, 20; xor.b64 %w1, %w1, %w3;\n"            \
	"NEXT: add.u32 %r3, %r3, 1; setp.le.u32 %p1, %r3, %r2; @%p1 bra L;\n"                                          \
	"and.b32 %r6, %r1, 8; setp.ne.u32 %p2, %r6, 0; @%p2 bra OUT; add.u64 %w1, %w1, 1; st.param.b64 [ret], %w1; "   \
	"ret;\n"                                                                                                       \
	"OUT: st.param.b64 [ret], %w1; ret; }\n"

static size_t put_op(char *at, const struct op *op)
{
	char b[32], guard[16] = "";
	unsigned d = op->d, a = op->a, c = op->c, w = op->a % WIDES, p = op->a % PREDS, q = op->c % PREDS;

	if (op->b == REGS)
		sprintf(b, "%d", op->imm);
	else
		sprintf(b, "%%r%u", op->b);
	if (op->guard < PREDS)
		sprintf(guard, "@%s%%p%u ", op->guard_not ? "!" : "", op->guard);
	switch (op->kind) {
	case ADD:
		return (size_t)sprintf(at, "%sadd.u32 %%r%u, %%r%u, %s;\n", guard, d, a, b);
	case SUB:
		return (size_t)sprintf(at, "%ssub.u32 %%r%u, %s, %%r%u;\n", guard, d, b, a);
	case XOR:
		return (size_t)sprintf(at, "%sxor.b32 %%r%u, %%r%u, %s;\n", guard, d, a, b);
	case MUL:
		return (size_t)sprintf(at, "%smul.lo.u32 %%r%u, %%r%u, %s;\n", guard, d, a, b);
	case MAD:
		return (size_t)sprintf(at, "%smad.lo.u32 %%r%u, %%r%u, %s, %%r%u;\n", guard, d, a, b, c);
	case SHL:
		return (size_t)sprintf(at, "%sshl.b32 %%r%u, %%r%u, %u;\n", guard, d, a, op->imm & 31);
	case MIN:
		return (size_t)sprintf(at, "%smin.s32 %%r%u, %%r%u, %s;\n", guard, d, a, b);
	case SELP:
		return (size_t)sprintf(at, "%sselp.b32 %%r%u, %%r%u, %s, %%p%u;\n", guard, d, a, b, q);
	case SETP:
		return (size_t)sprintf(at, "%ssetp.lt.s32 %%p%u, %%r%u, %s;\n", guard, d, a, b);
	case PLOP:
		return (size_t)sprintf(at, "%sxor.pred %%p%u, %%p%u, %%p%u;\n", guard, d, p, q);
	case NOTP:
		return (size_t)sprintf(at, "%snot.pred %%p%u, %%p%u;\n", guard, d, p);
	case WADD:
		return (size_t)sprintf(at, "%sadd.u64 %%w%u, %%w%u, %d;\n", guard, d, w, op->imm);
	case WMUL:
		return (size_t)sprintf(at, "%smul.wide.u32 %%w%u, %%r%u, %s;\n", guard, d, a, b);
	case WCVT:
		return (size_t)sprintf(at, "%scvt.s64.s32 %%w%u, %%r%u;\n", guard, d, a);
	case NARROW:
		return (size_t)sprintf(at, "%scvt.u32.u64 %%r%u, %%w%u;\n", guard, d, w);
	case LOAD: /* table[r & 63] */
		return (size_t)sprintf(
			at,
			"and.b32 %%t, %%r%u, 63;\nmul.wide.u32 %%x, %%t, 4;\nadd.u64 %%x, %%x, %%table;\n"
			"%sld.global.u32 %%r%u, [%%x];\n",
			a, guard, d);
	case CALL:
		return (size_t)sprintf(
			at,
			"{ .param .b32 a; .param .b64 b; .param .b64 v; st.param.b32 [a], %%r%u; "
			"st.param.b64 [b], %%w%u; %scall (v), twist, (a, b); %sld.param.b64 %%w%u, [v]; }\n",
			a, w, guard, guard, d);
	default:
		return (size_t)sprintf(at, "%smov.u32 %%r%u, %d;\n", guard, d, op->imm);
	}
}

static void put_program(char *at, const struct program *p)
{
	at += sprintf(at, "%s", ".version 8.0\n.target sm_80\n.address_size 64\n" FUNCTION);
	at += sprintf(
		at,
		".visible .entry k(.param .u64 out, .param .u64 table, "
		".param .u32 same)\n{\n.reg .b32 %%r<%u>; .reg .b64 %%w<%u>; .reg .pred %%p<%u>;\n"
		".reg .b32 %%t, %%fuel, %%id; .reg .b64 %%x, %%out, %%table; .reg .pred %%q;\n"
		"ld.param.u64 %%out, [out]; ld.param.u64 %%table, [table];\nmov.u32 %%id, %%tid.x; mov.u32 %%fuel, "
		"%u;\n"
		"ld.param.u32 %%r0, [same]; mov.u32 %%r1, 3;\n",
		REGS, WIDES, PREDS, FUEL);
	for (unsigned i = 2; i < REGS; i++)
		at += sprintf(at, "mad.lo.u32 %%r%u, %%id, %u, %u;\n", i, i * 7 + 1, i);
	at += sprintf(at, "cvt.u64.u32 %%w0, %%r0;\n");
	for (unsigned i = 1; i < WIDES; i++)
		at += sprintf(at, "mul.wide.u32 %%w%u, %%id, %u;\n", i, i + 77);
	at += sprintf(at, "setp.eq.u32 %%p0, %%r0, 5;\nsetp.gt.u32 %%p1, %%id, 9;\nsetp.ne.s32 %%p2, %%r1, 3;\n");
	for (uint32_t i = 0; i < p->n; i++) {
		const struct block *block = &p->blocks[i];

		at += sprintf(at, "B%u:\nsub.u32 %%fuel, %%fuel, 1;\nsetp.eq.u32 %%q, %%fuel, 0;\n@%%q bra END;\n", i);
		for (uint32_t k = 0; k < block->ops_n; k++)
			at += put_op(at, &block->ops[k]);
		if (block->end == JUMP)
			at += sprintf(at, "bra B%u;\n", block->target);
		else if (block->end == BRANCH)
			at += sprintf(at, "@%s%%p%u bra B%u;\n", block->not ? "!" : "", block->pred, block->target);
		else if (block->end == TABLE)
			at += sprintf(
				at,
				"L%u: .branchtargets B%u, B%u, B%u, B%u;\nand.b32 %%t, %%r%u, 3;\nbrx.idx %%t, L%u;\n",
				i, block->targets[0], block->targets[1], block->targets[2], block->targets[3],
				block->target % REGS, i);
	}
	at += sprintf(at, "END:\nmul.wide.u32 %%x, %%id, %u;\nadd.u64 %%out, %%out, %%x;\n",
		      (REGS + 2 * WIDES + 1) * 4 + 4);
	for (unsigned i = 0; i < REGS; i++)
		at += sprintf(at, "st.global.u32 [%%out+%u], %%r%u;\n", i * 4, i);
	for (unsigned i = 0; i < WIDES; i++)
		at += sprintf(at, "st.global.u64 [%%out+%u], %%w%u;\n", REGS * 4 + i * 8, i);
	sprintf(at,
		"selp.u32 %%t, 1, 0, %%p0;\n@%%p1 add.u32 %%t, %%t, 2;\n@%%p2 add.u32 %%t, %%t, 4;\n"
		"st.global.u32 [%%out+%u], %%t;\nret;\n}\n",
		REGS * 4 + WIDES * 8);
}

/* ---- one thread ---- */

struct state {
	uint32_t r[REGS];
	uint64_t w[WIDES];
	bool p[PREDS];
};

static uint64_t twist(uint32_t a, uint64_t w)
{
	uint32_t n = a % TWISTS;

	for (uint32_t i = 0; i <= n; i++)
		w = i & 1 ? w * 3 + a : w ^ (uint64_t)(a + i) << 20;
	return a & 8 ? w : w + 1;
}

static void step(struct state *s, const struct op *op, const uint32_t *table)
{
	uint32_t a = s->r[op->a], b = op->b == REGS ? (uint32_t)op->imm : s->r[op->b], c = s->r[op->c];
	uint64_t w = s->w[op->a % WIDES];
	bool p = s->p[op->a % PREDS], q = s->p[op->c % PREDS];

	if (op->guard < PREDS && s->p[op->guard] == op->guard_not)
		return;
	switch (op->kind) {
	case ADD:
		s->r[op->d] = a + b;
		break;
	case SUB:
		s->r[op->d] = b - a;
		break;
	case XOR:
		s->r[op->d] = a ^ b;
		break;
	case MUL:
		s->r[op->d] = a * b;
		break;
	case MAD:
		s->r[op->d] = a * b + c;
		break;
	case SHL:
		s->r[op->d] = a << (op->imm & 31);
		break;
	case MIN:
		s->r[op->d] = (int32_t)a < (int32_t)b ? a : b;
		break;
	case SELP:
		s->r[op->d] = q ? a : b;
		break;
	case SETP:
		s->p[op->d] = (int32_t)a < (int32_t)b;
		break;
	case PLOP:
		s->p[op->d] = p ^ q;
		break;
	case NOTP:
		s->p[op->d] = !p;
		break;
	case WADD:
		s->w[op->d] = w + (uint64_t)(int64_t)op->imm;
		break;
	case WMUL:
		s->w[op->d] = (uint64_t)a * b;
		break;
	case WCVT:
		s->w[op->d] = (uint64_t)(int64_t)(int32_t)a;
		break;
	case NARROW:
		s->r[op->d] = (uint32_t)w;
		break;
	case LOAD:
		s->r[op->d] = table[a & 63];
		break;
	case CALL:
		s->w[op->d] = twist(a, w);
		break;
	default:
		s->r[op->d] = (uint32_t)op->imm;
		break;
	}
}

static struct state interpret(const struct program *p, uint32_t tid, uint32_t same, const uint32_t *table)
{
	struct state s = { .r = { same, 3 }, .w = { same }, .p = { same == 5, tid > 9, false } };
	uint32_t at = 0, fuel = FUEL;

	for (uint32_t i = 2; i < REGS; i++)
		s.r[i] = tid * (i * 7 + 1) + i;
	for (uint32_t i = 1; i < WIDES; i++)
		s.w[i] = (uint64_t)tid * (i + 77);
	while (at < p->n && --fuel) {
		const struct block *block = &p->blocks[at];

		for (uint32_t k = 0; k < block->ops_n; k++)
			step(&s, &block->ops[k], table);
		if (block->end == JUMP || (block->end == BRANCH && s.p[block->pred] != block->not ))
			at = block->target;
		else if (block->end == TABLE)
			at = block->targets[s.r[block->target % REGS] & 3];
		else
			at++;
	}
	return s;
}

static void compare(struct run *run, const struct program *p, const char *text, uint32_t same, uint32_t number)
{
	const uint32_t stride = (REGS + 2 * WIDES + 1) * 4 + 4,
		       *table = (const uint32_t *)(const void *)(run->kit.memory + (1 << 20));
	uint32_t wrong = 0, last = 0;

	for (uint32_t tid = 0; tid < THREADS; tid++) {
		struct state want = interpret(p, tid, same, table);
		const uint8_t *got = run->kit.memory + tid * stride;
		uint32_t preds = want.p[0] + 2u * want.p[1] + 4u * want.p[2];

		if (memcmp(got, want.r, sizeof(want.r)) || memcmp(got + REGS * 4, want.w, sizeof(want.w)) ||
		    memcmp(got + REGS * 4 + WIDES * 8, &preds, 4))
			wrong++, last = tid;
	}
	if (wrong) {
		struct state want = interpret(p, last, same, table);
		const uint32_t *got = (const uint32_t *)(const void *)(run->kit.memory + last * stride);

		for (uint32_t i = 0; i < stride / 4 - 1; i++)
			fprintf(stderr, "thread %u, word %u: %x, wanted %x\n", last, i, got[i],
				i < REGS               ? want.r[i]
				: i < REGS + 2 * WIDES ? ((const uint32_t *)want.w)[i - REGS]
						       : (uint32_t)(want.p[0] + 2 * want.p[1] + 4 * want.p[2]));
		fprintf(stderr, "program %u (%u): %u threads differ\n%s", number, same, wrong, text);
		assert(!"the same as interpreted");
	}
}

int main(int argc, char **argv)
{
	static char text[1 << 16];
	static struct run run;
	uint32_t first = argc > 1 ? (uint32_t)atoi(argv[1]) : 0, n = argc > 2 ? (uint32_t)atoi(argv[2]) : 150;
	uint32_t *table;

	run_begin(&run);
	table = (uint32_t *)(void *)(run.kit.memory + (1 << 20));
	for (uint32_t i = 0; i < 64; i++)
		table[i] = i * 2654435761u >> (i & 15);
	for (uint32_t i = first; i < first + n; i++) {
		struct program program = { 0 };

		seed = i * 7919 + 1;
		make_program(&program, i % 3 != 0);
		put_program(text, &program);
		run_compile(&run, text);
		for (uint32_t same = 4; same < 6; same++) {
			memset(run.kit.memory, 0xee, 64 * THREADS);
			if (run_simple(&run, "k", 1, THREADS, (uint64_t[]){ run_va(0), run_va(1 << 20), same }) !=
			    PL_RG_FAULT_NONE) {
				fprintf(stderr, "program %u (%u)\n%s", i, same, text);
				assert(!"it runs");
			}
			compare(&run, &program, text, same, i);
		}
	}
	run_end(&run);
	return 0;
}
