/* Modules that are loaded again: each has variables and a log of its own, whether the driver compiles them anew or not.
 */
#include <unistd.h>

#include "cu.h"

static const char text[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			   ".visible .global .align 4 .u32 counter = 7;\n"
			   ".visible .entry count(.param .u32 by)\n{\n"
			   "	.reg .b32 %r<4>;\n	ld.param.u32 %r1, [by];\n"
			   "	ld.global.u32 %r2, [counter];\n	add.u32 %r3, %r2, %r1;\n"
			   "	st.global.u32 [counter], %r3;\n	ret;\n}\n";

static unsigned int counter_of(CUmodule from)
{
	CUdeviceptr at;
	unsigned int value;
	size_t bytes;

	cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, from, "counter"));
	check(bytes == sizeof(value));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, at, sizeof(value)));
	return value;
}

static void count(CUmodule in, unsigned int by)
{
	void *params[] = { &by };

	cu_ok(cu(cuLaunchKernel)(cu_function(in, "count"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
}

static void test_each_module_has_its_own_variables(void)
{
	CUmodule a, b, c;

	cu_ok(cu(cuModuleLoadData)(&a, text));
	count(a, 1);
	cu_ok(cu(cuModuleLoadData)(&b, text));
	count(b, 10);
	count(a, 1);
	check(counter_of(a) == 9 && counter_of(b) == 17);
	cu_ok(cu(cuModuleUnload)(a));
	cu_ok(cu(cuModuleLoadData)(&c, text));
	check(counter_of(c) == 7 && counter_of(b) == 17);
	cu_ok(cu(cuModuleUnload)(b));
	cu_ok(cu(cuModuleUnload)(c));
}

/* As long as the other, and all but its last statement the same. */
static void test_a_text_that_differs_late_is_another(void)
{
	char other[sizeof(text)];
	CUmodule a, b;

	memcpy(other, text, sizeof(text));
	memcpy(strstr(other, "= 7;"), "= 5;", 4);
	cu_ok(cu(cuModuleLoadData)(&a, text));
	cu_ok(cu(cuModuleLoadData)(&b, other));
	check(counter_of(a) == 7 && counter_of(b) == 5);
	cu_ok(cu(cuModuleUnload)(a));
	cu_ok(cu(cuModuleUnload)(b));
}

static int attribute_of(CUmodule module, CUfunction_attribute attribute)
{
	int value = -1;

	cu_ok(cu(cuFuncGetAttribute)(&value, attribute, cu_function(module, "count")));
	return value;
}

/* What one load's function was set to is not the next one's; what the text says is each one's. */
static void test_each_module_has_its_own_attributes(void)
{
	int threads = 0, dynamic = 0;

	for (int pass = 0; pass < 3; pass++) {
		unsigned int by = 3;
		void *params[] = { &by, NULL };
		size_t offset, bytes;
		CUmodule module;

		cu_ok(cu(cuModuleLoadData)(&module, text));
		if (!pass) {
			threads = attribute_of(module, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
			dynamic = attribute_of(module, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
		}
		check(attribute_of(module, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) == threads);
		check(attribute_of(module, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) == dynamic);
		cu_ok(cu(cuFuncGetParamInfo)(cu_function(module, "count"), 0, &offset, &bytes));
		check(!offset && bytes == sizeof(by));
		cu_ok(cu(cuFuncSetAttribute)(cu_function(module, "count"),
					     CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024));
		check(attribute_of(module, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) == 1024);
		cu_ok(cu(cuLaunchKernel)(cu_function(module, "count"), 1, 1, 1, 1, 1, 1, 1024, NULL, params, NULL));
		check(counter_of(module) == 10);
		cu_ok(cu(cuModuleUnload)(module));
	}
}

static void test_a_compiler_s_words_are_said_each_time(void)
{
	for (int pass = 0; pass < 2; pass++) {
		char log[2048] = "";
		CUjit_option options[] = { CU_JIT_LOG_VERBOSE, CU_JIT_INFO_LOG_BUFFER,
					   CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES };
		void *values[] = { (void *)1, log, (void *)sizeof(log) };
		CUmodule module;

		cu_ok(cu(cuModuleLoadDataEx)(&module, text, 3, options, values));
		if (cu_is_reference())
			check(strstr(log, "count") && (size_t)values[2] == strlen(log));
		cu_ok(cu(cuModuleUnload)(module));
	}
}

static void test_a_broken_text_is_refused_each_time(void)
{
	char bad[sizeof(text)];

	memcpy(bad, text, sizeof(text));
	memcpy(strstr(bad, "add."), "xdd.", 4);
	for (int pass = 0; pass < 2; pass++) {
		CUmodule module;

		cu_is(cu(cuModuleLoadData)(&module, bad), CUDA_ERROR_INVALID_PTX);
	}
}

/* More of them than any cache keeps. */
static void test_many_texts(void)
{
	char other[sizeof(text) + 32];

	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < 100; i++) {
			CUmodule module;

			snprintf(other, sizeof(other), "%s// %u\n", text, i);
			cu_ok(cu(cuModuleLoadData)(&module, other));
			if (i % 10 == 0) {
				count(module, i);
				check(counter_of(module) == 7 + i);
			}
			cu_ok(cu(cuModuleUnload)(module));
		}
	}
}

/* again broken: the program has no time to hear why, unless it hears it in the call. */
static void broken_end(void)
{
	CUmodule module;

	cu_is(cu(cuModuleLoadData)(&module, ".version 7.0\nthis is no program"), CUDA_ERROR_INVALID_PTX);
	_exit(0);
}

int main(int argc, char **argv)
{
	cu_begin();
	if (argc > 1 && !strcmp(argv[1], "broken"))
		broken_end();
	cu_run(test_each_module_has_its_own_variables);
	cu_run(test_a_text_that_differs_late_is_another);
	cu_run(test_each_module_has_its_own_attributes);
	cu_run(test_a_compiler_s_words_are_said_each_time);
	cu_run(test_a_broken_text_is_refused_each_time);
	cu_run(test_many_texts);
	return 0;
}
