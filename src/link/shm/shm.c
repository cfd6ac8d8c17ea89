#include "link/shm/shm.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/shm/bell.h"
#include "wire/codec.h"

#define RING          PL_SHM_RING_BYTES
#define HEAD_PAGE     4096u
#define MEMORY_BYTES  PL_SHM_LANE_BYTES
/* docs/adr/0013: a wake-up through the socket takes hundreds of microseconds.  Each end looks for longer than the other
 * takes to wake, or both sleep each time; much longer would keep others, the device's threads among them, off the core.
 */
#define BELL_SPIN_NS  400000u
#define PUBLISH_BYTES (RING / 8) /* the reader tells how far it is at the latest after so many bytes */

static_assert((RING & (RING - 1)) == 0 && RING >= 2 * PL_WIRE_RECORD_MAX, "ring size");

/* One direction's indices: bytes since the start, modulo 2^32.  A cache line a writer. */
struct ring_shared {
	_Alignas(64) _Atomic uint32_t written; /* by the sender */
	_Atomic uint32_t room_sleeper;         /* the sender sleeps until there is room */
	_Atomic uint32_t slow;                 /* by the sender: what the receiver waits for takes its time */
	_Alignas(64) _Atomic uint32_t taken;   /* by the receiver */
	_Atomic uint32_t data_sleeper;         /* the receiver sleeps until there is data */
	_Atomic uint32_t core;                 /* where the receiver began to wait */
};
static_assert(sizeof(struct ring_shared) == 128, "shared layout");
static_assert(offsetof(struct ring_shared, taken) == 64, "shared layout");

struct ring {
	struct ring_shared *shared;
	uint8_t *bytes;     /* mapped twice in a row */
	uint32_t mine;      /* this side's index: all that is believed */
	uint32_t published; /* receiver: what `taken` says */
	struct pl_wait wait;
};

struct shm_lane {
	struct pl_lane base;
	_Atomic bool broken;
	void *memory; /* the page of indices */
	struct ring out, in;
	bool has_bell;
	struct pl_bell bell;
	uint64_t out_bulk_left, in_bulk_left; /* payload of the last record that was not sent, taken */
	uint32_t out_pad, in_pad;             /* after that payload, so that the next record is aligned */
	uint8_t *record;                      /* the record at hand, private */
};

struct ring_wait {
	struct shm_lane *lane;
	struct ring *ring;
	uint32_t need_bytes;
};

static struct shm_lane *shm_lane(struct pl_lane *lane)
{
	return (struct shm_lane *)lane;
}

static bool is_broken(struct shm_lane *lane)
{
	return atomic_load_explicit(&lane->broken, memory_order_relaxed);
}

/* Nothing more will come: it broke, or (seen by who slept) the socket ended. */
static bool is_over(struct shm_lane *lane)
{
	return is_broken(lane) || atomic_load_explicit(&lane->bell.over, memory_order_relaxed);
}

static int break_lane(struct shm_lane *lane, int code)
{
	lane->base.ops->shutdown(&lane->base);
	return pl_err(code);
}

static void count_waits(struct shm_lane *lane, struct ring *ring, uint64_t spins, uint64_t sleeps)
{
	if (ring->wait.spins != spins)
		pl_count(&lane->base.stats.spins, 1);
	if (ring->wait.sleeps != sleeps)
		pl_count(&lane->base.stats.sleeps, 1);
}

/* The other end, where it sleeps for this word. */
static void wake_peer(struct shm_lane *lane, _Atomic uint32_t *sleeper)
{
	if (!pl_wake_wanted(sleeper))
		return;
	if (lane->has_bell) {
		pl_wake_note(sleeper);
		pl_bell_ring(&lane->bell);
	} else {
		pl_wake(sleeper);
	}
	pl_count(&lane->base.stats.wakes, 1);
}

/* Return: ready; false: the time is over. */
static bool wait_for(struct shm_lane *lane, struct ring *ring, _Atomic uint32_t *sleeper, pl_wait_ready_fn ready,
		     void *arg, uint64_t timeout_ns)
{
	uint64_t spins = ring->wait.spins, sleeps = ring->wait.sleeps;
	bool done = pl_wait_until(&ring->wait, sleeper, ready, arg, timeout_ns);

	count_waits(lane, ring, spins, sleeps);
	if (atomic_load_explicit(&lane->bell.over, memory_order_relaxed))
		pl_lane_shutdown(&lane->base);
	return done;
}

/* ---- sending ---- */

/* Bytes free for the sender; UINT32_MAX where the peer's index lies. */
static uint32_t ring_room(struct ring *ring)
{
	uint32_t used = ring->mine - atomic_load_explicit(&ring->shared->taken, memory_order_acquire);

	return used > RING ? UINT32_MAX : RING - used;
}

