/* Runs cases on a device and says what came of each. */
#ifndef PL_TEST_PTX_RUN_H
#define PL_TEST_PTX_RUN_H

#include "driver.h"
#include "ptx.h"

struct pt_tally {
	unsigned passed, failed, skipped;
	bool here;   /* cases that want a process of their own run in this one, which is theirs */
	bool vendor; /* not the reference GPU: what is known of its driver is skipped, with the reason */
};

#define PT_MODULE_KERNELS 48
#define PT_PTX_LEAST      78 /* the first that knows sm_90 */

/* 0; -1: the device is gone for good (cu->error). */
int pt_run(struct pt_driver *cu, const struct pt_cases *cases, struct pt_tally *tally);
/* LINE: what the case's own process says of it. 0, or -errno. */
int pt_alone_run(const struct pt_driver *cu, const struct pt_case *c, char *line, size_t room);
/* Why NVIDIA's driver answers otherwise than PTX says, or NULL. */
const char *pt_known_of(const char *name);
/* Which PTX version and target a case's module needs at least. */
unsigned pt_case_ptx(const struct pt_case *c);
unsigned pt_case_sm(const struct pt_case *c);
/* What its module says: at least sm_90, as far as the device goes; of one architecture: the device's own. */
unsigned pt_case_target(const struct pt_case *c, unsigned most);
/* The end of the run of cases from FIRST that fit one module. */
size_t pt_batch_end(const struct pt_cases *cases, size_t first);

#endif
