#include "client/cuda/mirror.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "client/cuda/mirror-watch.h"
#include "client/cuda/userfault.h"

#define PAGE         PL_MIRROR_PAGE_BYTES
#define AHEAD_FIRST  16u /* pages of a fetch; twice as many where the next touch is behind them */
#define AHEAD_PAGES  (PL_MIRROR_FETCH_BYTES / PAGE)

#define SWITCHES_MAX 8u /* limit: of a tick, pages sent because the program has gone on to write to another one */

enum page_state {
	PAGE_AWAY,
	PAGE_CLEAN, /* write-protected */
	PAGE_WRITTEN,
};

struct mirror {
	struct mirror *next;
	const struct pl_mirror_ops *ops;
	void *session;
	const void *owner;
	uint64_t range, address, pages;
	uint64_t here;             /* pages that are not away */
	uint64_t as_of;            /* of one that is used by both at a time: the least of those pages'; ops->fetch() */
	uint64_t ahead, ahead_end; /* pages of the next fetch, where it begins behind the last one */
	bool apart;                /* the device may work and not use it: pl_mirror_attach() */
	uint8_t *twins;  /* of one that is used by both at a time: written pages as they were before; else NULL */
	uint8_t state[]; /* of each page */
};

static struct {
	pthread_mutex_t lock;
	struct mirror *all; /* under lock */
	uint8_t *room;      /* under lock: what was fetched */
	int possible;       /* 0: made once; < 0: -errno */
	/* Under lock, of mirrors with twins: */
	uint32_t twinned;    /* pages that are here */
	struct mirror *last; /* of the page that was written to last while the device worked; NULL = none */
	uint64_t last_page;  /* it */
	uint32_t switches;   /* since the last tick */
	uint8_t packed[PL_MIRROR_MERGE_PAGES * PL_MIRROR_MERGE_BYTES];
} mirrors = { .lock = PTHREAD_MUTEX_INITIALIZER, .possible = -ENOSYS };

_Atomic uint32_t pl_mirror_pages_here;
_Atomic uint32_t pl_mirror_patience_ms = 10000;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- pages; called with the lock held ---- */

static struct mirror *mirror_find(uint64_t address)
{
	struct mirror *mirror = mirrors.all;

	while (mirror && (address < mirror->address || address - mirror->address >= mirror->pages * PAGE))
		mirror = mirror->next;
	return mirror;
}

static void state_set(struct mirror *mirror, uint64_t page, enum page_state state)
{
	int more = (state != PAGE_AWAY) - (mirror->state[page] != PAGE_AWAY);

	mirror->state[page] = (uint8_t)state;
	mirror->here += (uint64_t)(int64_t)more;
	if (mirror->twins)
		mirrors.twinned += (uint32_t)more;
	atomic_fetch_add(&pl_mirror_pages_here, (uint32_t)more);
}

/* The device may have written to what is here since it came, or does. */
static bool is_stale(const struct mirror *mirror)
{
	return mirror->twins && mirror->here &&
	       (mirror->as_of <= mirror->ops->worked(mirror->session) || !mirror->ops->idle(mirror->session));
}

/* Pages from `page` on that are in the same state. */
static uint64_t run_of(const struct mirror *mirror, uint64_t page, uint64_t pages_max)
{
	uint64_t n = 1;

	while (n < pages_max && page + n < mirror->pages && mirror->state[page + n] == mirror->state[page])
		n++;
	return n;
}

static void page_settle(struct mirror *mirror, uint64_t page, uint64_t n, bool free);

static bool goes_free(const struct mirror *mirror)
{
	return mirror->ops->goes_free && mirror->ops->goes_free(mirror->session);
}

/* While the device works, what is written is to be seen there in the order of writing: the page before goes first.  A
 * program that goes to and fro between pages would wait for that at each step, so there is an end to it. */
static void last_settle(struct mirror *mirror, uint64_t page)
{
	if (mirrors.last && mirrors.switches < SWITCHES_MAX && mirrors.last->state[mirrors.last_page] == PAGE_WRITTEN) {
		bool free = goes_free(mirrors.last);

		mirrors.switches++;
		page_settle(mirrors.last, mirrors.last_page, 1, free);
		if (free)
			mirrors.last->ops->arrive(mirrors.last->session);
	}
	mirrors.last = mirror;
	mirrors.last_page = page;
}