static bool room_ready(void *arg)
{
	struct ring_wait *wait = arg;

	return ring_room(wait->ring) >= wait->need_bytes || is_over(wait->lane);
}

/* Waits until at least need_bytes are free; once it has to sleep it does so until half of the ring is free, so that a
 * fast sender is woken seldom. */
static int wait_room(struct shm_lane *lane, uint32_t need_bytes)
{
	struct ring *ring = &lane->out;
	uint32_t room = ring_room(ring);

	if (room < need_bytes) {
		struct ring_wait arg = { lane, ring, need_bytes > RING / 2 ? need_bytes : RING / 2 };

		wait_for(lane, ring, &ring->shared->room_sleeper, room_ready, &arg, UINT64_MAX);
		room = ring_room(ring);
	}
	if (is_broken(lane))
		return -EPIPE; /* said when it broke */
	if (room == UINT32_MAX)
		return break_lane(lane, -EPROTO);
	return 0;
}

static void publish_written(struct shm_lane *lane)
{
	struct ring_shared *shared = lane->out.shared;

	atomic_store_explicit(&shared->written, lane->out.mine, memory_order_release);
	wake_peer(lane, &shared->data_sleeper);
}

static int lane_reserve(struct pl_lane *base, uint32_t len_bytes, void **room_out)
{
	struct shm_lane *lane = shm_lane(base);
	struct ring *ring = &lane->out;

	if (len_bytes % PL_WIRE_ALIGN || len_bytes > PL_WIRE_RECORD_MAX)
		return pl_err(-EMSGSIZE);
	if (is_broken(lane))
		return -EPIPE;
	if (base->room_bytes < len_bytes) {
		uint32_t room;
		int r = wait_room(lane, len_bytes);
		if (r)
			return pl_trace(r);
		room = ring_room(ring);
		if (room == UINT32_MAX || room < len_bytes)
			return break_lane(lane, -EPROTO); /* the peer took its index back */
		base->room_bytes = room;
		base->room = ring->bytes + (ring->mine & (RING - 1));
	}
	*room_out = base->room;
	return 0;
}

static int lane_commit(struct pl_lane *base, uint32_t len_bytes, enum pl_lane_how how)
{
	struct shm_lane *lane = shm_lane(base);
	const struct pl_wire_head *head;
	uint64_t bulk_bytes;

	(void)how; /* publishing is one store: holding it back would gain nothing */
	if (is_broken(lane)) {
		base->room_bytes = 0; /* or the next reserve() would not look */
		return -EPIPE;
	}
	head = (const struct pl_wire_head *)base->room;
	bulk_bytes = *(const volatile uint64_t *)&head->bulk_bytes; /* the peer may change it: loaded once */
	lane->out_bulk_left = bulk_bytes;
	lane->out_pad = (uint32_t)(PL_WIRE_PAD(bulk_bytes) - bulk_bytes);
	lane->out.mine += len_bytes;
	base->room_bytes -= len_bytes;
	base->room = lane->out.bytes + (lane->out.mine & (RING - 1));
	publish_written(lane);
	pl_count(&base->stats.records_out, 1);
	pl_count(&base->stats.bytes_out, len_bytes);
	return 0;
}

static int lane_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes)
{
	struct shm_lane *lane = shm_lane(base);
	const uint8_t *at = data;
	uint64_t left = bytes;

	if (bytes > lane->out_bulk_left)
		return pl_err(-EINVAL);
	base->room_bytes = 0;
	while (left) {
		uint32_t part = left < RING / 4 ? (uint32_t)left : RING / 4;
		uint32_t pad = part == lane->out_bulk_left ? lane->out_pad : 0;
		int r = wait_room(lane, part + pad);
		if (r)
			return pl_trace(r);
		memcpy(lane->out.bytes + (lane->out.mine & (RING - 1)), at, part);
		lane->out.mine += part + pad;
		lane->out_bulk_left -= part;
		publish_written(lane);
		at += part;
		left -= part;
	}
	pl_count(&base->stats.bytes_out, bytes);
	return 0;
}

/* ---- receiving ---- */

/* Bytes that lie there for the receiver; UINT32_MAX where the peer's index lies. */
static uint32_t ring_data(struct ring *ring)
{
	uint32_t there = atomic_load_explicit(&ring->shared->written, memory_order_acquire) - ring->mine;

	return there > RING ? UINT32_MAX : there;
}

static bool data_ready(void *arg)
{
	struct ring_wait *wait = arg;

	return ring_data(wait->ring) >= wait->need_bytes || is_over(wait->lane);
}

static void publish_taken(struct shm_lane *lane)
{
	struct ring *ring = &lane->in;

	if (ring->published == ring->mine)
		return;
	ring->published = ring->mine;
	atomic_store_explicit(&ring->shared->taken, ring->mine, memory_order_release);
	wake_peer(lane, &ring->shared->room_sleeper);
}

