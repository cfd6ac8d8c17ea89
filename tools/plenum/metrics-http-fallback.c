#include "plenum/metrics.h"

int pl_metrics_serve(const char *url, const char *address)
{
	(void)address;
	fprintf(stderr,
		"plenum metrics: %s: built without libmicrohttpd; `plenum metrics' prints the text for others to "
		"serve\n",
		url);
	return 1;
}
