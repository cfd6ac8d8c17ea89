/* Copies between servers: another server's worker that lies about its ticket, and one that does not do its part. */
#include "calls-cuda.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cuda/result.h"
#include "link/connection.h"
#include "link/greet.h"
#include "link/tcp/tcp.h"
#include "server/peer.h"
#include "wire/peer.h"

#define BYTES (3u << 20) /* of what is copied: three blocks */
#define CTX   0x900

static struct peer peer;
static uint64_t memory;
static struct {
	uint64_t session;
	uint8_t key[16];
} door;
static struct pl_peer_ask ticket;

static void session_open(void)
{
	struct pl_cuda_cuMemAlloc_v2_reply at;
	struct pl_cuda_plPeerWhere_reply where;

	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuMemAlloc_v2, .bytes = BYTES), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &at);
	memory = at.address;
	expect_is(CU(cuMemsetD8_v2, .dst = memory, .value = 7, .count = BYTES), CUDA_SUCCESS);
	expect_is(CU(plPeerWhere, 0), CUDA_SUCCESS);
	pl_cuda_plPeerWhere_reply_get(&peer.dec, &where);
	assert(pl_dec_whole(&peer.dec) && where.key.bytes == sizeof(door.key));
	assert(where.addresses.bytes &&
	       memmem(where.addresses.at, where.addresses.bytes, server.unix_address, strlen(server.unix_address)));
	door.session = where.session;
	memcpy(door.key, where.key.at, sizeof(door.key));
}

static int32_t export_status(uint64_t address, uint64_t bytes, uint32_t put)
{
	struct pl_cuda_plPeerExport_reply got;
	int32_t status = CU(plPeerExport, .address = address, .size = bytes, .put = put, .order = 2);

	if (status)
		return status;
	pl_cuda_plPeerExport_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && got.secret.bytes == sizeof(ticket.secret));
	ticket = (struct pl_peer_ask){ .ticket = got.ticket, .bytes = bytes, .put = put };
	memcpy(ticket.secret, got.secret.at, sizeof(ticket.secret));
	return 0;
}

/* The session has come to no harm: its memory can be written and its context works. */
static void session_check(void)
{
	expect_is(CU(cuMemsetD8_v2, .dst = memory, .value = 7, .count = BYTES), CUDA_SUCCESS);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
}

/* ---- as another server's worker ---- */

static int knock(int fd)
{
	const struct pl_hello hello = { .kind = PL_HELLO_PEER };
	struct pl_hello_reply reply;
	struct pl_greet_fds fds = { 0 };
	uint64_t end = pl_now_ns() + ANSWER_NS;
	int r = pl_greet_hello_send(fd, &hello, end);

	r = r ? r : pl_greet_reply_recv(fd, &reply, &fds, end);
	return r ? r : (int)reply.status;
}

/* On loopback. */
static int door_connect_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons((uint16_t)atoi(strrchr(server.tcp_address, ':') + 1));
	assert(fd >= 0 && !connect(fd, (struct sockaddr *)&at, sizeof(at)));
	return fd;
}

static int door_connect(const char *address)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", address + strlen("unix:"));
	assert(fd >= 0 && !connect(fd, (struct sockaddr *)&at, sizeof(at)));
	return fd;
}

/* Return: as pl_link_greet(). */
static int door_try(uint64_t session, const uint8_t key[16], struct pl_link_opened *opened)
{
	struct pl_hello hello = { .kind = PL_HELLO_PEER, .session = session };
	int fd = door_connect(server.unix_address);

	memcpy(hello.secret, key, sizeof(hello.secret));
	expect_is(knock(fd), PL_HELLO_OK);
	return pl_link_greet(fd, &hello, ANSWER_NS, opened);
}

