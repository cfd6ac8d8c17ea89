/* Between the files that answer on the daemon's control socket. */
#ifndef PL_SERVER_CONTROL_H
#define PL_SERVER_CONTROL_H

#include <json-c/json.h>

#include "server/daemon-internal.h"

#define PL_CONTROL_NO_SESSION "no such session: `plenum ps' lists those that there are"

struct json_object *pl_control_answer_new(bool ok);
void pl_control_put_u64(struct json_object *object, const char *key, uint64_t value);
void pl_control_put_text(struct json_object *object, const char *key, const char *value); /* NULL: null */

/* These end the request; the connection may be gone afterwards.  The first takes over `answer`. */
void pl_control_answer(struct pl_conn *conn, struct json_object *answer);
void pl_control_refuse(struct pl_conn *conn, const char *text);
/* The same once the workers that were asked for their counters have answered, or PL_CONTROL_COUNT_MS later: they have
 * done then what they were told before.  NULL: the list of sessions. */
void pl_control_answer_counted(struct pl_conn *conn, struct json_object *answer);

/* Our own user or root: may see and change all. */
bool pl_control_is_operator(const struct pl_conn *conn);
/* As well, or the session is the asking user's own. */
bool pl_control_may_see(const struct pl_conn *conn, const struct pl_pool_worker *worker);

/* The number under `key`.  Return: 1; 0 = there is none; -1 = it is no number from 0 to INT64_MAX. */
int pl_control_number(struct json_object *request, const char *key, uint64_t *value_out);

/* ---- requests ---- */

void pl_control_limit(struct pl_conn *conn, struct json_object *request);
void pl_control_put_limits(struct json_object *session, const struct pl_pool_worker *worker);
void pl_control_suspend(struct pl_conn *conn, struct json_object *request, bool held); /* false: resume */
void pl_control_checkpoint(struct pl_conn *conn, struct json_object *request);
void pl_control_restore(struct pl_conn *conn, struct json_object *request);
/* What the answer to "sessions" says of those in files, to operators. */
void pl_control_put_checkpoints(struct json_object *answer, const struct pl_daemon *daemon);
void pl_control_release(struct pl_conn *conn);
void pl_control_drain(struct pl_conn *conn, struct json_object *request);
/* What the answers to "info" and "sessions" say of it. */
void pl_control_put_draining(struct json_object *answer, const struct pl_daemon *daemon);

#endif
