/*
 * What NVIDIA's own tools ask an NVML for that nobody documents: a table of functions.  nvidia-smi does not start
 * without it, and goes on when each function in it says that it is not supported.
 */
#ifndef PL_NVML_PRIVATE_H
#define PL_NVML_PRIVATE_H

#include "nvml/base.h"

/** nvmlInternalGetExportTable() - a table by its id
 * @id: 16 bytes
 * Return: success for the one table that nvidia-smi asks for; NVML_ERROR_NOT_FOUND for any other.  Works before
 * nvmlInit(), as nvidia-smi calls it there. */
__attribute__((visibility("default"))) nvmlReturn_t nvmlInternalGetExportTable(const void **table, const void *id);

#endif
