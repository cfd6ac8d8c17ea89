/* How a runtime finds the driver's functions and private tables. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

static void *proc(const char *name, int version, cuuint64_t flags)
{
	CUdriverProcAddressQueryResult status = 99;
	void *function = NULL;
	cu_ok(cu(cuGetProcAddress_v2)(name, &function, version, flags, &status));
	check((function != NULL) == (status == CU_GET_PROC_ADDRESS_SUCCESS));
	return function;
}

static void test_functions_are_found_by_name_version_and_flavour(void)
{
	CUdriverProcAddressQueryResult status;
	void *function;
	check(proc("cuMemAlloc", 12000, 0) == (void *)cu(cuMemAlloc_v2));
	check(proc("cuInit", 2000, 0) == (void *)cu(cuInit));
	check(proc("cuLaunchKernel", 12000, CU_GET_PROC_ADDRESS_LEGACY_STREAM) == (void *)cu(cuLaunchKernel));
	check(proc("cuLaunchKernel", 12000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) ==
	      (void *)cu(cuLaunchKernel_ptsz));
	check(proc("cuMemcpy", 12000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) == (void *)cu(cuMemcpy_ptds));
	check(proc("cuGetProcAddress", 12000, 0) == (void *)cu(cuGetProcAddress_v2));
	check(proc("cuGetProcAddress", 11030, 0) == (void *)cu(cuGetProcAddress));
	cu_ok(cu(cuGetProcAddress_v2)("cuNothing", &function, 12000, 0, &status));
	check(!function && status == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
	cu_ok(cu(cuGetProcAddress_v2)("cuLibraryLoadData", &function, 11000, 0, &status));
	check(!function && status == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
	cu_is(cu(cuGetProcAddress)("cuNothing", &function, 12000, 0), CUDA_ERROR_NOT_FOUND);
	if (cu_is_reference()) { /* hardware's driver looks there */
		cu_is(cu(cuGetProcAddress_v2)(NULL, &function, 12000, 0, &status), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGetProcAddress_v2)("cuInit", NULL, 12000, 0, &status), CUDA_ERROR_INVALID_VALUE);
	}
}