/* With a number for the lane.  Return: as pl_link_greet(); fatal; the socket in *fd_out is good for one more. */
static int door_number_try(bool tcp, enum pl_hello_kind kind, uint64_t number, int *fd_out)
{
	struct pl_hello hello = { .kind = kind, .session = door.session, .place = number };
	int fd = tcp ? door_connect_tcp() : door_connect(server.unix_address), r;

	memcpy(hello.secret, door.key, sizeof(hello.secret));
	expect_is(knock(fd), PL_HELLO_OK);
	r = pl_link_greet_more(fd, &hello, ANSWER_NS);
	if (r || !fd_out)
		close(fd);
	else
		*fd_out = fd;
	return r;
}

static struct pl_lane *door_open(void)
{
	struct pl_link_opened opened;

	expect_is(door_try(door.session, door.key, &opened), 0);
	return opened.lane;
}

static void words_send(struct pl_lane *lane, uint16_t op, const void *words, uint32_t bytes, uint64_t bulk_bytes)
{
	expect_is(record_send(lane, (struct pl_wire_head){ .op = op, .bulk_bytes = bulk_bytes }, words, bytes), 0);
}

/* Return: the status that is said; bulk is what follows. */
static int32_t say_take(struct pl_lane *lane, uint64_t *bulk_out)
{
	const struct pl_wire_head *head;
	struct pl_peer_say say;

	expect_is(pl_lane_recv(lane, ANSWER_NS, &head), 0);
	assert(head->op == PL_PEER_SAY && head->len_bytes == sizeof(*head) + sizeof(say));
	memcpy(&say, head + 1, sizeof(say));
	*bulk_out = head->bulk_bytes;
	return say.status;
}

static void lane_has_ended(struct pl_lane *lane)
{
	const struct pl_wire_head *head;

	expect_is(pl_lane_recv(lane, ANSWER_NS, &head), -EPIPE);
	pl_lane_destroy(lane);
}

/* What the ticket stands for comes, whole. */
static void ticket_use(struct pl_lane *lane, bool whole)
{
	uint8_t *block = malloc(PL_PEER_BLOCK_BYTES);
	uint64_t bulk;

	assert(block);
	words_send(lane, PL_PEER_ASK, &ticket, sizeof(ticket), 0);
	for (uint64_t at = 0; at < ticket.bytes; at += bulk) {
		expect_is(say_take(lane, &bulk), 0);
		assert(bulk && bulk <= PL_PEER_BLOCK_BYTES && bulk <= ticket.bytes - at);
		expect_is(pl_lane_recv_bulk(lane, block, bulk), 0);
		for (uint64_t i = 0; i < bulk; i++)
			assert(block[i] == 7 || !whole);
	}
	free(block);
}

static void refused_ask(const struct pl_peer_ask *ask, int32_t want)
{
	struct pl_lane *lane = door_open();
	uint64_t bulk;

	words_send(lane, PL_PEER_ASK, ask, sizeof(*ask), 0);
	expect_is(say_take(lane, &bulk), want);
	assert(!bulk);
	lane_has_ended(lane);
}

/* ---- cases ---- */

static void doors_that_are_not_theirs(void)
{
	struct pl_link_opened opened;
	struct peer other;
	uint8_t key[16];
	int fd;

	session_open();
	memcpy(key, door.key, sizeof(key));
	key[15] ^= 1;
	expect_is(door_try(door.session, key, &opened), PL_HELLO_E_SESSION);
	expect_is(door_try(door.session, peer.reply.secret, &opened), PL_HELLO_E_SESSION);
	expect_is(door_try(door.session + 1000, door.key, &opened), PL_HELLO_E_SESSION);
	fd = door_connect(server.unix_address);
	expect_is(knock(fd), PL_HELLO_OK);
	assert(knock(fd) < 0); /* once */
	close(fd);
	peer_open(&other, server.unix_address); /* OpenCL copies nothing between servers; the key is not even told */
	expect_is(door_try(other.reply.session, door.key, &opened), PL_HELLO_E_SESSION);
	peer_close(&other);
	session_check();
	peer_close(&peer);
	expect_is(door_try(door.session, door.key, &opened), PL_HELLO_E_SESSION);
}

