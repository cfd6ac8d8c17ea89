/* wide MIB ROUNDS [THREADS]: long copies of every kind to the device and back, each byte checked; before the last of
 * them a child process comes and goes.  Says on stderr how fast each kind was, for whoever measures. */
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cu.h"

#define MIB         ((size_t)1 << 20)
#define THREADS_MAX 16
#define PIECE       (3 * MIB)

static size_t bytes;
static int rounds;
static CUcontext context;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fill(unsigned long long *at, size_t words, unsigned long long seed)
{
	for (size_t i = 0; i < words; i++)
		at[i] = (seed + i) * 0x9e3779b97f4a7c15ull;
}

static void expect(const unsigned long long *at, size_t words, unsigned long long seed)
{
	for (size_t i = 0; i < words; i++)
		check(at[i] == (seed + i) * 0x9e3779b97f4a7c15ull);
}

struct times {
	double to, from, to_later, from_later;
};

/* Pageable memory, whose copies are waited for, and pinned memory, whose copies come later. */
static void copy_round(CUdeviceptr device, CUstream stream, CUevent event, void *plain, void *pinned,
		       unsigned long long seed, struct times *times)
{
	size_t words = bytes / 8;
	double begin;

	fill(plain, words, seed);
	begin = now();
	cu_ok(cu(cuMemcpyHtoD_v2)(device, plain, bytes));
	cu_ok(cu(cuCtxSynchronize)());
	times->to += now() - begin;
	memset(plain, 0, bytes);
	begin = now();
	cu_ok(cu(cuMemcpyDtoH_v2)(plain, device, bytes));
	times->from += now() - begin;
	expect(plain, words, seed);

	fill(pinned, words, seed + 1);
	begin = now();
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, pinned, bytes, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	times->to_later += now() - begin;
	memset(pinned, 0, bytes);
	begin = now();
	cu_ok(cu(cuEventRecord)(event, stream)); /* where nothing is under way the bytes come with the copy's answer */
	for (size_t at = 0; at < bytes; at += PIECE) /* over tcp the bytes of these come by themselves */
		cu_ok(cu(cuMemcpyDtoHAsync_v2)((char *)pinned + at, device + at,
					       bytes - at < PIECE ? bytes - at : PIECE, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	times->from_later += now() - begin;
	expect(pinned, words, seed + 1);
}

static void *copy_run(void *arg)
{
	unsigned long long seed = (unsigned long long)(size_t)arg << 32;
	void *plain = malloc(bytes), *pinned;
	struct times times = { 0 };
	double all = (double)bytes * rounds * 1e-6;
	CUdeviceptr device;
	CUstream stream;
	CUevent event;

	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemHostAlloc)(&pinned, bytes, 0));
	cu_ok(cu(cuMemAlloc_v2)(&device, bytes));
	for (int i = 0; i < rounds; i++)
		copy_round(device, stream, event, plain, pinned, seed + (unsigned)i * 1000, &times);
	fprintf(stderr, "MB/s: to %.0f, from %.0f; later: to %.0f, from %.0f\n", all / times.to, all / times.from,
		all / times.to_later, all / times.from_later);
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuEventDestroy_v2)(event));
	free(plain);
	return NULL;
}

/* What a child has of its parent's connections. */
static int sockets(void)
{
	DIR *folder = opendir("/proc/self/fd");
	char path[300], to[64];
	int count = 0;

	check(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		count += readlink(path, to, sizeof(to)) > 7 && !memcmp(to, "socket:", 7);
	}
	closedir(folder);
	return count;
}

static void child_comes_and_goes(void)
{
	int before = sockets(), status;
	pid_t child = fork();

	if (!child)
		_exit(sockets());
	check(child > 0 && waitpid(child, &status, 0) == child);
	check(getenv("PLENUM") ? before && !status : !status);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int count;

	count = argc == 4 ? atoi(argv[3]) : 2;
	if (argc < 3 || argc > 4 || count < 1 || count > THREADS_MAX) {
		fprintf(stderr, "usage: wide MIB ROUNDS [THREADS]\n");
		return 2;
	}
	bytes = (size_t)atol(argv[1]) * MIB + 24; /* not a multiple of anything that is cut by */
	rounds = atoi(argv[2]);
	context = cu_begin();
	for (int i = 1; i < count; i++)
		check(!pthread_create(&threads[i], NULL, copy_run, (void *)(size_t)i));
	copy_run(NULL);
	for (int i = 1; i < count; i++)
		pthread_join(threads[i], NULL);
	child_comes_and_goes();
	rounds = 1;
	copy_run(NULL);
	printf("all bytes came\n");
	return 0;
}
