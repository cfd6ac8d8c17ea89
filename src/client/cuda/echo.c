#include "client/cuda/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "client/cuda/mirror.h"
#include "client/cuda/mirrored.h"

#define PAGE        PL_MIRROR_PAGE_BYTES
#define FETCH_BYTES (256u << 10)
#define TRIES_MAX   4u /* limit: as often as a driver may give addresses that the program uses */

struct echo {
	struct echo *next;
	struct pl_session *session;
	uint64_t address, bytes; /* the program's */
	uint64_t device;         /* the copy's; the same addresses are kept free here */
	bool read_only;          /* by the device */
	uint8_t *twin;           /* what both sides had when they were last the same */
};

static struct {
	pthread_mutex_t lock;
	struct echo *all; /* under lock, here and below */
	uint64_t bytes;
	uint8_t page[PL_MIRROR_MERGE_BYTES], got[FETCH_BYTES];
	_Atomic bool works; /* something was sent since the device's writes were looked for */
} echoes = { .lock = PTHREAD_MUTEX_INITIALIZER };

_Atomic uint32_t pl_echoes;

/* ---- the program's memory, which it may have given back without saying so ---- */

static bool own_read(void *to, uint64_t from, size_t bytes)
{
	struct iovec here = { to, bytes }, there = { (void *)(uintptr_t)from, bytes };
	ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);

	if (got < 0 && (errno == EPERM || errno == ENOSYS)) { /* a sandbox's */
		memcpy(to, (const void *)(uintptr_t)from, bytes);
		return true;
	}
	return got == (ssize_t)bytes;
}

static void own_write(uint64_t to, void *from, size_t bytes)
{
	struct iovec here = { from, bytes }, there = { (void *)(uintptr_t)to, bytes };

	if (process_vm_writev(getpid(), &here, 1, &there, 1, 0) < 0 && (errno == EPERM || errno == ENOSYS))
		memcpy((void *)(uintptr_t)to, from, bytes);
}

/* ---- to and fro; called with the lock held ---- */

/* The bytes of a page that are not the twin's, with their mask.  Return: there are some. */
static bool page_differs(struct echo *echo, uint64_t at, size_t bytes)
{
	uint8_t *page = echoes.page, *mask = echoes.page + PAGE, *twin = echo->twin + at;

	if (!own_read(page, echo->address + at, bytes) || !memcmp(page, twin, bytes))
		return false;
	memset(page + bytes, 0, PAGE - bytes);
	memset(mask, 0, PAGE / 8);
	for (size_t i = 0; i < bytes; i++)
		if (page[i] != twin[i])
			mask[i / 8] |= (uint8_t)(1u << i % 8);
	memcpy(twin, page, bytes);
	return true;
}

static size_t page_bytes(const struct echo *echo, uint64_t at)
{
	return echo->bytes - at < PAGE ? echo->bytes - at : PAGE;
}

static bool differs(const struct echo *echo)
{
	for (uint64_t at = 0; at < echo->bytes; at += PAGE)
		if (own_read(echoes.page, echo->address + at, page_bytes(echo, at)) &&
		    memcmp(echoes.page, echo->twin + at, page_bytes(echo, at)))
			return true;
	return false;
}

static void push(struct echo *echo, bool free)
{
	for (uint64_t at = 0; at < echo->bytes; at += PAGE)
		if (page_differs(echo, at, page_bytes(echo, at)) &&
		    pl_cuda_pages_merge(echo->session, echo->device, echo->device + at, echoes.page, 1, free))
			return; /* the session is lost */
}

/* Runs of bytes that the device has changed; what the program has changed beside them stays. */
static void take(struct echo *echo, uint64_t at, size_t bytes)
{
	uint8_t *got = echoes.got, *twin = echo->twin + at;

	if (!memcmp(got, twin, bytes))
		return;
	for (size_t i = 0; i < bytes;) {
		size_t n = 0;

		while (i + n < bytes && got[i + n] != twin[i + n])
			n++;
		if (n)
			own_write(echo->address + at + i, got + i, n);
		i += n ? n : 1;
	}
	memcpy(twin, got, bytes);
}

