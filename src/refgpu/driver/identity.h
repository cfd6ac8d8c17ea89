/*
 * What a reference GPU is, for its drivers: CUDA's and NVML say the same.
 */
#ifndef PL_REFGPU_DRIVER_IDENTITY_H
#define PL_REFGPU_DRIVER_IDENTITY_H

#include <stdlib.h>

#include "cuda/claim.h"

#define PL_CU_DEVICE_NAME    PL_CUDA_REFERENCE_NAME
#define PL_CU_CAPABILITY_MIN 50
#define PL_CU_CAPABILITY_MAX 199
#define PL_CU_UUID           "Plenum refgpu 00" /* 16 bytes, the last the device's number */
#define PL_CU_PCI_DOMAIN     0
#define PL_CU_PCI_BUS        1
#define PL_CU_CLOCK_KHZ      1000000 /* nominal: the host's threads are its clock */
#define PL_CU_BUS_BITS       128
#define PL_CU_COPY_ENGINES   2

/* Which of several reference GPUs it is, 0 to 9: the last of its UUID, and its number on the bus. */
static inline unsigned int pl_cu_number(void)
{
	const char *text = getenv("PLENUM_REFGPU_NUMBER");

	return text && text[0] >= '0' && text[0] <= '9' && !text[1] ? (unsigned int)(text[0] - '0') : 0;
}

/* "9.0" -> 90.  Return: 0 where it is none of what the device can claim to be. */
static inline unsigned int pl_cu_capability_read(const char *text)
{
	unsigned int value;
	char *point;
	unsigned long major = text[0] >= '1' && text[0] <= '9' ? strtoul(text, &point, 10) : 0;

	if (!major || major > PL_CU_CAPABILITY_MAX / 10 || *point != '.' || point[1] < '0' || point[1] > '9' ||
	    point[2])
		return 0;
	value = 10 * (unsigned int)major + (unsigned int)(point[1] - '0');
	return value >= PL_CU_CAPABILITY_MIN && value <= PL_CU_CAPABILITY_MAX ? value : 0;
}

/* The compute capability that the device claims, 10 * major + minor: the newest PTX that it takes. */
static inline unsigned int pl_cu_capability(void)
{
	const char *text = getenv("PLENUM_REFGPU_CAPABILITY");
	unsigned int value = text ? pl_cu_capability_read(text) : 0;

	return value ? value : pl_cuda_claim();
}

#endif
