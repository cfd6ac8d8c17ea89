/* What hostile texts cost, in steps of the compiler's analyses: in line with their length, or refused. */
#include "ptx.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEW  500u
#define MANY (4 * FEW)

struct text {
	char *at;
	size_t bytes, room;
	uint32_t n;
	uint64_t random;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *t, const char *format, ...)
{
	va_list args;

	if (t->room - t->bytes < 256) {
		t->room = t->room * 2 + 65536;
		t->at = realloc(t->at, t->room);
		assert(t->at);
	}
	va_start(args, format);
	t->bytes += (size_t)vsnprintf(t->at + t->bytes, t->room - t->bytes, format, args);
	va_end(args);
}

static uint32_t any(struct text *t, uint32_t low, uint32_t high)
{
	t->random = t->random * 6364136223846793005u + 1442695040888963407u;
	return low + (uint32_t)(t->random >> 33) % (high - low + 1);
}

/* %p differs between lanes. */
static void condition(struct text *t, uint32_t i)
{
	put(t, "add.u32 %%r5,%%r0,%u; and.b32 %%r5,%%r5,3; setp.eq.u32 %%p,%%r5,%u;\n", i, i & 3);
}

static void work_of_it(struct text *t)
{
	put(t, "ld.global.u32 %%r4,[%%d]; add.u32 %%r2,%%r2,%%r4; st.global.u32 [%%d+4],%%r2; bar.sync 0;\n");
}

static void chain(struct text *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		condition(t, i);
		put(t, "@%%p bra L%u;\n", i);
		work_of_it(t);
		put(t, "L%u:\n", i);
	}
}

static void loops_in_a_row(struct text *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		put(t, "L%u:\n", i);
		work_of_it(t);
		condition(t, i);
		put(t, "@%%p bra L%u;\n", i);
	}
}

static void ways_out(struct text *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		condition(t, i);
		put(t, "add.u32 %%r6,%%r2,%u; @%%p bra END;\n", i);
		work_of_it(t);
	}
	put(t, "END: st.global.u32 [%%d+8],%%r6;\n");
}

static void ways_back(struct text *t)
{
	put(t, "L0:\n");
	for (uint32_t i = 0; i < t->n; i++) {
		work_of_it(t);
		condition(t, i);
		put(t, "@%%p bra L0;\n");
	}
}

static void nested(struct text *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		condition(t, i);
		put(t, "@%%p bra L%u;\n", i);
		work_of_it(t);
	}
	for (uint32_t i = t->n; i-- > 0;)
		put(t, "L%u: add.u32 %%r2,%%r2,1; st.global.u32 [%%d+8],%%r2;\n", i);
}

static void nested_loops(struct text *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		put(t, "L%u:\n", i);
		work_of_it(t);
	}
	for (uint32_t i = t->n; i-- > 0;) {
		condition(t, i);
		put(t, "@%%p bra L%u;\n", i);
	}
}

static void thicket(struct text *t, uint32_t low, uint32_t far)
{
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t least = low ? i + low : 0, most = far && i + far < t->n ? i + far : t->n;

		put(t, "L%u:\n", i);
		condition(t, i);
		put(t, "@%%p bra L%u;\n", any(t, least < t->n ? least : t->n, most));
		put(t, "add.u32 %%r%u,%%r%u,%%r%u; st.global.u32 [%%d+8],%%r%u;\n", 10 + i % 20, 10 + i * 7 % 20,
		    10 + i * 3 % 20, 10 + i % 20);
	}
	put(t, "L%u:\n", t->n);
}

static void forward_near(struct text *t)
{
	thicket(t, 1, 50);
}

static void forward_far(struct text *t)
{
	thicket(t, 1, 0);
}

static void anywhere(struct text *t)
{
	thicket(t, 0, 0);
}

