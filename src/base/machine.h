/* Which machine this is. */
#ifndef PL_BASE_MACHINE_H
#define PL_BASE_MACHINE_H

#include <stdint.h>

/* The same for all programs of one machine since it booted, in whatever container, and for no others: of the kernel's
 * boot id.  0 = not known. */
uint64_t pl_machine(void);

#endif