static void page_written(struct mirror *mirror, uint64_t page, const void *was)
{
	if (mirror->twins) {
		memcpy(mirror->twins + page * PAGE, was, PAGE);
		if (!mirror->ops->idle(mirror->session))
			last_settle(mirror, page);
	}
	state_set(mirror, page, PAGE_WRITTEN);
}

/* Return: the device works: whoever waits for the page goes on waiting. */
static bool page_fetch(struct mirror *mirror, uint64_t page, bool writes, bool patient)
{
	uint64_t at = mirror->address + page * PAGE, as_of = 0;
	uint64_t ahead = page != mirror->ahead_end         ? AHEAD_FIRST
			 : mirror->ahead * 2 < AHEAD_PAGES ? mirror->ahead * 2
							   : AHEAD_PAGES;
	uint64_t pages = run_of(mirror, page, ahead);
	int r;

	/* Whoever gives the device work meanwhile, or hears that it has ended, waits for what is read here. */
	atomic_fetch_add(&pl_mirror_pages_here, 1);
	r = mirror->ops->fetch(mirror->session, mirror->range, at, mirrors.room, pages * PAGE,
			       patient && !mirror->apart, &as_of);
	if (r > 0) {
		atomic_fetch_sub(&pl_mirror_pages_here, 1);
		return true;
	}
	mirror->ahead = ahead;
	mirror->ahead_end = page + pages;
	if (r) { /* the program hears of it with its next call */
		pl_log_error("managed memory at %#lx is lost: %s", (unsigned long)at, strerrordesc_np(-r));
		memset(mirrors.room, 0, pages * PAGE);
	}
	if (!mirror->here || as_of < mirror->as_of)
		mirror->as_of = as_of;
	for (uint64_t i = 0; i < pages; i++)
		state_set(mirror, page + i, PAGE_CLEAN);
	atomic_fetch_sub(&pl_mirror_pages_here, 1);
	if (pages > 1)
		pl_userfault_fill(at + PAGE, mirrors.room + PAGE, (pages - 1) * PAGE, false);
	if (writes)
		page_written(mirror, page, mirrors.room);
	pl_userfault_fill(at, mirrors.room, PAGE, writes);
	return false;
}

bool pl_mirror_touched(const struct pl_userfault *touch, bool patient)
{
	uint64_t at = touch->address & ~(uint64_t)(PAGE - 1), page;
	struct mirror *mirror;
	bool held = false;

	pthread_mutex_lock(&mirrors.lock);
	mirror = mirror_find(at);
	page = mirror ? (at - mirror->address) / PAGE : 0;
	if (!mirror) {
		pl_userfault_wake(at, PAGE); /* it has ended */
	} else if (mirror->state[page] == PAGE_AWAY && !touch->protected) {
		held = page_fetch(mirror, page, touch->write, patient);
	} else if (mirror->state[page] == PAGE_CLEAN && touch->protected) {
		page_written(mirror, page, (const void *)(uintptr_t)at);
		pl_userfault_protect(at, PAGE, false);
	} else {
		pl_userfault_wake(at, PAGE); /* it has changed meanwhile: it is touched again */
	}
	pthread_mutex_unlock(&mirrors.lock);
	return held;
}

/* ---- once ---- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&mirrors.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&mirrors.lock);
}

/* What was here stays as it was; the rest is zeros: the device is the parent's. */
static void fork_child(void)
{
	mirrors.all = mirrors.last = NULL;
	mirrors.twinned = 0;
	atomic_store(&pl_mirror_pages_here, 0);
	pl_userfault_close();
	mirrors.possible = -ENOSYS;
	pthread_mutex_init(&mirrors.lock, NULL);
}

static void once_run(void)
{
	int r = pl_userfault_open();

	if (!r) {
		mirrors.room =
			mmap(NULL, PL_MIRROR_FETCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		r = mirrors.room == MAP_FAILED ? -ENOMEM : pl_mirror_watch();
	}
	mirrors.possible = r;
	if (r)
		pl_userfault_close();
	else
		pthread_atfork(fork_prepare, fork_parent, fork_child);
}

bool pl_mirror_is_possible(void)
{
	pthread_once(&once, once_run);
	return !mirrors.possible;
}

/* ---- which pages ---- */

static void twins_drop(struct mirror *mirror)
{
	if (mirror->twins)
		munmap(mirror->twins, mirror->pages * PAGE);
	free(mirror);
}

/* NULL: no memory. */
static struct mirror *mirror_new(const struct mirror *like, uint64_t address, uint64_t bytes)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror) + bytes / PAGE);

	if (!mirror)
		return NULL;
	*mirror = *like;
	mirror->address = address;
	mirror->pages = bytes / PAGE;
	if (!like->ops->merge)
		return mirror;
	mirror->twins = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mirror->twins != MAP_FAILED)
		return mirror;
	free(mirror);
	return NULL;
}

