#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "cuda-api.h"
#include "cuda/proc.h"
#include "cuda/refuse.h"

static const char *refused;

CUresult pl_cuda_refuse(const char *function, CUresult code, const char *why)
{
	assert(*why);
	refused = function;
	return code;
}

static void some_function(void)
{
}

static const struct pl_cuda_proc few[] = {
	{ "cuAlloc", "cuAlloc", 2000, false, some_function },
	{ "cuAlloc", "cuAlloc_v2", 3020, false, some_function },
	{ "cuCopy", "cuCopy", 4000, false, some_function },
	{ "cuCopy", "cuCopy_ptds", 7000, true, some_function },
	{ "cuNot", "cuNot", 2000, false, NULL },
};
#define FEW (sizeof(few) / sizeof(few[0]))

static const char *symbol_of(const char *name, int version, bool per_thread, bool *newer)
{
	const struct pl_cuda_proc *proc = pl_cuda_proc_find(few, FEW, name, version, per_thread, newer);

	return proc ? proc->symbol : "-";
}

static void test_the_newest_version_that_the_program_knows_is_found(void)
{
	bool newer = false;

	assert(!strcmp(symbol_of("cuAlloc", 13000, false, &newer), "cuAlloc_v2"));
	assert(!strcmp(symbol_of("cuAlloc", 3020, false, &newer), "cuAlloc_v2"));
	assert(!strcmp(symbol_of("cuAlloc", 3019, false, &newer), "cuAlloc"));
	assert(!newer);
}

static void test_the_flavour_is_the_one_that_was_asked_for(void)
{
	bool newer = false;

	assert(!strcmp(symbol_of("cuCopy", 13000, false, &newer), "cuCopy"));
	assert(!strcmp(symbol_of("cuCopy", 13000, true, &newer), "cuCopy_ptds"));
	assert(!strcmp(symbol_of("cuAlloc", 13000, true, &newer), "cuAlloc_v2"));
}

static void test_what_is_not_there_is_told_from_what_is_too_new(void)
{
	bool newer;

	assert(!strcmp(symbol_of("cuAlloc", 1000, false, &newer), "-") && newer);
	assert(!strcmp(symbol_of("cuAlloc_v2", 13000, false, &newer), "-") && !newer);
	assert(!strcmp(symbol_of("", 13000, false, &newer), "-") && !newer);
	assert(!strcmp(symbol_of("zz", 13000, false, &newer), "-") && !newer);
	assert(!strcmp(symbol_of("cuNot", 13000, false, &newer), "-") && !newer);
}

static void test_the_made_table_is_sorted_and_finds_each_of_its_rows(void)
{
	for (size_t i = 1; i < pl_cuda_procs_count; i++) {
		const struct pl_cuda_proc *a = &pl_cuda_procs[i - 1], *b = &pl_cuda_procs[i];
		int order = strcmp(a->name, b->name);

		assert(order < 0 || (!order && (a->per_thread < b->per_thread ||
						(a->per_thread == b->per_thread && a->version < b->version))));
	}
}

/* Of the table, this test defines the refused functions only. */
static void test_refused_functions_are_found_and_say_no(void)
{
	const struct pl_cuda_proc *proc;
	bool newer = true;

	proc = pl_cuda_proc_find(pl_cuda_procs, pl_cuda_procs_count, "cuGLInit", 13000, false, &newer);
	assert(proc && !strcmp(proc->symbol, "cuGLInit"));
	assert(((CUresult(*)(void))proc->at)() == CUDA_ERROR_NOT_SUPPORTED);
	assert(!strcmp(refused, "cuGLInit"));
	assert(cuMemAlloc(NULL, 0) == CUDA_ERROR_NOT_SUPPORTED);
	assert(cuDestroyExternalMemory(NULL) == CUDA_ERROR_INVALID_HANDLE);
	assert(!pl_cuda_proc_find(pl_cuda_procs, pl_cuda_procs_count, "cuInit", 13000, false, &newer) && !newer);
}

int main(void)
{
	test_the_newest_version_that_the_program_knows_is_found();
	test_the_flavour_is_the_one_that_was_asked_for();
	test_what_is_not_there_is_told_from_what_is_too_new();
	test_the_made_table_is_sorted_and_finds_each_of_its_rows();
	test_refused_functions_are_found_and_say_no();
	return 0;
}
