/* Lines of the log, from threads that all say their first one at the same time. */
#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/process.h"

#define THREADS 8u
#define LINES   50u

static pthread_barrier_t all_here;

static void *speaker(void *arg)
{
	pthread_barrier_wait(&all_here);
	for (unsigned i = 0; i < LINES; i++) {
		pl_log_info("thread %u line %u", *(unsigned *)arg, i);
		pl_log_debug("nobody asked for this");
	}
	return NULL;
}

static void check_lines(const char *path)
{
	unsigned next[THREADS] = { 0 }, thread, line;
	FILE *file = fopen(path, "re");
	char text[128];

	assert(file);
	while (fgets(text, sizeof(text), file)) {
		assert(sscanf(text, "plenum: info: thread %u line %u", &thread, &line) == 2);
		assert(thread < THREADS && line == next[thread]++);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert(next[i] == LINES);
	fclose(file);
}

static void test_first_lines_of_threads_open_the_file_once(void)
{
	char path[] = "/tmp/plenum-test-log-XXXXXX";
	unsigned number[THREADS], fds;
	pthread_t threads[THREADS];
	int fd = mkstemp(path);

	assert(fd >= 0);
	setenv("PLENUM_LOG", "info", 1);
	setenv("PLENUM_LOG_FILE", path, 1);
	fds = pl_test_fds_open();
	pthread_barrier_init(&all_here, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		number[i] = i;
		assert(!pthread_create(&threads[i], NULL, speaker, &number[i]));
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert(!pthread_join(threads[i], NULL));
	assert(pl_test_fds_open() == fds + 1);
	check_lines(path);
	close(fd);
	unlink(path);
}

static void test_a_level_that_is_none_is_the_programs_own(void)
{
	setenv("PLENUM_LOG", "loud", 1);
	unsetenv("PLENUM_LOG_FILE");
	pl_log_init("test", PL_LOG_WARN);
	assert(pl_log_on(PL_LOG_WARN) && !pl_log_on(PL_LOG_INFO));
	setenv("PLENUM_LOG", "OFF", 1);
	pl_log_init("test", PL_LOG_WARN);
	assert(!pl_log_on(PL_LOG_ERROR));
}

int main(void)
{
	test_first_lines_of_threads_open_the_file_once();
	test_a_level_that_is_none_is_the_programs_own();
	return 0;
}