/* A page is the unit. */
static void pages_small(uint64_t address, uint64_t bytes)
{
	(void)madvise((void *)(uintptr_t)address, bytes, MADV_NOHUGEPAGE);
}

/* Called with the lock held. */
static int piece_add(const struct mirror *like, uint64_t address, uint64_t bytes)
{
	struct mirror *mirror = mirror_new(like, address, bytes);
	void *at;
	int r;

	if (!mirror)
		return -ENOMEM;
	at = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	r = at == MAP_FAILED ? -errno : (uintptr_t)at != address ? -EEXIST : 0;
	if (!r) {
		pages_small(address, bytes);
		r = pl_userfault_watch(address, bytes);
	}
	if (r) {
		if (at != MAP_FAILED)
			munmap(at, bytes);
		twins_drop(mirror);
		return r;
	}
	mirror->next = mirrors.all;
	mirrors.all = mirror;
	return 0;
}

/* The first address from `at` on, up to `end`, that is not mirrored; and that is. */
static uint64_t next_bare(uint64_t at, uint64_t end)
{
	const struct mirror *mirror;

	while (at < end && (mirror = mirror_find(at)))
		at = mirror->address + mirror->pages * PAGE;
	return at < end ? at : end;
}

static uint64_t next_mirrored(uint64_t at, uint64_t end)
{
	for (const struct mirror *mirror = mirrors.all; mirror; mirror = mirror->next)
		if (mirror->address >= at && mirror->address < end)
			end = mirror->address;
	return end;
}

/* Called with the lock held. */
static void mirror_end(struct mirror *mirror)
{
	struct mirror **at = &mirrors.all;

	while (*at != mirror)
		at = &(*at)->next;
	*at = mirror->next;
	atomic_fetch_sub(&pl_mirror_pages_here, (uint32_t)mirror->here);
	munmap((void *)(uintptr_t)mirror->address, mirror->pages * PAGE);
	if (mirror->twins) {
		mirrors.twinned -= (uint32_t)mirror->here;
		mirrors.last = mirrors.last == mirror ? NULL : mirrors.last;
	}
	twins_drop(mirror);
}

int pl_mirror_add(uint64_t address, uint64_t bytes, const struct pl_mirror_ops *ops, void *session, uint64_t range,
		  const void *owner)
{
	const struct mirror like = {
		.ops = ops, .session = session, .owner = owner, .range = range, .ahead_end = UINT64_MAX
	};
	uint64_t end = address + bytes, at, to;
	struct mirror *before;
	int r = 0;

	if (!bytes || address % PAGE || bytes % PAGE || end < address)
		return pl_err(-EINVAL);
	if (!pl_mirror_is_possible())
		return mirrors.possible;
	pthread_mutex_lock(&mirrors.lock);
	before = mirrors.all;
	for (at = next_bare(address, end); at < end && !r; at = next_bare(to, end)) {
		to = next_mirrored(at, end);
		r = piece_add(&like, at, to - at);
	}
	while (r && mirrors.all != before)
		mirror_end(mirrors.all);
	pthread_mutex_unlock(&mirrors.lock);
	return r;
}

/* ---- pages that the program has already ---- */

/* All of them are there: one that was never touched is one of zeros from here on. */
static void pages_touch(uint64_t address, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE)
		(void)*(const volatile uint8_t *)(uintptr_t)(address + at);
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* What is not zeros goes; nobody writes meanwhile.  Called with the lock held. */
static int pages_send(const struct mirror *mirror)
{
	const uint8_t *pages = (const uint8_t *)(uintptr_t)mirror->address;
	bool free = goes_free(mirror);
	int r = 0;

	for (uint64_t page = 0, n; page < mirror->pages && !r; page += n ? n : 1) {
		n = 0;
		while (n < AHEAD_PAGES && page + n < mirror->pages && !is_zero(pages + (page + n) * PAGE))
			n++;
		if (n)
			r = mirror->ops->store(mirror->session, mirror->range, mirror->address + page * PAGE,
					       pages + page * PAGE, n * PAGE, free);
	}
	if (free)
		mirror->ops->arrive(mirror->session);
	return r;
}

