/* Sending one call of the spec: the generated encoder between pl_call_begin() and pl_call_post() or pl_call_ask(). */
#ifndef PL_CL_CALL_H
#define PL_CL_CALL_H

#include "client/session.h"
#include "opencl-wire.h"

/* `op` is the function's name; `layout` the function whose wire it sends (mostly the same).  Value: 0 or fatal. */
#define PL_CL_POST_AS(session, op, layout, args)                                                                       \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int sent_ = pl_call_begin(&call_, (session), PL_CL_OP_##op, pl_cl_##layout##_bytes(args));             \
		if (!sent_) {                                                                                          \
			pl_cl_##layout##_put(&call_.enc, (args));                                                      \
			sent_ = pl_call_post(&call_);                                                                  \
		}                                                                                                      \
		sent_;                                                                                                 \
	})
#define PL_CL_POST(session, op, args) PL_CL_POST_AS(session, op, op, args)

#define PL_CL_ASK_AS(session, op, layout, args, reply)                                                                 \
	({                                                                                                             \
		struct pl_call call_;                                                                                  \
		int sent_ = pl_call_begin(&call_, (session), PL_CL_OP_##op, pl_cl_##layout##_bytes(args));             \
		if (!sent_) {                                                                                          \
			pl_cl_##layout##_put(&call_.enc, (args));                                                      \
			sent_ = pl_call_ask(&call_, (reply));                                                          \
		}                                                                                                      \
		sent_;                                                                                                 \
	})
#define PL_CL_ASK(session, op, args, reply) PL_CL_ASK_AS(session, op, op, args, reply)

/** PL_CL_SEND() - post if plain, else ask
 * @code: cl_int lvalue: CL_SUCCESS, the server's code, or pl_cl_fault() */
#define PL_CL_SEND_AS(session, op, layout, args, plain, code)                                                          \
	do {                                                                                                           \
		struct pl_reply reply_;                                                                                \
		if (plain) {                                                                                           \
			int r_ = PL_CL_POST_AS(session, op, layout, args);                                             \
			(code) = r_ ? pl_cl_fault(r_) : CL_SUCCESS;                                                    \
		} else {                                                                                               \
			int r_ = PL_CL_ASK_AS(session, op, layout, args, &reply_);                                     \
			(code) = r_ ? pl_cl_fault(r_) : reply_.status;                                                 \
		}                                                                                                      \
	} while (0)
#define PL_CL_SEND(session, op, args, plain, code) PL_CL_SEND_AS(session, op, op, args, plain, code)

/** pl_cl_reply_value() - the bytes of an answer
 * They stand in the record (`field`), or follow it where they would not fit.
 * @heap_out: memory to free() afterwards, or NULL
 * Return: 0 or fatal. */
int pl_cl_reply_value(struct pl_reply *reply, struct pl_bytes field, const void **at_out, uint64_t *bytes_out,
		      void **heap_out);

#endif
