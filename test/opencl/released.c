/* Buffers that are made of data and released without a command: their memory comes back. */
#include "ocl.h"

#define BYTES   ((size_t)64 << 20)
#define TIMES   24
#define KIB_MAX (768l << 10) /* a quarter to a half of them all */

/* KiB of shared memory that this process has touched. */
static long shared_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssShmem: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

int main(void)
{
	struct ocl o = ocl_open(0);
	char *data = malloc(BYTES);
	long most = 0;

	if (!data)
		return 1;
	memset(data, 7, BYTES);
	for (int i = 0; i < TIMES; i++) {
		cl_int code;
		cl_mem mem = clCreateBuffer(o.context, CL_MEM_COPY_HOST_PTR, BYTES, data, &code);
		long now;

		CK(code);
		CK(clReleaseMemObject(mem));
		now = shared_kib();
		most = now > most ? now : most;
	}
	printf("shared memory: %s\n", most <= KIB_MAX ? "bounded" : "grows");
	free(data);
	ocl_close(&o);
	return 0;
}
