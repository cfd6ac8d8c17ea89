/* Addresses that the program has reserved: where no memory is mapped, they are the device's all the same. */
#include "client/cuda/memory.h"
#include "cuda/ranges.h"

static struct {
	pthread_rwlock_t lock;
	struct pl_cuda_ranges all; /* under lock */
	atomic_bool any;           /* there was one once */
} reserved = { .lock = PTHREAD_RWLOCK_INITIALIZER };

bool pl_cuda_is_reserved(uint64_t address)
{
	bool is;

	if (!atomic_load_explicit(&reserved.any, memory_order_acquire))
		return false;
	pthread_rwlock_rdlock(&reserved.lock);
	is = pl_cuda_ranges_find(&reserved.all, address);
	pthread_rwlock_unlock(&reserved.lock);
	return is;
}

/* Where there is no memory for it, or another server gave the same addresses, nothing is known of it. */
void pl_cuda_reserved_enter(uint64_t address, uint64_t bytes)
{
	pthread_rwlock_wrlock(&reserved.lock);
	if (!pl_cuda_ranges_insert(&reserved.all, address, bytes, NULL))
		atomic_store_explicit(&reserved.any, true, memory_order_release);
	pthread_rwlock_unlock(&reserved.lock);
}

void pl_cuda_reserved_forget(uint64_t address, uint64_t bytes)
{
	struct pl_cuda_range *range;

	pthread_rwlock_wrlock(&reserved.lock);
	range = pl_cuda_ranges_find(&reserved.all, address);
	if (range && range->start == address && range->size == bytes)
		pl_cuda_ranges_remove(&reserved.all, range);
	pthread_rwlock_unlock(&reserved.lock);
}
