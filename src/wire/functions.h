/*
 * What a peer's release calls its functions.  Numbers on the wire are agreed by name when a session opens: where the
 * digests of both tables are equal, nothing is exchanged and every number means the same on both sides; where not, the
 * server sends its table and the client translates (docs/protocol.md).  A function that the peer lacks, or whose layout
 * is another one there, is refused alone.
 */
#ifndef PL_WIRE_FUNCTIONS_H
#define PL_WIRE_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/codec.h"

#define PL_FUNCTIONS_MAX     1024u /* limit: functions in a peer's table */
#define PL_FUNCTION_NAME_MAX 128u  /* limit: bytes of a name, its NUL included */
#define PL_FUNCTION_OP_MAX   1023u /* limit: numbers on the wire; 0 is no function */

/* One function that travels, or whose number does (a query's).  Made by the generator. */
struct pl_function {
	const char *name;
	uint64_t layout; /* hash of what it carries, as in the lock file */
	uint16_t op;     /* its number in this release */
	bool reverse;    /* from the server to the client */
};

/* Sorted by name, each name once. */
struct pl_functions {
	uint32_t version; /* of the API's spec: changes where a meaning changes that no layout shows */
	uint32_t count;
	uint64_t hash; /* digest of all of it */
	const struct pl_function *at;
};

enum {                             /* positive results of pl_functions_agree() */
       PL_FUNCTIONS_E_VERSION = 1, /* the specs mean different things */
       PL_FUNCTIONS_E_REVERSE,     /* what the server sends of its own accord could not be understood */
};

#define PL_FUNCTION_LACKS   0u      /* in pl_agreement.call: the peer does not know the function */
#define PL_FUNCTION_DIFFERS 0xffffu /* it knows another layout of it */

struct pl_agreement {
	uint16_t call[PL_FUNCTION_OP_MAX + 1];    /* our number: the peer's, PL_FUNCTION_LACKS or PL_FUNCTION_DIFFERS */
	uint16_t reverse[PL_FUNCTION_OP_MAX + 1]; /* the peer's number of what it sends: ours, 0 = not known here */
};

/* A table as it travels: the body of the first record on the reverse lane, where the digests differ. */
uint64_t pl_functions_bytes(const struct pl_functions *functions);
void pl_functions_put(struct pl_enc *enc, const struct pl_functions *functions);

/** pl_functions_agree() - read the peer's table and translate by name
 * @what_out: PL_FUNCTION_NAME_MAX bytes; PL_FUNCTIONS_E_REVERSE: the function's name
 * Return: 0 and *agreement_out; PL_FUNCTIONS_E_*; fatal -EPROTO: not a table. */
int pl_functions_agree(const struct pl_functions *ours, struct pl_dec *dec, struct pl_agreement *agreement_out,
		       char *what_out);

/* For messages.  Return: the name of one of ours, "?" for none. */
const char *pl_functions_name(const struct pl_functions *functions, uint16_t op);

#endif
