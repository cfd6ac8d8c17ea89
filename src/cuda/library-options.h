/*
 * What the options of cuLibraryLoadData() and cuLibraryLoadFromFile() have to be, for every driver of ours.
 */
#ifndef PL_CUDA_LIBRARY_OPTIONS_H
#define PL_CUDA_LIBRARY_OPTIONS_H

#include <stdbool.h>

#include "cuda/module.h"

/** pl_cuda_library_options_valid() - the table of the program's functions is told by value; that the image stays where
 * it is, of a file it would make no sense, has none (cuBLAS gives no list of values)
 * @values: NULL where no option has one */
static inline bool pl_cuda_library_options_valid(unsigned int n, const CUlibraryOption *options, void *const *values,
						 bool file)
{
	if (n && !options)
		return false;
	for (unsigned int i = 0; i < n; i++)
		if ((unsigned int)options[i] >= CU_LIBRARY_NUM_OPTIONS ||
		    (options[i] == CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE && !values) ||
		    (options[i] == CU_LIBRARY_BINARY_IS_PRESERVED && file))
			return false;
	return true;
}

#endif