/* Called with the lock held. */
static int adopt(struct mirror *mirror)
{
	uint64_t bytes = mirror->pages * PAGE;
	int r;

	pages_small(mirror->address, bytes);
	pages_touch(mirror->address, bytes);
	r = pl_userfault_watch(mirror->address, bytes);
	if (r) {
		twins_drop(mirror);
		return r;
	}
	mirror->next = mirrors.all;
	mirrors.all = mirror;
	for (uint64_t page = 0; page < mirror->pages; page++)
		state_set(mirror, page, PAGE_CLEAN);
	pl_userfault_protect(mirror->address, bytes, true);
	return pages_send(mirror);
}

int pl_mirror_adopt(uint64_t address, uint64_t bytes, const struct pl_mirror_ops *ops, void *session)
{
	const struct mirror like = { .ops = ops, .session = session, .range = address, .ahead_end = UINT64_MAX };
	struct mirror *mirror;
	int r;

	if (!bytes || address % PAGE || bytes % PAGE || address + bytes < address)
		return pl_err(-EINVAL);
	if (!pl_mirror_is_possible())
		return mirrors.possible;
	mirror = mirror_new(&like, address, bytes);
	if (!mirror)
		return -ENOMEM;
	pthread_mutex_lock(&mirrors.lock);
	r = adopt(mirror);
	pthread_mutex_unlock(&mirrors.lock);
	return r;
}

void pl_mirror_attach(uint64_t address, uint64_t bytes, bool always)
{
	pthread_mutex_lock(&mirrors.lock);
	for (struct mirror *mirror = mirrors.all; mirror; mirror = mirror->next)
		if (mirror->address < address + bytes && address < mirror->address + mirror->pages * PAGE)
			mirror->apart = !always;
	pthread_mutex_unlock(&mirrors.lock);
}

void pl_mirror_remove(const void *owner)
{
	struct mirror *next;

	pthread_mutex_lock(&mirrors.lock);
	for (struct mirror *mirror = mirrors.all; mirror; mirror = next) {
		next = mirror->next;
		if (mirror->owner == owner)
			mirror_end(mirror);
	}
	pthread_mutex_unlock(&mirrors.lock);
}

void pl_mirror_remove_at(uint64_t address)
{
	struct mirror *mirror;

	pthread_mutex_lock(&mirrors.lock);
	mirror = mirror_find(address);
	if (mirror)
		mirror_end(mirror);
	pthread_mutex_unlock(&mirrors.lock);
}

bool pl_mirror_holds(uint64_t address)
{
	bool holds;

	pthread_mutex_lock(&mirrors.lock);
	holds = mirror_find(address);
	pthread_mutex_unlock(&mirrors.lock);
	return holds;
}

/* ---- what goes back; called with the lock held ---- */

/* What has changed: a page, and a bit for each of its bytes.  Return: something has. */
static bool changes_pack(uint8_t *to, const uint8_t *now, const uint8_t *was)
{
	uint8_t *mask = to + PAGE;
	bool any = false;

	memcpy(to, now, PAGE);
	for (uint32_t i = 0; i < PAGE / 8; i++) {
		uint64_t a, b;

		memcpy(&a, to + 8 * i, 8);
		memcpy(&b, was + 8 * i, 8);
		a ^= b;
		a |= a >> 4, a |= a >> 2, a |= a >> 1;
		a &= 0x0101010101010101u;
		mask[i] = (uint8_t)(a * 0x0102040810204080u >> 56);
		any = any || a;
	}
	return any;
}

/* The device may have written to other bytes of these pages meanwhile. */
static void changes_send(struct mirror *mirror, uint64_t page, uint64_t n, bool free)
{
	uint64_t packed = 0, i = 0;

	while (i < n || packed) {
		uint64_t at = page + i;

		if (i < n && packed < PL_MIRROR_MERGE_PAGES &&
		    changes_pack(mirrors.packed + packed * PL_MIRROR_MERGE_BYTES,
				 (const uint8_t *)(uintptr_t)(mirror->address + at * PAGE),
				 mirror->twins + at * PAGE)) {
			packed++, i++;
			continue;
		}
		if (packed)
			(void)mirror->ops->merge(mirror->session, mirror->range, mirror->address + (at - packed) * PAGE,
						 mirrors.packed, packed, free);
		else
			i++; /* nothing has changed there */
		packed = 0;
	}
}

