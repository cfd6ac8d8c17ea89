#include "client/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "client/session.h"

static char stats_path[4096];
static uint64_t (*copied)(void);
static struct {
	const char *name;
	const _Atomic uint64_t *counter;
} also[PL_CLIENT_STATS_MAX];
static uint32_t also_count;

static void stats_write(void)
{
	struct pl_session_totals totals;
	char text[1024];
	int length, fd;

	pl_session_totals_get(&totals);
	length = snprintf(text, sizeof(text),
			  "{\"asks\": %llu, \"posts\": %llu, \"bytes_out\": %llu, \"bytes_in\": %llu, "
			  "\"wakeups\": %llu, \"spins\": %llu, \"sleeps\": %llu, \"host_copied\": %llu",
			  (unsigned long long)totals.asks, (unsigned long long)totals.posts,
			  (unsigned long long)totals.bytes_out, (unsigned long long)totals.bytes_in,
			  (unsigned long long)totals.wakes, (unsigned long long)totals.spins,
			  (unsigned long long)totals.sleeps, (unsigned long long)(copied ? copied() : 0));
	for (uint32_t i = 0; i < also_count; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, ", \"%s\": %llu", also[i].name,
				   (unsigned long long)atomic_load(also[i].counter));
	length += snprintf(text + length, sizeof(text) - (size_t)length, "}\n");
	fd = open(stats_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)length) != length)
		pl_log_error("PLENUM_STATS: %s: %s", stats_path, strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
}

void pl_client_stats_also(const char *name, const _Atomic uint64_t *counter)
{
	if (also_count == PL_CLIENT_STATS_MAX)
		return;
	also[also_count].name = name;
	also[also_count++].counter = counter;
}

void pl_client_stats_start(uint64_t (*host_copied)(void))
{
	const char *path = getenv("PLENUM_STATS");

	if (!path || !*path || strlen(path) >= sizeof(stats_path))
		return;
	copied = host_copied;
	strcpy(stats_path, path);
	atexit(stats_write);
}
