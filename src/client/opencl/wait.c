#include "client/opencl/call.h"
#include "client/opencl/types.h"

/* Return: CL_SUCCESS = all complete; an error code = all over, some failed; 1 = not known. */
static cl_int waits_known(cl_uint count, const cl_event *list)
{
	bool failed = false;

	for (cl_uint i = 0; i < count; i++) {
		cl_int status = pl_cl_event_known((struct pl_cl_event *)list[i]);
		if (status > CL_COMPLETE)
			return 1;
		failed |= status < 0;
	}
	return failed ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : CL_SUCCESS;
}

/* Events of one context, all valid. */
static bool waits_plain(cl_uint count, const cl_event *list, struct pl_session **session_out)
{
	const struct pl_cl_context *context = NULL;
	bool plain = true;

	*session_out = NULL;
	for (cl_uint i = 0; i < count; i++) {
		struct pl_cl_event *event = pl_cl_get(list[i], PL_CL_KIND_event);
		if (!event) {
			plain = false;
			continue;
		}
		if (!*session_out)
			*session_out = event->object.session;
		plain &= !context || event->context == context;
		context = event->context;
	}
	return plain;
}

/* Part of a long list; the rest follows. */
static cl_int waits_ask(struct pl_session *session, cl_uint count, const cl_event *list, bool plain)
{
	struct pl_cl_clWaitForEvents_args args;
	struct pl_cl_ids ids;
	struct pl_reply reply;
	uint64_t *at, kept = 0;
	int r;

	if (!pl_cl_ids_start(&ids, session, (const void *const *)list, count, PL_CL_KIND_event))
		return CL_OUT_OF_HOST_MEMORY;
	at = ids.heap ? ids.heap : ids.stack;
	for (cl_uint i = 0; i < count; i++)
		if (!plain || pl_cl_event_known((struct pl_cl_event *)list[i]) > CL_COMPLETE)
			if (at[i] != PL_CL_EVENT_DONE)
				at[kept++] = at[i];
	if (!kept) {
		pl_cl_ids_end(&ids);
		return CL_SUCCESS;
	}
	args.events = (struct pl_u64s){at, kept};
	r = PL_CL_ASK(session, clWaitForEvents, &args, &reply);
	pl_cl_ids_end(&ids);
	return r ? pl_cl_fault(r) : reply.status;
}

cl_int pl_cl_stub_clWaitForEvents(cl_uint num_events, const cl_event *event_list)
{
	struct pl_session *session;
	uint64_t fence;
	cl_int code = CL_SUCCESS;
	bool plain;

	if (!num_events || !event_list)
		return CL_INVALID_VALUE;
	pl_cl_later_run();
	plain = waits_plain(num_events, event_list, &session);
	if (!session)
		return CL_INVALID_EVENT;
	if (plain) {
		code = waits_known(num_events, event_list);
		if (code > 0) {
			pl_session_pump(session);
			code = waits_known(num_events, event_list);
		}
		if (code <= 0) {
			pl_cl_svm_settle();
			return session->dead && code ? pl_cl_lost() : code;
		}
	}
	code = CL_SUCCESS;
	fence = session->ticket;
	for (cl_uint at = 0; at < num_events && !code; at += PL_CL_LIMIT_WAITS_MAX) {
		cl_uint part = num_events - at < PL_CL_LIMIT_WAITS_MAX ? num_events - at : PL_CL_LIMIT_WAITS_MAX;
		code = waits_ask(session, part, event_list + at, plain);
	}
	if (!code) {
		for (cl_uint i = 0; i < num_events; i++)
			pl_cl_event_set((struct pl_cl_event *)event_list[i], CL_COMPLETE);
		pl_cl_server_confirm(((struct pl_cl_event *)event_list[0])->object.server, fence);
		pl_cl_arena_passed(((struct pl_cl_event *)event_list[0])->object.server, fence);
	} else if (plain) {
		((struct pl_cl_event *)event_list[0])->object.server->doubt = true;
	}
	pl_cl_svm_settle();
	return code;
}
