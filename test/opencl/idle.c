/* Opens a session, says "ready", and waits for the end of its input. */
#include "ocl.h"

int main(void)
{
	struct ocl o = ocl_open(0);

	CK(clFinish(o.queue));
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	ocl_close(&o);
	return 0;
}
