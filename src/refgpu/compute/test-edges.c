/*
 * Lanes at the edges of memory: what ends there is whole, the first lane behind it is a fault of its own, and lanes
 * that are masked off may be anywhere.  Usage: test-refgpu-edges BUILD
 */
#include "refgpu/compute/kit.h"

#define SOURCE 4096u /* offsets in device memory */
#define OUT    8192u
#define SHARED 8192u

struct edge {
	const char *space;
	uint64_t offset;
	uint32_t load, store; /* faults behind it */
	uint64_t address;     /* of the fault */
};
static const struct edge edges[] = {
	{ "shared", SHARED, PL_RG_FAULT_SHARED_RANGE, PL_RG_FAULT_SHARED_RANGE, SHARED },
	{ "global", KIT_READ_ONLY, PL_RG_FAULT_NONE, PL_RG_FAULT_READ_ONLY, KIT_VA + KIT_READ_ONLY },
	{ "global", KIT_BYTES, PL_RG_FAULT_PAGE_NOT_PRESENT, PL_RG_FAULT_PAGE_NOT_PRESENT, KIT_VA + KIT_BYTES },
};

static const struct access {
	const char *type, *vec;
	unsigned shift; /* of its bytes */
} accesses[] = { { "u32", "", 2 },    { "u64", "", 3 },    { "b128", "", 4 },
		 { "u32", ".v2", 3 }, { "u32", ".v4", 4 }, { "u64", ".v2", 4 } };

/* R3: the lane's place, `inside` of which lie before the edge; R20: the same in device memory; R24: lanes in a row. P0:
 * the first `active` lanes. */
static char *program_begin(char *at, const struct edge *edge, unsigned shift, unsigned inside, unsigned active)
{
	return at + sprintf(at,
			    "entry $0x1008040\nuld.u64.param U4, [0]\ns2r.u32 R1, $33\nshl.u32 R3, R1, #%u\n"
			    "mov.u64 R22, U4\ncvt.u64.u32 R24, R3\nadd.u64 R24, R24, R22\nadd.u32 R3, R3, #%u\n"
			    "cvt.u64.u32 R20, R3\nadd.u64 R20, R20, R22\nsetp.u32.lt P0, R1, #%u, PT\n",
			    shift, (unsigned)edge->offset - (inside << shift), active);
}

static void run(struct kit *kit, const char *text, uint32_t code, const struct edge *edge, unsigned inside)
{
	const struct pl_rg_fault *fault = &kit->result.fault;

	kit_code(kit, text);
	kit->param[0] = KIT_VA;
	if (kit_run(kit, 1, 32) != code)
		fprintf(stderr, "fault %x, not %x\n%s", fault->code, code, text);
	assert(fault->code == code);
	if (code != PL_RG_FAULT_NONE)
		assert(fault->thread[0] == inside && fault->address == edge->address);
}

static void access_try(struct kit *kit, const struct edge *edge, const struct access *a, unsigned inside,
		       unsigned active, bool store)
{
	uint32_t code = active <= inside ? PL_RG_FAULT_NONE : store ? edge->store : edge->load;
	const char *place = edge->space[0] == 's' ? "R3" : "R20";
	char text[1024], *at = program_begin(text, edge, a->shift, inside, active);
	unsigned bytes = active << a->shift;

	for (unsigned i = 0; i < 512; i++)
		kit->memory[SOURCE + i] = (uint8_t)(rand() >> 8), kit->memory[OUT + i] = 0xee;
	if (store)
		at += sprintf(at, "@P0 ld.%s.global%s R40, [R24 + %u]\n@P0 st.%s.%s%s R40, [%s]\n", a->type, a->vec,
			      SOURCE, a->type, edge->space, a->vec, place);
	sprintf(at, "@P0 ld.%s.%s%s R40, [%s]\n@P0 st.%s.global%s R40, [R24 + %u]\nexit\n", a->type, edge->space,
		a->vec, place, a->type, a->vec, OUT);
	run(kit, text, code, edge, inside);
	if (code != PL_RG_FAULT_NONE)
		return;
	if (store)
		assert(!memcmp(kit->memory + OUT, kit->memory + SOURCE, bytes));
	else if (edge->space[0] != 's')
		assert(!memcmp(kit->memory + OUT, kit->memory + edge->offset - (inside << a->shift), bytes));
	for (unsigned i = bytes; i < 512; i++)
		assert(kit->memory[OUT + i] == 0xee);
}

static void test_loads_and_stores(struct kit *kit)
{
	static const unsigned inside[] = { 1, 5, 16, 29, 31, 32 };

	for (unsigned e = 0; e < sizeof(edges) / sizeof(*edges); e++)
		for (unsigned a = 0; a < sizeof(accesses) / sizeof(*accesses); a++)
			for (unsigned i = 0; i < 2 * sizeof(inside) / sizeof(*inside); i++) {
				unsigned n = inside[i / 2];

				access_try(kit, &edges[e], &accesses[a], n, n, i & 1);
				access_try(kit, &edges[e], &accesses[a], n, 32, i & 1);
			}
}

static void test_asynchronous_copies(struct kit *kit)
{
	for (unsigned e = 0; e < sizeof(edges) / sizeof(*edges); e++)
		for (unsigned i = 0; i < 12; i++) {
			const struct access *a = &accesses[i / 4];
			unsigned inside = i & 1 ? 31 : 7, active = i & 2 ? 32 : inside;
			char text[1024], *at = program_begin(text, &edges[e], a->shift, inside, active);
			bool to = edges[e].space[0] == 's';

			sprintf(at, "shl.u32 R5, R1, #4\n@P0 cpasync.%s %s, %s, R2047, $0\nexit\n", a->type,
				to ? "R3" : "R5", to ? "R24" : "R20"); /* the other end: lanes in a row */
			run(kit, text, active <= inside ? PL_RG_FAULT_NONE : edges[e].load, &edges[e], inside);
		}
}

static void test_rows_of_matrices(struct kit *kit)
{
	for (unsigned sub = 0; sub < 3; sub++)
		for (unsigned i = 0; i < 4; i++) {
			unsigned rows = 8u << sub, inside = i & 1 ? rows - 1 : rows;
			char text[1024], *at = program_begin(text, &edges[0], 4, inside, 32);

			sprintf(at, "%s.sub%u R40, R3, $0\nexit\n", i & 2 ? "stmatrix" : "ldmatrix", sub);
			run(kit, text, inside < rows ? PL_RG_FAULT_SHARED_RANGE : PL_RG_FAULT_NONE, &edges[0], inside);
		}
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	kit_begin(&kit, argv[1], 1);
	kit.desc.shared_static = SHARED;
	srand(3);
	test_loads_and_stores(&kit);
	test_asynchronous_copies(&kit);
	test_rows_of_matrices(&kit);
	kit_end(&kit);
	return 0;
}