static void pull(struct echo *echo)
{
	for (uint64_t at = 0; at < echo->bytes && !echo->read_only; at += FETCH_BYTES) {
		size_t bytes = echo->bytes - at < FETCH_BYTES ? echo->bytes - at : FETCH_BYTES;
		uint64_t as_of;

		if (pl_cuda_pages_fetch(echo->session, echo->device, echo->device + at, echoes.got, bytes, &as_of))
			return; /* the session is lost: the program's memory stays as it was */
		take(echo, at, bytes);
	}
}

static bool any_differs(const struct pl_session *session)
{
	const struct echo *echo = echoes.all;

	while (echo && (echo->session != session || !differs(echo)))
		echo = echo->next;
	return echo;
}

static void push_all(struct pl_session *session, bool free)
{
	if (free)
		pl_cuda_pages_behind(session);
	for (struct echo *echo = echoes.all; echo; echo = echo->next)
		if (echo->session == session)
			push(echo, free);
	if (free)
		pl_cuda_pages_arrive(session);
}

/* Outside the order they are there before anybody compares, or fetches, again: what one has sent and the other does not
 * have yet would be taken for the device's, or come behind what is newer. */
static void push_free(struct pl_session *session)
{
	bool settled = true;

	pthread_mutex_lock(&echoes.lock);
	if (any_differs(session)) {
		if (pl_session_thread_owed(session) != PL_THREAD_OWED_NOTHING) {
			pthread_mutex_unlock(&echoes.lock);
			settled = pl_cuda_lane_settle(session);
			pthread_mutex_lock(&echoes.lock);
		}
		push_all(session, settled);
	}
	pthread_mutex_unlock(&echoes.lock);
}

void pl_echo_push(struct pl_session *session, bool free)
{
	atomic_store_explicit(&echoes.works, true, memory_order_relaxed);
	if (free) {
		push_free(session);
		return;
	}
	pthread_mutex_lock(&echoes.lock);
	push_all(session, false);
	pthread_mutex_unlock(&echoes.lock);
}

void pl_echo_pull(void)
{
	pthread_mutex_lock(&echoes.lock);
	if (atomic_exchange(&echoes.works, false))
		for (struct echo *echo = echoes.all; echo; echo = echo->next)
			pull(echo);
	pthread_mutex_unlock(&echoes.lock);
}

bool pl_echo_find_slow(const void *host, uint64_t bytes, CUdeviceptr *device_out)
{
	uint64_t address = (uintptr_t)host;
	const struct echo *echo;

	pthread_mutex_lock(&echoes.lock);
	for (echo = echoes.all; echo; echo = echo->next)
		if (address >= echo->address && address - echo->address < echo->bytes &&
		    bytes <= echo->bytes - (address - echo->address))
			break;
	if (echo)
		*device_out = echo->device + (address - echo->address);
	pthread_mutex_unlock(&echoes.lock);
	return echo;
}

/* ---- they come and go ---- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&echoes.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&echoes.lock);
}

/* The device and its copies are the parent's. */
static void fork_child(void)
{
	echoes.all = NULL;
	echoes.bytes = 0;
	atomic_store(&pl_echoes, 0);
	pthread_mutex_init(&echoes.lock, NULL);
}

