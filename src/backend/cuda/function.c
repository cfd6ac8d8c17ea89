/* Functions of modules and kernels of libraries: their tables, and what a client must know to launch one. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/image.h"
#include "base/err.h"

#define TABLE_BYTES_MAX     PL_CUDA_LIMIT_TABLE_MAX
/* Modules with more functions, and those that the driver loads lazily, tell of each when it is used: many never are. */
#define FACTS_AT_ONCE_MAX   64u
#define KERNELS_AT_ONCE_MAX 8u /* of a library, where the driver does not say what it has loaded */

/* ---- facts ---- */

struct facts {
	struct pl_cuda_function_facts head;
	struct pl_cuda_param_facts param[PL_CUDA_PARAMS_MAX];
};

static CUresult param_get(CUfunction function, CUkernel kernel, size_t index, size_t *offset, size_t *bytes)
{
	if (function)
		return pl_cuda.cuFuncGetParamInfo(function, index, offset, bytes);
	return pl_cuda.cuKernelGetParamInfo(kernel, index, offset, bytes);
}

static void params_take(struct facts *facts, CUfunction function, CUkernel kernel)
{
	size_t offset, bytes;
	uint32_t n = 0;

	if (function ? !pl_cuda.cuFuncGetParamInfo : !pl_cuda.cuKernelGetParamInfo)
		return;
	while (n < PL_CUDA_PARAMS_MAX && !param_get(function, kernel, n, &offset, &bytes)) {
		facts->param[n].offset = (uint32_t)offset;
		facts->param[n++].bytes = (uint32_t)bytes;
	}
	facts->head.params = n;
	facts->head.knows_params = 1;
}

/* One of them is NULL.  Return: what the driver says where it cannot load the function. */
static CUresult facts_take(struct facts *facts, CUfunction function, CUkernel kernel, CUdevice device)
{
	memset(&facts->head, 0, sizeof(facts->head));
	for (uint32_t i = 0; i < PL_CUDA_FUNCTION_ATTRIBUTES; i++) {
		int value = 0;
		CUresult r = function ? pl_cuda.cuFuncGetAttribute(&value, (CUfunction_attribute)i, function)
				      : pl_cuda.cuKernelGetAttribute(&value, (CUfunction_attribute)i, kernel, device);

		if (r && i == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) /* which all have */
			return r;
		if (r)
			continue;
		facts->head.attribute[i] = value;
		facts->head.has |= 1u << i;
	}
	params_take(facts, function, kernel);
	return CUDA_SUCCESS;
}

static uint64_t facts_bytes(const struct facts *facts)
{
	return sizeof(facts->head) + facts->head.params * sizeof(facts->param[0]);
}

/* To be told of a function the driver may have to load it. */
static bool is_loaded(CUfunction function)
{
	CUfunctionLoadingState state = CU_FUNCTION_LOADING_STATE_LOADED;

	return !pl_cuda.cuFuncIsLoaded || pl_cuda.cuFuncIsLoaded(&state, function) ||
	       state == CU_FUNCTION_LOADING_STATE_LOADED;
}

void pl_cuda_serve_plFunctionFacts(struct pl_serve *serve, const struct pl_cuda_plFunctionFacts_args *args)
{
	static _Thread_local struct facts facts;
	struct pl_cuda_plFunctionFacts_reply reply = { 0 };
	void *function = NULL, *kernel = NULL, *device = NULL;
	int32_t status = CUDA_ERROR_INVALID_HANDLE;

	if (!args->function == !args->kernel ||
	    !pl_cuda_take(serve, args->function, PL_CUDA_KIND_function, &function, &status) ||
	    !pl_cuda_take(serve, args->kernel, PL_CUDA_KIND_kernel, &kernel, &status) ||
	    !pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status) ||
	    (kernel && !pl_cuda.cuKernelGetAttribute)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (function && !is_loaded(function) && pl_cuda.cuFuncLoad) /* before, nobody has got it by its name */
		status = (int32_t)pl_cuda.cuFuncLoad(function);
	else
		status = CUDA_SUCCESS;
	if (!status)
		status = (int32_t)facts_take(&facts, function, kernel, (CUdevice)(uintptr_t)device);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.facts = (struct pl_bytes){ &facts, facts_bytes(&facts) };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plFunctionFacts_reply_bytes(&reply), 0))
		return;
	pl_cuda_plFunctionFacts_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- tables ---- */

