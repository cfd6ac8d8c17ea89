#include "link/tcp/soon.h"

#include <assert.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link/link.h"

static _Atomic uint32_t asked;
static _Atomic bool sends = true;

static bool fake_send(struct pl_soon *soon)
{
	atomic_fetch_add(&asked, 1);
	if (!sends)
		return false;
	pl_soon_sent(soon);
	return true;
}

static void hold(struct pl_soon *soon)
{
	pl_lock(&soon->lock);
	assert(pl_soon_hold(soon));
	pl_unlock(&soon->lock);
}

static bool held(struct pl_soon *soon)
{
	bool holds;

	pl_lock(&soon->lock);
	holds = soon->holds;
	pl_unlock(&soon->lock);
	return holds;
}

static void test_what_is_held_leaves_by_itself_and_by_a_flush(void)
{
	struct pl_soon soon = { .send = fake_send };

	hold(&soon);
	while (held(&soon))
		usleep(100);
	hold(&soon);
	pl_lanes_flush();
	assert(!held(&soon));
	pl_soon_remove(&soon);
}

/* A lane that can send no more does not keep the thread awake. */
static void test_who_sends_no_more_is_left_alone(void)
{
	struct pl_soon soon = { .send = fake_send };
	uint32_t before;

	sends = false;
	hold(&soon);
	while (soon.armed)
		usleep(100);
	before = asked;
	pl_lanes_flush();
	assert(asked == before);
	pl_soon_remove(&soon);
	sends = true;
}

/* Also when the parent's thread is in the middle of its work: many children, of a parent that holds something. */
static void test_a_child_starts_with_nothing_held(void)
{
	struct pl_soon parents = { .send = fake_send };

	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid;

		pl_lock(&parents.lock); /* nobody sends it before the fork */
		assert(pl_soon_hold(&parents));
		pid = fork();
		assert(pid >= 0);
		if (!pid) {
			struct pl_soon own = { .send = fake_send };
			uint32_t before = asked;

			alarm(10);
			assert(!parents.holds && !parents.armed);
			pl_lanes_flush();
			assert(asked == before);
			hold(&own);
			while (held(&own))
				usleep(100);
			pl_soon_remove(&own);
			pl_soon_remove(&parents);
			_exit(0);
		}
		assert(parents.holds);
		pl_unlock(&parents.lock);
		assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	}
	pl_soon_remove(&parents);
}

int main(void)
{
	alarm(60);
	test_what_is_held_leaves_by_itself_and_by_a_flush();
	test_who_sends_no_more_is_left_alone();
	test_a_child_starts_with_nothing_held();
	puts("soon: ok");
	return 0;
}
