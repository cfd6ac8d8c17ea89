/*
 * Arrays in levels.  A level goes with the array that it is of, and not by itself; it has one handle, however often it
 * is asked for.
 */
#include "client/cuda/mipmap.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all lists of levels */

void pl_cuda_array_fini(struct pl_cuda_array *array)
{
	struct pl_cuda_array **at;

	pthread_mutex_lock(&lock);
	for (at = array->mipmap ? &array->mipmap->levels : NULL; at && *at; at = &(*at)->next_level)
		if (*at == array) {
			*at = array->next_level;
			break;
		}
	array->mipmap = NULL;
	pthread_mutex_unlock(&lock);
}

void pl_cuda_mipmap_fini(struct pl_cuda_mipmap *mipmap)
{
	struct pl_cuda_array *level;

	do {
		pthread_mutex_lock(&lock);
		level = mipmap->levels;
		if (level) {
			mipmap->levels = level->next_level;
			level->mipmap = NULL;
		}
		pthread_mutex_unlock(&lock);
		if (level)
			pl_cuda_forget(&level->object);
	} while (level);
}

/* NULL: nobody has asked for it yet.  Called with the lock held. */
static struct pl_cuda_array *level_find(const struct pl_cuda_mipmap *mipmap, unsigned int level)
{
	struct pl_cuda_array *at = mipmap->levels;

	while (at && at->level != level)
		at = at->next_level;
	return at;
}

/* Another thread may have asked for it meanwhile: the one that was first is the level's.  Return: its handle. */
static void *level_enter(struct pl_cuda_mipmap *mipmap, unsigned int level, void *made)
{
	struct pl_cuda_array *array = pl_cuda_get(PL_CUDA_KIND_array, made), *first;

	if (!array)
		return made; /* its context has gone meanwhile */
	pthread_mutex_lock(&lock);
	first = level_find(mipmap, level);
	array->mipmap = mipmap; /* also where it is the second: no program has it, and it can not be destroyed */
	array->level = level;
	array->next_level = first ? first->next_level : mipmap->levels;
	if (first)
		first->next_level = array;
	else
		mipmap->levels = array;
	pthread_mutex_unlock(&lock);
	return first ? first->object.handle : made;
}

CUresult cuMipmappedArrayGetLevel(CUarray *level_array, CUmipmappedArray handle, unsigned int level)
{
	struct pl_cuda_cuMipmappedArrayGetLevel_args args = { .level = level };
	struct pl_cuda_array *known = NULL;
	struct pl_cuda_mipmap *mipmap;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMipmappedArrayGetLevel, PL_CUDA_KIND_mipmap, handle, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!level_array)
		return CUDA_ERROR_INVALID_VALUE;
	args.mipmap = pl_cuda_id(session, PL_CUDA_KIND_mipmap, handle);
	mipmap = pl_cuda_get(PL_CUDA_KIND_mipmap, handle);
	if (handle && !args.mipmap)
		return CUDA_ERROR_INVALID_HANDLE;
	if (mipmap) {
		pthread_mutex_lock(&lock);
		known = level_find(mipmap, level);
		pthread_mutex_unlock(&lock);
	}
	if (known) {
		*level_array = known->object.handle;
		return CUDA_SUCCESS;
	}
	made = pl_cuda_new(session, PL_CUDA_KIND_array, &args.level_array);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuMipmappedArrayGetLevel, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		pl_cuda_undo(session, PL_CUDA_KIND_array, made);
	else
		*level_array = mipmap ? level_enter(mipmap, level, made) : made;
	return result;
}

CUresult cuArrayDestroy(CUarray handle)
{
	struct pl_cuda_cuArrayDestroy_args args;
	struct pl_cuda_array *array;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuArrayDestroy, PL_CUDA_KIND_array, handle, &session);

	if (result)
		return result;
	args.array = pl_cuda_id(session, PL_CUDA_KIND_array, handle);
	array = pl_cuda_get(PL_CUDA_KIND_array, handle);
	if (!args.array || !array || array->mipmap)
		return CUDA_ERROR_INVALID_HANDLE;
	result = PL_CUDA_POST(session, cuArrayDestroy, &args);
	if (!result)
		pl_cuda_end(session, PL_CUDA_KIND_array, args.array);
	return result;
}