/* Further connections: of lanes that there are, over tcp, not without end, and heard once. */
static void connections_of_no_lane(void)
{
	const uint64_t number = 0x1122334455667788;
	int fds[2 + PL_LANE_CONNECTIONS_MAX], unix_fd, r = 0;
	uint32_t made = 2;

	session_open();
	expect_is(door_number_try(true, PL_HELLO_PEER_MORE, number, NULL),
		  PL_HELLO_E_SESSION); /* before there is one */
	expect_is(door_number_try(false, PL_HELLO_PEER, number + 1, &unix_fd), 0);
	expect_is(door_number_try(true, PL_HELLO_PEER, 0, &fds[0]), 0);
	expect_is(door_number_try(true, PL_HELLO_PEER, number, &fds[1]), 0);
	expect_is(door_number_try(true, PL_HELLO_PEER_MORE, 0, NULL), PL_HELLO_E_SESSION);
	expect_is(door_number_try(true, PL_HELLO_PEER_MORE, UINT64_MAX, NULL), PL_HELLO_E_SESSION);
	expect_is(door_number_try(true, PL_HELLO_PEER_MORE, number + 1, NULL), PL_HELLO_E_SESSION); /* no tcp */
	while (made < 2 + PL_LANE_CONNECTIONS_MAX) /* the lane's thread may only just have begun */
		made += !door_number_try(true, PL_HELLO_PEER_MORE, number, &fds[made]);
	expect_is(door_number_try(true, PL_HELLO_PEER_MORE, number, NULL), PL_HELLO_E_BUSY);
	for (uint32_t i = 2; i < made; i++) /* no word that it looks there, but another */
		r |= send(fds[i], "nobody looks here", 17, MSG_NOSIGNAL) != 17;
	expect_is(r, 0);
	session_check();
	for (uint32_t i = 0; i < made; i++)
		close(fds[i]);
	close(unix_fd);
	while (door_number_try(true, PL_HELLO_PEER_MORE, number, NULL) != PL_HELLO_E_SESSION) /* it has ended */
		;
	session_check();
	peer_close(&peer);
}

static void secrets_that_are_wrong_or_used(void)
{
	struct pl_peer_ask wrong;
	struct pl_lane *lane;

	session_open();
	expect_is(export_status(memory, BYTES, 0), 0);
	wrong = ticket;
	wrong.secret[0] ^= 1;
	refused_ask(&wrong, CUDA_ERROR_INVALID_HANDLE);
	wrong = ticket;
	wrong.ticket++;
	refused_ask(&wrong, CUDA_ERROR_INVALID_HANDLE);
	wrong.ticket = 0;
	memset(wrong.secret, 0, sizeof(wrong.secret));
	refused_ask(&wrong, CUDA_ERROR_INVALID_HANDLE);
	lane = door_open();
	ticket_use(lane, true); /* whoever guesses takes nothing away from who knows */
	words_send(lane, PL_PEER_ASK, &ticket, sizeof(ticket), 0);
	expect_is(say_take(lane, &(uint64_t){ 0 }), CUDA_ERROR_INVALID_HANDLE);
	lane_has_ended(lane);
	expect_is(export_status(memory, BYTES, 0), 0);
	lane = door_open();
	ticket_use(lane, true);
	expect_is(export_status(memory + 5, 12345, 0), 0);
	ticket_use(lane, true); /* a link serves many times */
	pl_lane_destroy(lane);
	session_check();
	peer_close(&peer);
}

