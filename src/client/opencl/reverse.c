/* What the server says of its own accord.  Runs on whichever thread pumps: nothing here calls the server or blocks. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "client/opencl/types.h"

/* What kernels print appears on the application's standard output; its own buffered output is not ours to flush. */
static void print_out(struct pl_bytes text)
{
	const char *at = text.at;
	uint64_t left = text.bytes;

	while (left) {
		ssize_t n = write(STDOUT_FILENO, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		at += n;
		left -= (uint64_t)n;
	}
}

struct notice {
	struct pl_cl_context *context; /* held */
	uint64_t private_bytes;
	size_t text_bytes;
	char data[]; /* text, then private info */
};

static void notice_run(void *arg)
{
	struct notice *notice = arg;

	notice->context->notify(notice->data, notice->private_bytes ? notice->data + notice->text_bytes : NULL,
				notice->private_bytes, notice->context->notify_data);
	pl_cl_unhold(notice->context);
	free(notice);
}

/* Takes over the hold on the context. */
static void notice_give(struct pl_cl_context *context, const char *text, struct pl_bytes info)
{
	size_t bytes = strlen(text) + 1;
	struct notice *notice = malloc(sizeof(*notice) + bytes + info.bytes);

	if (!notice) {
		pl_cl_unhold_later(context);
		return;
	}
	*notice = (struct notice){.context = context, .private_bytes = info.bytes, .text_bytes = bytes};
	memcpy(notice->data, text, bytes);
	if (info.bytes)
		memcpy(notice->data + bytes, info.at, info.bytes);
	pl_callback_run(notice_run, notice);
}

static void context_notify(struct pl_cl_server *server, const struct pl_cl_plContextNotify_args *args)
{
	struct pl_cl_context *context =
		pl_cl_table_keep(&server->tokens, args->context, PL_CL_ENTRY_CONTEXT, pl_cl_hold_if_alive);

	if (context)
		notice_give(context, args->errinfo, args->private_info);
}

/* The session is lost: whoever waits for a word of the server's gets an end. */
static void server_lost(struct pl_cl_server *server)
{
	struct pl_cl_slot slot;

	while (pl_cl_table_take_any(&server->tokens, &slot)) {
		switch ((enum pl_cl_entry)slot.entry) {
		case PL_CL_ENTRY_WATCH:
			pl_cl_event_lost(slot.thing);
			break;
		case PL_CL_ENTRY_CALLBACK:
			pl_cl_event_callback_lost(slot.thing);
			break;
		case PL_CL_ENTRY_LANDING:
			pl_cl_landing_fail(slot.thing);
			break;
		case PL_CL_ENTRY_MEM:
			pl_cl_mem_run_destroyed(slot.thing);
			break;
		case PL_CL_ENTRY_CONTEXT:
			if (pl_cl_hold_if_alive(slot.thing))
				notice_give(slot.thing, "the connection to the device's server is lost",
					    (struct pl_bytes){NULL, 0});
			break;
		case PL_CL_ENTRY_SVM_FREE:
			pl_cl_svm_freeing_lost(slot.thing);
			break;
		case PL_CL_ENTRY_HANDLE:
			break;
		}
	}
}

#define TAKE(name, fn)                                                                                                 \
	case PL_CL_OP_##name: {                                                                                        \
		struct pl_cl_##name##_args args;                                                                       \
		pl_cl_##name##_get(dec, &args);                                                                        \
		if (pl_dec_whole(dec)) {                                                                               \
			fn;                                                                                            \
			return;                                                                                        \
		}                                                                                                      \
		break;                                                                                                 \
	}

void pl_cl_reverse(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	struct pl_cl_server *server = pl_cl_server_of(session);

	if (!head) {
		if (server && server->state_epoch == session->epoch)
			server_lost(server);
		return;
	}
	switch (server ? head->op : 0) {
		TAKE(plEventStatus, pl_cl_event_reverse_status(server, &args))
		TAKE(plEventReached, pl_cl_event_reverse_reached(server, &args))
		TAKE(plReadDone, pl_cl_landed(server, &args))
		TAKE(plPrint, print_out(args.text))
		TAKE(plContextNotify, context_notify(server, &args))
		TAKE(plMemGone, pl_cl_mem_gone(server, args.mem))
		TAKE(plSVMFree, pl_cl_svm_reverse_free(server, args.token))
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
