#include "client/opencl/trace.h"

#include "base/calltrace.h"
#include "base/wait.h"
#include "client/session.h"
#include "opencl-wire.h"

static __thread struct {
	struct pl_session_totals totals; /* at the begin */
	uint32_t depth;                  /* functions that are made from others are told of once */
} mine;

bool pl_cl_tracing(void)
{
	return pl_calltrace_on();
}

uint64_t pl_cl_trace_begin(void)
{
	if (!mine.depth++)
		pl_session_totals_get(&mine.totals);
	return pl_now_ns();
}

void pl_cl_trace_end(uint16_t op, uint64_t begin, int64_t result)
{
	uint64_t end = pl_now_ns();
	struct pl_session_totals totals;

	if (--mine.depth)
		return;
	pl_session_totals_get(&totals);
	pl_calltrace_write(&(struct pl_calltrace){ .begin_ns = begin,
						   .end_ns = end,
						   .function = pl_cl_op_name(op),
						   .class = pl_cl_op_class(op),
						   .bytes_out = totals.bytes_out - mine.totals.bytes_out,
						   .bytes_in = totals.bytes_in - mine.totals.bytes_in,
						   .asks = totals.asks - mine.totals.asks,
						   .result = result });
}
