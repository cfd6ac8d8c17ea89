/* Which calls are said again, and what each of them has made or ended; docs/spec.md ("Replays") has the words. */
#include <string.h>

#include "backend/cuda/checkpoint.h"
#include "base/err.h"

enum pl_checkpoint_records pl_cuda_checkpoint_records(uint16_t op)
{
	static_assert(PL_CHECKPOINT_NOT == 0 && PL_CHECKPOINT_MAKES == 1 && PL_CHECKPOINT_CHANGES == 2, "as generated");
	return (enum pl_checkpoint_records)pl_cuda_op_records(op);
}

bool pl_cuda_checkpoint_payload(uint16_t op)
{
	switch (op) { /* images of modules and libraries are content */
	case PL_CUDA_OP_cuLinkAddData:
	case PL_CUDA_OP_cuLinkAddData_v2:
	case PL_CUDA_OP_cuLinkAddFile:
	case PL_CUDA_OP_cuLinkAddFile_v2:
		return true;
	default:
		return false;
	}
}

/* What is captured goes into a graph that was there before. */
bool pl_cuda_checkpoint_changes(uint16_t op)
{
	return op == PL_CUDA_OP_cuStreamBeginCaptureToGraph;
}

bool pl_cuda_checkpoint_looks(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_cuTexObjectCreate:
	case PL_CUDA_OP_cuSurfObjectCreate:
	case PL_CUDA_OP_cuTexRefSetAddress_v2:
	case PL_CUDA_OP_cuTexRefSetAddress2D_v2:
	case PL_CUDA_OP_cuTexRefSetAddress2D_v3:
	case PL_CUDA_OP_cuPointerSetAttribute:
	case PL_CUDA_OP_cuGraphInstantiate:
	case PL_CUDA_OP_cuGraphInstantiate_v2:
	case PL_CUDA_OP_cuGraphInstantiateWithFlags:
	case PL_CUDA_OP_cuGraphInstantiateWithParams:
	case PL_CUDA_OP_cuGraphExecUpdate:
	case PL_CUDA_OP_cuGraphExecUpdate_v2:
		return true;
	default:
		return (op >= PL_CUDA_OP_cuGraphAddNode && op <= PL_CUDA_OP_cuGraphExecBatchMemOpNodeSetParams);
	}
}

/* ---- superseding ---- */

/* Which fields say what is set, by their words; the first word is the payload's length. */
struct keys {
	uint16_t op;
	uint8_t words[PL_JOURNAL_KEY_MAX]; /* 0: no more */
};

static const struct keys keys[] = {
	{ PL_CUDA_OP_cuDevicePrimaryCtxSetFlags_v2, { 1 } },
	{ PL_CUDA_OP_cuKernelSetAttribute, { 1, 3, 4 } },
	{ PL_CUDA_OP_cuKernelSetCacheConfig, { 1, 3 } },
	{ PL_CUDA_OP_cuFuncSetAttribute, { 1, 2 } },
	{ PL_CUDA_OP_cuFuncSetCacheConfig, { 1 } },
	{ PL_CUDA_OP_cuFuncSetSharedMemConfig, { 1 } },
	{ PL_CUDA_OP_cuFuncLoad, { 1 } },
	{ PL_CUDA_OP_cuParamSetTexRef, { 1, 2 } },
	{ PL_CUDA_OP_cuPointerSetAttribute, { 1, 2 } },
	{ PL_CUDA_OP_cuMemPoolSetAttribute, { 1, 2 } },
	{ PL_CUDA_OP_cuDeviceSetMemPool, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetArray, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetMipmappedArray, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetAddress_v2, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetAddress2D_v3, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetAddress2D_v2, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetFormat, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetAddressMode, { 1, 2 } },
	{ PL_CUDA_OP_cuTexRefSetFilterMode, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetMipmapFilterMode, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetMipmapLevelBias, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetMipmapLevelClamp, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetMaxAnisotropy, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetBorderColor, { 1 } },
	{ PL_CUDA_OP_cuTexRefSetFlags, { 1 } },
	{ PL_CUDA_OP_cuSurfRefSetArray, { 1 } },
	{ PL_CUDA_OP_cuStreamSetAttribute, { 1, 2 } },
	{ PL_CUDA_OP_cuGraphNodeSetEnabled, { 1, 2 } },
	{ PL_CUDA_OP_cuGraphExecUpdate, { 1 } },
	{ PL_CUDA_OP_cuGraphExecUpdate_v2, { 1 } },
};

