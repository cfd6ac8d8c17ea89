/*
 * Clients that break the rules, against `plenum serve` ($PLENUM_TOOL).  After each case the server takes new clients
 * and a session that did nothing wrong works as before; at the end the server holds nothing of all this. test-hostile
 * [PART-OF-A-NAME]    only these cases
 */
#include "hostile.h"

#include <stdlib.h>

#include "lib/leak.h"
#include "lib/process.h"

#define CASE_S_MAX 120

static unsigned ran, skipped;

static void cases_run(const struct hostile_case *cases, const char *part)
{
	for (; cases->name; cases++) {
		uint64_t begin = pl_now_ns();

		if (part && !strstr(cases->name, part))
			continue;
		if (cases->needs_device && !server.has_device) {
			skipped++;
			continue;
		}
		pl_test_watchdog(CASE_S_MAX);
		pl_test_at(cases->name);
		cases->run();
		witness_check();
		printf("ok  %6.2f s  %s\n", (double)(pl_now_ns() - begin) / 1e9, cases->name);
		fflush(stdout);
		ran++;
	}
}

int main(int argc, char **argv)
{
	const char *tool = getenv("PLENUM_TOOL"), *part = argc > 1 ? argv[1] : NULL;
	struct pl_test_usage before;

	if (!tool || !*tool) {
		printf("SKIP: PLENUM_TOOL does not say where plenum is\n");
		return 77;
	}
	pl_test_watchdog(CASE_S_MAX);
	server_start(tool);
	witness_start();
	witness_check();
	assert(pl_test_usage_get(server.pid, &before));
	before.fds++; /* the module that cases_kept leave with the daemon, as they should */
	cases_run(cases_greeting, part);
	cases_run(cases_record, part);
	cases_run(cases_object, part);
	cases_run(cases_limit, part);
	cases_run(cases_slow, part);
	cases_run(cases_cuda, part);
	cases_run(cases_aim, part);
	cases_run(cases_capture, part);
	cases_run(cases_graph, part);
	cases_run(cases_ids, part);
	cases_run(cases_kept, part);
	cases_run(cases_peer, part);
	pl_test_at("the end");
	assert(pl_test_usage_back(server.pid, &before, 8u << 20));
	witness_stop();
	server_stop();
	if (skipped)
		printf("SKIP: %u cases need an OpenCL device\n", skipped);
	return ran || !skipped ? 0 : 77;
}
