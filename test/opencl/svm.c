/* Shared virtual memory: pointers that mean the same to the program and to kernels.  Checks every result itself and
 * prints codes and what it found; a device without fine-grained buffers is asked for coarse-grained ones only. */
#include "ocl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#define N 5000u

static const char source[] =
	"typedef struct node { global struct node *next; int value; int seen; } node;\n"
	"kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n"
	"kernel void walk(global node *first, global int *sum) {\n"
	"	int s = 0;\n"
	"	for (global node *at = first; at; at = at->next) { s += at->value; at->seen = 1; }\n"
	"	*sum = s;\n"
	"}\n"
	"kernel void count(global int *a, int times) { for (int i = 0; i < times; i++) atomic_inc(a); }\n"
	"kernel void local_only(local int *a) { a[0] = 1; }\n";

struct node {
	struct node *next;
	int value, seen;
};

static int wrong;

static void check(const char *what, int right)
{
	if (!right && wrong++ < 20)
		printf("WRONG: %s\n", what);
}

static int *alloc_ints(struct ocl *o, cl_svm_mem_flags flags, size_t count)
{
	int *at = clSVMAlloc(o->context, CL_MEM_READ_WRITE | flags, count * sizeof(int), 0);

	if (!at) {
		fprintf(stderr, "clSVMAlloc: %zu integers\n", count);
		exit(1);
	}
	return at;
}

static void set(struct ocl *o, int *at, size_t count, int first)
{
	CK(clEnqueueSVMMap(o->queue, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, at, count * sizeof(int), 0, NULL, NULL));
	for (size_t i = 0; i < count; i++)
		at[i] = first + (int)i;
	CK(clEnqueueSVMUnmap(o->queue, at, 0, NULL, NULL));
}

static void expect(struct ocl *o, const char *what, int *at, size_t count, int first)
{
	int right = 1;

	CK(clEnqueueSVMMap(o->queue, CL_TRUE, CL_MAP_READ, at, count * sizeof(int), 0, NULL, NULL));
	for (size_t i = 0; i < count; i++)
		right &= at[i] == first + (int)i;
	check(what, right);
	CK(clEnqueueSVMUnmap(o->queue, at, 0, NULL, NULL));
}

static void add(struct ocl *o, cl_kernel kernel, int *at, size_t count, int n)
{
	CK(clSetKernelArgSVMPointer(kernel, 0, at));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
}

/* ---- parts ---- */

static void kernels(struct ocl *o, cl_program program)
{
	cl_kernel kernel = ocl_kernel(program, "add"), walk = ocl_kernel(program, "walk"), clone;
	int *a = alloc_ints(o, 0, N), *sum = alloc_ints(o, 0, 1);
	struct node *nodes = (struct node *)alloc_ints(o, 0, 100 * sizeof(*nodes) / sizeof(int));
	void *list[] = { nodes, sum };
	size_t one = 1, half = N / 2;
	int n = 3;
	cl_int code;

	set(o, a, N, 10);
	add(o, kernel, a, N, 5);
	expect(o, "a kernel adds", a, N, 15);
	add(o, kernel, a + half, N - half, 7); /* from inside */
	expect(o, "an interior pointer, below", a, half, 15);
	CK(clEnqueueSVMMap(o->queue, CL_TRUE, CL_MAP_READ, a + half, sizeof(int), 0, NULL, NULL));
	check("an interior pointer, above", a[half] == 15 + (int)half + 7);
	CK(clEnqueueSVMUnmap(o->queue, a + half, 0, NULL, NULL));

	CK(clEnqueueSVMMap(o->queue, CL_TRUE, CL_MAP_WRITE, nodes, 100 * sizeof(*nodes), 0, NULL, NULL));
	for (int i = 0; i < 100; i++)
		nodes[i] = (struct node){ i < 99 ? &nodes[i + 1] : NULL, i, 0 };
	CK(clEnqueueSVMUnmap(o->queue, nodes, 0, NULL, NULL));
	CK(clSetKernelArgSVMPointer(walk, 0, nodes));
	CK(clSetKernelArgSVMPointer(walk, 1, sum));
	CK(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(list), list));
	CK(clEnqueueNDRangeKernel(o->queue, walk, 1, NULL, &one, NULL, 0, NULL, NULL));
	expect(o, "a kernel walks a list of the program's", sum, 1, 4950);
	CK(clEnqueueSVMMap(o->queue, CL_TRUE, CL_MAP_READ, nodes, 100 * sizeof(*nodes), 0, NULL, NULL));
	for (int i = 0; i < 100; i++)
		check("the list is seen", nodes[i].seen && nodes[i].next == (i < 99 ? &nodes[i + 1] : NULL));
	CK(clEnqueueSVMUnmap(o->queue, nodes, 0, NULL, NULL));
	CK(clSetKernelExecInfo(walk, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, NULL));

	/* A clone has the arguments, and its own from then on. */
	set(o, a, N, 0);
	CK(clSetKernelArgSVMPointer(kernel, 0, a));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	clone = clCloneKernel(kernel, &code);
	CK(code);
	n = 1000;
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	half = N;
	CK(clEnqueueNDRangeKernel(o->queue, clone, 1, NULL, &half, NULL, 0, NULL, NULL));
	expect(o, "a clone's arguments", a, N, 3);
	CK(clReleaseKernel(clone));
	CK(clReleaseKernel(walk));
	CK(clReleaseKernel(kernel));
	clSVMFree(o->context, nodes);
	clSVMFree(o->context, sum);
	clSVMFree(o->context, a);
	puts("kernels: done");
}