static int wait_data(struct shm_lane *lane, uint32_t need_bytes, uint64_t timeout_ns, uint32_t *there_out)
{
	struct ring *ring = &lane->in;
	uint32_t there = ring_data(ring);

	if (there < need_bytes) {
		struct ring_wait arg = { lane, ring, need_bytes };
		bool ready;

		publish_taken(lane);
		atomic_store_explicit(&ring->shared->core, pl_wait_core(), memory_order_relaxed);
		ready = timeout_ns && wait_for(lane, ring, &ring->shared->data_sleeper, data_ready, &arg, timeout_ns);
		if (!ready && !is_broken(lane))
			return PL_LANE_E_TIMEOUT;
		there = ring_data(ring);
	}
	if (there == UINT32_MAX)
		return break_lane(lane, -EPROTO);
	if (there < need_bytes) /* said when it broke; or the peer took its index back */
		return is_broken(lane) ? -EPIPE : break_lane(lane, -EPROTO);
	*there_out = there;
	return 0;
}

static void take(struct shm_lane *lane, void *to, uint32_t bytes)
{
	struct ring *ring = &lane->in;

	memcpy(to, ring->bytes + (ring->mine & (RING - 1)), bytes);
	ring->mine += bytes;
	if (ring->mine - ring->published >= PUBLISH_BYTES)
		publish_taken(lane);
}

static int lane_recv(struct pl_lane *base, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	struct shm_lane *lane = shm_lane(base);
	struct pl_wire_head *head = (struct pl_wire_head *)lane->record;
	uint32_t there, len;
	int r = wait_data(lane, sizeof(*head), timeout_ns, &there);

	if (r)
		return pl_trace(r);
	take(lane, head, sizeof(*head));
	len = head->len_bytes;
	if (len < sizeof(*head) || len % PL_WIRE_ALIGN || len > PL_WIRE_RECORD_MAX || len > there ||
	    head->bulk_bytes > PL_WIRE_BULK_MAX)
		return break_lane(lane, -EPROTO); /* records are published whole */
	take(lane, head + 1, len - (uint32_t)sizeof(*head));
	lane->in_bulk_left = head->bulk_bytes;
	lane->in_pad = (uint32_t)(PL_WIRE_PAD(head->bulk_bytes) - head->bulk_bytes);
	pl_count(&base->stats.records_in, 1);
	pl_count(&base->stats.bytes_in, len);
	*head_out = head;
	return 0;
}

static int lane_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes)
{
	struct shm_lane *lane = shm_lane(base);
	uint8_t *at = data;
	uint64_t left = bytes;

	if (bytes > lane->in_bulk_left)
		return is_broken(lane) ? -EPIPE : pl_err(-EINVAL);
	while (left) {
		uint32_t there, published;
		int r = wait_data(lane, 1, UINT64_MAX, &there);
		if (r)
			return r < 0 ? pl_trace(r) : pl_err(-EPIPE);
		published = there;
		if (there > left)
			there = (uint32_t)left;
		lane->in_bulk_left -= there;
		if (!lane->in_bulk_left && published < there + lane->in_pad)
			return break_lane(lane, -EPROTO); /* the pad is published with the last byte */
		take(lane, at, there);
		if (!lane->in_bulk_left)
			lane->in.mine += lane->in_pad;
		at += there;
		left -= there;
	}
	publish_taken(lane);
	pl_count(&base->stats.bytes_in, bytes);
	return 0;
}

/* ---- life ---- */

static void lane_shutdown(struct pl_lane *base)
{
	struct shm_lane *lane = shm_lane(base);

	if (atomic_exchange(&lane->broken, true))
		return;
	shutdown(base->fd, SHUT_RDWR);
	if (lane->has_bell) {
		pl_bell_wake_here(&lane->bell);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct ring_shared *shared = i ? lane->in.shared : lane->out.shared;
		pl_wake(&shared->room_sleeper);
		pl_wake(&shared->data_sleeper);
	}
}

static void lane_destroy(struct pl_lane *base)
{
	struct shm_lane *lane = shm_lane(base);

	if (lane->out.bytes)
		munmap(lane->out.bytes, 2u * RING);
	if (lane->in.bytes)
		munmap(lane->in.bytes, 2u * RING);
	if (lane->memory)
		munmap(lane->memory, HEAD_PAGE);
	if (base->fd >= 0)
		close(base->fd);
	free(lane->record);
	free(lane);
}

static void lane_leave(struct pl_lane *base)
{
	close(base->fd);
}

