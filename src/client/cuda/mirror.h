/*
 * Managed memory of a device whose memory is not the program's: pages at the device's own addresses that come when the
 * program touches them, and go back when the device is to see them (docs/adr/0022).  The kernel tells of touches and of
 * first writes (userfaultfd), to a thread that fetches meanwhile.
 *
 * A page is with the device, or here and unchanged, or here and written.  pl_mirror_settle() sends what was written and
 * gives all pages up; whoever writes to one meanwhile waits.  The program and the device do not use it at one time: who
 * touches a page that is with a device that works waits until it has ended, as long as pl_mirror_patience_ms.
 *
 * Mapped host memory is used by both at one time (docs/adr/0033): of such pages the bytes that were written go, and no
 * others, and while the device works they go, and are given up, by themselves every millisecond.  What came before the
 * device's last work had ended is given up, too, when the program hears that it has.
 */
#ifndef PL_CLIENT_CUDA_MIRROR_H
#define PL_CLIENT_CUDA_MIRROR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PL_MIRROR_PAGE_BYTES  4096u
#define PL_MIRROR_FETCH_BYTES (1u << 20)                                        /* limit: of one fetch */
#define PL_MIRROR_MERGE_BYTES (PL_MIRROR_PAGE_BYTES + PL_MIRROR_PAGE_BYTES / 8) /* of a page with its mask */
#define PL_MIRROR_MERGE_PAGES 3u                                                /* limit: of one merge() */

/* All are called with the mirrors locked, and may not touch mirrored memory but for what store() is given.
 * Return: 0, or fatal -errno. */
struct pl_mirror_ops {
	/* patient: 1 is returned, and nothing fetched, if the device works and will end without what waits for this.
	 * as_of_out: a time (worked()) as of which this is what the device had, and it did no work; 0: it did */
	int (*fetch)(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes, bool patient,
		     uint64_t *as_of_out);
	/* free: outside the session's order, before what this thread sends next */
	int (*store)(void *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes, bool free);
	/* Of memory that both use at one time; NULL: it is none.  data: PL_MIRROR_MERGE_BYTES for each page, which are
	 * the page and a bit for each byte that goes (bit i % 8 of the mask's byte i / 8), the rest is to stay as it
	 * is. */
	int (*merge)(void *session, uint64_t range, uint64_t address, const void *data, uint64_t pages, bool free);
	/* Returns when what this thread has sent outside the order is there. */
	void (*arrive)(void *session);
	/* Nothing works with the memory, nor will before the next pl_mirror_settle(); with merge() alone. */
	bool (*idle)(void *session);
	/* When it was last given work, from 1 on, in the order of all times; 0: never.  With merge() alone. */
	uint64_t (*worked)(void *session);
	/* What goes by itself is to go outside the session's order, and be there: whoever holds that may wait for
	 * somebody who waits for the mirrors.  NULL: never. */
	bool (*goes_free)(void *session);
};

/* Pages that are here, of all mirrors: nothing has to be settled while there are none. */
extern _Atomic uint32_t pl_mirror_pages_here;

/* How long the device's end is waited for: what waits for the program itself goes on then.  Of tests. */
extern _Atomic uint32_t pl_mirror_patience_ms;

/* Does the kernel let us?  Asked once. */
bool pl_mirror_is_possible(void);

/** pl_mirror_add() - mirrors pages
 * Those of them that are mirrored already stay as they are.
 * @address, @bytes: whole pages
 * @session, @range: for the operations
 * @owner: for pl_mirror_remove()
 * Return: 0; fatal -errno: nothing was added (-EPERM, -ENOSYS: no userfaultfd; -EEXIST: the program has something
 * there; -ENOMEM). */
int pl_mirror_add(uint64_t address, uint64_t bytes, const struct pl_mirror_ops *ops, void *session, uint64_t range,
		  const void *owner);
/** pl_mirror_adopt() - mirrors pages that the program has there, where the device has zeros
 * What is in them goes to the device.
 * @address, @bytes: whole pages of private anonymous memory, none of them mirrored; `address` is their range's, too
 * Return: 0; fatal -errno: -EPERM, -ENOSYS, -ENOMEM, -EINVAL: the pages are as they were; another one is of the
 * session, which is lost. */
int pl_mirror_adopt(uint64_t address, uint64_t bytes, const struct pl_mirror_ops *ops, void *session);
/* Of all pages that lie there: does the device use them whenever it works?  Until this is called it does; else nobody
 * waits for its end. */
void pl_mirror_attach(uint64_t address, uint64_t bytes, bool always);
/* Unmaps what an owner has; what was written is lost. */
void pl_mirror_remove(const void *owner);
/* Unmaps the mirror that holds the address. */
void pl_mirror_remove_at(uint64_t address);
bool pl_mirror_holds(uint64_t address);
/* The device is to see what was written, and the program what the device writes from here on. */
void pl_mirror_settle(const void *session, bool free);
/* Work of the device has ended, and the program is about to hear so: it sees what the device has written. */
void pl_mirror_waited_slow(void);

static inline void pl_mirror_waited(void)
{
	if (__builtin_expect(atomic_load_explicit(&pl_mirror_pages_here, memory_order_relaxed), 0))
		pl_mirror_waited_slow();
}

#endif
