#!/usr/bin/env python3
"""What nvidia-smi shows, by the real pynvml (nvidia-ml-py), so that two ways to a device can be compared.

smi.py [--steady]     --steady leaves out what changes by itself: times, load, processes
"""

import sys

import pynvml as nv

STEADY = "--steady" in sys.argv[1:]


def ask(function, *arguments):
    """The answer, or the name of the error."""
    try:
        answer = function(*arguments)
    except nv.NVMLError as error:
        return f"[{error.__class__.__name__.removeprefix('NVMLError_') if error.__class__ is not nv.NVMLError else error.value}]"
    return answer.decode() if isinstance(answer, bytes) else answer


def fields(answer):
    """A structure as a line."""
    if not hasattr(answer, "_fields_"):
        return answer
    return {name: text(getattr(answer, name)) for name, *_ in answer._fields_}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def memory(device):
    answer = ask(nv.nvmlDeviceGetMemoryInfo, device)
    if isinstance(answer, str):
        return answer
    return f"{answer.used >> 20}MiB / {answer.total >> 20}MiB"


def processes(device):
    found = ask(nv.nvmlDeviceGetComputeRunningProcesses_v3, device)
    if isinstance(found, str):
        return [found]
    return [f"pid {p.pid}  {ask(nv.nvmlSystemGetProcessName, p.pid)}  {(p.usedGpuMemory or 0) >> 20}MiB" for p in found]


def row(title, *values):
    print(f"| {title:28} | " + " ".join(str(v) for v in values))


def one(index):
    device = nv.nvmlDeviceGetHandleByIndex(index)
    row("GPU", index, ask(nv.nvmlDeviceGetName, device), ask(nv.nvmlDeviceGetUUID, device))
    pci = ask(nv.nvmlDeviceGetPciInfo, device)
    row("Bus-Id", pci if isinstance(pci, str) else text(pci.busId))
    for way, key in ((nv.nvmlDeviceGetHandleByUUID, ask(nv.nvmlDeviceGetUUID, device)),
                     (nv.nvmlDeviceGetHandleByPciBusId, text(pci.busId)),
                     (nv.nvmlDeviceGetHandleBySerial, ask(nv.nvmlDeviceGetSerial, device))):
        again = ask(way, key.encode())
        row(way.__name__[len("nvmlDeviceGet"):], key, again if isinstance(again, str) else ask(nv.nvmlDeviceGetIndex, again))
    row("Fan Temp Perf Pwr", ask(nv.nvmlDeviceGetFanSpeed, device),
        ask(nv.nvmlDeviceGetTemperature, device, nv.NVML_TEMPERATURE_GPU), ask(nv.nvmlDeviceGetPerformanceState, device),
        ask(nv.nvmlDeviceGetPowerUsage, device), ask(nv.nvmlDeviceGetPowerManagementLimit, device))
    row("Memory-Usage", memory(device))
    if not STEADY:
        row("GPU-Util", fields(ask(nv.nvmlDeviceGetUtilizationRates, device)))
    row("Persistence, Display", ask(nv.nvmlDeviceGetPersistenceMode, device), ask(nv.nvmlDeviceGetDisplayActive, device))
    row("Compute M., ECC, MIG M.", ask(nv.nvmlDeviceGetComputeMode, device), ask(nv.nvmlDeviceGetEccMode, device),
        ask(nv.nvmlDeviceGetMigMode, device))
    row("Compute capability, cores", ask(nv.nvmlDeviceGetCudaComputeCapability, device),
        ask(nv.nvmlDeviceGetNumGpuCores, device), ask(nv.nvmlDeviceGetArchitecture, device))
    row("Clocks (SM, memory, max SM)", ask(nv.nvmlDeviceGetClockInfo, device, nv.NVML_CLOCK_SM),
        ask(nv.nvmlDeviceGetClockInfo, device, nv.NVML_CLOCK_MEM), ask(nv.nvmlDeviceGetMaxClockInfo, device, nv.NVML_CLOCK_SM))
    row("BAR1", fields(ask(nv.nvmlDeviceGetBAR1MemoryInfo, device)))
    row("PCIe link", ask(nv.nvmlDeviceGetCurrPcieLinkGeneration, device), ask(nv.nvmlDeviceGetCurrPcieLinkWidth, device))
    row("NVLink 0", ask(nv.nvmlDeviceGetNvLinkState, device, 0))
    row("Set power limit", ask(nv.nvmlDeviceSetPowerManagementLimit, device, 100000))
    if not STEADY:
        for process in processes(device):
            row("Process", process)


def main():
    nv.nvmlInit()
    row("Driver, NVML, CUDA", ask(nv.nvmlSystemGetDriverVersion), ask(nv.nvmlSystemGetNVMLVersion),
        ask(nv.nvmlSystemGetCudaDriverVersion_v2))
    for index in range(nv.nvmlDeviceGetCount()):
        one(index)
    row("A GPU too many", ask(nv.nvmlDeviceGetHandleByIndex, nv.nvmlDeviceGetCount()))
    nv.nvmlShutdown()
    row("After the end", ask(nv.nvmlDeviceGetCount))


if __name__ == "__main__":
    main()
