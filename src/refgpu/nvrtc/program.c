/* Which programs were compiled to PTX where machine code was asked for. */
#include <pthread.h>
#include <stdlib.h>

#include "refgpu/nvrtc/nvrtc.h"

static struct noted {
	const void *program;
	struct noted *next;
} * noted; /* under lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct noted **place_of(const void *program)
{
	struct noted **at = &noted;

	while (*at && (*at)->program != program)
		at = &(*at)->next;
	return at;
}

bool pl_rtc_program_note(const void *program, bool rewritten)
{
	struct noted **at, *entry;
	bool good = true;

	pthread_mutex_lock(&lock);
	at = place_of(program);
	entry = *at;
	if (entry && !rewritten) {
		*at = entry->next;
		free(entry);
	} else if (!entry && rewritten) {
		entry = calloc(1, sizeof(*entry));
		good = entry != NULL;
		if (good) {
			entry->program = program;
			*at = entry;
		}
	}
	pthread_mutex_unlock(&lock);
	return good;
}

bool pl_rtc_program_rewritten(const void *program)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = *place_of(program) != NULL;
	pthread_mutex_unlock(&lock);
	return found;
}
