/* Opens a session, says "ready", and waits for the end of its input; each line of that is a new thread with a call. */
#include <pthread.h>

#include "ocl.h"

static void *call(void *arg)
{
	const struct ocl *o = arg;

	puts(clFinish(o->queue) ? "failed" : "called");
	fflush(stdout);
	return NULL;
}

int main(void)
{
	struct ocl o = ocl_open(0);
	pthread_t thread;
	int c;

	CK(clFinish(o.queue));
	puts("ready");
	fflush(stdout);
	while ((c = getchar()) != EOF)
		if (c == '\n' && !pthread_create(&thread, NULL, call, &o))
			pthread_join(thread, NULL);
	ocl_close(&o);
	return 0;
}
