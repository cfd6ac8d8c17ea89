/*
 * Two servers are asked in turn: whoever has a connection to the other gets the ticket that the other one has made.
 * Which of them can connect is found out once for each pair; where none can it stays at that, with a line in the log.
 */
#include "client/cuda/between.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/servers.h"

#define WHY_MAX   256u
#define TRIES_MAX 2u /* a link that breaks is made anew so often */

struct pair { /* in one direction: `link` is of the first session to the second */
	uint64_t link;
	uint32_t tries;
	bool never;
};

_Atomic uint64_t pl_cuda_between_direct, pl_cuda_between_through;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pair *pairs; /* under lock; a square */

static bool switched_off(void)
{
	const char *word = getenv("PLENUM_PEERS");

	return word && !strcmp(word, "off");
}

/* ---- who reaches whom ---- */

/* Called with the lock held.  Return: a link; 0: not at this address, *why_out says why. */
static uint64_t link_try(struct pl_session *from, const struct pl_cuda_plPeerWhere_reply *to, const char *address,
			 char why_out[WHY_MAX])
{
	struct pl_cuda_plPeerLink_args args = { .session = to->session, .key = to->key, .address = address };
	struct pl_cuda_plPeerLink_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(from, plPeerLink, &args, &reply);

	snprintf(why_out, WHY_MAX, "%s", r == -ENOSYS ? "that server is of an older release" : "it does not answer");
	if (r || reply.status)
		return 0;
	pl_cuda_plPeerLink_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return 0;
	snprintf(why_out, WHY_MAX, "%.*s", (int)(got.why.bytes < WHY_MAX ? got.why.bytes : WHY_MAX - 1),
		 (const char *)got.why.at);
	return got.link;
}

/* The address that this process has for the server comes first, then what the server says. */
static uint64_t link_make(struct pl_session *from, struct pl_session *to)
{
	struct pl_cuda_plPeerWhere_args args = { 0 };
	struct pl_cuda_plPeerWhere_reply where = { 0 };
	char list[PL_CUDA_LIMIT_TEXT_MAX + 1], why[WHY_MAX], *rest = list, *address;
	uint8_t key[PL_CUDA_LIMIT_HANDLE_BYTES];
	struct pl_reply reply;
	uint64_t link;
	int r = PL_CUDA_ASK(to, plPeerWhere, &args, &reply);

	if (!r && !reply.status)
		pl_cuda_plPeerWhere_reply_get(&reply.dec, &where);
	if (r || reply.status || !pl_dec_whole(&reply.dec)) {
		pl_log_info("%s does not take copies of other servers", to->address);
		return 0;
	}
	snprintf(list, sizeof(list), "%.*s", (int)where.addresses.bytes, (const char *)where.addresses.at);
	memcpy(key, where.key.at, where.key.bytes); /* the answer lives until the next call */
	where.key.at = key;
	link = link_try(from, &where, to->address, why);
	if (!link)
		pl_log_info("%s does not reach %s: %s", from->address, to->address, why);
	while (!link && (address = strsep(&rest, "\n"))) {
		if (!*address || !strcmp(address, to->address))
			continue;
		link = link_try(from, &where, address, why);
		if (!link)
			pl_log_info("%s does not reach %s: %s", from->address, address, why);
	}
	return link;
}

static struct pair *pair_of(const struct pl_session *from, const struct pl_session *to)
{
	return &pairs[pl_cuda_session_index(from) * PL_CLIENT_SERVERS_MAX + pl_cuda_session_index(to)];
}

/* Return: a link from one to the other, or 0. */
static uint64_t link_of(struct pl_session *from, struct pl_session *to, bool make)
{
	struct pair *pair = pair_of(from, to);

	if (make && !pair->link && !pair->never) {
		pair->link = switched_off() ? 0 : link_make(from, to);
		pair->never = !pair->link || ++pair->tries > TRIES_MAX;
	}
	return pair->link;
}

/* One that is there, in either direction; else one that can be made.  Return: false: there is none. */
static bool link_find(struct pl_session *a, struct pl_session *b, struct pl_session **dialler_out, uint64_t *link_out)
{
	struct pl_session *const from[] = { a, b };

	*link_out = 0;
	pthread_mutex_lock(&lock);
	if (!pairs)
		pairs = calloc((size_t)PL_CLIENT_SERVERS_MAX * PL_CLIENT_SERVERS_MAX, sizeof(*pairs));
	for (unsigned way = 0; pairs && way < 4 && !*link_out; way++) {
		*dialler_out = from[way % 2];
		*link_out = link_of(from[way % 2], from[!(way % 2)], way >= 2);
	}
	pthread_mutex_unlock(&lock);
	return *link_out;
}

