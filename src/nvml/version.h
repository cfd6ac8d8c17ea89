/*
 * NVML's versioned structures say in their member `version` which they are: number and size.
 */
#ifndef PL_NVML_VERSION_H
#define PL_NVML_VERSION_H

#include "nvml/types.h"

#define NVML_STRUCT_VERSION(data, ver)   (unsigned int)(sizeof(nvml##data##_v##ver##_t) | ((ver) << 24U))

#define nvmlClockOffset_v1               NVML_STRUCT_VERSION(ClockOffset, 1)
#define nvmlCoolerInfo_v1                NVML_STRUCT_VERSION(CoolerInfo, 1)
#define nvmlDeviceAddressingMode_v1      NVML_STRUCT_VERSION(DeviceAddressingMode, 1)
#define nvmlDeviceCapabilities_v1        NVML_STRUCT_VERSION(DeviceCapabilities, 1)
#define nvmlDeviceCurrentClockFreqs_v1   NVML_STRUCT_VERSION(DeviceCurrentClockFreqs, 1)
#define nvmlDevicePerfModes_v1           NVML_STRUCT_VERSION(DevicePerfModes, 1)
#define nvmlDramEncryptionInfo_v1        NVML_STRUCT_VERSION(DramEncryptionInfo, 1)
#define nvmlEccSramErrorStatus_v1        NVML_STRUCT_VERSION(EccSramErrorStatus, 1)
#define nvmlFanSpeedInfo_v1              NVML_STRUCT_VERSION(FanSpeedInfo, 1)
#define nvmlGpuFabricInfo_v3             NVML_STRUCT_VERSION(GpuFabricInfo, 3)
#define nvmlGpuInstanceProfileInfo_v2    NVML_STRUCT_VERSION(GpuInstanceProfileInfo, 2)
#define nvmlMarginTemperature_v1         NVML_STRUCT_VERSION(MarginTemperature, 1)
#define nvmlMemory_v2                    NVML_STRUCT_VERSION(Memory, 2)
#define nvmlNvLinkInfo_v2                NVML_STRUCT_VERSION(NvLinkInfo, 2)
#define nvmlNvlinkGetBwMode_v1           NVML_STRUCT_VERSION(NvlinkGetBwMode, 1)
#define nvmlNvlinkSupportedBwModes_v1    NVML_STRUCT_VERSION(NvlinkSupportedBwModes, 1)
#define nvmlPciInfoExt_v1                NVML_STRUCT_VERSION(PciInfoExt, 1)
#define nvmlPdi_v1                       NVML_STRUCT_VERSION(Pdi, 1)
#define nvmlPlatformInfo_v2              NVML_STRUCT_VERSION(PlatformInfo, 2)
#define nvmlRepairStatus_v1              NVML_STRUCT_VERSION(RepairStatus, 1)
#define nvmlSystemConfComputeSettings_v1 NVML_STRUCT_VERSION(SystemConfComputeSettings, 1)
#define nvmlSystemConfComputeSettings_v2 NVML_STRUCT_VERSION(SystemConfComputeSettings, 2)
#define nvmlSystemDriverBranchInfo_v1    NVML_STRUCT_VERSION(SystemDriverBranchInfo, 1)
#define nvmlTemperature_v1               NVML_STRUCT_VERSION(Temperature, 1)
#define nvmlUUID_v1                      NVML_STRUCT_VERSION(UUID, 1)

#endif