/* Each end shared or the program's own, waited for or not, small and large. */
static void copies(struct ocl *o)
{
	static const size_t counts[] = { 1, 100, 20000, 400000 };

	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		size_t count = counts[c], bytes = count * sizeof(int);
		int *shared[2] = { alloc_ints(o, 0, count + 8), alloc_ints(o, 0, count + 8) };
		int *own[2] = { malloc(bytes), malloc(bytes) };

		for (int way = 0; way < 8; way++) {
			int *from = way & 1 ? shared[0] + 3 : own[0], *to = way & 2 ? shared[1] + 5 : own[1];
			cl_bool blocking = way & 4 ? CL_TRUE : CL_FALSE;
			cl_event event;
			int first = way * 1000, pattern = -1;

			if (way & 1)
				set(o, from, count, first);
			for (size_t i = 0; i < count && !(way & 1); i++)
				from[i] = first + (int)i;
			if (way & 2)
				CK(clEnqueueSVMMemFill(o->queue, to, &pattern, sizeof(pattern), bytes, 0, NULL, NULL));
			CK(clEnqueueSVMMemcpy(o->queue, blocking, to, from, bytes, 0, NULL, &event));
			if (!blocking)
				CK(clWaitForEvents(1, &event));
			CK(clReleaseEvent(event));
			if (way & 2) {
				expect(o, "copied into shared memory", to, count, first);
			} else {
				int right = 1;
				for (size_t i = 0; i < count; i++)
					right &= to[i] == first + (int)i;
				check("copied into own memory", right);
			}
		}
		for (int i = 0; i < 2; i++) {
			clSVMFree(o->context, shared[i]);
			free(own[i]);
		}
	}
	puts("copies: done");
}

