/*
 * An OpenCL driver that computes nothing and trusts its caller as real ones do: it reads and writes every byte that it
 * is told of, at the time when a real one would, and looks at each handle.  With a sanitizer, a caller that passes a
 * pointer, a length or a handle that is not what it says is found here.  What the API leaves to a driver's own checks
 * (a range within a buffer, a pair of flags) is answered with the API's error codes.
 */
#ifndef PL_TEST_FUZZ_STUB_DRIVER_H
#define PL_TEST_FUZZ_STUB_DRIVER_H

#include <stdbool.h>

#include "opencl-serve.h"

#define PL_STUB_ALLOC_MAX (1u << 20) /* bytes of the largest object */

/* Fills pl_cl.  One platform with two devices, whose memory is the host's. */
void pl_stub_install(void);
/* Commands stay queued until somebody flushes or waits; else they end at once, unless a user event holds them. */
void pl_stub_lazy(bool lazy);
/* Ends all that is queued. */
void pl_stub_settle(void);
/* Objects that are alive, the platform and the devices not counted. */
unsigned pl_stub_alive(void);

#endif
