/*
 * Both ends of a greeting.
 *
 * Input: one byte, and what the peer sends.  Its bit 0: to the daemon (0) or to a client (1).
 *   daemon: bit 1 = over tcp; bits 2-3: half a greeting comes first.
 *   client: bits 1-2: how many file descriptors come along; bits 3-4: what they are.  The client opens a lane from it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "link/greet.h"
#include "link/link.h"
#include "link/shm/shm.h"
#include "one-daemon.h"

#define DIAL_NS_MAX    2000000000u
#define SHM_LANE_BYTES (4096u + 2 * PL_SHM_RING_BYTES)
#define ARENA_BYTES    65536u

/* ---- the daemon's end ---- */

static void daemon_greet(uint8_t how, const uint8_t *data, size_t size)
{
	struct pl_hello_reply reply;
	size_t first = (how >> 2 & 3) * (sizeof(struct pl_hello) / 3);
	size_t got = pl_one_daemon_feed(data, size, first, !(how & 2), (uint8_t *)&reply, sizeof(reply));

	pl_fuzz_check(!got || got == sizeof(reply));
	if (!got)
		return;
	pl_fuzz_check(size >= sizeof(struct pl_hello) && reply.magic == PL_HELLO_MAGIC);
	pl_fuzz_check(memchr(reply.text, '\0', sizeof(reply.text)) != NULL);
}

/* ---- the client's end: a server in a thread of this process ---- */

struct server {
	int listener;
	int fds[PL_GREET_FDS_MAX + 2];
	unsigned fds_count;
	const uint8_t *data;
	size_t size;
};

static int memory_make(off_t bytes, int seals)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	pl_fuzz_check(fd >= 0 && !ftruncate(fd, bytes) && !fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static int descriptor_make(unsigned what, unsigned i)
{
	switch (what) {
	case 0: /* as it should be */
		return memory_make(i ? ARENA_BYTES : SHM_LANE_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	case 1: /* the peer could cut it short later */
		return memory_make(i ? ARENA_BYTES : SHM_LANE_BYTES, 0);
	case 2: /* too short */
		return memory_make(4096, F_SEAL_SHRINK | F_SEAL_GROW);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

static void *server_run(void *arg)
{
	struct server *server = arg;
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	struct iovec part = { (void *)(uintptr_t)server->data, server->size };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(server->fds))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (server->fds_count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(server->fds_count * sizeof(int));
		control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS,
						 .cmsg_len = CMSG_LEN(server->fds_count * sizeof(int)) };
		memcpy(CMSG_DATA(&control.head), server->fds, server->fds_count * sizeof(int));
	}
	if (server->size)
		(void)!sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	while (recv(fd, &control, sizeof(control), 0) > 0) /* its hello */
		;
	close(fd);
	return NULL;
}

static char folder[] = "/tmp/plenum-fuzz-XXXXXX";

static void folder_remove(void)
{
	char path[sizeof(folder) + 2];

	snprintf(path, sizeof(path), "%s/s", folder);
	unlink(path);
	rmdir(folder);
}

static int listener_make(char *address)
{
	char bound[PL_LINK_ADDRESS_MAX];
	int fd;

	pl_fuzz_check(mkdtemp(folder) != NULL && !atexit(folder_remove));
	snprintf(address, PL_LINK_ADDRESS_MAX, "unix:%s/s", folder);
	pl_fuzz_check(!pl_link_listen(address, &fd, bound));
	return fd;
}

static unsigned fds_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void opened_use(struct pl_link_opened *opened)
{
	const struct pl_wire_head *head;

	pl_fuzz_check(opened->reply.magic == PL_HELLO_MAGIC && opened->reply.status == PL_HELLO_OK);
	if (opened->arena_fd >= 0)
		close(opened->arena_fd);
	(void)pl_lane_recv(opened->lane, 0, &head);
	pl_lane_destroy(opened->lane);
}

static void client_greet(uint8_t how, const uint8_t *data, size_t size)
{
	static char address[PL_LINK_ADDRESS_MAX];
	static int listener = -1;
	struct pl_hello hello = { .kind = PL_HELLO_SESSION, .api = PL_API_OPENCL };
	struct server server = { .fds_count = how >> 1 & 3, .data = data, .size = size };
	struct pl_link_opened opened;
	pthread_t thread;
	unsigned before;
	int r;

	if (listener < 0)
		listener = listener_make(address);
	before = fds_open();
	server.listener = listener;
	for (unsigned i = 0; i < server.fds_count; i++)
		server.fds[i] = descriptor_make(how >> 3 & 3, i);
	pl_fuzz_check(!pthread_create(&thread, NULL, server_run, &server));
	r = pl_link_dial(address, &hello, DIAL_NS_MAX, &opened);
	if (!r)
		opened_use(&opened);
	else if (r > 0)
		pl_fuzz_check(r <= PL_HELLO_E_INTERNAL && memchr(opened.reply.text, '\0', sizeof(opened.reply.text)));
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < server.fds_count; i++)
		close(server.fds[i]);
	pl_fuzz_check(fds_open() == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 4096)
		return 0;
	if (data[0] & 1)
		client_greet(data[0], data + 1, size - 1);
	else
		daemon_greet(data[0], data + 1, size - 1);
	return 0;
}
