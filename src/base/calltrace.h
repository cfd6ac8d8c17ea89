/*
 * PLENUM_TRACE=FILE: one line a call of an API, for `plenum trace`: after the line "# plenum-trace 1", tab-separated
 *	begin_ns end_ns tid function class bytes_out bytes_in result asks size what
 * (docs/man/plenum-trace.1).  Any thread; a forked child appends to the same file.
 */
#ifndef PL_BASE_CALLTRACE_H
#define PL_BASE_CALLTRACE_H

#include <stdbool.h>
#include <stdint.h>

struct pl_calltrace {
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC */
	const char *function, *class;
	uint64_t bytes_out, bytes_in, asks; /* of the whole process in that time */
	int64_t result;
	uint64_t size;    /* that an argument names, bytes; 0: none */
	const char *what; /* on what it worked, a kernel's name; "": none.  Printable, without quotes, blanks and
			   * backslashes, else it is left out */
};

/* PLENUM_TRACE is set and its file could be opened; decided once. */
bool pl_calltrace_on(void);
void pl_calltrace_write(const struct pl_calltrace *call);

#endif
