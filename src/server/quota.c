#include "server/quota.h"

#include "base/log.h"

static const char *const names[PL_QUOTA_KINDS] = { "objects", "memory", "host memory", "transfers in flight" };

const char *pl_quota_name(enum pl_quota_kind kind)
{
	return names[kind];
}

static void peak_note(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t used)
{
	uint64_t peak = atomic_load_explicit(&quota->peak[kind], memory_order_relaxed);

	while (used > peak && !atomic_compare_exchange_weak_explicit(&quota->peak[kind], &peak, used,
								     memory_order_relaxed, memory_order_relaxed))
		;
}

bool pl_quota_charge(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount)
{
	const uint64_t limit = atomic_load_explicit(&quota->limit[kind], memory_order_relaxed);
	uint64_t used = atomic_load_explicit(&quota->used[kind], memory_order_relaxed);

	do {
		if (used > limit || amount > limit - used) {
			pl_log_info("limit on %s: %llu asked, %llu of %llu in use", names[kind],
				    (unsigned long long)amount, (unsigned long long)used, (unsigned long long)limit);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&quota->used[kind], &used, used + amount, memory_order_relaxed,
							memory_order_relaxed));
	peak_note(quota, kind, used + amount);
	return true;
}

void pl_quota_return(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount)
{
	atomic_fetch_sub_explicit(&quota->used[kind], amount, memory_order_relaxed);
}
