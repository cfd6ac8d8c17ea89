// SPDX-License-Identifier: Apache-2.0
/*
 * The VM wing alone: `vm` as in plenum, and a `serve` with plenum's contract
 * that echoes what a client sends after the token.  Lets the tests prove that a
 * guest reaches a server without any device or the rest of Plenum.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm.h"

static int serve(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	const char *token_path = NULL;
	char token[128] = "";
	int ready_fd = -1, fd;
	FILE *file;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--token-file") == 0)
			token_path = argv[i + 1];
		else if (strcmp(argv[i], "--ready-fd") == 0)
			ready_fd = atoi(argv[i + 1]);
	}
	file = token_path ? fopen(token_path, "re") : NULL;
	if (!file || !fgets(token, sizeof(token), file) || ready_fd < 0)
		return 2;
	fclose(file);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return 1;
	dprintf(ready_fd, "tcp://127.0.0.1:%u\n", ntohs(address.sin_port));
	for (;;) {
		char text[4096];
		int client = accept(fd, NULL, NULL);
		ssize_t n = client < 0 ? -1 : read(client, text, sizeof(text));
		size_t token_len = strcspn(token, "\n");

		if (n > (ssize_t)token_len && memcmp(text, token, token_len) == 0)
			dprintf(client, "echo%.*s", (int)(n - (ssize_t)token_len),
				text + token_len);
		if (client >= 0)
			close(client);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "vm") == 0)
		return pl_cmd_vm(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve(argc - 1, argv + 1);
	fprintf(stderr, "usage: %s vm|serve ...\n", argv[0]);
	return 2;
}
