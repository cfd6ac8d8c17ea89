/* The daemon's own code for connections, in this process, with one session whose worker is nobody. */
#ifndef PL_TEST_FUZZ_ONE_DAEMON_H
#define PL_TEST_FUZZ_ONE_DAEMON_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

#define PL_ONE_SESSION 7u
#define PL_ONE_SECRET  "sixteen letters!"
#define PL_ONE_TOKEN   "a word that is long enough to be a token"

/** pl_one_daemon_feed() - one connection's life
 * The bytes arrive in two parts, `first` of them in the first; then the client ends its side and reads what it gets.
 * @local: as over a unix socket; else as over tcp
 * @answer_out: what the daemon sent, up to `room` bytes
 * Return: bytes of it.  Aborts when the daemon keeps anything of the connection. */
size_t pl_one_daemon_feed(const uint8_t *data, size_t size, size_t first, int local, uint8_t *answer_out, size_t room);

#endif
