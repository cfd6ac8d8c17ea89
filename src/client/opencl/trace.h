/*
 * PLENUM_TRACE=FILE: one line a call of the API, for `plenum trace`: after the line "# plenum-trace 1", tab-separated
 *	begin_ns end_ns tid op class bytes_out bytes_in result
 * (times of CLOCK_MONOTONIC; bytes: of the whole process in that time).  PLENUM_STATS=FILE: at exit, a JSON
 * object with the counts of the process.
 */
#ifndef PL_CL_TRACE_H
#define PL_CL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* PLENUM_TRACE is set and its file could be opened; decided once. */
bool pl_cl_tracing(void);
uint64_t pl_cl_trace_begin(void);
void pl_cl_trace_end(uint16_t op, uint64_t begin, int64_t result);
/* Looks at PLENUM_STATS, once. */

#endif
