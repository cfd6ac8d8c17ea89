/* A session that is made to wait, with its device memory in host memory, until it is let go on: control requests. */
#include <stdio.h>

#include "base/err.h"
#include "server/control.h"

static void state_answer(struct pl_conn *conn, const struct pl_pool_worker *worker)
{
	struct json_object *answer = pl_control_answer_new(true);
	uint64_t claimed = 0, out = 0;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		claimed += worker->swap.claimed[i];
		out += worker->swap.out[i];
	}
	pl_control_put_text(answer, "state", pl_swapper_state(worker));
	pl_control_put_u64(answer, "swapped_bytes", out);
	pl_control_put_u64(answer, "movable_bytes", claimed);
	pl_control_put_u64(answer, "memory_bytes", atomic_load(&worker->shared->memory_bytes));
	pl_control_answer(conn, answer);
}

void pl_control_suspend(struct pl_conn *conn, struct json_object *request, bool held)
{
	struct pl_daemon *daemon = conn->daemon;
	struct pl_pool_worker *worker = NULL;
	uint64_t session = 0;

	if (pl_control_number(request, "session", &session) > 0)
		worker = pl_pool_find(daemon, session);
	if (!worker || !pl_control_may_see(conn, worker)) {
		pl_control_refuse(conn, PL_CONTROL_NO_SESSION);
		return;
	}
	if (!pl_daemon_moves(daemon->options) || !daemon->options->apis[worker->api].backend->swap) {
		pl_control_refuse(conn, pl_daemon_moves(daemon->options)
						? "sessions of this API can not be suspended, only CUDA's"
						: "the server does not move device memory: start it with "
						  "--oversubscribe=SIZE or --checkpoints=FOLDER");
		return;
	}
	if (held != worker->swap.held)
		pl_log_info("session %llu: %s at the request of uid %d", (unsigned long long)worker->session,
			    held ? "suspended" : "resumed", (int)conn->uid);
	if (worker->checkpoint.wanted) /* it rests for that first: afterwards, if it is still there */
		worker->checkpoint.was_held = held;
	else
		worker->swap.held = held;
	state_answer(conn, worker);
}
