/* What the server says of its own accord.  Runs on whichever thread pumps: nothing here calls the server or blocks. */
#include <stdio.h>

#include "base/err.h"
#include "client/cuda/carry.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/later.h"
#include "client/cuda/mark.h"

/* What kernels print goes through the program's own standard output, behind what it has printed itself, as a driver in
 * the process does it. */
static void print_out(struct pl_bytes text)
{
	(void)fwrite(text.at, 1, text.bytes, stdout);
	(void)fflush(stdout);
}

static void print_err(struct pl_bytes text)
{
	(void)fwrite(text.at, 1, text.bytes, stderr);
}

static void context_failed(const struct pl_session *session, const struct pl_cuda_plContextFailed_args *args)
{
	struct pl_cuda_context *context = pl_cuda_handle_find(args->context, PL_CUDA_KIND_context);

	if (context && context->object.session == session && args->status)
		pl_cuda_context_fail(context, args->status);
}

/* A function of the program's, or a copy between servers. */
static void reached(const struct pl_session *session, const struct pl_cuda_plHostFunc_args *args)
{
	if (!pl_cuda_carry_reached(session, args->token, args->status))
		pl_cuda_hostfn_reached(session, args->token, args->status, args->again);
}

static bool copied(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	struct pl_cuda_plCopied_args args;

	pl_cuda_plCopied_get(dec, &args);
	return pl_dec_whole(dec) && pl_cuda_later_arrived(session, args.token, args.size, head->bulk_bytes);
}

#define TAKE(name, fn)                                                                                                 \
	case PL_CUDA_OP_##name: {                                                                                      \
		struct pl_cuda_##name##_args args;                                                                     \
		pl_cuda_##name##_get(dec, &args);                                                                      \
		if (pl_dec_whole(dec)) {                                                                               \
			fn;                                                                                            \
			return;                                                                                        \
		}                                                                                                      \
		break;                                                                                                 \
	}

void pl_cuda_reverse(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	if (!head) {
		pl_cuda_later_session_lost(session);
		pl_cuda_carry_session_lost(session);
		return; /* every call says so */
	}
	if (head->op != PL_CUDA_OP_plMarked)
		atomic_fetch_add(&session->ends, 1);
	switch (head->op) {
		TAKE(plHostFunc, reached(session, &args))
		TAKE(plHostData, pl_cuda_host_copy_write(session, args.token, args.offset, args.data))
		TAKE(plHostForget, pl_cuda_hostfn_forget(session, args.token))
		TAKE(plPrint, print_out(args.text))
		TAKE(plComplain, print_err(args.text))
		TAKE(plContextFailed, context_failed(session, &args))
		TAKE(plMarked, (void)pl_cuda_marks_told(session, args.told))
	case PL_CUDA_OP_plCopied:
		if (copied(session, head, dec))
			return;
		break;
	default:
		break;
	}
	pl_log_debug("a record of the reverse lane is not understood: op %u, %u bytes", head->op, head->len_bytes);
	for (uint64_t left = head->bulk_bytes; left;) {
		char scrap[4096];
		uint64_t part = left < sizeof(scrap) ? left : sizeof(scrap);

		if (pl_session_reverse_bulk(session, scrap, part))
			return;
		left -= part;
	}
}
