#include "trace/cuda/trace.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calltrace.h"
#include "base/err.h"
#include "base/wait.h"
#include "cuda/proc.h"
#include "cuda/totals.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static __typeof__(&plCudaTotals) totals_get; /* NULL: no client of Plenum's */

static void load(void)
{
	const char *path = getenv("PLENUM_TRACE_CUDA");
	void *library = path && *path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!library) {
		pl_log_error("PLENUM_TRACE_CUDA: %s",
			     path && *path ? dlerror() : "is not set: whose calls are traced?");
		return;
	}
	for (uint32_t i = 0; i < pl_cuda_trace_rows_count; i++)
		atomic_store(&pl_cuda_trace_theirs[i], (pl_cuda_trace_fn)dlsym(library, pl_cuda_trace_rows[i].name));
	totals_get = (__typeof__(&plCudaTotals))dlsym(library, "plCudaTotals");
}

/* ---- names of kernels: a table by handle, which is emptied when a module goes ---- */

#define NAMES      1024u /* kept at a time */
#define NAME_BYTES 128u

static struct {
	pthread_mutex_t lock;
	struct {
		CUfunction function;
		char name[NAME_BYTES];
	} at[NAMES];
} names = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint32_t row_of(const char *name)
{
	uint32_t i = 0;

	while (i < pl_cuda_trace_rows_count && strcmp(pl_cuda_trace_rows[i].name, name))
		i++;
	return i;
}

static pl_cuda_trace_fn theirs(const char *name)
{
	uint32_t row = row_of(name);

	return row < pl_cuda_trace_rows_count ? atomic_load(&pl_cuda_trace_theirs[row]) : NULL;
}

static const char *name_ask(CUfunction function)
{
	__typeof__(&cuFuncGetName) of_function = (__typeof__(&cuFuncGetName))theirs("cuFuncGetName");
	__typeof__(&cuKernelGetName) of_kernel = (__typeof__(&cuKernelGetName))theirs("cuKernelGetName");
	const char *name = NULL;

	if (of_function && !of_function(&name, function) && name)
		return name;
	return of_kernel && !of_kernel(&name, (CUkernel)function) && name ? name : "";
}

static void name_get(CUfunction function, char name_out[NAME_BYTES])
{
	size_t i = ((uintptr_t)function * 0x9e3779b97f4a7c15ull) >> 54;

	pthread_mutex_lock(&names.lock);
	if (names.at[i].function != function) {
		names.at[i].function = function;
		snprintf(names.at[i].name, NAME_BYTES, "%s", name_ask(function));
	}
	memcpy(name_out, names.at[i].name, NAME_BYTES);
	pthread_mutex_unlock(&names.lock);
}

static void names_clear(void)
{
	pthread_mutex_lock(&names.lock);
	for (size_t i = 0; i < NAMES; i++)
		names.at[i].function = NULL;
	pthread_mutex_unlock(&names.lock);
}

/* ---- calls ---- */

pl_cuda_trace_fn pl_cuda_trace_begin(struct pl_cuda_trace_call *call)
{
	struct pl_cuda_totals totals = { 0 };

	pthread_once(&once, load);
	if (totals_get)
		totals_get(&totals);
	call->bytes_out = totals.bytes_out;
	call->bytes_in = totals.bytes_in;
	call->asks = totals.asks;
	call->begin_ns = pl_now_ns();
	return atomic_load_explicit(&pl_cuda_trace_theirs[call->row], memory_order_relaxed);
}

CUresult pl_cuda_trace_end(const struct pl_cuda_trace_call *call, CUresult result)
{
	const struct pl_cuda_trace_row *row = &pl_cuda_trace_rows[call->row];
	struct pl_calltrace line = { .begin_ns = call->begin_ns,
				     .end_ns = pl_now_ns(),
				     .function = row->name,
				     .class = totals_get ? row->class : "native",
				     .result = result,
				     .size = call->size };
	struct pl_cuda_totals totals;
	char name[NAME_BYTES] = "";

	if (totals_get) {
		totals_get(&totals);
		line.bytes_out = totals.bytes_out - call->bytes_out;
		line.bytes_in = totals.bytes_in - call->bytes_in;
		line.asks = totals.asks - call->asks;
	}
	if (row->unloads)
		names_clear();
	if (!pl_calltrace_on())
		return result;
	if (call->function && !result)
		name_get(call->function, name);
	line.what = name;
	pl_calltrace_write(&line);
	return result;
}

void pl_cuda_trace_found(const char *symbol, int version, cuuint64_t flags, void **function)
{
	bool per_thread = flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, newer;
	const struct pl_cuda_proc *proc;
	uint32_t row = 0;

	if (!*function)
		return;
	while (row < pl_cuda_trace_rows_count && (void *)atomic_load(&pl_cuda_trace_theirs[row]) != *function)
		row++;
	if (row == pl_cuda_trace_rows_count) { /* a driver may give another address than dlsym() does */
		proc = pl_cuda_proc_find(pl_cuda_procs, pl_cuda_procs_count, symbol, version, per_thread, &newer);
		row = proc ? row_of(proc->symbol) : row;
		if (row == pl_cuda_trace_rows_count)
			return;
		atomic_store(&pl_cuda_trace_theirs[row], (pl_cuda_trace_fn)*function);
	}
	*function = (void *)pl_cuda_trace_rows[row].ours;
}
