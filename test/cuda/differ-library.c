/* Random calls: libraries, their kernels, and functions by way of them, as the runtime of CUDA 12 and later asks. */
#include "differ.h"

static const char *const names[] = { "add",       "where",      "bounded",   "store", "count",
				     "sum_lanes", "walk_table", "none such", "" };

static char *texts[4];

static CUlibrary any_library(int *i)
{
	*i = any(LIBRARY);
	return handle_of(LIBRARY, *i, CUlibrary);
}

static CUkernel any_kernel(int *i)
{
	*i = any(KERNEL);
	return handle_of(KERNEL, *i, CUkernel);
}

/* Its kernels and functions go with it; a function's bytes say whose it is, the modules' are below SLOTS. */
static void library_gone(int i)
{
	gone(LIBRARY, i);
	for (int at = 0; at < SLOTS; at++) {
		if (slots[KERNEL][at].bytes == (size_t)i)
			gone(KERNEL, at);
		if (slots[FUNCTION][at].bytes == (size_t)(SLOTS + i))
			gone(FUNCTION, at);
		if (slots[MODULE][at].bytes == (size_t)(SLOTS + i))
			gone(MODULE, at);
	}
}

static void do_library(void)
{
	static const char *const files[] = { "kernels.ptx", "check.ptx", "textures.ptx", "first.ptx" };
	int i, file = (int)pick(8);
	CUlibrary library = any_library(&i);
	CUlibraryOption option = (CUlibraryOption)pick(4);
	static uint64_t none[4]; /* tables of no functions and no variables */
	void *value = one_in(2) ? none : NULL;
	unsigned int options = one_in(4), n = 0x5555;
	char *text;
	CUresult r;
	if (slots[LIBRARY][i].live && one_in(4)) {
		CALL(cuLibraryUnload, (library), "l%d", i);
		library_gone(i);
		return;
	}
	if (one_in(3)) {
		CALL(cuLibraryGetKernelCount, (one_in(8) ? NULL : &n, library), "l%d", i);
		out_number("is", n);
		return;
	}
	i = room(LIBRARY);
	if (i < 0)
		return;
	library = NULL;
	if (file < 6) {
		file = file < 3 ? 0 : file - 2;
		if (!texts[file])
			texts[file] = cu_ptx(files[file]);
		r = CALL(cuLibraryLoadData,
			 (&library, texts[file], NULL, NULL, 0, options ? &option : NULL, options ? &value : NULL,
			  options),
			 "l%d, %s, %u options %d", i, files[file], options, options ? (int)option : 0);
	} else if (file == 6) {
		text = cu_ptx(files[0]);
		text[pick((uint32_t)strlen(text))] = '\0';
		r = CALL(cuLibraryLoadData, (&library, text, NULL, NULL, 0, NULL, NULL, 0), "l%d, cut", i);
		free(text);
	} else {
		r = CALL(cuLibraryLoadData,
			 (&library, one_in(2) ? NULL : "this is no library", NULL, NULL, 0, NULL, NULL, 0),
			 "l%d, rubbish", i);
	}
	made(LIBRARY, i, r, (uint64_t)(uintptr_t)library, 0);
}

static void kernel_made(int i, CUresult r, CUkernel kernel, int library)
{
	made(KERNEL, i, r, (uint64_t)(uintptr_t)kernel, (size_t)library);
	/* The runtime launches it as it is. */
	if (r == CUDA_SUCCESS && one_in(2)) {
		int f = any(FUNCTION);
		slots[FUNCTION][f] = (struct slot){ .handle = (uint64_t)(uintptr_t)kernel,
						    .bytes = (size_t)(SLOTS + library),
						    .owner = current(),
						    .live = true };
		out_number("launched as", f);
	}
}

static void do_kernel_get(void)
{
	int l, i = any(KERNEL);
	CUlibrary library = any_library(&l);
	const char *name = names[pick(sizeof(names) / sizeof(names[0]))];
	CUkernel kernel = NULL, kernels[80];
	unsigned int count = (unsigned int)one_of(1, 3, 80, 0);
	const char *first = "unset";
	CUresult r;
	if (one_in(4)) {
		memset(kernels, 0, sizeof(kernels));
		r = CALL(cuLibraryEnumerateKernels, (one_in(10) ? NULL : kernels, count, library), "l%d, %u", l, count);
		for (unsigned int at = 0; at < count; at++)
			if (kernels[at] && r == CUDA_SUCCESS) {
				cu(cuKernelGetName)(&first, kernels[at]);
				printf(" %s", first);
			}
		return; /* none is kept: most can't be launched with what differ-launch.c has for them */
	}
	r = CALL(cuLibraryGetKernel, (one_in(10) ? NULL : &kernel, library, name), "k%d, l%d, %s", i, l, name);
	if (kernel)
		kernel_made(i, r, kernel, l);
}

