/* For tests: what stands for NVIDIA's NVRTC where it is missing.  Its PTX is what it was told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct program {
	char ptx[512];
};

int nvrtcVersion(int *major, int *minor);
int nvrtcCreateProgram(void **program, const char *source, const char *name, int n, const char *const *headers,
		       const char *const *includes);
int nvrtcDestroyProgram(void **program);
int nvrtcCompileProgram(void *program, int n, const char *const *options);
int nvrtcGetPTXSize(void *program, size_t *bytes);
int nvrtcGetPTX(void *program, char *to);
int nvrtcGetCUBINSize(void *program, size_t *bytes);
int nvrtcGetCUBIN(void *program, char *to);
const char *nvrtcGetErrorString(int result);
int nvrtcGetNumSupportedArchs(int *n);
int nvrtcGetSupportedArchs(int *list);

EXPORT int nvrtcGetNumSupportedArchs(int *n)
{
	*n = 2;
	return 0;
}

EXPORT int nvrtcGetSupportedArchs(int *list)
{
	list[0] = 90;
	list[1] = 75;
	return 0;
}

EXPORT int nvrtcVersion(int *major, int *minor)
{
	*major = 77;
	*minor = 7;
	return 0;
}

EXPORT int nvrtcCreateProgram(void **program, const char *source, const char *name, int n, const char *const *headers,
			      const char *const *includes)
{
	(void)source, (void)name, (void)n, (void)headers, (void)includes;
	*program = calloc(1, sizeof(struct program));
	return *program ? 0 : 1;
}

EXPORT int nvrtcDestroyProgram(void **program)
{
	free(*program);
	*program = NULL;
	return 0;
}

EXPORT int nvrtcCompileProgram(void *program, int n, const char *const *options)
{
	struct program *p = program;

	snprintf(p->ptx, sizeof(p->ptx), "PTX");
	for (int i = 0; i < n; i++)
		snprintf(p->ptx + strlen(p->ptx), sizeof(p->ptx) - strlen(p->ptx), " %s", options[i]);
	return strstr(p->ptx, "wrong") ? 6 : 0;
}

EXPORT int nvrtcGetPTXSize(void *program, size_t *bytes)
{
	*bytes = strlen(((struct program *)program)->ptx) + 1;
	return 0;
}

EXPORT int nvrtcGetPTX(void *program, char *to)
{
	strcpy(to, ((struct program *)program)->ptx);
	return 0;
}

EXPORT int nvrtcGetCUBINSize(void *program, size_t *bytes)
{
	(void)program;
	*bytes = 6;
	return 0;
}

EXPORT int nvrtcGetCUBIN(void *program, char *to)
{
	(void)program;
	memcpy(to, "CUBIN", 6);
	return 0;
}

EXPORT const char *nvrtcGetErrorString(int result)
{
	return result == 6 ? "stub: wrong" : "stub";
}
