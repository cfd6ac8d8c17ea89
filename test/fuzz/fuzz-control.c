/*
 * The control socket: a good greeting, then a line that is anything.  Input: u16 bytes of the line that come first,
 * then the line.  Every answer is one line that begins as one.
 */
#include "fuzz.h"
#include "one-daemon.h"
#include "server/daemon-internal.h"

#define ANSWER_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t answer[ANSWER_BYTES], sent[sizeof(struct pl_hello) + 2 * PL_CONTROL_REQUEST_MAX];
	struct pl_hello hello = { .magic = PL_HELLO_MAGIC, .major = PL_HELLO_MAJOR, .kind = PL_HELLO_CONTROL };
	struct pl_fuzz fuzz = { data, data + size };
	size_t first = pl_fuzz_number(&fuzz, 2) % sizeof(sent), line, got;
	const uint8_t *at = pl_fuzz_bytes(&fuzz, sizeof(sent) - sizeof(hello), &line);

	memcpy(sent, &hello, sizeof(hello));
	memcpy(sent + sizeof(hello), at, line);
	got = pl_one_daemon_feed(sent, sizeof(hello) + line, first, 1, answer, sizeof(answer));
	pl_fuzz_check(got >= sizeof(struct pl_hello_reply));
	got -= sizeof(struct pl_hello_reply);
	if (got)
		pl_fuzz_check(!memcmp(answer + sizeof(struct pl_hello_reply), "{\"ok\":", 6) &&
			      memchr(answer + sizeof(struct pl_hello_reply), '\n', got) ==
				      answer + sizeof(struct pl_hello_reply) + got - 1);
	return 0;
}
