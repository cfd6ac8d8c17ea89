/*
 * NVML's results, handles and numbers: facts of its ABI, in declarations of our own.  test/abi compares them with
 * nvml.h where that is installed.
 */
#ifndef PL_NVML_BASE_H
#define PL_NVML_BASE_H

typedef struct nvmlDevice_st *nvmlDevice_t;
typedef struct nvmlUnit_st *nvmlUnit_t;
typedef struct nvmlEventSet_st *nvmlEventSet_t;
typedef struct nvmlGpuInstance_st *nvmlGpuInstance_t;
typedef struct nvmlComputeInstance_st *nvmlComputeInstance_t;
typedef struct nvmlGpmSample_st *nvmlGpmSample_t;

typedef struct {
	unsigned int version;
	unsigned int isSupportedDevice;
} nvmlGpmSupport_t;

typedef unsigned int nvmlDeviceArchitecture_t;
typedef unsigned int nvmlBusType_t;
typedef unsigned int nvmlFanControlPolicy_t;
typedef unsigned int nvmlPowerSource_t;
typedef unsigned int nvmlVgpuTypeId_t;
typedef unsigned int nvmlVgpuInstance_t;
typedef unsigned int nvmlAffinityScope_t;
typedef unsigned char nvmlPowerScopeType_t;
typedef unsigned char nvmlGpuFabricState_t;

typedef enum nvmlReturn_enum {
	NVML_SUCCESS = 0,
	NVML_ERROR_UNINITIALIZED = 1,
	NVML_ERROR_INVALID_ARGUMENT = 2,
	NVML_ERROR_NOT_SUPPORTED = 3,
	NVML_ERROR_NO_PERMISSION = 4,
	NVML_ERROR_ALREADY_INITIALIZED = 5,
	NVML_ERROR_NOT_FOUND = 6,
	NVML_ERROR_INSUFFICIENT_SIZE = 7,
	NVML_ERROR_INSUFFICIENT_POWER = 8,
	NVML_ERROR_DRIVER_NOT_LOADED = 9,
	NVML_ERROR_TIMEOUT = 10,
	NVML_ERROR_IRQ_ISSUE = 11,
	NVML_ERROR_LIBRARY_NOT_FOUND = 12,
	NVML_ERROR_FUNCTION_NOT_FOUND = 13,
	NVML_ERROR_CORRUPTED_INFOROM = 14,
	NVML_ERROR_GPU_IS_LOST = 15,
	NVML_ERROR_RESET_REQUIRED = 16,
	NVML_ERROR_OPERATING_SYSTEM = 17,
	NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
	NVML_ERROR_IN_USE = 19,
	NVML_ERROR_MEMORY = 20,
	NVML_ERROR_NO_DATA = 21,
	NVML_ERROR_VGPU_ECC_NOT_SUPPORTED = 22,
	NVML_ERROR_INSUFFICIENT_RESOURCES = 23,
	NVML_ERROR_FREQ_NOT_SUPPORTED = 24,
	NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
	NVML_ERROR_DEPRECATED = 26,
	NVML_ERROR_NOT_READY = 27,
	NVML_ERROR_GPU_NOT_FOUND = 28,
	NVML_ERROR_INVALID_STATE = 29,
	NVML_ERROR_RESET_TYPE_NOT_SUPPORTED = 30,
	NVML_ERROR_UNKNOWN = 999,
} nvmlReturn_t;

