#include "server/broker.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "server/serve.h"

static_assert(PL_BROKER_NOTE_BYTES < PL_HAND_TEXT_MAX, "a note travels in a hand");
static_assert(PL_BROKER_TOKEN_BYTES == sizeof(((struct pl_hand *)0)->secret), "a token travels in a hand");

int pl_broker_put(struct pl_session_worker *session, uint32_t type, const void *note, int fd,
		  uint8_t token_out[PL_BROKER_TOKEN_BYTES])
{
	struct pl_hand hand = { .kind = PL_HAND_PUT, .type = type }, answer;
	int came = -1, r;

	if (getrandom(hand.secret, sizeof(hand.secret), 0) != sizeof(hand.secret))
		return pl_err(-EIO);
	memcpy(hand.text, note, PL_BROKER_NOTE_BYTES);
	r = pl_peers_request(&session->peers, &hand, fd, &answer, &came);
	if (came >= 0)
		close(came);
	if (r || answer.result)
		return r ? pl_trace(r) : pl_err(answer.result);
	memcpy(token_out, hand.secret, PL_BROKER_TOKEN_BYTES);
	return 0;
}

void pl_broker_drop(struct pl_session_worker *session, const uint8_t token[PL_BROKER_TOKEN_BYTES])
{
	struct pl_hand hand = { .kind = PL_HAND_DROP };

	memcpy(hand.secret, token, sizeof(hand.secret));
	(void)pl_hand_send(session->peers.control, &hand, -1, -1);
}

int pl_broker_take(struct pl_session_worker *session, uint32_t type, const uint8_t token[PL_BROKER_TOKEN_BYTES],
		   void *note_out, bool *own_out, int *fd_out)
{
	struct pl_hand hand = { .kind = PL_HAND_TAKE, .type = type }, answer;
	int r;

	memcpy(hand.secret, token, sizeof(hand.secret));
	*fd_out = -1;
	r = pl_peers_request(&session->peers, &hand, -1, &answer, fd_out);
	if (r)
		return pl_trace(r);
	if (answer.result)
		return answer.result; /* an honest client may ask for what has ended: not logged */
	memcpy(note_out, answer.text, PL_BROKER_NOTE_BYTES);
	*own_out = answer.own;
	return 0;
}
