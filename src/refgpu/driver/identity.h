/*
 * What a reference GPU is, for its drivers: CUDA's and NVML say the same.
 */
#ifndef PL_REFGPU_DRIVER_IDENTITY_H
#define PL_REFGPU_DRIVER_IDENTITY_H

#include <stdlib.h>

#define PL_CU_DEVICE_NAME   "Plenum reference GPU"
#define PL_CU_COMPUTE_MAJOR 9
#define PL_CU_COMPUTE_MINOR 0
#define PL_CU_UUID          "Plenum refgpu 00" /* 16 bytes, the last the device's number */
#define PL_CU_PCI_DOMAIN    0
#define PL_CU_PCI_BUS       1
#define PL_CU_CLOCK_KHZ     1000000 /* nominal: the host's threads are its clock */
#define PL_CU_BUS_BITS      128
#define PL_CU_COPY_ENGINES  2

/* Which of several reference GPUs it is, 0 to 9: the last of its UUID, and its number on the bus. */
static inline unsigned int pl_cu_number(void)
{
	const char *text = getenv("PLENUM_REFGPU_NUMBER");

	return text && text[0] >= '0' && text[0] <= '9' && !text[1] ? (unsigned int)(text[0] - '0') : 0;
}

#endif
