/*
 * Whole calls of the backend, one after the other, on a driver that believes everything (stub-driver.h).  Input: one
 * byte (enum pl_one_how), then records (struct pl_one_record).  After each input the client's objects are given back:
 * then nothing may be left over.
 */
#include "fuzz.h"
#include "one-session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		pl_one_session_run(data + 1, size - 1, data[0]);
	return 0;
}