static void link_forget(const struct pl_session *from, const struct pl_session *to, uint64_t link)
{
	pthread_mutex_lock(&lock);
	if (pair_of(from, to)->link == link)
		pair_of(from, to)->link = 0;
	pthread_mutex_unlock(&lock);
}

/* A pair that no link joins, said once. */
static void none_say(const struct pl_session *a, const struct pl_session *b)
{
	static _Atomic bool said;

	if (!atomic_exchange(&said, true))
		pl_log_warn("copies between %s and %s go through this program: %s", a->address, b->address,
			    switched_off() ? "PLENUM_PEERS=off"
					   : "neither server reaches the other (plenum serve --peer; PLENUM_LOG=info "
					     "says why)");
}

/* ---- one copy ---- */

struct copy {
	enum pl_cuda_order order;
	uint64_t bytes;
	struct pl_session *dialler, *holder;     /* whose link, whose ticket */
	const struct pl_cuda_end *mine, *theirs; /* the dialler's end, the holder's */
	bool put;                                /* the dialler sends */
	uint64_t link;
};

/* Return: CUDA_SUCCESS and the ticket; else as the driver says. */
static CUresult ticket_get(const struct copy *copy, uint64_t *ticket_out,
			   uint8_t secret_out[PL_CUDA_LIMIT_HANDLE_BYTES], uint64_t *secret_bytes_out)
{
	struct pl_cuda_plPeerExport_args args = {
		.address = copy->theirs->address, .size = copy->bytes, .put = copy->put, .order = copy->order
	};
	struct pl_cuda_plPeerExport_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result =
		pl_cuda_enter_context((enum pl_cuda_op)PL_CUDA_OP_plPeerExport, copy->theirs->context, &session);
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, plPeerExport, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plPeerExport_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*ticket_out = got.ticket;
	*secret_bytes_out = got.secret.bytes;
	memcpy(secret_out, got.secret.at, got.secret.bytes);
	return CUDA_SUCCESS;
}

/* Return: made, or failed as the driver says; false: the link has gone. */
static bool copy_ask(const struct copy *copy, struct pl_cuda_plPeerCopy_args *args, CUresult *result_out)
{
	struct pl_cuda_plPeerCopy_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	int r;

	*result_out = pl_cuda_enter_context((enum pl_cuda_op)PL_CUDA_OP_plPeerCopy, copy->mine->context, &session);
	if (*result_out)
		return true;
	r = PL_CUDA_ASK(session, plPeerCopy, args, &reply);
	*result_out = pl_cuda_answer(r, &reply);
	if (*result_out)
		return true;
	pl_cuda_plPeerCopy_reply_get(&reply.dec, &got);
	*result_out = pl_dec_whole(&reply.dec) ? (CUresult)got.result : CUDA_ERROR_UNKNOWN;
	if (!got.broken)
		return true;
	pl_log_info("the connection from %s to %s has ended in a copy", copy->dialler->address, copy->holder->address);
	return false;
}

static bool copy_make(const struct copy *copy, CUresult *result_out)
{
	uint8_t secret[PL_CUDA_LIMIT_HANDLE_BYTES];
	struct pl_cuda_plPeerCopy_args args = { .link = copy->link,
						.address = copy->mine->address,
						.size = copy->bytes,
						.put = copy->put,
						.order = copy->order };
	bool made;

	args.secret.at = secret;
	*result_out = ticket_get(copy, &args.ticket, secret, &args.secret.bytes);
	if (*result_out)
		return *result_out != CUDA_ERROR_OUT_OF_MEMORY;
	made = copy_ask(copy, &args, result_out);
	explicit_bzero(secret, sizeof(secret));
	if (!made)
		link_forget(copy->dialler, copy->holder, copy->link);
	if (made && !*result_out)
		atomic_fetch_add(&pl_cuda_between_direct, copy->bytes);
	return made && *result_out != CUDA_ERROR_OUT_OF_MEMORY; /* of a server: that can be done without */
}

bool pl_cuda_between(enum pl_cuda_order order, const struct pl_cuda_end *to, const struct pl_cuda_end *from,
		     size_t bytes, CUresult *result_out)
{
	struct pl_session *there = to->context->object.session, *here = from->context->object.session;
	struct copy copy = { .order = order, .bytes = bytes };

	if (!link_find(there, here, &copy.dialler, &copy.link)) {
		none_say(here, there);
		return false;
	}
	copy.put = copy.dialler == here;
	copy.holder = copy.put ? there : here;
	copy.mine = copy.put ? from : to;
	copy.theirs = copy.put ? to : from;
	return copy_make(&copy, result_out);
}
