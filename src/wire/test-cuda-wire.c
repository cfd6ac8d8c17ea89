#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "cuda-records.h"
#include "cuda-wire.h"

static struct pl_dec reader(const void *bytes, size_t len)
{
	return (struct pl_dec){ .at = bytes, .end = (const uint8_t *)bytes + len };
}

/* Through the wire and back, nothing but what the record leaves out may change. */
static void test_a_structure_survives_its_record(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .handleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
				 .location = { CU_MEM_LOCATION_TYPE_HOST_NUMA, -3 },
				 .maxSize = 1ull << 40,
				 .usage = 2,
				 .reserved = { 9 } };
	struct pl_cuda_cuMemPoolCreate_args args = { .pool = 7, .given = 1 }, got;
	uint8_t room[256];
	struct pl_enc enc = { room };
	struct pl_dec dec;
	CUmemPoolProps back;

	pl_cuda_pool_record_take(&args.properties, &props);
	pl_cuda_cuMemPoolCreate_put(&enc, &args);
	assert((uint64_t)(enc.at - room) == pl_cuda_cuMemPoolCreate_bytes(&args));
	dec = reader(room, (size_t)(enc.at - room));
	pl_cuda_cuMemPoolCreate_get(&dec, &got);
	assert(pl_dec_whole(&dec) && got.pool == 7 && got.given == 1);
	pl_cuda_pool_record_give(&back, &got.properties);
	memset(props.reserved, 0, sizeof(props.reserved));
	assert(back.allocType == props.allocType && back.handleTypes == props.handleTypes && back.location.id == -3 &&
	       back.location.type == props.location.type && back.maxSize == props.maxSize && back.usage == 2);
	assert(!memcmp(back.reserved, props.reserved, sizeof(props.reserved)) && !back.win32SecurityAttributes);
}

static void test_a_member_that_breaks_its_type_is_refused(void)
{
	uint64_t words[2 * PL_CUDA_WORDS_access] = { 1, 0, 3, 1, 0, 1ull << 32 };
	struct pl_u64s list = { words, 2 * PL_CUDA_WORDS_access };
	struct pl_cuda_access_record access;

	assert(pl_cuda_access_record_at(list, 0, &access) && access.flags == 3);
	assert(!pl_cuda_access_record_at(list, 1, &access));
	words[1] = (uint64_t)INT32_MAX + 1;
	assert(!pl_cuda_access_record_at(list, 0, &access));
}

static void test_the_table_of_functions_says_names_and_classes(void)
{
	uint32_t per_thread;

	assert(!strcmp(pl_cuda_op_name(PL_CUDA_OP_cuLaunchKernel), "cuLaunchKernel"));
	assert(!strcmp(pl_cuda_op_class(PL_CUDA_OP_cuLaunchKernel), "post"));
	assert(!strcmp(pl_cuda_op_class(PL_CUDA_OP_cuGLInit), "refused"));
	assert(!strcmp(pl_cuda_op_replays(PL_CUDA_OP_cuStreamCreate), "makes"));
	assert(!strcmp(pl_cuda_op_replays(PL_CUDA_OP_cuCtxSetLimit), "record"));
	assert(pl_cuda_op_records(PL_CUDA_OP_cuStreamCreate) == 1 && pl_cuda_op_records(PL_CUDA_OP_cuCtxSetLimit) == 2);
	assert(!pl_cuda_op_records(PL_CUDA_OP_cuLaunchKernel) && !pl_cuda_op_records(UINT16_MAX));
	assert(pl_cuda_op_stream(PL_CUDA_OP_cuMemsetD8Async, &per_thread) == 4 && per_thread == 5);
	assert(pl_cuda_op_stream(PL_CUDA_OP_cuLaunchKernel, &per_thread) == 9 && per_thread == 10);
	assert(!pl_cuda_op_stream(PL_CUDA_OP_cuCtxSynchronize, &per_thread) && !per_thread);
	assert(pl_cuda_op_find("cuStreamSynchronize") == PL_CUDA_OP_cuStreamSynchronize);
	assert(!pl_cuda_op_find("cuStreamSynchronize_ptsz"));
	assert(!strcmp(pl_cuda_op_name(0), "?") && !strcmp(pl_cuda_op_name(UINT16_MAX), "?"));
}

int main(void)
{
	test_a_structure_survives_its_record();
	test_a_member_that_breaks_its_type_is_refused();
	test_the_table_of_functions_says_names_and_classes();
	return 0;
}