/* A command that waits for another: nothing may be taken for done before its time. */
static void in_order(struct ocl *o, cl_program program)
{
	cl_kernel kernel = ocl_kernel(program, "add");
	int *a = alloc_ints(o, 0, N), *own = malloc(N * sizeof(int));
	cl_event gate, steps[4];
	cl_int code, status;
	int right = 1;
	size_t count = N;

	set(o, a, N, 0);
	CK(clFinish(o->queue));
	gate = clCreateUserEvent(o->context, &code);
	CK(code);
	CK(clSetKernelArgSVMPointer(kernel, 0, a));
	CK(clSetKernelArg(kernel, 1, sizeof(int), &(int){ 50 }));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &count, NULL, 1, &gate, &steps[0]));
	CK(clEnqueueSVMMemcpy(o->queue, CL_FALSE, own, a, N * sizeof(int), 1, &steps[0], &steps[1]));
	CK(clEnqueueSVMMap(o->queue, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, a, N * sizeof(int), 1, &steps[1],
			   &steps[2]));
	CK(clGetEventInfo(steps[2], CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	check("mapped before its time", status > CL_COMPLETE);
	CK(clSetUserEventStatus(gate, CL_COMPLETE));
	CK(clWaitForEvents(1, &steps[2]));
	for (unsigned i = 0; i < N; i++)
		right &= own[i] == 50 + (int)i && a[i] == 50 + (int)i;
	check("in order", right);
	for (unsigned i = 0; i < N; i++)
		a[i] = -(int)i;
	CK(clEnqueueSVMUnmap(o->queue, a, 0, NULL, &steps[3]));
	CK(clEnqueueSVMMemcpy(o->queue, CL_TRUE, own, a, N * sizeof(int), 1, &steps[3], NULL));
	for (unsigned i = 0; i < N; i++)
		right &= own[i] == -(int)i;
	check("what was written while mapped", right);
	CK(clReleaseEvent(gate));
	for (int i = 0; i < 4; i++)
		CK(clReleaseEvent(steps[i]));
	CK(clReleaseKernel(kernel));
	clSVMFree(o->context, a);
	free(own);
	puts("in order: done");
}

static void buffers(struct ocl *o, cl_program program)
{
	cl_kernel kernel = ocl_kernel(program, "add");
	cl_buffer_region region = { 4096, 4096 };
	int *a = alloc_ints(o, 0, N), *mapped, own[4];
	size_t count = N;
	cl_bool uses[3] = { 7, 7, 7 };
	cl_mem mem, sub, plain;
	cl_int code, size_code;

	set(o, a, N, 100);
	CK(clFinish(o->queue));
	mem = ocl_buffer(o, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, N * sizeof(int), a);
	plain = ocl_buffer(o, CL_MEM_READ_WRITE, 4096, NULL);
	CK(clGetMemObjectInfo(mem, CL_MEM_USES_SVM_POINTER, sizeof(cl_bool), &uses[0], NULL));
	CK(clGetMemObjectInfo(plain, CL_MEM_USES_SVM_POINTER, sizeof(cl_bool), &uses[1], NULL));
	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(int), &(int){ 11 }));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
	mapped = clEnqueueMapBuffer(o->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, N * sizeof(int), 0, NULL,
				    NULL, &code);
	CK(code);
	check("the map is the memory", mapped == a);
	check("the kernel wrote the memory", a[0] == 111 && a[N - 1] == 110 + (int)N);
	a[1024] = 5;
	CK(clEnqueueUnmapMemObject(o->queue, mem, mapped, 0, NULL, NULL));
	sub = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
	CK(code);
	CK(clEnqueueReadBuffer(o->queue, sub, CL_TRUE, 0, sizeof(own), own, 0, NULL, NULL));
	check("a part of it", own[0] == 5 && own[1] == 111 + 1025);
	own[0] = 77;
	CK(clEnqueueWriteBuffer(o->queue, sub, CL_TRUE, 0, sizeof(int), own, 0, NULL, NULL));
	mapped = clEnqueueMapBuffer(o->queue, sub, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &code);
	CK(code);
	check("the part is where it should be", mapped == a + 1024 && a[1024] == 77);
	CK(clEnqueueUnmapMemObject(o->queue, sub, mapped, 0, NULL, NULL));
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(sub));
	CK(clReleaseMemObject(mem));
	CK(clReleaseMemObject(plain));
	mem = clCreateBuffer(o->context, CL_MEM_USE_HOST_PTR, N * sizeof(int) + 1, a, &size_code);
	check("no buffer", !mem);
	printf("buffers: uses %u %u, too large %d\n", uses[0], uses[1], size_code);
	CK(clReleaseKernel(kernel));
	clSVMFree(o->context, a);
}

/* No maps: the device sees what the program writes, and the other way. */
static void fine(struct ocl *o, cl_program program, cl_device_svm_capabilities caps)
{
	cl_kernel kernel = ocl_kernel(program, "add"), counting = ocl_kernel(program, "count");
	size_t count = N, items = 64;
	int *a = alloc_ints(o, CL_MEM_SVM_FINE_GRAIN_BUFFER, N), right = 1;

	for (unsigned i = 0; i < N; i++)
		a[i] = (int)i;
	add(o, kernel, a, N, 9);
	CK(clFinish(o->queue));
	for (unsigned i = 0; i < N; i++)
		right &= a[i] == 9 + (int)i;
	check("fine grain", right);
	memset(a, 0, N * sizeof(int));
	for (int round = 0; round < 50; round++) {
		a[round]++;
		CK(clSetKernelArgSVMPointer(kernel, 0, a + round));
		count = N - 50;
		CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
		CK(clFinish(o->queue));
		check("taking turns", a[round] == 1 + 9 * (round + 1));
	}
	clSVMFree(o->context, a);
	if (caps & CL_DEVICE_SVM_ATOMICS) {
		cl_event event;

		a = alloc_ints(o, CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, 1);
		*a = 0;
		CK(clSetKernelArgSVMPointer(counting, 0, a));
		CK(clSetKernelArg(counting, 1, sizeof(int), &(int){ 20000 }));
		CK(clEnqueueNDRangeKernel(o->queue, counting, 1, NULL, &items, NULL, 0, NULL, &event));
		CK(clFlush(o->queue));
		for (int i = 0; i < 100000; i++)
			atomic_fetch_add((_Atomic int *)a, 1);
		CK(clWaitForEvents(1, &event));
		check("both sides count", *a == 64 * 20000 + 100000);
		CK(clReleaseEvent(event));
		clSVMFree(o->context, a);
	}
	CK(clReleaseKernel(counting));
	CK(clReleaseKernel(kernel));
	puts("fine grain: done");
}

