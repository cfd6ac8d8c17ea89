/* Runs cases on a device and says what came of each. */
#ifndef PL_TEST_PTX_RUN_H
#define PL_TEST_PTX_RUN_H

#include "driver.h"
#include "ptx.h"

struct pt_tally {
	unsigned passed, failed, skipped;
};

#define PT_MODULE_KERNELS 48
#define PT_PTX_LEAST      78 /* the first that knows sm_90 */

/* 0; -1: the device is gone for good (cu->error). */
int pt_run(struct pt_driver *cu, const struct pt_cases *cases, struct pt_tally *tally);
/* Which PTX version and target a case's module needs at least. */
unsigned pt_case_ptx(const struct pt_case *c);
unsigned pt_case_sm(const struct pt_case *c);
/* The end of the run of cases from FIRST that fit one module. */
size_t pt_batch_end(const struct pt_cases *cases, size_t first);

#endif
