/* The only place that knows which links there are. */
#include "link/link.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/address.h"
#include "link/connection.h"
#include "link/greet.h"
#include "link/hook/hook.h"
#include "link/ivshmem/region.h"
#include "link/shm/shm.h"
#include "link/still.h"
#include "link/tcp/still.h"
#include "link/tcp/tcp.h"

#define GREET_NS_MAX  120000000000u /* limit: of a dial whose caller named no time */
#define ANSWER_NS_MAX 5000000000u   /* limit: for 128 bytes into an empty socket buffer */
#define DROP_BYTES    (16u << 10)

int pl_lane_drop_bulk(struct pl_lane *lane, uint64_t bytes)
{
	uint8_t scratch[DROP_BYTES];

	while (bytes) {
		uint64_t part = bytes < sizeof(scratch) ? bytes : sizeof(scratch);
		int r = pl_lane_recv_bulk(lane, scratch, part);

		if (r)
			return pl_trace(r);
		bytes -= part;
	}
	return 0;
}

/* ---- client ---- */

static void fds_closep(struct pl_greet_fds *fds)
{
	pl_greet_fds_close(fds);
}

static int take_fd(struct pl_greet_fds *fds, unsigned i)
{
	int fd = fds->at[i];

	fds->at[i] = -1;
	return fd;
}

/* Over a socket that carries no file descriptors, or from a server that does not know our region. */
static void memory_forget(struct pl_hello_reply *reply)
{
	reply->lane_bytes = 0;
	reply->arena_bytes = reply->arena_base = reply->arena_offset = 0;
}

/* The lane that the reply describes.  Takes over fd and the fds that it names. */
static int open_lane(int fd, bool local, struct pl_hello_reply *reply, struct pl_greet_fds *fds,
		     struct pl_link_opened *opened)
{
	bool shm, arena;
	int r;

	if (!local) /* a server on another host that speaks of shared memory is ignored */
		memory_forget(reply);
	shm = reply->lane_bytes;
	arena = reply->arena_bytes;
	reply->arena_offset = 0;
	if (fds->count != (unsigned)shm + (unsigned)arena) {
		close(fd);
		return pl_err(-EPROTO);
	}
	if (shm)
		r = pl_shm_lane_open(fd, take_fd(fds, 0), reply->lane_bytes, &opened->lane);
	else
		r = pl_tcp_lane_create(fd, &opened->lane);
	if (r)
		return pl_trace(r);
	opened->arena_fd = arena ? take_fd(fds, shm) : -1;
	return 0;
}

/* ---- client, ivshmem ---- */

struct region_end { /* the client's */
	int fd;
	uint64_t bytes;
	uint64_t place; /* of the lane; 0 = none */
};

static bool range_fits(uint64_t offset, uint64_t bytes, uint64_t whole)
{
	return bytes <= whole && offset <= whole - bytes && !(offset % 4096u);
}

static int region_begin(const struct pl_address *address, struct pl_hello *hello, struct region_end *region)
{
	uint8_t key[PL_REGION_KEY_BYTES];
	int r = pl_region_open(address->region, &region->fd, &region->bytes, key);

	if (r)
		return pl_trace(r);
	region->place = hello->kind == PL_HELLO_LANE ? hello->place : 0;
	if (region->place && !range_fits(region->place - 1, PL_SHM_LANE_BYTES, region->bytes))
		return pl_err(-EINVAL);
	if (hello->kind == PL_HELLO_SESSION) {
		memcpy(hello->secret, key, sizeof(hello->secret));
		hello->place = pl_region_boot();
	}
	return 0;
}

/* Takes over fd. */
static int open_region_lane(int fd, struct region_end *region, const struct pl_hello *hello,
			    struct pl_hello_reply *reply, struct pl_link_opened *opened)
{
	int r;