static void ranges_beyond_what_was_exported(void)
{
	struct pl_peer_ask wrong;

	session_open();
	assert(export_status(memory, BYTES + 1, 0));
	assert(export_status(memory + BYTES, 1, 0));
	assert(export_status(memory - 1, 2, 1));
	assert(export_status(memory, 0, 0));
	assert(export_status(memory, UINT64_MAX, 0));
	assert(export_status(peer.reply.arena_base, 4096, 0)); /* the worker's memory is no device's */
	assert(CU(plPeerExport, .address = memory, .size = 64, .put = 2));
	assert(CU(plPeerExport, .address = memory, .size = 64, .order = 77));
	expect_is(export_status(memory, 4096, 0), 0);
	wrong = ticket;
	wrong.bytes = BYTES;
	refused_ask(&wrong, CUDA_ERROR_INVALID_VALUE);
	expect_is(export_status(memory, 4096, 0), 0);
	wrong = ticket;
	wrong.put = 1; /* it may be read */
	refused_ask(&wrong, CUDA_ERROR_INVALID_VALUE);
	expect_is(export_status(memory, 4096, 1), 0);
	wrong = ticket;
	wrong.put = 0; /* it may be written */
	refused_ask(&wrong, CUDA_ERROR_INVALID_VALUE);
	session_check();
	peer_close(&peer);
}

static void tickets_and_links_without_end(void)
{
	struct pl_lane *lanes[PL_PEER_LINKS_MAX];
	struct pl_link_opened opened;
	struct pl_wire_head head = { .op = PL_PEER_SAY };
	uint32_t made = 0;

	session_open();
	while (made < 1000 && !export_status(memory, 64, 0))
		made++;
	assert(made && made < 1000);
	expect_is(export_status(memory, 64, 0), CUDA_ERROR_OUT_OF_MEMORY);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX; i++)
		lanes[i] = door_open();
	expect_is(door_try(door.session, door.key, &opened), PL_HELLO_E_BUSY);
	expect_is(record_send(lanes[0], head, "8 bytes", 8), 0);
	lane_has_ended(lanes[0]);
	for (uint32_t i = 1; i < PL_PEER_LINKS_MAX; i++)
		lane_has_ended(lanes[i]); /* who shows no ticket in time */
	session_check();
	peer_close(&peer);
}

/* What is written to a ticket stops in the middle, is ended with a failure, or is too much. */
static void writers_that_stop(void)
{
	const struct pl_peer_say good = { 0 }, bad = { .status = CUDA_ERROR_ILLEGAL_ADDRESS };
	uint8_t *block = calloc(1, PL_PEER_BLOCK_BYTES);
	struct pl_lane *lane;

	session_open();
	assert(block);
	for (int way = 0; way < 3; way++) {
		expect_is(export_status(memory, BYTES, 1), 0);
		lane = door_open();
		words_send(lane, PL_PEER_ASK, &ticket, sizeof(ticket), 0);
		expect_is(say_take(lane, &(uint64_t){ 0 }), 0);
		words_send(lane, PL_PEER_SAY, &good, sizeof(good), PL_PEER_BLOCK_BYTES);
		expect_is(pl_lane_send_bulk(lane, block, PL_PEER_BLOCK_BYTES / (way == 0 ? 2 : 1)), 0);
		if (way == 0) {
			pl_lane_destroy(lane);
		} else if (way == 1) {
			words_send(lane, PL_PEER_SAY, &bad, sizeof(bad), 0);
			expect_is(export_status(memory, 4096, 0), 0);
			ticket_use(lane, false); /* then what was written before is there */
			session_check();
			expect_is(export_status(memory, 4096, 0), 0);
			ticket_use(lane, true); /* the link is as before */
			pl_lane_destroy(lane);
		} else {
			words_send(lane, PL_PEER_SAY, &good, sizeof(good), 2 * PL_PEER_BLOCK_BYTES);
			(void)pl_lane_send_bulk(lane, block, PL_PEER_BLOCK_BYTES);
			lane_has_ended(lane);
		}
		session_check();
	}
	free(block);
	peer_close(&peer);
}

/* ---- as another server ---- */

enum way { NO_PLENUM, HANGS_UP, REFUSES, ENDS_IN_THE_MIDDLE, SAYS_NONSENSE, FAILS, STALLS, WAYS };

struct fake {
	enum way way;
	int listener;
	char address[128];
	pthread_t thread;
};

