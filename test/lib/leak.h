/* Does a process keep what it should have given back?  Descriptors, children and memory, of this process or another. */
#ifndef PL_TEST_LIB_LEAK_H
#define PL_TEST_LIB_LEAK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pl_test_usage {
	unsigned fds, children;
	uint64_t memory_bytes; /* resident, but for what it shares */
};

/* Return: the process is there. */
bool pl_test_usage_get(pid_t pid, struct pl_test_usage *usage_out);

/** pl_test_usage_back() - waits up to 10 s until the process uses no more than before
 * @slack_bytes: of memory that may have been added (an allocator keeps some)
 * Return: it does; else what is too much was printed. */
bool pl_test_usage_back(pid_t pid, const struct pl_test_usage *before, uint64_t slack_bytes);

bool pl_test_process_gone(pid_t pid); /* waits up to 10 s until its parent has collected it */

#endif
