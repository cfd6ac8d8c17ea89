/* A race on purpose: test/integration/test_races.py wants it reported. */
#include <pthread.h>

static int shared_word;

static void *add(void *arg)
{
	for (int i = 0; i < 10000; i++)
		shared_word++;
	return arg;
}

int main(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, add, NULL))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
