/* The doctor's list of findings. */
#ifndef PL_TOOLS_CHECK_H
#define PL_TOOLS_CHECK_H

#include <stdbool.h>

#include "plenum/tool.h"

enum pl_check_level { PL_CHECK_OK, PL_CHECK_WARN, PL_CHECK_FAIL };

struct pl_checks {
	bool json;
	struct json_object *list;      /* all findings so far */
	unsigned warned, failed;
};

/** pl_check_say() - one finding
 * @what:   what was looked at, a few letters, stable
 * @advice: what to do; NULL = nothing
 * @format: what was found */
void pl_check_say(struct pl_checks *checks, enum pl_check_level level, const char *what, const char *advice,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

void pl_checks_client(struct pl_checks *checks);    /* check-host.c: loader, ICD, drivers of this machine */
void pl_checks_host(struct pl_checks *checks);      /* check-host.c: limits, shared memory, virtual machines */
void pl_checks_server(struct pl_checks *checks, const char *address); /* check-server.c */

#endif
