/* Each call of the API for `plenum trace` (base/calltrace.h), where PLENUM_TRACE says so. */
#ifndef PL_CL_TRACE_H
#define PL_CL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

bool pl_cl_tracing(void);
uint64_t pl_cl_trace_begin(void);
void pl_cl_trace_end(uint16_t op, uint64_t begin, int64_t result);

#endif