static int fake_accept(const struct fake *fake, struct pl_hello *hello)
{
	int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

	assert(fd >= 0);
	expect_is(pl_greet_hello_recv(fd, hello, pl_now_ns() + ANSWER_NS), 0);
	assert(hello->kind == PL_HELLO_PEER && !hello->session && !hello->token[0]); /* it tells nobody anything */
	for (size_t i = 0; i < sizeof(hello->secret); i++)
		assert(!hello->secret[i]);
	return fd;
}

static void fake_serve(const struct fake *fake, struct pl_lane *lane)
{
	const struct pl_peer_say good = { 0 }, bad = { .status = CUDA_ERROR_ECC_UNCORRECTABLE };
	uint8_t *block = calloc(1, PL_PEER_BLOCK_BYTES);
	const struct pl_wire_head *head;

	assert(block);
	expect_is(pl_lane_recv(lane, ANSWER_NS, &head), 0);
	assert(head->op == PL_PEER_ASK);
	if (fake->way == SAYS_NONSENSE) {
		words_send(lane, PL_PEER_SAY, &good, sizeof(good), 0);
	} else {
		words_send(lane, PL_PEER_SAY, &good, sizeof(good), PL_PEER_BLOCK_BYTES);
		expect_is(pl_lane_send_bulk(lane, block, PL_PEER_BLOCK_BYTES / (fake->way == FAILS ? 1 : 2)), 0);
	}
	if (fake->way == FAILS)
		words_send(lane, PL_PEER_SAY, &bad, sizeof(bad), 0);
	if (fake->way != ENDS_IN_THE_MIDDLE)
		expect_is(pl_lane_recv(lane, 3 * ANSWER_NS, &head), -EPIPE); /* until it is given up */
	free(block);
	pl_lane_destroy(lane);
}

static void *fake_run(void *arg)
{
	const struct pl_hello_reply yes = { .status = PL_HELLO_OK }, no = { .status = PL_HELLO_E_SESSION };
	const struct fake *fake = arg;
	struct pl_hello hello;
	struct pl_lane *lane;
	int fd = fake_accept(fake, &hello);
	uint64_t end = pl_now_ns() + ANSWER_NS;

	if (fake->way == NO_PLENUM)
		assert(send(fd, "220 mail.example ready\r\n", 24, MSG_NOSIGNAL) == 24);
	if (fake->way <= HANGS_UP) {
		close(fd);
		return NULL;
	}
	expect_is(pl_greet_reply_send(fd, &yes, NULL, end), 0);
	expect_is(pl_greet_hello_recv(fd, &hello, end), 0);
	assert(hello.kind == PL_HELLO_PEER && hello.session == 4711 && hello.secret[0] == 1);
	expect_is(pl_greet_reply_send(fd, fake->way == REFUSES ? &no : &yes, NULL, end), 0);
	if (fake->way == REFUSES) {
		close(fd);
		return NULL;
	}
	expect_is(pl_tcp_lane_create(fd, &lane), 0);
	fake_serve(fake, lane);
	return NULL;
}

static void fake_start(struct fake *fake, enum way way)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	fake->way = way;
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/fake", server.folder);
	snprintf(fake->address, sizeof(fake->address), "unix:%s", at.sun_path);
	assert(!bind(fake->listener, (struct sockaddr *)&at, sizeof(at)) && !listen(fake->listener, 1));
	assert(!pthread_create(&fake->thread, NULL, fake_run, fake));
}

static void fake_end(struct fake *fake)
{
	assert(!pthread_join(fake->thread, NULL));
	close(fake->listener);
	assert(!unlink(fake->address + strlen("unix:")));
}

/* Return: the link, or 0; why is told then. */
static uint64_t link_to(const char *address)
{
	static const uint8_t key[16] = { 1 };
	struct pl_cuda_plPeerLink_reply got;

	expect_is(CU(plPeerLink, .session = 4711, .key = { key, sizeof(key) }, .address = address), CUDA_SUCCESS);
	pl_cuda_plPeerLink_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && (!got.link == (got.why.bytes != 0)));
	return got.link;
}

