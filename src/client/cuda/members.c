/* The table of a module's functions, or a library's kernels (wire/cuda.h). */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/module.h"

static const struct pl_cuda_members *sorting; /* under the sort's lock */
static pthread_mutex_t sorting_lock = PTHREAD_MUTEX_INITIALIZER;

static int by_name(const void *a, const void *b)
{
	return strcmp(sorting->name[*(const uint32_t *)a], sorting->name[*(const uint32_t *)b]);
}

/* The next length-prefixed piece; NULL = the table is not whole. */
static const uint64_t *piece_next(const uint64_t **at, const uint64_t *end)
{
	const uint64_t *piece = *at;
	uint64_t words;

	if (piece >= end || *piece > (uint64_t)(end - piece - 1) * 8)
		return NULL;
	words = (*piece + 7) / 8;
	*at = piece + 1 + words;
	return piece;
}

static bool facts_plausible(const uint64_t *piece)
{
	struct pl_cuda_function_facts head;

	if (!*piece)
		return true;
	if (*piece < sizeof(head))
		return false;
	memcpy(&head, piece + 1, sizeof(head));
	return head.params <= PL_CUDA_PARAMS_MAX &&
	       *piece == sizeof(head) + head.params * sizeof(struct pl_cuda_param_facts);
}

static CUresult members_parse(struct pl_cuda_members *members, uint64_t words)
{
	const uint64_t *at = members->words + 1, *end = members->words + words;
	uint64_t count = words ? members->words[0] : 0;

	if (count > PL_CUDA_FUNCTIONS_MAX || (words && count * 2 > words))
		return CUDA_ERROR_UNKNOWN;
	members->count = (uint32_t)count;
	members->function = calloc(count + 1, sizeof(*members->function));
	members->name = calloc(count + 1, sizeof(*members->name));
	members->facts = calloc(count + 1, sizeof(*members->facts));
	members->sorted = calloc(count + 1, sizeof(*members->sorted));
	if (!members->function || !members->name || !members->facts || !members->sorted)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t *name = piece_next(&at, end), *facts = name ? piece_next(&at, end) : NULL;

		if (!facts || !*name || ((const char *)(name + 1))[*name - 1] || !facts_plausible(facts))
			return CUDA_ERROR_UNKNOWN;
		members->name[i] = (const char *)(name + 1);
		members->facts[i] = *facts ? facts : NULL;
		members->sorted[i] = i;
	}
	pthread_mutex_lock(&sorting_lock);
	sorting = members;
	qsort(members->sorted, count, sizeof(*members->sorted), by_name);
	pthread_mutex_unlock(&sorting_lock);
	return CUDA_SUCCESS;
}

CUresult pl_cuda_members_take(struct pl_cuda_members *members, struct pl_reply *reply, uint64_t bytes)
{
	CUresult result;
	int r;

	if (bytes != reply->bulk_bytes || bytes % 8 || bytes > PL_CUDA_LIMIT_TABLE_MAX)
		return CUDA_ERROR_UNKNOWN;
	members->words = malloc(bytes + 8);
	if (!members->words)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = bytes ? pl_call_bulk(reply, members->words, bytes) : 0;
	result = r ? pl_cuda_fault(r) : members_parse(members, bytes / 8);
	if (result)
		pl_cuda_members_fini(members);
	return result;
}

void pl_cuda_members_fini(struct pl_cuda_members *members)
{
	for (uint32_t i = 0; members->function && i < members->count; i++)
		if (members->function[i])
			pl_cuda_forget(&members->function[i]->object);
	free(members->function);
	free(members->name);
	free(members->facts);
	free(members->sorted);
	free(members->words);
	memset(members, 0, sizeof(*members));
}

uint32_t pl_cuda_members_find(const struct pl_cuda_members *members, const char *name)
{
	uint32_t low = 0, high = members->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(members->name[members->sorted[middle]], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == members->count || strcmp(members->name[members->sorted[low]], name))
		return UINT32_MAX;
	return members->sorted[low];
}

struct pl_cuda_function *pl_cuda_members_get(struct pl_cuda_members *members, struct pl_cuda_object *owner, uint32_t at,
					     enum pl_cuda_object_kind kind, struct pl_cuda_context *context)
{
	struct pl_cuda_function *function = members->function[at];

	if (function)
		return function;
	function = pl_cuda_object_create(kind, owner->id | (uint64_t)(at + 1) << PL_CUDA_MEMBER_SHIFT, NULL);
	if (!function)
		return NULL;
	function->object.session = owner->session;
	function->object.context = context; /* not in its list: it ends with its owner */
	function->owner = owner;
	function->name = members->name[at];
	members->function[at] = function;
	if (members->facts[at])
		atomic_store(&function->facts, pl_cuda_facts_make(members->facts[at] + 1, *members->facts[at]));
	return function;
}

CUresult pl_cuda_members_at(const struct pl_cuda_owner *owner, uint32_t at, struct pl_cuda_function **function)
{
	pthread_mutex_lock(owner->lock);
	*function = pl_cuda_members_get(owner->members, owner->object, at, owner->kind, owner->context);
	pthread_mutex_unlock(owner->lock);
	return *function ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult pl_cuda_members_named(const struct pl_cuda_owner *owner, const char *name, struct pl_cuda_function **function)
{
	uint32_t at = pl_cuda_members_find(owner->members, name);

	return at == UINT32_MAX ? CUDA_ERROR_NOT_FOUND : pl_cuda_members_at(owner, at, function);
}