/* Every block on the way down also leads to one that the first block leads to: frontiers of half of all blocks. */
static void fan(struct text *t)
{
	uint32_t n = t->n < 1500 ? t->n : 1500;

	put(t, "ts: .branchtargets C0");
	for (uint32_t i = 0; i < n; i++)
		put(t, ",E%u", i);
	put(t, ";\nbrx.idx %%r0, ts;\n");
	for (uint32_t i = 0; i < n; i++) {
		put(t, "C%u:\n", i);
		condition(t, i);
		put(t, "@%%p bra E%u;\n", i);
	}
	put(t, "bra END;\n");
	for (uint32_t i = 0; i < n; i++)
		put(t, "E%u: add.u32 %%r2,%%r2,%u; st.global.u32 [%%d+4],%%r2; bra END;\n", i, i);
	put(t, "END: st.global.u32 [%%d+8],%%r2;\n");
}

struct outcome {
	int result;
	uint64_t work;
	size_t bytes;
	char error[512];
};

static struct outcome outcome_of(void (*shape)(struct text *t), uint32_t n)
{
	struct text t = { .n = n, .random = 1 };
	struct pl_ptx_image *image = NULL;
	struct outcome o = { 0 };
	struct pl_ptx_log log = { .error = o.error, .error_bytes = sizeof(o.error) };
	struct pl_ptx_source source = { .name = "unit" };

	put(&t, ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 o,.param .u32 m){\n"
		".reg .b32 %%r<40>; .reg .b64 %%d; .reg .pred %%p; ld.param.u64 %%d,[o]; ld.param.u32 %%r1,[m];\n"
		"mov.u32 %%r0,%%tid.x; mov.u32 %%r2,0;\n");
	shape(&t);
	put(&t, "ret;}\n");
	source.text = t.at;
	source.bytes = o.bytes = t.bytes;
	o.result = pl_ptx_compile(&image, &source, 1, NULL, &log);
	o.work = log.work;
	pl_ptx_image_destroy(image);
	free(t.at);
	return o;
}

/* Four times the text: no more than five times the steps. */
static void test_plain_shapes_cost_what_they_are_long(void)
{
	static void (*const shapes[])(struct text *) = { chain, loops_in_a_row };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct outcome few = outcome_of(shapes[i], FEW), many = outcome_of(shapes[i], MANY);

		assert(few.result == 0 && many.result == 0);
		assert(few.work > FEW && many.work < 5 * few.work);
	}
}

static void test_entangled_shapes_are_compiled_or_refused_within_the_limit(void)
{
	static void (*const shapes[])(struct text *) = { ways_out,     ways_back,   nested,   nested_loops,
							 forward_near, forward_far, anywhere, fan };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct outcome o = outcome_of(shapes[i], MANY);
		/* an instruction takes ten characters and more; what looks for regions has a limit of its own */
		uint64_t most = 2 * (PL_PTX_WORK_MIN + o.bytes / 10 * PL_PTX_WORK_EACH);

		if (o.result != 0)
			assert(o.result == PL_PTX_E_LIMIT && strstr(o.error, "'k'") &&
			       (strstr(o.error, "split it") || strstr(o.error, "make it smaller")));
		assert(o.work < most);
	}
}

static void test_thousands_of_ways_out_are_compiled(void)
{
	assert(outcome_of(ways_out, MANY).result == 0);
	assert(outcome_of(forward_near, MANY).result == 0);
}

static void test_loops_nested_by_the_ten_thousand_are_refused_by_name(void)
{
	struct outcome o = outcome_of(nested_loops, 10000);

	assert(o.result == PL_PTX_E_LIMIT && strstr(o.error, "function 'k' has too many branches, loops"));
}

int main(void)
{
	test_plain_shapes_cost_what_they_are_long();
	test_entangled_shapes_are_compiled_or_refused_within_the_limit();
	test_thousands_of_ways_out_are_compiled();
	test_loops_nested_by_the_ten_thousand_are_refused_by_name();
	return 0;
}