	if (hello->kind == PL_HELLO_SESSION && !reply->arena_bytes)
		pl_log_warn("ivshmem: the server has no room for this session in the region, or does not listen with "
			    "it: all bytes go through the socket");
	if ((reply->lane_bytes && (reply->lane_bytes != PL_SHM_RING_BYTES || !region->place)) ||
	    !range_fits(reply->arena_offset, reply->arena_bytes, region->bytes)) {
		close(fd);
		return pl_err(-EPROTO);
	}
	if (reply->lane_bytes)
		r = pl_shm_lane_place(fd, region->fd, region->place - 1, false, &opened->lane);
	else
		r = pl_tcp_lane_create(fd, &opened->lane);
	if (r)
		return pl_trace(r);
	opened->in_region = reply->arena_bytes;
	opened->arena_fd = opened->in_region ? pl_steal_fd(&region->fd) : -1;
	return 0;
}

static void region_endp(struct region_end *region)
{
	pl_closep(&region->fd);
}

/* Sends the hello, reads the reply.  A server may refuse before it has read the hello: its reply still counts. */
static int greet(int fd, const struct pl_hello *hello, uint64_t deadline_ns, struct pl_hello_reply *reply_out,
		 struct pl_greet_fds *fds_out)
{
	int r = pl_greet_hello_send(fd, hello, deadline_ns);

	if (r && r != -EPIPE)
		return pl_trace(r);
	return pl_trace(pl_greet_reply_recv(fd, reply_out, fds_out, deadline_ns));
}

int pl_link_dial(const char *address_text, const struct pl_hello *hello_given, uint64_t timeout_ns,
		 struct pl_link_opened *opened_out)
{
	pl_cleanup(region_endp) struct region_end region = { .fd = -1 };
	pl_cleanup(fds_closep) struct pl_greet_fds fds = { 0 };
	pl_cleanup(pl_closep) int fd = -1;
	struct pl_link_opened opened = { .arena_fd = -1 };
	uint64_t deadline_ns = pl_now_ns() + (timeout_ns < GREET_NS_MAX ? timeout_ns : GREET_NS_MAX);
	struct pl_hello hello = *hello_given;
	struct pl_address address;
	int r = pl_address_parse(address_text, &address);

	if (!r && address.in_region)
		r = region_begin(&address, &hello, &region);
	if (r)
		return pl_trace(r);
	r = pl_address_connect(&address, deadline_ns, &fd);
	if (!r)
		r = greet(fd, &hello, deadline_ns, &opened.reply, &fds);
	if (r)
		return pl_trace(r);
	if (opened.reply.status != PL_HELLO_OK) {
		*opened_out = opened;
		return opened.reply.status <= PL_HELLO_E_INTERNAL ? (int)opened.reply.status : PL_HELLO_E_INTERNAL;
	}
	if (address.in_region && !fds.count)
		r = open_region_lane(pl_steal_fd(&fd), &region, &hello, &opened.reply, &opened);
	else
		r = open_lane(pl_steal_fd(&fd), address.kind == PL_ADDRESS_UNIX, &opened.reply, &fds, &opened);
	if (r)
		return pl_trace(r);
	if (address.hooked) {
		r = pl_hook_lane_wrap(opened.lane, &address.hook, &opened.lane);
		if (r) {
			if (opened.arena_fd >= 0)
				close(opened.arena_fd);
			return pl_trace(r);
		}
	}
	*opened_out = opened;
	return 0;
}

int pl_link_greet(int fd_given, const struct pl_hello *hello, uint64_t timeout_ns, struct pl_link_opened *opened_out)
{
	pl_cleanup(fds_closep) struct pl_greet_fds fds = { 0 };
	struct pl_link_opened opened = { .arena_fd = -1 };
	pl_cleanup(pl_closep) int fd = fd_given;
	int r = greet(fd, hello, pl_now_ns() + timeout_ns, &opened.reply, &fds);

	if (r)
		return pl_trace(r);
	if (opened.reply.status == PL_HELLO_OK) {
		r = open_lane(pl_steal_fd(&fd), false, &opened.reply, &fds, &opened);
		if (r)
			return pl_trace(r);
	}
	*opened_out = opened;
	return opened.reply.status <= PL_HELLO_E_INTERNAL ? (int)opened.reply.status : PL_HELLO_E_INTERNAL;
}

