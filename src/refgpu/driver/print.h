/* What kernels print: the records of a buffer, formatted on the host as C does it. */
#ifndef PL_REFGPU_DRIVER_PRINT_H
#define PL_REFGPU_DRIVER_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "refgpu/isa/launch.h"

/* Prints all records to stdout and empties the buffer; no kernel writes to it meanwhile. */
void pl_cu_print(struct pl_isa_printf *buffer);

/* One record, as it lies in memory that a kernel has written: anything.  Return: false = broken, nothing printed. */
int pl_cu_print_record(FILE *to, const struct pl_isa_printf_record *record, size_t room_bytes);

#endif