static struct pl_cuda_plPeerCopy_reply copy_over(uint64_t link, uint64_t address, uint64_t bytes)
{
	static const uint8_t secret[16] = { 2 };
	struct pl_cuda_plPeerCopy_reply got;

	expect_is(CU(plPeerCopy, .link = link, .ticket = 1, .secret = { secret, sizeof(secret) }, .address = address,
		     .size = bytes, .order = 2),
		  CUDA_SUCCESS);
	pl_cuda_plPeerCopy_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	return got;
}

static void servers_that_do_not_do_their_part(void)
{
	struct fake fake;

	session_open();
	for (enum way way = NO_PLENUM; way < WAYS; way++) {
		struct pl_cuda_plPeerCopy_reply got;
		uint64_t link;

		fake_start(&fake, way);
		link = link_to(fake.address);
		assert(!link == (way <= REFUSES));
		got = copy_over(link, memory, BYTES);
		expect_is(got.broken, way != FAILS);
		expect_is(got.result, way == FAILS ? CUDA_ERROR_ECC_UNCORRECTABLE : CUDA_ERROR_DEVICE_UNAVAILABLE);
		session_check();
		if (way != FAILS && link)
			expect_is(copy_over(link, memory, BYTES).broken, 1); /* it is left */
		if (way == FAILS)
			peer_close(&peer);
		fake_end(&fake);
		if (way == FAILS)
			session_open();
	}
	peer_close(&peer);
}

static void servers_that_are_not_there(void)
{
	char long_one[400] = "unix:/";
	struct fake fake;
	uint64_t link;

	session_open();
	assert(!link_to("unix:/nowhere/at/all"));
	assert(!link_to("tcp://127.0.0.1:1")); /* the operator did not name it */
	assert(memmem(peer.head, peer.head->len_bytes, "--peer", 6));
	assert(!link_to("hook:drop=1;unix:/nowhere"));
	assert(!link_to("nonsense"));
	assert(!link_to(""));
	memset(long_one + 6, 'x', sizeof(long_one) - 7);
	assert(!link_to(long_one));
	assert(CU(plPeerLink, .session = 1, .key = { door.key, 15 }, .address = server.unix_address));
	assert(CU(plPeerLink, .session = 0, .key = { door.key, 16 }, .address = server.unix_address));
	expect_is(copy_over(0, memory, BYTES).broken, 1);
	expect_is(copy_over(77, memory, BYTES).broken, 1);
	fake_start(&fake, FAILS);
	link = link_to(fake.address);
	expect_is(copy_over(link, memory + 1, BYTES).result, CUDA_ERROR_INVALID_VALUE); /* not all of it is memory */
	expect_is(copy_over(link, peer.reply.arena_base, 64).result, CUDA_ERROR_INVALID_VALUE);
	expect_is(copy_over(link, memory, 0).result, CUDA_ERROR_INVALID_VALUE);
	expect_is(copy_over(link, memory, BYTES).result, CUDA_ERROR_ECC_UNCORRECTABLE); /* and the link was kept */
	session_check();
	peer_close(&peer);
	fake_end(&fake);
}

const struct hostile_case cases_peer[] = {
	{ "peer: sessions and keys that are not theirs", doors_that_are_not_theirs, false },
	{ "peer: connections of no lane, and without end", connections_of_no_lane, false },
	{ "peer: secrets that are wrong, or were used", secrets_that_are_wrong_or_used, false },
	{ "peer: ranges beyond what was exported", ranges_beyond_what_was_exported, false },
	{ "peer: tickets and links without end", tickets_and_links_without_end, false },
	{ "peer: writers that stop in the middle", writers_that_stop, false },
	{ "peer: servers that do not do their part", servers_that_do_not_do_their_part, false },
	{ "peer: servers that are not there", servers_that_are_not_there, false },
	{ NULL, NULL, false },
};