static int greet_more(int fd, const struct pl_hello *hello, uint64_t deadline_ns)
{
	pl_cleanup(fds_closep) struct pl_greet_fds fds = { 0 };
	struct pl_hello_reply reply;
	int r = greet(fd, hello, deadline_ns, &reply, &fds);

	if (r)
		return pl_trace(r);
	if (reply.status == PL_HELLO_OK)
		return 0;
	pl_log_info("no further connection: %s", reply.text);
	return reply.status <= PL_HELLO_E_INTERNAL ? (int)reply.status : PL_HELLO_E_INTERNAL;
}

int pl_link_dial_more(const struct pl_lane *lane, const struct pl_hello *hello, uint64_t timeout_ns, int *fd_out)
{
	uint64_t deadline_ns = pl_now_ns() + timeout_ns;
	pl_cleanup(pl_closep) int fd = -1;
	int r = pl_address_connect_as(lane->fd, deadline_ns, &fd);

	if (!r)
		r = greet_more(fd, hello, deadline_ns);
	if (r)
		return r;
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

int pl_link_greet_more(int fd, const struct pl_hello *hello, uint64_t timeout_ns)
{
	return greet_more(fd, hello, pl_now_ns() + timeout_ns);
}

int pl_link_dial_again(const char *address_text, const struct pl_hello *hello, uint64_t timeout_ns, int *fd_out,
		       struct pl_hello_reply *reply_out)
{
	pl_cleanup(fds_closep) struct pl_greet_fds fds = { 0 };
	uint64_t deadline_ns = pl_now_ns() + timeout_ns;
	pl_cleanup(pl_closep) int fd = -1;
	struct pl_hello_reply reply;
	struct pl_address address;
	int r = pl_address_parse(address_text, &address);

	if (!r)
		r = pl_address_connect(&address, deadline_ns, &fd);
	if (!r)
		r = greet(fd, hello, deadline_ns, &reply, &fds);
	if (r)
		return pl_trace(r);
	if (reply.status != PL_HELLO_OK) {
		pl_log_info("%s does not go on: %s", address_text, reply.text);
		return reply.status <= PL_HELLO_E_INTERNAL ? (int)reply.status : PL_HELLO_E_INTERNAL;
	}
	*fd_out = pl_steal_fd(&fd);
	*reply_out = reply;
	return 0;
}

/* ---- server ---- */

int pl_link_listen(const char *address_text, int *fd_out, char *bound_out)
{
	struct pl_address address;
	int r = pl_address_parse(address_text, &address);

	if (r)
		return pl_trace(r);
	if (address.hooked) {
		pl_log_warn("address \"%s\": a hook works at the client's end, in both directions", address_text);
		return pl_err(-EINVAL);
	}
	return pl_trace(pl_address_listen(&address, fd_out, bound_out));
}

int pl_link_region_create(const char *address_text, struct pl_region **region_out)
{
	struct pl_address address;
	int r = pl_address_parse(address_text, &address);

	*region_out = NULL;
	if (r || !address.in_region)
		return pl_trace(r);
	if (!address.region[0]) {
		pl_log_error("address \"%s\": a server names the file that QEMU maps: ivshmem:/dev/shm/NAME;ADDRESS",
			     address_text);
		return pl_err(-EINVAL);
	}
	return pl_trace(pl_region_create(address.region, address.region_bytes, region_out));
}

static const char *plain_of(const char *address)
{
	const char *end = strncmp(address, "ivshmem:", 8) ? NULL : strchr(address, ';');

	return end ? end + 1 : address;
}

bool pl_link_address_is_local(const char *address)
{
	return !strncmp(plain_of(address), "unix:", 5);
}

const char *pl_link_address_socket(const char *address)
{
	const char *plain = plain_of(address);

	return !strncmp(plain, "unix:/", 6) ? plain + 5 : !strncmp(plain, "vsock:/", 7) ? plain + 6 : NULL;
}

static bool is_local(int fd)
{
	struct sockaddr_storage at;
	socklen_t bytes = sizeof(at);

	return !getsockname(fd, (struct sockaddr *)&at, &bytes) && at.ss_family == AF_UNIX;
}

static void lane_destroyp(struct pl_lane **lane)
{
	pl_lane_destroy(*lane);
}

int pl_link_accept_lane(int fd, const struct pl_hello_reply *reply_given, int arena_fd, struct pl_lane **lane_out)
{
	pl_cleanup(lane_destroyp) struct pl_lane *lane = NULL;
	pl_cleanup(pl_closep) int memory_fd = -1;
	struct pl_hello_reply reply = *reply_given;
	struct pl_greet_fds fds = { 0 };
	bool local = is_local(fd);
	int r;

	reply.arena_offset = 0;
	if (!local || arena_fd < 0)
		reply.arena_bytes = 0, reply.arena_base = 0;
	if (!local)
		reply.lane_bytes = 0;
	if (reply.lane_bytes && reply.lane_bytes != PL_SHM_RING_BYTES) {
		close(fd);
		return pl_err(-EINVAL);
	}
	if (reply.lane_bytes)
		r = pl_shm_lane_serve(fd, &lane, &memory_fd);
	else
		r = pl_tcp_lane_create(fd, &lane);
	if (r)
		return pl_trace(r);
	if (memory_fd >= 0)
		fds.at[fds.count++] = memory_fd;
	if (reply.arena_bytes)
		fds.at[fds.count++] = arena_fd;
	r = pl_greet_reply_send(lane->fd, &reply, &fds, pl_now_ns() + ANSWER_NS_MAX);
	if (r)
		return pl_trace(r);
	*lane_out = pl_steal(lane);
	return 0;
}

int pl_link_accept_region_lane(int fd, const struct pl_hello_reply *reply, int region_fd, uint64_t offset,
			       struct pl_lane **lane_out)
{
	pl_cleanup(lane_destroyp) struct pl_lane *lane = NULL;
	int r;

	if (reply->lane_bytes)
		r = pl_shm_lane_place(fd, region_fd, offset, true, &lane);
	else
		r = pl_tcp_lane_create(fd, &lane);
	if (r)
		return pl_trace(r);
	r = pl_greet_reply_send(lane->fd, reply, NULL, pl_now_ns() + ANSWER_NS_MAX);
	if (r)
		return pl_trace(r);
	*lane_out = pl_steal(lane);
	return 0;
}

int pl_link_accept_more(int fd, const struct pl_hello_reply *reply, struct pl_lane *lane)
{
	pl_cleanup(pl_closep) int answer = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (!lane->ops->more || answer < 0) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "this lane has one connection");
		return pl_err(-EMFILE);
	}
	r = lane->ops->more(lane, fd, false);
	if (r) {
		pl_link_refuse(pl_steal_fd(&answer), PL_HELLO_E_BUSY, "this lane has as many as it can have");
		return pl_trace(r);
	}
	/* The client looks there, and says so, once it has the answer: nothing of the lane's comes before. */
	return pl_trace(pl_greet_reply_send(answer, reply, NULL, pl_now_ns() + ANSWER_NS_MAX));
}

int pl_link_accept_again(int fd, const struct pl_hello_reply *reply, struct pl_lane *lane)
{
	if (lane->resumes)
		return pl_trace(lane->ops->resume(lane, fd, reply, 0));
	pl_link_refuse(fd, PL_HELLO_E_SESSION, "this lane ends with its connection");
	return pl_err(-ENOTSUP);
}

int pl_link_restored_lane(const struct pl_lane_state *state, struct pl_lane **lane_out)
{
	return pl_trace(pl_tcp_lane_restore(state, lane_out));
}

void pl_link_refuse(int fd, enum pl_hello_status status, const char *text)
{
	struct pl_hello_reply reply = { .status = status };
	uint8_t unread[sizeof(struct pl_hello)];

	snprintf(reply.text, sizeof(reply.text), "%s", text);
	/* Bytes that nobody read turn close() into a reset; a few hellos are read, who sends more is on his own. */
	for (int i = 0; i < 4 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++)
		;
	if (!pl_greet_reply_send(fd, &reply, NULL, pl_now_ns()))
		shutdown(fd, SHUT_WR);
	close(fd);
}
