/* Tables of functions from a server that may lie. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/cuda/module.h"

/* ---- what the rest of the client gives ---- */

static const uint64_t *sent;
static unsigned facts_made;

int pl_call_bulk(struct pl_reply *reply, void *data, uint64_t bytes)
{
	memcpy(data, sent, bytes);
	reply->bulk_bytes -= bytes;
	return 0;
}

CUresult pl_cuda_fault(int r)
{
	return r ? CUDA_ERROR_DEVICE_UNAVAILABLE : CUDA_SUCCESS;
}

void *pl_cuda_object_create(enum pl_cuda_object_kind kind, uint64_t id, struct pl_cuda_context *context)
{
	struct pl_cuda_function *function = calloc(1, sizeof(*function));

	function->object = (struct pl_cuda_object){ .id = id, .kind = kind, .context = context };
	return function;
}

void pl_cuda_forget(struct pl_cuda_object *object)
{
	free(object);
}

struct pl_cuda_facts *pl_cuda_facts_make(const void *data, uint64_t bytes)
{
	assert(data && bytes >= sizeof(struct pl_cuda_function_facts));
	facts_made++;
	return NULL;
}

/* ---- tables ---- */

#define FACTS_BYTES (sizeof(struct pl_cuda_function_facts) + 2 * sizeof(struct pl_cuda_param_facts))

/* Two functions, "sub" without facts and "add" with them.  Return: words. */
static uint64_t table_make(uint64_t words[64])
{
	struct pl_cuda_function_facts facts = { .params = 2, .knows_params = 1 };
	uint64_t at = 0;

	memset(words, 0, 64 * sizeof(words[0]));
	words[at++] = 2;
	words[at++] = 4;
	memcpy(&words[at++], "sub", 4);
	words[at++] = 0;
	words[at++] = 4;
	memcpy(&words[at++], "add", 4);
	words[at++] = FACTS_BYTES;
	memcpy(&words[at], &facts, sizeof(facts));
	return at + FACTS_BYTES / 8;
}

static CUresult take(struct pl_cuda_members *members, const uint64_t *words, uint64_t count)
{
	struct pl_reply reply = { .bulk_bytes = count * 8 };

	sent = words;
	memset(members, 0, sizeof(*members));
	return pl_cuda_members_take(members, &reply, count * 8);
}

static void test_functions_are_found_by_name_in_the_servers_order(void)
{
	struct pl_cuda_object owner = { .id = 0x5000100000010 };
	struct pl_cuda_members members;
	struct pl_cuda_function *add;
	uint64_t words[64];

	assert(!take(&members, words, table_make(words)));
	assert(members.count == 2 && pl_cuda_members_find(&members, "sub") == 0 &&
	       pl_cuda_members_find(&members, "add") == 1);
	assert(pl_cuda_members_find(&members, "mul") == UINT32_MAX && pl_cuda_members_find(&members, "") == UINT32_MAX);
	add = pl_cuda_members_get(&members, &owner, 1, PL_CUDA_KIND_function, NULL);
	assert(add && !strcmp(add->name, "add") && add->owner == &owner && facts_made == 1);
	assert(add->object.id == (owner.id | 2ull << PL_CUDA_MEMBER_SHIFT));
	assert(pl_cuda_members_get(&members, &owner, 1, PL_CUDA_KIND_function, NULL) == add && facts_made == 1);
	pl_cuda_members_fini(&members);
}

static void test_an_empty_table_has_no_functions(void)
{
	struct pl_cuda_members members;
	uint64_t none = 0;

	assert(!take(&members, &none, 0) && !members.count);
	pl_cuda_members_fini(&members);
	assert(!take(&members, &none, 1) && !members.count);
	assert(pl_cuda_members_find(&members, "add") == UINT32_MAX);
	pl_cuda_members_fini(&members);
}

/* Each word is changed in turn, and the table cut: it is refused, or whole all the same. */
static void test_a_server_that_lies_is_refused(void)
{
	static const uint64_t lies[] = { 0, 1, 3, 5, 32767, UINT32_MAX, UINT64_MAX, UINT64_MAX - 7, 1ull << 63 };
	uint64_t good[64], words[64], count = table_make(good);
	struct pl_cuda_members members;

	for (uint64_t at = 0; at < count; at++)
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			memcpy(words, good, sizeof(good));
			words[at] = lies[i];
			if (take(&members, words, count))
				continue;
			for (uint32_t f = 0; f < members.count; f++)
				assert(strlen(members.name[f]) < count * 8);
			pl_cuda_members_fini(&members);
		}
	for (uint64_t cut = 1; cut < count; cut++)
		assert(take(&members, good, cut) == CUDA_ERROR_UNKNOWN);
	memcpy(words, good, sizeof(good));
	memcpy(&words[2], "subx", 4); /* no end */
	assert(take(&members, words, count) == CUDA_ERROR_UNKNOWN);
}

int main(void)
{
	test_functions_are_found_by_name_in_the_servers_order();
	test_an_empty_table_has_no_functions();
	test_a_server_that_lies_is_refused();
	return 0;
}
