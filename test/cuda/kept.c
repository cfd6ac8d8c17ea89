/* Modules of any size, for counting what is sent of them: NUMBER:BYTES[:library] each.  Prints what a kernel of each
 * says, and waits for the end of its input where it is told to (wait). */
#include "cu.h"

#define TEXT_BYTES 512 /* of a module without what fills it up */

static char *text_make(unsigned int number, size_t bytes)
{
	char *text = malloc(bytes + TEXT_BYTES);
	int at;

	check(text);
	at = snprintf(text, TEXT_BYTES,
		      ".version 7.0\n.target sm_70\n.address_size 64\n"
		      ".visible .entry say(.param .u64 to)\n{\n"
		      "	.reg .b64 %%rd<3>;\n	.reg .b32 %%r<2>;\n	ld.param.u64 %%rd1, [to];\n"
		      "	cvta.to.global.u64 %%rd2, %%rd1;\n	mov.u32 %%r1, %u;\n"
		      "	st.global.u32 [%%rd2], %%r1;\n	ret;\n}\n// ",
		      number);
	if ((size_t)at < bytes)
		memset(text + at, 'a' + (char)(number % 26), bytes - (size_t)at);
	strcpy(text + ((size_t)at < bytes ? bytes : (size_t)at), "\n");
	return text;
}

static unsigned int say(CUfunction function)
{
	unsigned int said = 0;
	CUdeviceptr at;
	void *params[] = { &at };

	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(said)));
	cu_ok(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&said, at, sizeof(said)));
	cu_ok(cu(cuMemFree_v2)(at));
	return said;
}

static void run(unsigned int number, size_t bytes, bool as_library)
{
	char *text = text_make(number, bytes);
	CUfunction function;
	CUlibrary library;
	CUmodule module;
	CUkernel kernel;

	if (as_library) {
		cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
		cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "say"));
		cu_ok(cu(cuKernelGetFunction)(&function, kernel));
	} else {
		cu_ok(cu(cuModuleLoadData)(&module, text));
		function = cu_function(module, "say");
	}
	free(text);
	check(say(function) == number);
	printf("%u\n", number);
}

int main(int argc, char **argv)
{
	cu_begin();
	for (int i = 1; i < argc; i++) {
		unsigned int number;
		size_t bytes;

		if (!strcmp(argv[i], "wait")) {
			fflush(stdout);
			while (getchar() != EOF)
				;
			continue;
		}
		check(sscanf(argv[i], "%u:%zu", &number, &bytes) == 2);
		run(number, bytes, strstr(argv[i], ":library") != NULL);
	}
	return 0;
}