static void test_results_have_names_and_texts(void)
{
	const char *text;
	cu_ok(cu(cuGetErrorName)(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
	check(!strcmp(text, "CUDA_ERROR_ILLEGAL_ADDRESS"));
	cu_ok(cu(cuGetErrorString)(CUDA_ERROR_OUT_OF_MEMORY, &text));
	check(text && *text);
	cu_is(cu(cuGetErrorName)((CUresult)54321, &text), CUDA_ERROR_INVALID_VALUE);
	check(!text);
	cu_is_by_reference(cu(cuGetErrorName)(CUDA_SUCCESS, NULL), CUDA_ERROR_INVALID_VALUE);
}

/* -- private tables: only of drivers that have them -------------------------------------------------------------------
 */

static int destroyed;

static void storage_destroy(CUcontext ctx, void *key, void *value)
{
	(void)ctx;
	destroyed += key == &destroyed && value == (void *)0x1234;
}

static void test_what_is_kept_by_context_ends_with_it(void)
{
	static const CUuuid id = { { (char)0xc6, (char)0x93, 0x33, 0x6e, 0x11, 0x21, (char)0xdf, 0x11, (char)0xa8,
				     (char)0xc3, 0x68, (char)0xf3, 0x55, (char)0xd8, (char)0x95, (char)0x93 } };
	const struct {
		CUresult (*put)(CUcontext ctx, void *key, void *value, void (*destroy)(CUcontext, void *, void *));
		CUresult (*delete)(CUcontext ctx, void *key);
		CUresult (*get)(void **value_out, CUcontext ctx, void *key);
	} * table;
	CUcontext ctx = cu_begin();
	void *value = NULL;
	int other;
	cu_ok(cu(cuGetExportTable)((const void **)&table, &id));
	cu_ok(table->put(ctx, &destroyed, (void *)0x1234, storage_destroy));
	cu_ok(table->put(ctx, &other, (void *)0x99, storage_destroy));
	cu_ok(table->get(&value, ctx, &destroyed));
	check(value == (void *)0x1234);
	cu_ok(table->delete (ctx, &other));
	check(table->get(&value, ctx, &other) != CUDA_SUCCESS);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	check(destroyed == 1);
}

static void test_tables_that_are_not_there_are_not_found(void)
{
	static const CUuuid id = { { (char)0xf8, (char)0xcf, (char)0xf9, 0x51, 0x21, 0x46, (char)0x8b, 0x4e, (char)0xb9,
				     (char)0xe2, (char)0xfb, 0x46, (char)0x9e, 0x7c, 0x0d, (char)0xd9 } };
	const void *table = NULL;
	cu_is_by_reference(cu(cuGetExportTable)(&table, &id), CUDA_ERROR_NOT_FOUND);
	cu_is_by_reference(cu(cuGetExportTable)(NULL, &id), CUDA_ERROR_INVALID_VALUE);
}

/* The runtime's check gives another value for each moment, and the same for the same. */
static void test_the_check_of_the_driver_depends_on_its_input(void)
{
	static const CUuuid id = { { (char)0xd4, 0x08, 0x20, 0x55, (char)0xbd, (char)0xe6, 0x70, 0x4b, (char)0x8d, 0x34,
				     (char)0xba, 0x12, 0x3c, 0x66, (char)0xe1, (char)0xf2 } };
	uint64_t a[2], b[2], c[2];
	const struct {
		size_t bytes;
		CUresult (*verify)(unsigned int version, uint64_t seconds, uint64_t result[2]);
	} * table;
	cu_ok(cu(cuGetExportTable)((const void **)&table, &id));
	cu_ok(table->verify(13002, 1000, a));
	cu_ok(table->verify(13002, 1000, b));
	cu_ok(table->verify(13002, 1001, c));
	check(!memcmp(a, b, sizeof(a)) && memcmp(a, c, sizeof(a)));
}

/* cuBLAS has memory for each stream and finds it by these. */
static void test_a_stream_has_a_key_whatever_it_is_called(void)
{
	static const CUuuid id = { { 0x21, 0x31, (char)0x8c, 0x60, (char)0x97, 0x14, 0x32, 0x48, (char)0x8c, (char)0xa6,
				     0x41, (char)0xff, 0x73, 0x24, (char)0xc8, (char)0xf2 } };
	const union {
		size_t bytes;
		CUresult (*key)(CUcontext ctx, CUstream stream, uint64_t *key_out);
		CUresult (*meant)(CUcontext ctx, CUstream stream, CUstream *stream_out, uint32_t per_thread);
	} * table;
	CUcontext ctx = cu_begin();
	CUstream stream, meant;
	unsigned long long known;
	uint64_t keys[3];
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuGetExportTable)((const void **)&table, &id));
	check(table[0].bytes >= 52 * sizeof(*table));
	cu_ok(table[51].meant(ctx, stream, &meant, 0));
	check(meant == stream);
	cu_ok(table[39].key(ctx, meant, &keys[0]));
	cu_ok(cu(cuStreamGetId)(stream, &known));
	check(keys[0] == known);
	cu_ok(table[51].meant(ctx, NULL, &meant, 0));
	check(meant == CU_STREAM_LEGACY);
	cu_ok(table[39].key(ctx, meant, &keys[1]));
	cu_ok(table[51].meant(ctx, NULL, &meant, 1));
	check(meant == CU_STREAM_PER_THREAD);
	cu_ok(table[39].key(ctx, meant, &keys[2]));
	check(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	check(table[39].key(ctx, stream, &keys[0]) != CUDA_SUCCESS);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

static void told(void *arg, CUfunction function)
{
	CUfunction **next = arg;
	*(*next)++ = function;
}

/* cuFFT asks for the one kernel of an image. */
static void test_the_kernels_of_a_module_are_told(void)
{
	static const CUuuid id = { { 0x6e, 0x16, 0x3f, (char)0xbe, (char)0xb9, 0x58, 0x44, 0x4d, (char)0x83, 0x5c,
				     (char)0xe1, (char)0x82, (char)0xaf, (char)0xf1, (char)0x99, 0x1e } };
	static const char text[] = ".version 6.0\n.target sm_50\n.address_size 64\n.visible .entry a() { ret; }\n"
				   ".func helper() { ret; }\n.visible .entry b() { ret; }\n";
	const union {
		size_t bytes;
		unsigned int (*tell)(CUcontext ctx, CUmodule module, void (*fn)(void *, CUfunction), void *arg);
	} * table;
	CUcontext ctx = cu_begin();
	CUfunction functions[2], *next = functions, a, b;
	CUmodule module;
	cu_ok(cu(cuGetExportTable)((const void **)&table, &id));
	check(table[0].bytes >= 8 * sizeof(*table));
	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_ok(cu(cuModuleGetFunction)(&a, module, "a"));
	cu_ok(cu(cuModuleGetFunction)(&b, module, "b"));
	check(table[7].tell(ctx, module, told, &next) == 2 && next == functions + 2);
	check((functions[0] == a && functions[1] == b) || (functions[0] == b && functions[1] == a));
	cu_ok(cu(cuModuleUnload)(module));
	check(!table[7].tell(ctx, module, told, &next) && next == functions + 2);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

/* Run with `capability MAJOR MINOR` under PLENUM_REFGPU_CAPABILITY: what the device claims. */
static int tell_capability(void)
{
	int major, minor;
	cu_ok(cu(cuDeviceGetAttribute)(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
	cu_ok(cu(cuDeviceGetAttribute)(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0));
	return 10 * major + minor;
}

static int capability_with(const char *program, const char *told)
{
	pid_t child = fork();
	int status;
	check(child >= 0);
	if (!child) {
		setenv("PLENUM_REFGPU_CAPABILITY", told, 1);
		execl("/proc/self/exe", program, "capability", NULL);
		_exit(255);
	}
	check(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The reference GPU's default holds where what is told makes no sense. */
static void test_the_device_claims_the_capability_that_it_is_told(const char *program)
{
	static const char *const bad[] = { "", "9", "4.9", "20.0", "9.0x", "ten", "-1.0", "99999999999.0" };
	check(capability_with(program, "10.0") == 100);
	check(capability_with(program, "12.1") == 121);
	check(capability_with(program, "13.0") == 130); /* of no device yet: what newer ones will be asked */
	check(capability_with(program, "7.5") == 75);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(capability_with(program, bad[i]) == 121);
}

int main(int argc, char **argv)
{
	cu_ok(cu(cuInit)(0));
	if (argc > 1 && !strcmp(argv[1], "capability"))
		return tell_capability();
	if (cu_is_reference() && !getenv("PLENUM"))
		test_the_device_claims_the_capability_that_it_is_told(argv[0]);
	cu_run(test_functions_are_found_by_name_version_and_flavour);
	cu_run(test_results_have_names_and_texts);
	cu_run(test_tables_that_are_not_there_are_not_found);
	if (cu_is_reference()) {
		test_what_is_kept_by_context_ends_with_it();
		test_the_check_of_the_driver_depends_on_its_input();
		test_a_stream_has_a_key_whatever_it_is_called();
		test_the_kernels_of_a_module_are_told();
	}
	return 0;
}
