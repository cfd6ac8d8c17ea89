/* CL_MEM_USE_HOST_PTR: whose memory it is, while the buffer lives and afterwards.  `hostptr maps N': N maps of 16 MiB;
 * `hostptr buffers N': N buffers of as much, mapped once. */
#include "ocl.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (1u << 20)
#define COUNT (4 * MIB / sizeof(int)) /* of a large one */
#define BYTES (COUNT * sizeof(int))

static const char source[] = "kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }";
static cl_kernel kernel;

static void check(int good, const char *what)
{
	printf("%s: %s\n", what, good ? "yes" : "NO");
}

static int *pages_new(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	return at;
}

static void fill(int *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		at[i] = (int)i;
}

static int holds(const int *at, size_t count, int more)
{
	for (size_t i = 0; i < count; i++)
		if (at[i] != (int)i + more)
			return 0;
	return 1;
}

static void add(struct ocl *o, cl_mem mem, size_t count, int n)
{
	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
}

static int *map(struct ocl *o, cl_mem mem, cl_map_flags flags, size_t offset, size_t bytes)
{
	cl_int code;
	int *at = clEnqueueMapBuffer(o->queue, mem, CL_TRUE, flags, offset, bytes, 0, NULL, NULL, &code);

	CK(code);
	return at;
}

static void unmap(struct ocl *o, cl_mem mem, void *at)
{
	CK(clEnqueueUnmapMemObject(o->queue, mem, at, 0, NULL, NULL));
}

static void in_place(struct ocl *o)
{
	int *host = pages_new(BYTES), *at;
	cl_mem mem;
	void *said = NULL;

	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	CK(clGetMemObjectInfo(mem, CL_MEM_HOST_PTR, sizeof(said), &said, NULL));
	add(o, mem, COUNT, 1);
	CK(clFinish(o->queue));
	check(holds(host, COUNT, 1), "a kernel's work is there without a map");
	at = map(o, mem, CL_MAP_READ | CL_MAP_WRITE, 4096, BYTES - 4096);
	check(said == host && at == host + 1024, "the pointer is the application's");
	for (size_t i = 1024; i < COUNT; i++)
		at[i - 1024] += 10;
	unmap(o, mem, at);
	add(o, mem, COUNT, 1);
	at = map(o, mem, CL_MAP_READ, 0, BYTES);
	check(holds(at, 1024, 2) && at[1024] == 1024 + 12 && at[COUNT - 1] == (int)COUNT - 1 + 12,
	      "maps and kernels take turns");
	unmap(o, mem, at);
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	check(host[5] == 7 && host[COUNT - 1] == (int)COUNT - 1 + 12, "the contents stay when the buffer goes");
	munmap(host, BYTES);
}

/* The range begins and ends inside of pages that hold other things. */
static void edges(struct ocl *o)
{
	size_t around = 1004; /* ints */
	int *block = pages_new(BYTES + 2 * around * sizeof(int)), *host = block + around, *at, bad = 0;
	cl_buffer_region region = { 4096, 8192 };
	cl_mem mem, part;
	cl_int code;

	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	for (size_t i = 0; i < around; i++)
		block[i] = host[COUNT + i] = -1;
	add(o, mem, COUNT, 1);
	at = map(o, mem, CL_MAP_READ | CL_MAP_WRITE, 0, BYTES);
	check(at == host && holds(host, COUNT, 1), "a map shows all, the edges too");
	for (size_t i = 0; i < COUNT; i++)
		at[i]++;
	unmap(o, mem, at);
	add(o, mem, COUNT, 1);
	part = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
	CK(code);
	at = map(o, part, CL_MAP_READ, 0, region.size);
	check(at == host + 1024 && holds(host + 1024, 2048, 1024 + 3), "a sub-buffer's map, too");
	unmap(o, part, at);
	CK(clReleaseMemObject(part));
	at = map(o, mem, CL_MAP_READ, 0, BYTES);
	check(holds(at, COUNT, 3), "what was written through the map is seen by kernels");
	unmap(o, mem, at);
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	for (size_t i = 0; i < around; i++)
		bad += block[i] != -1 || host[COUNT + i] != -1;
	check(!bad && holds(host, COUNT, 3), "neighbours keep what they hold");
	munmap(block, BYTES + 2 * around * sizeof(int));
}