struct freed {
	cl_context context;
	void *pointers[3];
	cl_uint count;
	int calls;
};

static void CL_CALLBACK on_free(cl_command_queue queue, cl_uint count, void **pointers, void *user_data)
{
	struct freed *freed = user_data;

	(void)queue;
	freed->calls++;
	freed->count = count;
	for (cl_uint i = 0; i < count && i < 3; i++) {
		freed->pointers[i] = pointers[i];
		clSVMFree(freed->context, pointers[i]);
	}
}

static void freeing(struct ocl *o)
{
	struct freed freed = { .context = o->context };
	void *pointers[3] = { alloc_ints(o, 0, 10), alloc_ints(o, 0, 100000), alloc_ints(o, 0, 1) };
	void *again[2] = { alloc_ints(o, 0, 10), alloc_ints(o, 0, 10) };
	void *kept[3];
	cl_command_type type = 0;
	cl_event event;

	memcpy(kept, pointers, sizeof(kept));
	CK(clEnqueueSVMFree(o->queue, 3, pointers, on_free, &freed, 0, NULL, &event));
	memset(pointers, 0, sizeof(pointers)); /* the list may go at once */
	CK(clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL));
	CK(clFinish(o->queue));
	printf("freeing: %d call of %u pointers, the same: %d, command %x\n", freed.calls, freed.count,
	       !memcmp(freed.pointers, kept, sizeof(kept)), type);
	CK(clReleaseEvent(event));
	CK(clEnqueueSVMFree(o->queue, 2, again, NULL, NULL, 0, NULL, NULL));
	CK(clFinish(o->queue));
	for (int round = 0; round < 300; round++) { /* what is freed is used again */
		void *large = clSVMAlloc(o->context, CL_MEM_READ_WRITE, 16u << 20, 0);
		check("memory again", large != NULL);
		clSVMFree(o->context, large);
	}
	clSVMFree(o->context, NULL);
}

static void alignment(struct ocl *o)
{
	void *kept[64];

	for (int i = 0; i < 64; i++) {
		cl_uint wanted = 1u << i % 8;
		kept[i] = clSVMAlloc(o->context, CL_MEM_READ_WRITE, 1 + (size_t)i * 777, wanted);
		check("aligned", kept[i] && !((uintptr_t)kept[i] % wanted));
		for (int j = 0; j < i; j++)
			check("apart", kept[i] != kept[j]);
	}
	for (int i = 0; i < 64; i++)
		clSVMFree(o->context, kept[i]);
	printf("refused: size 0 %d, alignment 3 %d, atomics alone %d, too large %d\n",
	       clSVMAlloc(o->context, CL_MEM_READ_WRITE, 0, 0) == NULL,
	       clSVMAlloc(o->context, CL_MEM_READ_WRITE, 64, 3) == NULL,
	       clSVMAlloc(o->context, CL_MEM_READ_WRITE | CL_MEM_SVM_ATOMICS, 64, 0) == NULL,
	       clSVMAlloc(o->context, CL_MEM_READ_WRITE, (size_t)-1 / 2, 0) == NULL);
}