static void table_add(struct pl_cuda_table *table, const void *data, uint64_t bytes)
{
	uint64_t words = (bytes + 7) / 8 + 1;

	if (table->failed)
		return;
	if (table->count + words > table->room) {
		uint64_t room = (table->count + words) * 2;
		uint64_t *larger = room * 8 > TABLE_BYTES_MAX ? NULL : realloc(table->words, room * 8);

		if (!larger) {
			table->failed = true;
			return;
		}
		table->words = larger;
		table->room = room;
	}
	table->words[table->count] = bytes;
	table->words[table->count + words - 1] = 0;
	memcpy(&table->words[table->count + 1], data, bytes);
	table->count += words;
}

static void table_begin(struct pl_cuda_table *table, uint64_t count)
{
	*table = (struct pl_cuda_table){ .words = malloc(1024 * 8), .room = 1024, .count = 1 };
	table->failed = !table->words;
	if (table->words)
		table->words[0] = count;
}

void pl_cuda_table_fini(struct pl_cuda_table *table)
{
	free(table->words);
	*table = (struct pl_cuda_table){ 0 };
}

/* Beyond the session's limit it says so when it is used.  Return: the id is its own. */
static bool member_enter(struct pl_serve *serve, uint64_t owner, uint64_t id, enum pl_cuda_object_kind kind,
			 void *object)
{
	return pl_cuda_put_member(serve, id, kind, object, 0, owner) ||
	       pl_cuda_put_member(serve, id, kind, NULL, CUDA_ERROR_OUT_OF_MEMORY, owner);
}

static void facts_add(struct pl_cuda_table *table, enum pl_cuda_object_kind kind, void *object, bool with_facts)
{
	bool told = with_facts && (kind == PL_CUDA_KIND_kernel || is_loaded(object));
	struct facts *facts = told ? malloc(sizeof(*facts)) : NULL;
	CUdevice device = 0;
	CUresult r = CUDA_SUCCESS;

	if (!facts)
		r = CUDA_ERROR_NOT_FOUND;
	else if (kind == PL_CUDA_KIND_function)
		r = facts_take(facts, object, NULL, 0);
	else
		r = pl_cuda_current ? pl_cuda.cuCtxGetDevice(&device) : CUDA_SUCCESS;
	if (!r && kind == PL_CUDA_KIND_kernel)
		r = facts_take(facts, NULL, object, device);
	table_add(table, facts, r ? 0 : facts_bytes(facts));
	free(facts);
}

static const uint64_t *entry_next(const uint64_t *entry)
{
	return entry + 1 + (entry[0] + 7) / 8;
}

/* known: where another load's table has the member in this place.  Return: where it has the next. */
static const uint64_t *member_add(struct pl_cuda_table *table, enum pl_cuda_object_kind kind, void *object,
				  bool with_facts, const uint64_t *known)
{
	const uint64_t *facts = known ? entry_next(known) : NULL;
	const char *name = NULL;
	CUresult r = kind == PL_CUDA_KIND_function ? pl_cuda.cuFuncGetName(&name, object)
						   : pl_cuda.cuKernelGetName(&name, object);

	if (r || !name)
		name = "";
	table_add(table, name, strlen(name) + 1);
	if (known && !strcmp((const char *)(known + 1), name)) /* drivers promise no order */
		table_add(table, facts + 1, facts[0]);
	else
		facts_add(table, kind, object, with_facts);
	return facts ? entry_next(facts) : NULL;
}

/* known: the table of another load of the same; NULL: there is none. */
static void members_add(struct pl_serve *serve, struct pl_cuda_table *table, uint64_t id, enum pl_cuda_object_kind kind,
			void **objects, unsigned int count, const struct pl_cuda_table *known)
{
	unsigned int most = kind == PL_CUDA_KIND_kernel ? KERNELS_AT_ONCE_MAX : FACTS_AT_ONCE_MAX;
	const uint64_t *at = known && known->words[0] == count ? known->words + 1 : NULL;

	table_begin(table, count);
	for (unsigned int i = 0; i < count && !table->failed; i++) {
		if (member_enter(serve, id, id | (uint64_t)(i + 1) << PL_CUDA_MEMBER_SHIFT, kind, objects[i]))
			at = member_add(table, kind, objects[i], count <= most, at);
		else
			table->failed = true; /* another has its id: those behind it would not be found at the end */
	}
	if (table->failed)
		pl_cuda_members_drop(serve, id, kind);
}

static unsigned int count_bound(unsigned int count)
{
	if (count > PL_CUDA_FUNCTIONS_MAX) {
		pl_log_warn("a module has %u functions: only %u can be used", count, PL_CUDA_FUNCTIONS_MAX);
		return PL_CUDA_FUNCTIONS_MAX;
	}
	return count;
}