static void fork_watch(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* What the copy's addresses are here: nobody else's. */
static bool addresses_keep(uint64_t at, uint64_t bytes)
{
	void *got = mmap((void *)(uintptr_t)at, bytes, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == MAP_FAILED)
		return false;
	if (got == (void *)(uintptr_t)at)
		return true;
	munmap(got, bytes);
	return false;
}

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* What cannot be used is kept until the driver has given something else. */
static CUresult copy_create(struct pl_session *session, struct echo *echo)
{
	uint64_t taken[TRIES_MAX];
	unsigned int tries = 0;
	CUresult result;

	for (;;) {
		result = pl_cuda_pages_create(session, echo->bytes, &echo->device);
		if (result || addresses_keep(echo->device, pages_of(echo->bytes)))
			break;
		result = CUDA_ERROR_OUT_OF_MEMORY;
		taken[tries++] = echo->device;
		if (tries == TRIES_MAX)
			break;
	}
	while (tries)
		pl_cuda_pages_free(session, taken[--tries]);
	return result;
}

static void echo_free(struct echo *echo)
{
	munmap((void *)(uintptr_t)echo->device, pages_of(echo->bytes));
	free(echo->twin);
	free(echo);
}

/* Called with the lock held. */
static void enter(struct echo *echo)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fork_watch);
	echo->next = echoes.all;
	echoes.all = echo;
	atomic_fetch_add(&pl_echoes, 1);
}

/* Return: there is so much room. */
static bool bytes_reserve(uint64_t bytes)
{
	bool fits;

	pthread_mutex_lock(&echoes.lock);
	fits = bytes <= PL_ECHO_BYTES_MAX - echoes.bytes;
	echoes.bytes += fits ? bytes : 0;
	pthread_mutex_unlock(&echoes.lock);
	return fits;
}

/* Without the lock: memory that the server has to get back for it is freed by calls that push. */
static CUresult copy_fill(struct pl_session *session, struct echo *echo)
{
	CUresult result = CUDA_ERROR_OUT_OF_MEMORY;

	echo->twin = malloc(echo->bytes);
	if (echo->twin && own_read(echo->twin, echo->address, echo->bytes))
		result = copy_create(session, echo);
	if (!result)
		(void)pl_cuda_pages_store(session, echo->device, echo->device, echo->twin, echo->bytes);
	return result;
}

CUresult pl_echo_add(struct pl_session *session, struct pl_cuda_memory *memory)
{
	struct echo *echo = calloc(1, sizeof(*echo));
	CUresult result;

	if (!echo)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*echo = (struct echo){ .session = session,
			       .address = memory->address,
			       .bytes = memory->bytes,
			       .read_only = memory->flags & CU_MEMHOSTREGISTER_READ_ONLY };
	if (!bytes_reserve(echo->bytes)) {
		pl_log_info("registered memory at %p has no address on the device: its pages can not be shared, and of "
			    "such memory there are %u MiB at most",
			    (void *)(uintptr_t)memory->address, PL_ECHO_BYTES_MAX >> 20);
		free(echo);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	result = copy_fill(session, echo);
	if (!result)
		pl_cuda_pages_watch(session);
	pthread_mutex_lock(&echoes.lock);
	if (result)
		echoes.bytes -= echo->bytes;
	else
		enter(echo);
	pthread_mutex_unlock(&echoes.lock);
	if (result) {
		free(echo->twin);
		free(echo);
		return result;
	}
	memory->device = echo->device;
	return CUDA_SUCCESS;
}

/* Called with the lock held.  Return: NULL: it has none. */
static struct echo *take_out(const struct pl_cuda_memory *memory)
{
	struct echo **link = &echoes.all, *echo;

	while (*link && ((*link)->address != memory->address || (*link)->session != memory->session))
		link = &(*link)->next;
	echo = *link;
	if (!echo)
		return NULL;
	*link = echo->next;
	echoes.bytes -= echo->bytes;
	atomic_fetch_sub(&pl_echoes, 1);
	return echo;
}

void pl_echo_remove(const struct pl_cuda_memory *memory)
{
	struct echo *echo;

	(void)cuCtxSynchronize(); /* what it has written has come back with the answer */
	pthread_mutex_lock(&echoes.lock);
	echo = take_out(memory);
	pthread_mutex_unlock(&echoes.lock);
	if (!echo)
		return;
	pl_cuda_pages_free(echo->session, echo->device);
	echo_free(echo);
}

void pl_echo_forget(const struct pl_cuda_memory *memory)
{
	struct echo *echo;

	pthread_mutex_lock(&echoes.lock);
	echo = take_out(memory);
	pthread_mutex_unlock(&echoes.lock);
	if (echo)
		echo_free(echo);
}