/* Bytes and flags. */
#define MAX_CLK_DOMAINS                                32
#define NVML_AFFINITY_SCOPE_NODE                       0
#define NVML_AFFINITY_SCOPE_SOCKET                     1
#define NVML_BUS_TYPE_PCIE                             2
#define NVML_DEVICE_ARCH_MAXWELL                       3
#define NVML_DEVICE_ARCH_PASCAL                        4
#define NVML_DEVICE_ARCH_VOLTA                         5
#define NVML_DEVICE_ARCH_TURING                        6
#define NVML_DEVICE_ARCH_AMPERE                        7
#define NVML_DEVICE_ARCH_ADA                           8
#define NVML_DEVICE_ARCH_HOPPER                        9
#define NVML_DEVICE_ARCH_BLACKWELL                     10
#define NVML_DEVICE_ARCH_UNKNOWN                       0xffffffff
#define NVML_DEVICE_INFOROM_VERSION_BUFFER_SIZE        16
#define NVML_DEVICE_NAME_BUFFER_SIZE                   64
#define NVML_DEVICE_NAME_V2_BUFFER_SIZE                96
#define NVML_DEVICE_PART_NUMBER_BUFFER_SIZE            80
#define NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE             32
#define NVML_DEVICE_PCI_BUS_ID_BUFFER_V2_SIZE          16
#define NVML_DEVICE_SERIAL_BUFFER_SIZE                 30
#define NVML_DEVICE_UUID_ASCII_LEN                     41
#define NVML_DEVICE_UUID_BINARY_LEN                    16
#define NVML_DEVICE_UUID_BUFFER_SIZE                   80
#define NVML_DEVICE_UUID_V2_BUFFER_SIZE                96
#define NVML_DEVICE_VBIOS_VERSION_BUFFER_SIZE          32
#define NVML_FI_DEV_C2C_LINK_COUNT                     170
#define NVML_FI_DEV_ECC_CURRENT                        1
#define NVML_FI_DEV_ECC_PENDING                        2
#define NVML_FI_DEV_MEMORY_TEMP                        82
#define NVML_FI_DEV_NVLINK_LINK_COUNT                  91
#define NVML_FI_DEV_PCIE_REPLAY_COUNTER                94
#define NVML_FI_DEV_POWER_AVERAGE                      185
#define NVML_FI_DEV_POWER_INSTANT                      186
#define NVML_FI_DEV_REMAPPED_COR                       142
#define NVML_FI_DEV_REMAPPED_FAILURE                   145
#define NVML_FI_DEV_REMAPPED_PENDING                   144
#define NVML_FI_DEV_REMAPPED_UNC                       143
#define NVML_FI_DEV_RETIRED_PENDING                    31
#define NVML_GPU_FABRIC_CLIQUE_MAX                     64
#define NVML_GPU_FABRIC_UUID_LEN                       16
#define NVML_GRID_LICENSE_BUFFER_SIZE                  128
#define NVML_GRID_LICENSE_FEATURE_MAX_COUNT            3
#define NVML_INIT_FLAG_NO_ATTACH                       (1 << 1)
#define NVML_INIT_FLAG_NO_GPUS                         (1 << 0)
#define NVML_MAX_GPU_UTILIZATIONS                      8
#define NVML_MAX_PHYSICAL_BRIDGE                       (128)
#define NVML_MAX_THERMAL_SENSORS_PER_GPU               3
#define NVML_NVLINK_FIRMWARE_VERSION_LENGTH            100
#define NVML_NVLINK_TOTAL_SUPPORTED_BW_MODES           23
#define NVML_PERF_MODES_BUFFER_SIZE                    2048
#define NVML_POWER_SOURCE_AC                           0x00000000
#define NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE         80
#define NVML_SYSTEM_NVML_VERSION_BUFFER_SIZE           80
#define nvmlClocksEventReasonApplicationsClocksSetting 0x0000000000000002LL
#define nvmlClocksEventReasonBoardLimit                0x0000000000000200LL
#define nvmlClocksEventReasonDisplayClockSetting       0x0000000000000100LL
#define nvmlClocksEventReasonGpuIdle                   0x0000000000000001LL
#define nvmlClocksEventReasonNone                      0x0000000000000000LL
#define nvmlClocksEventReasonReliability               0x0000000000000400LL
#define nvmlClocksEventReasonSwPowerCap                0x0000000000000004LL
#define nvmlClocksEventReasonSwThermalSlowdown         0x0000000000000020LL
#define nvmlClocksEventReasonSyncBoost                 0x0000000000000010LL
#define nvmlEventTypeClock                             0x0000000000000010LL
#define nvmlEventTypeDoubleBitEccError                 0x0000000000000002LL
#define nvmlEventTypeDramRetirementEvent               0x0000000000000400LL
#define nvmlEventTypeDramRetirementFailure             0x0000000000000800LL
#define nvmlEventTypeFatalPoisonError                  0x0000000000002000LL
#define nvmlEventTypeGpuRecoveryAction                 0x0000000000008000LL
#define nvmlEventTypeGpuUnavailableError               0x0000000000004000LL
#define nvmlEventTypeNonFatalPoisonError               0x0000000000001000LL
#define nvmlEventTypeNone                              0x0000000000000000LL
#define nvmlEventTypePState                            0x0000000000000004LL
#define nvmlEventTypePowerSourceChange                 0x0000000000000080LL
#define nvmlEventTypeSingleBitEccError                 0x0000000000000001LL
#define nvmlEventTypeSingleBitEccErrorStorm            0x0000000000000200LL
#define nvmlEventTypeXidCriticalError                  0x0000000000000008LL

#endif