static void codes(struct ocl *o, cl_program program)
{
	cl_kernel kernel = ocl_kernel(program, "add"), local_only = ocl_kernel(program, "local_only");
	int *a = alloc_ints(o, 0, N), own[8] = { 0 };
	const void *list[] = { a }, *none[] = { NULL };
	void *to_free[] = { NULL };
	size_t sizes[] = { 64 };
	cl_command_queue q = o->queue;

#define CODE(call) printf("%4d  %s\n", (call), #call)
	CODE(clEnqueueSVMMemcpy(NULL, CL_TRUE, a, own, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, NULL, own, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, a, NULL, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, a, own, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, a, a + 1, 8, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, own, own + 1, 8, 0, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_TRUE, a, own, 4, 1, NULL, NULL));
	CODE(clEnqueueSVMMemcpy(q, CL_FALSE, a + 1, a, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, NULL, own, 4, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, a, own, 0, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, a, own, 3, 6, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, a, own, 4, 6, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, a, own, 4, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMMemFill(q, (char *)a + 2, own, 4, 8, 0, NULL, NULL));
	CODE(clEnqueueSVMMap(NULL, CL_TRUE, CL_MAP_READ, a, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, NULL, 4, 0, NULL, NULL));
	CODE(clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, a, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMUnmap(q, NULL, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 0, list, NULL, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 1, NULL, NULL, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 1, none, NULL, 0, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 1, list, NULL, 1u << 20, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 1, list, sizes, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
	CODE(clEnqueueSVMMigrateMem(q, 1, list, NULL, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, NULL));
	CODE(clEnqueueSVMFree(q, 0, to_free, NULL, NULL, 0, NULL, NULL));
	CODE(clEnqueueSVMFree(q, 1, NULL, NULL, NULL, 0, NULL, NULL));
	CODE(clEnqueueSVMFree(q, 1, to_free, NULL, NULL, 0, NULL, NULL));
	CODE(clEnqueueSVMFree(NULL, 1, to_free, NULL, NULL, 0, NULL, NULL));
	CODE(clSetKernelArgSVMPointer(NULL, 0, a));
	CODE(clSetKernelArgSVMPointer(kernel, 9, a));
	CODE(clSetKernelArgSVMPointer(kernel, 1, a));
	CODE(clSetKernelArgSVMPointer(kernel, 0, NULL));
	CODE(clSetKernelArgSVMPointer(local_only, 0, a));
	CODE(clSetKernelExecInfo(NULL, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(list), list));
	CODE(clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(list), list));
	CODE(clFinish(q));
	CK(clReleaseKernel(local_only));
	CK(clReleaseKernel(kernel));
	clSVMFree(o->context, a);
}

static void *many_run(void *arg)
{
	struct ocl *o = arg;

	for (int i = 0; i < 200; i++) {
		int *a = alloc_ints(o, 0, 1000), *b = alloc_ints(o, 0, 70000), value = i, got = -1;

		CK(clEnqueueSVMMemFill(o->queue, b, &value, sizeof(value), 4000, 0, NULL, NULL));
		CK(clEnqueueSVMMemcpy(o->queue, CL_FALSE, a, b, 4000, 0, NULL, NULL));
		CK(clEnqueueSVMMemcpy(o->queue, CL_TRUE, &got, a + 999, sizeof(got), 0, NULL, NULL));
		check("threads", got == i);
		clSVMFree(o->context, a);
		clSVMFree(o->context, b);
	}
	return NULL;
}

static void threads(struct ocl *o)
{
	pthread_t thread[4];
	struct ocl own[4];
	cl_int code;

	for (int i = 0; i < 4; i++) {
		own[i] = *o;
		own[i].queue = clCreateCommandQueueWithProperties(o->context, o->device, NULL, &code);
		CK(code);
		pthread_create(&thread[i], NULL, many_run, &own[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		CK(clReleaseCommandQueue(own[i].queue));
	}
	puts("threads: done");
}

int main(void)
{
	cl_device_svm_capabilities caps = 0;
	static const cl_command_queue_properties properties[] = { 0, CL_QUEUE_PROFILING_ENABLE };
	cl_program program;
	struct ocl o;
	void *late;

	alarm(100);
	o = ocl_open(0);
	CK(clGetDeviceInfo(o.device, CL_DEVICE_SVM_CAPABILITIES, sizeof(caps), &caps, NULL));
	if (!(caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER)) {
		puts("no shared virtual memory");
		return 77;
	}
	printf("coarse 1 fine %d atomics %d\n", !!(caps & CL_DEVICE_SVM_FINE_GRAIN_BUFFER),
	       !!(caps & CL_DEVICE_SVM_ATOMICS));
	program = ocl_build(&o, source, "");
	for (int i = 0; i < 2; i++) {
		cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties[i], 0 };
		cl_int code;

		CK(clReleaseCommandQueue(o.queue));
		o.queue = clCreateCommandQueueWithProperties(o.context, o.device, list, &code);
		CK(code);
		kernels(&o, program);
		copies(&o);
		in_order(&o, program);
		buffers(&o, program);
		if (caps & CL_DEVICE_SVM_FINE_GRAIN_BUFFER)
			fine(&o, program, caps);
		freeing(&o);
	}
	alignment(&o);
	codes(&o, program);
	threads(&o);
	CK(clReleaseProgram(program));
	late = alloc_ints(&o, 0, 10);
	ocl_close(&o);
	clSVMFree(o.context, late); /* the memory kept its context */
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
