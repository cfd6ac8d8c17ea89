/*
 * Content that a session of this server was sent and that later ones need not be sent again: sealed files, which the
 * daemon keeps by their digest (keeper.c).  Whoever knows the digest has the content.  A worker may have been turned by
 * its client, so what another one has put under a digest is believed only when it has been digested here.
 * Any thread; find() waits for the daemon.
 */
#ifndef PL_SERVER_KEPT_H
#define PL_SERVER_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

#define PL_KEPT_ROOM_BYTES 8u /* of zeros behind the content, in the file and in each mapping of it */

struct pl_session_worker;

/** pl_kept_make() - a file to be filled with content
 * @at_out: its bytes and the room, shared with the file
 * Return: 0 and both, for pl_kept_seal(); fatal -errno, not logged: content need not be kept. */
int pl_kept_make(uint64_t bytes, uint8_t **at_out, int *fd_out);
/** pl_kept_seal() - nobody can change it any more, but for the mapping that the caller gets
 * @at: that of pl_kept_make(), gone in any case
 * Return: private memory with the content, for pl_kept_unmap(); NULL: there is none. */
uint8_t *pl_kept_seal(uint8_t *at, uint64_t bytes, int fd);
void pl_kept_unmap(uint8_t *at, uint64_t bytes);
/* It has been sealed and is so long: what the daemon and whoever takes it ask for. */
bool pl_kept_is_sealed(int fd, uint64_t bytes);

/* Gives it to the daemon; fd stays the caller's.  It may be refused: nobody hears of it. */
void pl_kept_give(struct pl_session_worker *session, const uint8_t digest[PL_DIGEST_BYTES], uint64_t bytes, int fd);

/** pl_kept_find() - what a session gave under this digest
 * Return: private memory with that very content, for pl_kept_unmap(); NULL: there is none.  What is not what it should
 * be is told to the daemon, which forgets it. */
uint8_t *pl_kept_find(struct pl_session_worker *session, const uint8_t digest[PL_DIGEST_BYTES], uint64_t bytes);

#endif
