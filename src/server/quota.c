#include "server/quota.h"

#include "base/log.h"

static const char *const names[PL_QUOTA_KINDS] = { "objects", "memory", "host memory", "transfers in flight" };

const char *pl_quota_name(enum pl_quota_kind kind)
{
	return names[kind];
}

bool pl_quota_charge(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount)
{
	uint64_t used = atomic_load_explicit(&quota->used[kind], memory_order_relaxed);

	do {
		if (used > quota->limit[kind] || amount > quota->limit[kind] - used) {
			pl_log_info("limit on %s: %llu asked, %llu of %llu in use", names[kind],
				    (unsigned long long)amount, (unsigned long long)used,
				    (unsigned long long)quota->limit[kind]);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&quota->used[kind], &used, used + amount, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void pl_quota_return(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount)
{
	atomic_fetch_sub_explicit(&quota->used[kind], amount, memory_order_relaxed);
}