static const uint8_t *words_of(uint16_t op, const uint64_t *words)
{
	static const uint8_t exec_and_node[PL_JOURNAL_KEY_MAX] = { 1, 2 };

	if (op >= PL_CUDA_OP_cuGraphExecNodeSetParams && op <= PL_CUDA_OP_cuGraphExecBatchMemOpNodeSetParams)
		return exec_and_node;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].op == op) /* a thread's own stream has the same name in each */
			return op == PL_CUDA_OP_cuStreamSetAttribute && words[1] <= (uintptr_t)CU_STREAM_PER_THREAD
				       ? NULL
				       : keys[i].words;
	return NULL;
}

uint32_t pl_cuda_checkpoint_key(uint16_t op, const uint64_t *words, uint32_t count,
				uint64_t key_out[PL_JOURNAL_KEY_MAX])
{
	const uint8_t *at = count > 1 ? words_of(op, words) : NULL;
	uint32_t n = 0;

	while (at && n < PL_JOURNAL_KEY_MAX && at[n] && at[n] < count) {
		key_out[n] = words[at[n]];
		n++;
	}
	return n;
}

/* ---- what is no object ---- */

/* The n-th word of the call's fields, which the handler has checked. */
static uint64_t field(const struct pl_serve *serve, uint32_t n)
{
	uint64_t word = 0, at = sizeof(*serve->head) + n * sizeof(word);

	if (at + sizeof(word) <= serve->head->len_bytes)
		memcpy(&word, (const uint8_t *)serve->head + at, sizeof(word));
	return word;
}

static uint64_t answer(const struct pl_serve *serve)
{
	uint64_t word = 0;

	if (serve->kept.reply && serve->kept.reply_bytes >= sizeof(word))
		memcpy(&word, serve->kept.reply, sizeof(word));
	return word;
}

/* What is set of a stream that is the calling thread's own no other thread finds. */
static void stream_set(struct pl_serve *serve, uint64_t stream, uint64_t per_thread)
{
	if (stream == (uintptr_t)CU_STREAM_PER_THREAD || (!stream && per_thread))
		atomic_store(&pl_cuda_session_of(serve)->kept.of_threads, true);
}

void pl_cuda_checkpoint_called(struct pl_serve *serve)
{
	const uint32_t fields = (uint32_t)((serve->head->len_bytes - sizeof(*serve->head)) / sizeof(uint64_t));

	switch (serve->head->op) {
	case PL_CUDA_OP_cuMemAddressReserve:
		pl_checkpoint_made(answer(serve), field(serve, 1));
		break;
	case PL_CUDA_OP_cuMemAddressFree:
		pl_checkpoint_ended(field(serve, 0));
		break;
	case PL_CUDA_OP_cuMemMap:
		pl_checkpoint_made(PL_CUDA_VALUE_MAP | field(serve, 0), 1);
		break;
	case PL_CUDA_OP_cuMemSetAccess: /* one for another device takes its place: all of them are content, too */
		pl_checkpoint_made(PL_CUDA_VALUE_ACCESS | field(serve, 0), 1);
		break;
	case PL_CUDA_OP_cuTexObjectCreate:
	case PL_CUDA_OP_cuSurfObjectCreate:
		pl_checkpoint_made(PL_CUDA_VALUE_TEXTURE | (answer(serve) & PL_CUDA_VALUE_BITS), 1);
		break;
	case PL_CUDA_OP_cuTexObjectDestroy:
	case PL_CUDA_OP_cuSurfObjectDestroy:
		pl_checkpoint_ended(PL_CUDA_VALUE_TEXTURE | (field(serve, 0) & PL_CUDA_VALUE_BITS));
		break;
	case PL_CUDA_OP_cuStreamSetAttribute:
	case PL_CUDA_OP_cuStreamCopyAttributes: /* of both the last field says whether it is per thread */
		stream_set(serve, field(serve, 0), field(serve, fields - 1));
		break;
	default:
		break;
	}
}