/* A non-blocking map behind a kernel that still runs, and an unmap that is waited for by a kernel. */
static void behind(struct ocl *o)
{
	int *host = malloc(BYTES), *at;
	cl_event event;
	cl_mem mem, other = ocl_buffer(o, CL_MEM_READ_WRITE, BYTES, NULL);
	cl_int code;

	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	for (int i = 0; i < 4; i++)
		add(o, mem, COUNT, 1);
	at = clEnqueueMapBuffer(o->queue, mem, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, 0, BYTES, 0, NULL, &event, &code);
	CK(code);
	CK(clWaitForEvents(1, &event));
	CK(clReleaseEvent(event));
	check(at == host && holds(at, COUNT, 4), "a map that does not block shows what was before it");
	for (size_t i = 0; i < COUNT; i++)
		at[i]++;
	add(o, other, COUNT, 1); /* a kernel on what is mapped for writing would be undefined */
	unmap(o, mem, at);
	add(o, mem, COUNT, 1);
	at = map(o, mem, CL_MAP_READ, 0, BYTES);
	check(holds(at, COUNT, 6), "an unmap behind other commands is seen by those behind it");
	unmap(o, mem, at);
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	CK(clReleaseMemObject(other));
	check(holds(host, COUNT, 6), "memory of malloc()");
	free(host);
}

static void overlapping(struct ocl *o)
{
	int *host = pages_new(2 * BYTES);
	cl_mem first, second;

	for (int order = 0; order < 2; order++) {
		fill(host, 2 * COUNT);
		first = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
		second = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host + COUNT / 2);
		CK(clReleaseMemObject(order ? second : first));
		CK(clReleaseMemObject(order ? first : second));
		check(holds(host, 2 * COUNT, 0), "two buffers over one memory leave it as it was");
	}
	munmap(host, 2 * BYTES);
}

static void forked(struct ocl *o)
{
	int *host = pages_new(BYTES), pair[2], status = 1, *at;
	char go = 0;
	cl_mem mem;
	pid_t child;

	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	add(o, mem, COUNT, 1);
	unmap(o, mem, map(o, mem, CL_MAP_READ, 0, BYTES));
	CK(clFinish(o->queue));
	fflush(stdout);
	if (pipe(pair))
		exit(1);
	child = fork();
	if (!child) {
		int good = read(pair[0], &go, 1) == 1 && holds(host, COUNT, 1);

		memset(host, 0xff, BYTES); /* its own */
		_exit(good ? 0 : 1);
	}
	add(o, mem, COUNT, 1);
	CK(clFinish(o->queue));
	check(write(pair[1], &go, 1) == 1 && waitpid(child, &status, 0) == child && !status,
	      "a child has the contents of the moment");
	at = map(o, mem, CL_MAP_READ, 0, BYTES);
	check(holds(at, COUNT, 2), "what a child writes is its own");
	unmap(o, mem, at);
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	munmap(host, BYTES);
	close(pair[0]);
	close(pair[1]);
}

/* Programs that free the memory too early.  Nothing is computed: natively the device would be at it. */
static void gone_before(struct ocl *o)
{
	int *host = pages_new(BYTES), *moved, *other, *again;
	cl_mem mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host), more;

	munmap(host, BYTES);
	other = mmap(host, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (other == host)
		fill(other, COUNT);
	CK(clReleaseMemObject(mem));
	check(other != host || holds(other, COUNT, 0), "what lies there now is not touched");

	host = pages_new(BYTES);
	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	moved = mremap(host, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, pages_new(BYTES));
	CK(clReleaseMemObject(mem));
	CK(clFinish(o->queue));
	again = pages_new(BYTES);
	more = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, again); /* may take the same place in shared memory */
	add(o, more, COUNT, 1);
	CK(clFinish(o->queue));
	check(holds(moved, COUNT, 0), "memory that was moved away is the application's own");
	CK(clReleaseMemObject(more));
	munmap(moved, BYTES);
	munmap(again, BYTES);
	if (other == MAP_FAILED || munmap(other, BYTES))
		printf("no other memory there\n");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static int freed_good = -1;