/* Pages in the same state, which is not away. */
static void page_settle(struct mirror *mirror, uint64_t page, uint64_t n, bool free)
{
	uint64_t at = mirror->address + page * PAGE;

	if (mirror->state[page] == PAGE_WRITTEN) { /* if it fails the session is lost, as the next call says */
		pl_userfault_protect(at, n * PAGE, true);
		if (mirror->twins)
			changes_send(mirror, page, n, free);
		else
			(void)mirror->ops->store(mirror->session, mirror->range, at, (const void *)(uintptr_t)at,
						 n * PAGE, free);
		if (mirror->twins)
			(void)madvise(mirror->twins + page * PAGE, n * PAGE, MADV_DONTNEED);
	}
	/* First: once they are counted as away nobody waits for it. */
	(void)madvise((void *)(uintptr_t)at, n * PAGE, MADV_DONTNEED);
	for (uint64_t i = 0; i < n; i++)
		state_set(mirror, page + i, PAGE_AWAY);
}

/* Return: some were written, so that something was sent. */
static bool pages_settle(struct mirror *mirror, bool free)
{
	bool sent = false;
	uint64_t n;

	for (uint64_t page = 0; page < mirror->pages && mirror->here; page += n) {
		n = run_of(mirror, page, AHEAD_PAGES);
		sent |= mirror->state[page] == PAGE_WRITTEN;
		if (mirror->state[page] != PAGE_AWAY)
			page_settle(mirror, page, n, free);
	}
	mirror->ahead_end = UINT64_MAX;
	return sent;
}

/* Outside the order they have to be there before anybody fetches them, or gives the device work: a count of one more
 * makes the latter wait. */
static void settle_free(const void *session)
{
	struct mirror *sent = NULL;

	atomic_fetch_add(&pl_mirror_pages_here, 1);
	for (struct mirror *mirror = mirrors.all; mirror; mirror = mirror->next)
		if (mirror->session == session && mirror->here && pages_settle(mirror, true))
			sent = mirror;
	if (sent)
		sent->ops->arrive(sent->session);
	atomic_fetch_sub(&pl_mirror_pages_here, 1);
}

void pl_mirror_settle(const void *session, bool free)
{
	if (!atomic_load(&pl_mirror_pages_here))
		return;
	pthread_mutex_lock(&mirrors.lock);
	if (free)
		settle_free(session);
	for (struct mirror *mirror = mirrors.all; mirror && !free; mirror = mirror->next)
		if (mirror->session == session && mirror->here)
			(void)pages_settle(mirror, false);
	pthread_mutex_unlock(&mirrors.lock);
}

/* A count of one more as in settle_free(). */
static void stale_settle(void)
{
	atomic_fetch_add(&pl_mirror_pages_here, 1);
	for (struct mirror *mirror = mirrors.all; mirror; mirror = mirror->next) {
		bool free = goes_free(mirror);

		if (is_stale(mirror) && pages_settle(mirror, free) && free)
			mirror->ops->arrive(mirror->session);
	}
	atomic_fetch_sub(&pl_mirror_pages_here, 1);
}

void pl_mirror_waited_slow(void)
{
	pthread_mutex_lock(&mirrors.lock);
	stale_settle();
	pthread_mutex_unlock(&mirrors.lock);
}

void pl_mirror_tick(void)
{
	pthread_mutex_lock(&mirrors.lock);
	stale_settle();
	mirrors.switches = 0;
	pthread_mutex_unlock(&mirrors.lock);
}

enum pl_mirror_due pl_mirror_due(void)
{
	enum pl_mirror_due due = PL_MIRROR_NOTHING;

	pthread_mutex_lock(&mirrors.lock);
	for (struct mirror *mirror = mirrors.twinned ? mirrors.all : NULL; mirror; mirror = mirror->next)
		if (mirror->twins && mirror->here && due != PL_MIRROR_TICK)
			due = is_stale(mirror) ? PL_MIRROR_TICK : PL_MIRROR_LOOK;
	pthread_mutex_unlock(&mirrors.lock);
	return due;
}
