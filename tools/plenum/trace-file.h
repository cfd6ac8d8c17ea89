/*
 * What a traced program wrote (base/calltrace.h): a line "# plenum-trace 1", then one line a call, tab-separated:
 *	begin_ns end_ns tid op class bytes_out bytes_in result asks size what
 * The last three may be missing.  The file is the program's: it may be cut off or damaged.
 */
#ifndef PL_TOOLS_TRACE_FILE_H
#define PL_TOOLS_TRACE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PL_TRACE_CALLS_MAX (1u << 26) /* limit: calls of one trace; later ones are counted as lost */
#define PL_TRACE_NAME_MAX  64         /* limit: bytes of a function's name, its NUL included */
#define PL_TRACE_WHAT_MAX  128        /* limit: as well of what it worked on; longer ones are cut off */
#define PL_TRACE_WHATS_MAX 65536u     /* limit: of those, different ones; later ones are left out */

struct pl_trace_op { /* one function, summed up */
	char name[PL_TRACE_NAME_MAX], class[16];
	uint64_t calls, failed, ns, ns_max, bytes_out, bytes_in, asks;
};

struct pl_trace_call {
	uint64_t begin_ns, end_ns, bytes_out, bytes_in, asks, size;
	int64_t result;
	uint32_t tid, op, what; /* places in `ops` and `whats` */
};

struct pl_trace {
	struct pl_trace_call *calls; /* by begin_ns */
	struct pl_trace_op *ops;
	char (*whats)[PL_TRACE_WHAT_MAX]; /* the first is "" */
	uint64_t calls_count, calls_room, lost;
	uint32_t ops_count, ops_room, whats_count, whats_room;
};

/* Return: 0; -ENOMSG: not a trace; -errno. */
int pl_trace_read(struct pl_trace *trace, FILE *file);
void pl_trace_fini(struct pl_trace *trace);

void pl_trace_write_calls(const struct pl_trace *trace, FILE *out);  /* one line a call */
void pl_trace_write_totals(const struct pl_trace *trace, FILE *out); /* one line a function, dearest first */
/* Chrome's trace format, for Perfetto (ui.perfetto.dev) and chrome://tracing. */
void pl_trace_write_chrome(const struct pl_trace *trace, const char *program, uint32_t pid, FILE *out);

#endif