static const struct pl_lane_ops shm_ops = {
	.name = "shm",
	.reserve = lane_reserve,
	.commit = lane_commit,
	.send_bulk = lane_send_bulk,
	.recv = lane_recv,
	.recv_bulk = lane_recv_bulk,
	.shutdown = lane_shutdown,
	.destroy = lane_destroy,
	.leave = lane_leave,
};

/* The ring at `offset`, twice in a row.  NULL on failure, errno set. */
static uint8_t *map_twice(int memory_fd, uint64_t offset)
{
	uint8_t *at = mmap(NULL, 2u * RING, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	for (uint32_t i = 0; i < 2; i++)
		if (mmap(at + i * RING, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_fd,
			 (off_t)offset) == MAP_FAILED) {
			munmap(at, 2u * RING);
			return NULL;
		}
	return at;
}

/* Both ends run on the same cores: what each says of itself counts for the other. */
static void neighbours(struct shm_lane *lane)
{
	lane->in.wait.core = &lane->out.shared->core;
	lane->in.wait.slow = &lane->in.shared->slow;
	lane->base.slow = &lane->out.shared->slow;
}

static void bell_hang(struct shm_lane *lane)
{
	int one = 1;

	lane->has_bell = true;
	pl_bell_init(&lane->bell, lane->base.fd);
	lane->in.wait.sleep = lane->out.wait.sleep = &lane->bell.sleep;
	lane->in.wait.spin_ns_max = lane->out.wait.spin_ns_max = BELL_SPIN_NS;
	setsockopt(lane->base.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails where it is no TCP */
}

static void lane_destroyp(struct shm_lane **lane)
{
	if (*lane)
		lane_destroy(&(*lane)->base);
}

/* Takes over fd. */
static int lane_create(int fd, int memory_fd, uint64_t offset, bool server, bool bell, struct pl_lane **lane_out)
{
	pl_cleanup(lane_destroyp) struct shm_lane *lane = calloc(1, sizeof(*lane));
	struct ring *to_server, *to_client;
	struct ring_shared *shared;

	if (!lane) {
		close(fd);
		return pl_err(-ENOMEM);
	}
	lane->base.ops = &shm_ops;
	lane->base.fd = fd;
	lane->record = malloc(PL_WIRE_RECORD_MAX);
	if (!lane->record)
		return pl_err(-ENOMEM);
	shared = mmap(NULL, HEAD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, (off_t)offset);
	if (shared == MAP_FAILED)
		return pl_err(-errno);
	lane->memory = shared;
	to_server = server ? &lane->in : &lane->out;
	to_client = server ? &lane->out : &lane->in;
	to_server->shared = &shared[0];
	to_client->shared = &shared[1];
	if (bell)
		bell_hang(lane);
	else
		neighbours(lane);
	to_server->bytes = map_twice(memory_fd, offset + HEAD_PAGE);
	to_client->bytes = to_server->bytes ? map_twice(memory_fd, offset + HEAD_PAGE + RING) : NULL;
	if (!to_client->bytes)
		return pl_err(-errno);
	*lane_out = &pl_steal(lane)->base;
	return 0;
}

int pl_shm_lane_serve(int fd, struct pl_lane **lane_out, int *memory_fd_out)
{
	pl_cleanup(pl_closep) int memory_fd = memfd_create("plenum-lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (memory_fd < 0 || ftruncate(memory_fd, MEMORY_BYTES) < 0 ||
	    fcntl(memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		r = pl_err(-errno);
		close(fd);
		return r;
	}
	r = lane_create(fd, memory_fd, 0, true, false, lane_out);
	if (r)
		return pl_trace(r);
	*memory_fd_out = pl_steal_fd(&memory_fd);
	return 0;
}

int pl_shm_lane_open(int fd, int memory_fd, uint32_t ring_bytes, struct pl_lane **lane_out)
{
	pl_cleanup(pl_closep) int memory = memory_fd;
	struct stat st;
	int seals = fcntl(memory, F_GET_SEALS);

	/* Without the seals the peer could shrink the memory and end this process with SIGBUS. */
	if (ring_bytes != RING || fstat(memory, &st) < 0 || st.st_size != MEMORY_BYTES || seals < 0 ||
	    (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW)) {
		close(fd);
		return pl_err(-EPROTO);
	}
	return pl_trace(lane_create(fd, memory, 0, false, false, lane_out));
}

int pl_shm_lane_place(int fd, int memory_fd, uint64_t offset, bool server, struct pl_lane **lane_out)
{
	struct pl_lane *lane;
	int r = lane_create(fd, memory_fd, offset, server, true, &lane);

	if (r)
		return pl_trace(r);
	if (server) /* an earlier lane may have lain there */
		memset(((struct shm_lane *)lane)->memory, 0, HEAD_PAGE);
	*lane_out = lane;
	return 0;
}
