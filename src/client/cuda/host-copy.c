/*
 * The program's memory that is read or written when a graph, or a stream, comes to it: the server has memory of its own
 * for it, asks for the program's bytes ahead of what reads them, and sends what was written behind what writes them.
 */
#include <errno.h>
#include <stdlib.h>

#include "client/cuda/hostfn.h"
#include "client/servers.h"
#include "wire/cuda.h"

struct host_copy {
	uint64_t token;
	struct pl_session *session;
	struct pl_cuda_lines lines;
	struct pl_cuda_lines to; /* of a copy that stays here */
};

/* By whoever takes what the session's server pushes; to == 0: none. */
static struct made {
	_Atomic uint64_t from, to;
} made_now[PL_CLIENT_SERVERS_MAX];

/* Called as a host function is: on the callback thread, and the server waits for its end. */
static void CUDA_CB copy_send(void *user)
{
	const struct host_copy *copy = user;
	uint64_t whole = pl_cuda_lines_bytes(&copy->lines);
	struct pl_session *session = copy->session;
	uint8_t *part = malloc(PL_CUDA_LIMIT_HOST_PART_MAX);

	for (uint64_t at = 0; at < whole && part;) {
		uint64_t bytes = whole - at < PL_CUDA_LIMIT_HOST_PART_MAX ? whole - at : PL_CUDA_LIMIT_HOST_PART_MAX;
		struct pl_cuda_plHostBytes_args args = { copy->token, at, { part, bytes } };
		struct pl_call call;

		pl_cuda_lines_read(&copy->lines, at, part, bytes);
		if (pl_call_begin(&call, session, PL_CUDA_OP_plHostBytes, pl_cuda_plHostBytes_bytes(&args)))
			break; /* the session is lost, and with it who waits */
		pl_cuda_plHostBytes_put(&call.enc, &args);
		if (pl_call_post_free(&call))
			break;
		at += bytes;
	}
	free(part);
}

static void CUDA_CB copy_here(void *user)
{
	const struct host_copy *copy = user;

	pl_cuda_lines_copy(&copy->to, &copy->lines);
}

static uint64_t copy_new(CUhostFn function, const struct host_copy *what)
{
	struct host_copy *copy = malloc(sizeof(*copy));
	uint64_t token;

	if (!copy)
		return 0;
	*copy = *what;
	token = copy->token = pl_cuda_hostfn_new(copy->session, function, copy);
	if (!token)
		free(copy);
	return token;
}

uint64_t pl_cuda_host_copy_new(struct pl_session *session, const struct pl_cuda_lines *lines)
{
	return copy_new(copy_send, &(struct host_copy){ .session = session, .lines = *lines });
}

uint64_t pl_cuda_host_copy_here_new(struct pl_session *session, const struct pl_cuda_lines *to,
				    const struct pl_cuda_lines *from)
{
	return copy_new(copy_here, &(struct host_copy){ .session = session, .lines = *from, .to = *to });
}

CUresult pl_cuda_copy_later(struct pl_session *session, uint64_t stream, bool per_thread, CUdeviceptr dst,
			    const void *src, uint64_t bytes, uint64_t *done_out)
{
	struct pl_cuda_plCopyLater_args args = { .stream = stream, .per_thread = per_thread };
	struct pl_reply reply;
	CUresult result = CUDA_SUCCESS;
	int r;

	for (*done_out = 0; *done_out < bytes && !result; *done_out += args.size) {
		uint8_t *at = (uint8_t *)(uintptr_t)src + *done_out;

		args.address = dst + *done_out;
		args.size = bytes - *done_out < PL_CUDA_LATER_BYTES_MAX ? bytes - *done_out : PL_CUDA_LATER_BYTES_MAX;
		args.token = pl_cuda_host_copy_new(
			session, &(struct pl_cuda_lines){ at, args.size, 1, 1, args.size, args.size });
		if (!args.token)
			return CUDA_ERROR_OUT_OF_MEMORY;
		r = PL_CUDA_ASK(session, plCopyLater, &args, &reply);
		result = r == -ENOSYS ? CUDA_ERROR_NOT_SUPPORTED : pl_cuda_answer(r, &reply);
		if (result) {
			pl_cuda_hostfn_forget(session, args.token);
			return result;
		}
	}
	return result;
}

bool pl_cuda_host_copy_what(const struct pl_session *session, uint64_t token, struct pl_cuda_lines *lines)
{
	const struct host_copy *copy = pl_cuda_hostfn_user(session, token, copy_send);

	if (copy)
		*lines = copy->lines;
	return copy;
}

void pl_cuda_host_copy_write(const struct pl_session *session, uint64_t token, uint64_t offset, struct pl_bytes data)
{
	const struct host_copy *copy = pl_cuda_hostfn_user(session, token, copy_send);
	struct made *made = &made_now[pl_cuda_session_index(session)];
	uint64_t whole;

	if (!copy)
		return;
	whole = pl_cuda_lines_bytes(&copy->lines);
	if (offset > whole || data.bytes > whole - offset)
		return;
	atomic_store(&made->from, (uintptr_t)copy->lines.at);
	atomic_store(&made->to, (uintptr_t)copy->lines.at + pl_cuda_lines_span(&copy->lines));
	pl_cuda_lines_write(&copy->lines, offset, data.at, data.bytes);
	atomic_store(&made->to, 0);
}

bool pl_cuda_host_copy_is_made(uint64_t address, uint64_t bytes)
{
	bool is_made = false;

	for (uint32_t i = 0; i < pl_cuda_sessions_count; i++) {
		uint64_t from = atomic_load(&made_now[i].from), to = atomic_load(&made_now[i].to);

		is_made |= address < to && (address >= from || bytes > from - address);
	}
	return is_made;
}

void pl_cuda_host_copy_forget(const struct pl_session *session, uint64_t token)
{
	struct host_copy *copy = pl_cuda_hostfn_user(session, token, copy_send);

	if (!copy)
		copy = pl_cuda_hostfn_user(session, token, copy_here);
	if (copy && copy->token == token) /* and no other function's that a program made of this one's */
		free(copy);
}

bool pl_cuda_host_copy_is(CUhostFn function)
{
	return function == copy_send || function == copy_here;
}