static void do_kernel(void)
{
	int k, f = any(FUNCTION), value = 0x5555, device = one_in(12) ? (int)one_of(1, 77) : 0;
	CUkernel kernel = any_kernel(&k);
	CUfunction_attribute what =
		one_in(2) ? CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES : (CUfunction_attribute)pick(18);
	size_t offset = 0x5555, bytes = 0x5555, index = one_of(0, 1, 2, 3, 4, 1ull << 40);
	CUfunction function = NULL;
	CUlibrary library = NULL;
	const char *name = "unset";
	CUresult r;
	switch (pick(7)) {
	case 0:
		r = CALL(cuKernelGetFunction, (one_in(10) ? NULL : &function, kernel), "f%d, k%d", f, k);
		if (function) {
			made(FUNCTION, f, r, (uint64_t)(uintptr_t)function, SLOTS + slots[KERNEL][k].bytes);
			slots[FUNCTION][f].live = slots[KERNEL][k].live;
		}
		return;
	case 1:
		CALL(cuKernelGetAttribute, (one_in(10) ? NULL : &value, what, kernel, device), "%d, k%d, %d", (int)what,
		     k, device);
		out_number("is", value);
		return;
	case 2:
		value = (int)one_of(0, 1024, 65536, 1 << 24, (uint64_t)-1, 100, 1, 2);
		CALL(cuKernelSetAttribute, (what, value, kernel, device), "%d, %d, k%d, %d", (int)what, value, k,
		     device);
		return;
	case 3:
		CALL(cuKernelGetName, (one_in(10) ? NULL : &name, kernel), "k%d", k);
		printf(" %s", name);
		return;
	case 4:
		CALL(cuKernelGetLibrary, (one_in(10) ? NULL : &library, kernel), "k%d", k);
		out_number("is", which(LIBRARY, (uint64_t)(uintptr_t)library));
		return;
	case 5:
		CALL(cuKernelGetParamInfo, (kernel, index, one_in(10) ? NULL : &offset, one_in(6) ? NULL : &bytes),
		     "k%d, %zu", k, index);
		out_number("offset", (int64_t)offset);
		out_number("bytes", (int64_t)bytes);
		return;
	default:
		CALL(cuKernelSetCacheConfig, (kernel, (CUfunc_cache)pick(6), device), "k%d, %d", k, device);
	}
}

static void do_variable(void)
{
	int l, m = any(MODULE);
	CUlibrary library = any_library(&l);
	const char *name = one_in(3) ? "none such" : one_in(2) ? "table" : "counter";
	CUdeviceptr at = 0;
	CUmodule module = NULL;
	void *function = NULL;
	size_t bytes = 0x5555;
	unsigned char back[64];
	CUresult r;
	switch (pick(4)) {
	case 0:
		r = CALL(cuLibraryGetModule, (one_in(10) ? NULL : &module, library), "o%d, l%d", m, l);
		if (module && !(slots[MODULE][m].live && slots[MODULE][m].bytes < SLOTS)) {
			made(MODULE, m, r, (uint64_t)(uintptr_t)module, (size_t)(SLOTS + l));
			slots[MODULE][m].live = slots[LIBRARY][l].live;
		}
		return;
	case 1:
		CALL(cuLibraryGetManaged, (&at, &bytes, library, name), "l%d, %s", l, name);
		break;
	case 2:
		CALL(cuLibraryGetUnifiedFunction, (&function, library, name), "l%d, %s", l, name);
		out_number("found", function != NULL);
		return;
	default:
		CALL(cuLibraryGetGlobal, (one_in(6) ? NULL : &at, one_in(6) ? NULL : &bytes, library, name), "l%d, %s",
		     l, name);
	}
	out_number("found", at != 0);
	out_number("bytes", (int64_t)bytes);
	if (!at || bytes > sizeof(back))
		return;
	memset(back, 0xcc, sizeof(back));
	CALL(cuMemcpyDtoH_v2, (back, at, bytes), "l%d, %s", l, name);
	out(back, bytes);
}

static void do_function_says(void)
{
	int i = any(FUNCTION), m = any(MODULE), state = 0x5555;
	CUfunction function = handle_of(FUNCTION, i, CUfunction), functions[80];
	size_t offset = 0x5555, bytes = 0x5555, index = one_of(0, 1, 2, 3, 4, 1ull << 40);
	unsigned int n = 0x5555, count = (unsigned int)one_of(1, 3, 80, 0);
	CUmodule module = handle_of(MODULE, m, CUmodule), found = NULL;
	const char *name = "unset";
	CUresult r;
	switch (pick(7)) {
	case 0:
		CALL(cuFuncGetName, (one_in(10) ? NULL : &name, function), "f%d", i);
		printf(" %s", name);
		return;
	case 1:
		CALL(cuFuncGetModule, (one_in(10) ? NULL : &found, function), "f%d", i);
		out_number("is", which(MODULE, (uint64_t)(uintptr_t)found));
		return;
	case 2:
		CALL(cuFuncGetParamInfo, (function, index, one_in(10) ? NULL : &offset, one_in(6) ? NULL : &bytes),
		     "f%d, %zu", i, index);
		out_number("offset", (int64_t)offset);
		out_number("bytes", (int64_t)bytes);
		return;
	case 3:
		CALL(cuFuncIsLoaded, (one_in(10) ? NULL : (CUfunctionLoadingState *)&state, function), "f%d", i);
		out_number("is", state);
		return;
	case 4:
		CALL(cuFuncLoad, (function), "f%d", i);
		return;
	case 5:
		CALL(cuModuleGetFunctionCount, (one_in(10) ? NULL : &n, module), "o%d", m);
		out_number("is", n);
		return;
	default:
		memset(functions, 0, sizeof(functions));
		r = CALL(cuModuleEnumerateFunctions, (one_in(10) ? NULL : functions, count, module), "o%d, %u", m,
			 count);
		for (unsigned int at = 0; at < count; at++)
			if (functions[at] && r == CUDA_SUCCESS && !cu(cuFuncGetName)(&name, functions[at]))
				printf(" %s", name);
	}
}

const struct operation differ_library[] = {
	{ "library", 6, do_library },   { "kernel_get", 8, do_kernel_get },       { "kernel", 12, do_kernel },
	{ "variable", 6, do_variable }, { "function_says", 8, do_function_says }, { NULL, 0, NULL }
};
