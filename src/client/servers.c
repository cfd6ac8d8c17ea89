#include "client/servers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "link/address.h"
#include "link/link.h"

static char servers[PL_CLIENT_SERVERS_MAX][PL_LINK_ADDRESS_MAX];
static uint32_t servers_count;
static pthread_once_t servers_once = PTHREAD_ONCE_INIT;

static void server_add(const char *address, size_t length)
{
	if (servers_count == PL_CLIENT_SERVERS_MAX || length >= sizeof(servers[0])) {
		pl_log_error("PLENUM: %.*s is left out: %s", (int)length, address,
			     length < sizeof(servers[0]) ? "too many servers" : "too long");
		return;
	}
	for (uint32_t i = 0; i < servers_count; i++)
		if (strlen(servers[i]) == length && !memcmp(servers[i], address, length))
			return;
	memcpy(servers[servers_count], address, length);
	servers[servers_count++][length] = '\0';
}

static void servers_parse(const char *list)
{
	const char *address;
	size_t length;

	while ((length = pl_address_next(&list, &address)))
		server_add(address, length);
}

/* Where a server listens by default; only if there is something. */
static void servers_default(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char paths[3][PL_LINK_ADDRESS_MAX];
	uint32_t count = 0;

	if (runtime && *runtime)
		snprintf(paths[count++], sizeof(paths[0]), "unix:%.400s/plenum.sock", runtime);
	snprintf(paths[count++], sizeof(paths[0]), "unix:/run/plenum.sock");
	snprintf(paths[count++], sizeof(paths[0]), "unix:/tmp/plenum-%u.sock", (unsigned)geteuid());
	for (uint32_t i = 0; i < count; i++) {
		if (access(paths[i] + strlen("unix:"), R_OK | W_OK))
			continue;
		server_add(paths[i], strlen(paths[i]));
		return;
	}
}

static void servers_init(void)
{
	const char *list = getenv("PLENUM");

	if (list)
		servers_parse(list);
	else
		servers_default();
}

const char *pl_client_server(uint32_t index)
{
	pthread_once(&servers_once, servers_init);
	return index < servers_count ? servers[index] : NULL;
}
