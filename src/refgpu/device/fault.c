#include "refgpu/device/fault.h"

static const char *const names[PL_RG_FAULT_CODES] = {
	[PL_RG_FAULT_PT_NOT_PRESENT] = "page table not present",
	[PL_RG_FAULT_PT_TOO_SHORT] = "page table too short",
	[PL_RG_FAULT_PAGE_NOT_PRESENT] = "page not present",
	[PL_RG_FAULT_VSPACE_LIMIT] = "address above the limit",
	[PL_RG_FAULT_NO_CHANNEL] = "no such channel",
	[PL_RG_FAULT_SUPERVISOR] = "page of the supervisor",
	[PL_RG_FAULT_READ_ONLY] = "page is read-only",
	[PL_RG_FAULT_BAD_TARGET] = "page of an unknown target",
	[PL_RG_FAULT_VRAM_RANGE] = "page above the end of VRAM",
	[PL_RG_FAULT_BUS_REFUSED] = "no memory at the bus address",
	[PL_RG_FAULT_BAD_INSTANCE] = "bad instance block",
	[PL_RG_FAULT_BAD_RING] = "bad ring entry or PUT",
	[PL_RG_FAULT_BAD_HEADER] = "bad push-buffer header",
	[PL_RG_FAULT_BAD_METHOD] = "bad method",
	[PL_RG_FAULT_BAD_ARGUMENT] = "bad argument of a method",
	[PL_RG_FAULT_BAD_LAUNCH] = "bad launch descriptor",
	[PL_RG_FAULT_BAD_CODE] = "bad instruction",
	[PL_RG_FAULT_MISALIGNED] = "misaligned address",
	[PL_RG_FAULT_SHARED_RANGE] = "outside of shared memory",
	[PL_RG_FAULT_LOCAL_RANGE] = "outside of local memory",
	[PL_RG_FAULT_STACK] = "stack overflow",
	[PL_RG_FAULT_TRAP] = "trap",
	[PL_RG_FAULT_ASSERT] = "assertion failed",
	[PL_RG_FAULT_DEADLOCK] = "deadlock within a block",
	[PL_RG_FAULT_BAD_TEXTURE] = "bad texture or surface",
	[PL_RG_FAULT_WATCHDOG] = "ran longer than the watchdog allows",
	[PL_RG_FAULT_KILLED] = "killed",
	[PL_RG_FAULT_SHARED_UNINIT] = "shared memory read before it was written",
	[PL_RG_FAULT_SHARED_RACE] = "race in shared memory",
	[PL_RG_FAULT_DIVERGENT_BARRIER] = "barrier that a part of a warp has not come to",
	[PL_RG_FAULT_OUT_OF_BOUNDS] = "outside of an allocation",
};

const char *pl_rg_fault_name(uint32_t code)
{
	if (code == PL_RG_FAULT_NONE)
		return "none";
	return code < PL_RG_FAULT_CODES && names[code] ? names[code] : "unknown fault";
}

const char *pl_rg_access_name(uint32_t access)
{
	static const char *const accesses[] = { "read", "write", "atomic", "fetch" };

	return access < sizeof(accesses) / sizeof(accesses[0]) ? accesses[access] : "unknown access";
}
