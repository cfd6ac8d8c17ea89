/*
 * The word that a tcp client must know.  It lies zero-padded in PL_TOKEN_MAX bytes, so that a comparison takes the same
 * time whatever the peer sent.
 */
#ifndef PL_SERVER_TOKEN_H
#define PL_SERVER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/wire.h"

#define PL_TOKEN_GENERATED_BYTES 32 /* of randomness, written as hex digits */
#define PL_TOKEN_SHORT           16 /* characters; fewer are warned about */

/** pl_token_read() - the first line of a file that only its owner may read
 * @token_out: PL_TOKEN_MAX bytes, zero-padded
 * @why_out:   set on failure: what is wrong and what to do
 * Return: 0, or fatal -errno (-EPERM: others may read it; -EINVAL: empty or too long). */
int pl_token_read(const char *path, char token_out[PL_TOKEN_MAX], char *why_out, size_t why_room);

/* The same for a word that came otherwise.  Return: 0, or fatal -EINVAL. */
int pl_token_set(const char *word, char token_out[PL_TOKEN_MAX]);

#define PL_TOKEN_TEXT_ROOM (2 * PL_TOKEN_GENERATED_BYTES + 1)
/* A fresh random one.  Return: 0, or fatal -errno. */
int pl_token_make(char token_out[PL_TOKEN_TEXT_ROOM]);
/* Writes a fresh random token to a new file (mode 0600).  Return: 0, fatal -EEXIST when there is a file, -errno. */
int pl_token_generate(const char *path);

/** pl_secret_room() - memory that a forked child finds empty, and no dump has
 * Return: zeros, for munmap(); NULL = no memory. */
void *pl_secret_room(size_t bytes);

/* Constant time.  Neither needs an end: `size` bytes are compared. */
bool pl_secret_same(const void *a, const void *b, size_t size);

#endif