static void CL_CALLBACK memory_free(cl_mem mem, void *host)
{
	(void)mem;
	pthread_mutex_lock(&lock);
	freed_good = holds(host, COUNT, 1);
	munmap(host, BYTES);
	pthread_cond_signal(&freed);
	pthread_mutex_unlock(&lock);
}

static void freed_by_callback(struct ocl *o)
{
	int *host = pages_new(BYTES), *at;
	cl_mem mem;

	fill(host, COUNT);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, BYTES, host);
	CK(clSetMemObjectDestructorCallback(mem, memory_free, host));
	add(o, mem, COUNT, 1);
	at = map(o, mem, CL_MAP_READ, 0, BYTES);
	unmap(o, mem, at);
	CK(clReleaseMemObject(mem));
	CK(clFinish(o->queue));
	pthread_mutex_lock(&lock);
	while (freed_good < 0)
		pthread_cond_wait(&freed, &lock);
	pthread_mutex_unlock(&lock);
	check(freed_good, "a destructor callback may free the memory");
}

/* Small, read-only, locked: however it is done, it works. */
static void other_kinds(struct ocl *o)
{
	static int data[COUNT];
	int small[64], *locked = pages_new(BYTES);
	int *hosts[] = { small, data, locked };
	size_t counts[] = { 64, COUNT, COUNT };

	if (mlock(locked, 4096))
		munlock(locked, 4096);
	for (int i = 0; i < 3; i++) {
		cl_mem mem;
		int *at;

		fill(hosts[i], counts[i]);
		mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, counts[i] * sizeof(int), hosts[i]);
		add(o, mem, counts[i], 1);
		at = map(o, mem, CL_MAP_READ, 0, counts[i] * sizeof(int));
		check(at == hosts[i] && holds(at, counts[i], 1), "other memory");
		unmap(o, mem, at);
		CK(clFinish(o->queue));
		CK(clReleaseMemObject(mem));
	}
	munmap(locked, BYTES);
}

static void maps(struct ocl *o, long count)
{
	size_t bytes = 16 * MIB;
	int *host = malloc(bytes), *at;
	cl_mem mem;

	memset(host, 0, bytes);
	mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, bytes, host);
	for (long i = 0; i < count; i++) {
		at = map(o, mem, CL_MAP_READ | CL_MAP_WRITE, 4096, bytes - 8192);
		at[0]++;
		unmap(o, mem, at);
		add(o, mem, bytes / sizeof(int), 1);
	}
	at = map(o, mem, CL_MAP_READ, 4096, 4096);
	printf("%d\n", at[0]);
	unmap(o, mem, at);
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(mem));
	free(host);
}

/* Buffers come and go over one memory. */
static void buffers(struct ocl *o, long count)
{
	size_t bytes = 16 * MIB;
	int *host = malloc(bytes);

	memset(host, 0, bytes);
	for (long i = 0; i < count; i++) {
		cl_mem mem = ocl_buffer(o, CL_MEM_USE_HOST_PTR, bytes, host);

		unmap(o, mem, map(o, mem, CL_MAP_READ | CL_MAP_WRITE, 0, bytes));
		CK(clFinish(o->queue));
		CK(clReleaseMemObject(mem));
	}
	free(host);
}

int main(int argc, char **argv)
{
	struct ocl o = ocl_open(0);
	cl_program program = ocl_build(&o, source, "");

	kernel = ocl_kernel(program, "add");
	if (argc > 2 && !strcmp(argv[1], "maps")) {
		maps(&o, atol(argv[2]));
	} else if (argc > 2 && !strcmp(argv[1], "buffers")) {
		buffers(&o, atol(argv[2]));
	} else {
		in_place(&o);
		edges(&o);
		behind(&o);
		overlapping(&o);
		forked(&o);
		gone_before(&o);
		freed_by_callback(&o);
		other_kinds(&o);
	}
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return 0;
}
