/*
 * What a reference GPU is, for its drivers: CUDA's and NVML say the same.
 */
#ifndef PL_REFGPU_DRIVER_IDENTITY_H
#define PL_REFGPU_DRIVER_IDENTITY_H

#define PL_CU_DEVICE_NAME   "Plenum reference GPU"
#define PL_CU_COMPUTE_MAJOR 9
#define PL_CU_COMPUTE_MINOR 0
#define PL_CU_UUID          "Plenum refgpu 00" /* 16 bytes, the last the device's number */
#define PL_CU_PCI_DOMAIN    0
#define PL_CU_PCI_BUS       1
#define PL_CU_CLOCK_KHZ     1000000 /* nominal: the host's threads are its clock */
#define PL_CU_BUS_BITS      128
#define PL_CU_COPY_ENGINES  2

#endif
