/* The driver's log of errors: nothing is logged there, so it is empty; for any library that exports the API. */
#include <stdio.h>
#include <stdlib.h>

#include "cuda-api.h"

CUresult cuLogsCurrent(CUlogIterator *iterator_out, unsigned int flags)
{
	if (!iterator_out || flags)
		return CUDA_ERROR_INVALID_VALUE;
	*iterator_out = 0;
	return CUDA_SUCCESS;
}

CUresult cuLogsDumpToFile(CUlogIterator *iterator, const char *path, unsigned int flags)
{
	FILE *file;
	(void)iterator;
	if (!path || flags)
		return CUDA_ERROR_INVALID_VALUE;
	file = fopen(path, "w");
	if (!file)
		return CUDA_ERROR_INVALID_VALUE;
	fclose(file);
	return CUDA_SUCCESS;
}

CUresult cuLogsDumpToMemory(CUlogIterator *iterator, char *buffer, size_t *bytes, unsigned int flags)
{
	(void)iterator;
	if (!buffer || !bytes || !*bytes || flags)
		return CUDA_ERROR_INVALID_VALUE;
	buffer[0] = 0;
	*bytes = 0;
	return CUDA_SUCCESS;
}

struct CUlogsCallbackEntry_st {
	CUlogsCallback fn;
	void *user;
};

CUresult cuLogsRegisterCallback(CUlogsCallback fn, void *user, CUlogsCallbackHandle *handle_out)
{
	struct CUlogsCallbackEntry_st *entry;
	if (!fn)
		return CUDA_ERROR_INVALID_VALUE;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*entry = (struct CUlogsCallbackEntry_st){ fn, user };
	if (handle_out)
		*handle_out = entry;
	return CUDA_SUCCESS;
}

CUresult cuLogsUnregisterCallback(CUlogsCallbackHandle handle)
{
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	free(handle);
	return CUDA_SUCCESS;
}