void pl_cuda_table_of_module(struct pl_serve *serve, struct pl_cuda_table *table, uint64_t id, CUmodule module,
			     const void *image)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	const struct pl_cuda_table *known;
	unsigned int count = 0;
	CUdevice device = 0;
	void **functions;

	if (pl_cuda.cuModuleGetFunctionCount && pl_cuda.cuModuleEnumerateFunctions && pl_cuda.cuFuncGetName &&
	    pl_cuda.cuModuleGetFunctionCount(&count, module))
		count = 0;
	count = count_bound(count);
	functions = calloc(count + 1, sizeof(*functions));
	if (!functions || (count && pl_cuda.cuModuleEnumerateFunctions((CUfunction *)functions, count, module)))
		count = 0;
	if (image && pl_cuda.cuCtxGetDevice(&device))
		image = NULL;
	known = image ? pl_cuda_image_table(session, image, device) : NULL;
	members_add(serve, table, id, PL_CUDA_KIND_function, functions, count, known);
	if (image && !known && !table->failed)
		pl_cuda_image_table_keep(session, image, device, table);
	free(functions);
}

void pl_cuda_table_of_library(struct pl_serve *serve, struct pl_cuda_table *table, uint64_t id, CUlibrary library)
{
	unsigned int count = 0;
	void **kernels;

	if (pl_cuda.cuLibraryGetKernelCount && pl_cuda.cuLibraryEnumerateKernels && pl_cuda.cuKernelGetName &&
	    pl_cuda.cuLibraryGetKernelCount(&count, library))
		count = 0;
	count = count_bound(count);
	kernels = calloc(count + 1, sizeof(*kernels));
	if (!kernels || (count && pl_cuda.cuLibraryEnumerateKernels((CUkernel *)kernels, count, library)))
		count = 0;
	members_add(serve, table, id, PL_CUDA_KIND_kernel, kernels, count, NULL);
	free(kernels);
}

void pl_cuda_members_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind)
{
	struct pl_handle handle;

	for (uint64_t i = 1; i <= PL_CUDA_FUNCTIONS_MAX; i++) {
		if (!pl_handles_take(&serve->session->handles, id | i << PL_CUDA_MEMBER_SHIFT, kind, &handle))
			return;
		if (handle.failed)
			continue;
		pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
		pl_checkpoint_ended(handle.id);
	}
}

void pl_cuda_serve_plLibraryKernels(struct pl_serve *serve, const struct pl_cuda_plLibraryKernels_args *args)
{
	struct pl_cuda_plLibraryKernels_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_HANDLE;
	struct pl_cuda_table table = { 0 };
	unsigned int count = 0;
	void *library = NULL;

	if (!args->library || !pl_cuda_take(serve, args->library, PL_CUDA_KIND_library, &library, &status)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	/* The library is compiled now, if it was not before: what is wrong with it is said here. */
	status = pl_cuda.cuLibraryGetKernelCount ? (int32_t)pl_cuda.cuLibraryGetKernelCount(&count, library)
						 : CUDA_ERROR_NOT_SUPPORTED;
	if (!status) {
		pl_cuda_members_drop(serve, args->library, PL_CUDA_KIND_kernel);
		pl_cuda_table_of_library(serve, &table, args->library, library);
		status = table.failed ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
	}
	if (status) {
		pl_cuda_table_fini(&table);
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.kernels = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = table.count * 8 };
	if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plLibraryKernels_reply_bytes(&reply),
				  reply.kernels.bytes)) {
		pl_cuda_plLibraryKernels_reply_put(&serve->reply_enc, &reply);
		if (!pl_serve_reply_end(serve))
			(void)pl_serve_reply_bulk(serve, table.words, reply.kernels.bytes);
	}
	pl_cuda_table_fini(&table);
}

void pl_cuda_serve_plModuleFunctions(struct pl_serve *serve, const struct pl_cuda_plModuleFunctions_args *args)
{
	struct pl_cuda_plModuleFunctions_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_HANDLE;
	struct pl_cuda_table table = { 0 };
	void *module = NULL;

	if (args->module && pl_cuda_take(serve, args->module, PL_CUDA_KIND_module, &module, &status)) {
		pl_cuda_members_drop(serve, args->module, PL_CUDA_KIND_function);
		pl_cuda_table_of_module(serve, &table, args->module, module, NULL);
		status = table.failed ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
	}
	if (status) {
		pl_cuda_table_fini(&table);
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.functions = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = table.count * 8 };
	if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plModuleFunctions_reply_bytes(&reply),
				  reply.functions.bytes)) {
		pl_cuda_plModuleFunctions_reply_put(&serve->reply_enc, &reply);
		if (!pl_serve_reply_end(serve))
			(void)pl_serve_reply_bulk(serve, table.words, reply.functions.bytes);
	}
	pl_cuda_table_fini(&table);
}
