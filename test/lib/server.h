/* A daemon of a test's own, in a child process with a private folder, and raw greetings to it.  Asserts on trouble. */
#ifndef PL_TEST_LIB_SERVER_H
#define PL_TEST_LIB_SERVER_H

#include <sys/types.h>

#include "server/daemon.h"
#include "wire/wire.h"

#define PL_TEST_ANSWER_MAX 8192
#define PL_TEST_TOKEN "a word that is long enough to be a token"

struct pl_test_server {
	pid_t pid;
	char folder[64];                     /* removed by pl_test_server_stop() */
	char unix_address[PL_LINK_ADDRESS_MAX]; /* "unix:FOLDER/s.sock" */
	char tcp_address[PL_LINK_ADDRESS_MAX];  /* "" = not asked for */
	char region_address[PL_LINK_ADDRESS_MAX]; /* of a guest's region of 16 MiB in the folder; "" as well */
	char log[96];                        /* what the daemon logged: a file, level info */
};

/** pl_test_server_start() - returns when a worker is ready, or none could be started
 * @options: backend, limits, library; addresses, token file and ready_fd are the server's own
 * @tcp:     also listen on a free loopback port, with PL_TEST_TOKEN, and on another one for a guest */
void pl_test_server_start(struct pl_test_server *server, const struct pl_daemon_options *options, bool tcp);
/* SIGTERM; asserts a clean end.  Return: nothing; the folder is gone. */
void pl_test_server_stop(struct pl_test_server *server);
/* Waits up to 10 s for a line with `text` in the log.  Return: it came. */
bool pl_test_server_logged(const struct pl_test_server *server, const char *text);
int pl_test_fds_count(pid_t pid); /* open descriptors; -1 = no such process */
bool pl_test_gone(pid_t pid);     /* waits up to 10 s for a process that is not our child to end */

/* The null backend alone, with a small arena. */
struct pl_daemon_options pl_test_options(void);
struct pl_hello pl_test_hello(enum pl_hello_kind kind);
int pl_test_connect(const char *address); /* Return: fd, or -errno */
/** pl_test_greet() - sends the hello, takes the answer; descriptors that come along are closed
 * Return: 0; -1 = the peer closed without an answer. */
int pl_test_greet(int fd, const struct pl_hello *hello, struct pl_hello_reply *reply_out);

/* A request on the control socket.  Return: the answer's text, until the next call. */
const char *pl_test_ask(const char *address, const char *request);

#endif
