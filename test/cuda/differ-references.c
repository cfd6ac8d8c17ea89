/* Random calls: references to textures. */
#include "differ.h"

/* ---- texture and surface references ---- */

static const char references[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
				 ".global .texref picture;\n.global .surfref plane;\n"
				 ".visible .entry store(.param .u64 to)\n{\n.reg .u64 %a;\n"
				 "ld.param.u64 %a, [to];\nst.global.u32 [%a], 7;\nret;\n}\n";

/* What a reference was set to: its slot, -1 where that is gone or other. */
static struct {
	enum slot_kind kind;
	int slot;
	uint32_t serial, of;
} bound[SLOTS];

static void bind(int i, enum slot_kind kind, int slot, CUresult r)
{
	if (r == CUDA_SUCCESS) {
		bound[i].kind = kind;
		bound[i].slot = slot;
		bound[i].serial = slots[kind][slot].serial;
		bound[i].of = slots[TEXREF][i].serial;
	}
}

static bool is_bound(int i)
{
	return bound[i].of && bound[i].of == slots[TEXREF][i].serial;
}

static int bound_to(int i)
{
	return is_bound(i) && slots[bound[i].kind][bound[i].slot].live &&
			       slots[bound[i].kind][bound[i].slot].serial == bound[i].serial
		       ? bound[i].slot
		       : -1;
}

/* A module's goes with the module, of which the slot has the handle. */
static bool reference_lives(int i)
{
	int m = slots[TEXREF][i].bytes ? which(MODULE, slots[TEXREF][i].bytes) : -1;
	return slots[TEXREF][i].live && (!slots[TEXREF][i].bytes || (m >= 0 && slots[MODULE][m].live));
}

static void do_reference_made(void)
{
	int i = room(TEXREF), m;
	CUtexref made_ref = NULL;
	CUmodule module = NULL;
	CUresult r;
	const char *name = one_in(4) ? "none such" : one_in(6) ? "plane" : "picture";
	if (one_in(3)) {
		m = room(MODULE);
		if (m < 0)
			return;
		r = CALL(cuModuleLoadData, (&module, references), "o%d, references", m);
		made(MODULE, m, r, (uint64_t)(uintptr_t)module, 0);
		return;
	}
	if (one_in(3)) {
		i = any(TEXREF);
		r = CALL(cuTexRefDestroy, (handle_of(TEXREF, i, CUtexref)), "x%d", i);
		if (r == CUDA_SUCCESS)
			gone(TEXREF, i);
		return;
	}
	if (one_in(4)) {
		CUsurfref surface = NULL;
		CUarray array = NULL;
		int a = any(ARRAY);
		unsigned int flags = (unsigned int)one_of(0, 0, 1);
		m = any(MODULE);
		name = one_in(4) ? "none such" : one_in(6) ? "picture" : "plane";
		r = CALL(cuModuleGetSurfRef,
			 (perhaps_null(&surface, slots[MODULE][m].live, 10), handle_of(MODULE, m, CUmodule), name),
			 "o%d, %s", m, name);
		out_number("made", surface != NULL);
		CALL(cuSurfRefSetArray, (surface, handle_of(ARRAY, a, CUarray), flags), "o%d, a%d, %u", m, a, flags);
		CALL(cuSurfRefGetArray, (&array, surface), "o%d", m);
		a = which(ARRAY, (uint64_t)(uintptr_t)array);
		out_number("is", a >= 0 && slots[ARRAY][a].live ? a : -1);
		return;
	}
	if (i < 0)
		return;
	if (one_in(2)) {
		r = CALL(cuTexRefCreate, (perhaps_null(&made_ref, true, 10)), "x%d", i);
		made(TEXREF, i, r, (uint64_t)(uintptr_t)made_ref, 0);
		return;
	}
	m = any(MODULE);
	r = CALL(cuModuleGetTexRef,
		 (name[0] == 'p' ? perhaps_null(&made_ref, slots[MODULE][m].live, 10) : &made_ref,
		  handle_of(MODULE, m, CUmodule), name),
		 "x%d, o%d, %s", i, m, name);
	if (r == CUDA_SUCCESS && which(TEXREF, (uint64_t)(uintptr_t)made_ref) < 0) {
		made(TEXREF, i, r, (uint64_t)(uintptr_t)made_ref, slots[MODULE][m].handle);
		slots[TEXREF][i].owner = slots[MODULE][m].owner;
	}
}

static void do_reference(void)
{
	int i = any(TEXREF), value = (int)one_of(0, 1, 2, 3, 4, 9, (uint64_t)-1), a = any(ARRAY), m = memory_of(4096);
	CUtexref ref = handle_of(TEXREF, i, CUtexref);
	CUarray array = handle_of(ARRAY, a, CUarray);
	CUarray_format format = (CUarray_format)one_of(1, 8, 32, 16, 77);
	unsigned int flags = (unsigned int)one_of(0, 1, 2, 3, 0x10, 0x100);
	float colour[4] = { 1, 2, 3, 4 };
	size_t offset = 0x5555, bytes = one_of(0, 1024, 4096, 4, 1ull << 40);
	CUDA_ARRAY_DESCRIPTOR desc = { one_of(16, 8, 0), one_of(4, 1, 0), format, (unsigned int)one_of(1, 2, 4, 3) };
	CUdeviceptr at = m < 0 ? 0 : slots[MEMORY][m].handle;
	uint32_t what = pick(13);
	CUresult r;
	/* Left out: what is set makes the object anew, and a texture of what is gone has no one result. */
	if (is_bound(i) && bound_to(i) < 0)
		what = pick(3);
	if (!reference_lives(i) && desc.Width == 0)
		desc.Width = 8;
	switch (what) {
	case 0:
		bind(i, ARRAY, a, CALL(cuTexRefSetArray, (ref, array, flags), "x%d, a%d, %u", i, a, flags));
		return;
	case 1:
		if (m < 0)
			return;
		r = CALL(cuTexRefSetAddress_v2, (one_in(4) ? NULL : &offset, ref, at, bytes), "x%d, m%d, %zu", i, m,
			 bytes);
		bind(i, MEMORY, m, r);
		out_number("offset", r == CUDA_SUCCESS ? (int64_t)offset : -1);
		return;
	case 2:
		if (m < 0)
			return;
		offset = one_of(64, 32, 0, 100);
		r = CALL(cuTexRefSetAddress2D_v3, (ref, perhaps_null(&desc, reference_lives(i), 10), at, offset),
			 "x%d, %zu x %zu, %d, %u, m%d, %zu", i, desc.Width, desc.Height, (int)desc.Format,
			 desc.NumChannels, m, offset);
		bind(i, MEMORY, m, r);
		return;
	case 3:
		CALL(cuTexRefSetFormat, (ref, format, value), "x%d, %d, %d", i, (int)format, value);
		return;
	case 4:
		CALL(cuTexRefSetAddressMode, (ref, value, (CUaddress_mode)flags), "x%d, %d, %u", i, value, flags);
		return;
	case 5:
		CALL(cuTexRefSetFilterMode, (ref, (CUfilter_mode)value), "x%d, %d", i, value);
		return;
	case 6:
		CALL(cuTexRefSetFlags, (ref, flags), "x%d, %u", i, flags);
		return;
	case 7:
		CALL(cuTexRefSetMipmapFilterMode, (ref, (CUfilter_mode)value), "x%d, %d", i, value);
		return;
	case 8:
		CALL(cuTexRefSetMipmapLevelBias, (ref, 1.5f), "x%d", i);
		CALL(cuTexRefSetMipmapLevelClamp, (ref, (float)value, 3), "x%d, %d", i, value);
		return;
	case 9:
		CALL(cuTexRefSetMaxAnisotropy, (ref, flags), "x%d, %u", i, flags);
		return;
	case 10:
		CALL(cuTexRefSetBorderColor, (ref, perhaps_null(colour, reference_lives(i), 6)), "x%d", i);
		return;
	case 11: {
		int f = any(FUNCTION);
		value = (int)one_of((uint64_t)-1, 0, 1);
		CALL(cuParamSetTexRef, (handle_of(FUNCTION, f, CUfunction), value, ref), "f%d, %d, x%d", f, value, i);
		return;
	}
	default:
		CALL(cuTexRefSetMipmappedArray, (ref, NULL, flags), "x%d, NULL, %u", i, flags);
	}
}

static void do_reference_said(void)
{
	int i = any(TEXREF), value = 0x5555, dimension = (int)one_of(0, 1, 2, 3, (uint64_t)-1), a, to;
	CUtexref ref = handle_of(TEXREF, i, CUtexref);
	bool none = one_in(8) && reference_lives(i) && current() >= 0;
	float number[4] = { -7, -7, -7, -7 };
	CUaddress_mode mode = (CUaddress_mode)0x55;
	CUfilter_mode filter = (CUfilter_mode)0x55;
	CUarray_format format = (CUarray_format)0x55;
	unsigned int flags = 0x5555;
	CUdeviceptr at = 1;
	CUarray array = NULL;
	CUmipmappedArray mipmap = NULL;
	if (none)
		dimension = 0;
	to = bound_to(i);
	switch (pick(11)) {
	case 0:
		CALL(cuTexRefGetAddress_v2, (none ? NULL : &at, ref), "x%d, %d", i, none);
		out_number("kept", at == 1);
		out_number("is", to >= 0 && bound[i].kind == MEMORY ? which(MEMORY, at) : -1);
		return;
	case 1:
		CALL(cuTexRefGetArray, (none ? NULL : &array, ref), "x%d, %d", i, none);
		a = which(ARRAY, (uint64_t)(uintptr_t)array);
		out_number("is", a >= 0 && slots[ARRAY][a].live ? a : -1);
		return;
	case 2:
		CALL(cuTexRefGetMipmappedArray, (none ? NULL : &mipmap, ref), "x%d, %d", i, none);
		return;
	case 3:
		CALL(cuTexRefGetAddressMode, (none ? NULL : &mode, ref, dimension), "x%d, %d, %d", i, none, dimension);
		out_number("is", mode);
		return;
	case 4:
		CALL(cuTexRefGetFilterMode, (none ? NULL : &filter, ref), "x%d, %d", i, none);
		out_number("is", filter);
		return;
	case 5:
		CALL(cuTexRefGetFormat, (none ? NULL : &format, none && one_in(2) ? NULL : &value, ref), "x%d, %d", i,
		     none);
		out_number("is", format);
		out_number("is", value);
		return;
	case 6:
		CALL(cuTexRefGetFlags, (none ? NULL : &flags, ref), "x%d, %d", i, none);
		out_number("is", flags);
		return;
	case 7:
		CALL(cuTexRefGetMipmapFilterMode, (none ? NULL : &filter, ref), "x%d, %d", i, none);
		out_number("is", filter);
		return;
	case 8:
		CALL(cuTexRefGetMipmapLevelBias, (none ? NULL : number, ref), "x%d, %d", i, none);
		CALL(cuTexRefGetMipmapLevelClamp, (none ? NULL : number + 1, number + 2, ref), "x%d, %d", i, none);
		out(number, sizeof(number));
		return;
	case 9:
		CALL(cuTexRefGetMaxAnisotropy, (none ? NULL : &value, ref), "x%d, %d", i, none);
		out_number("is", value);
		return;
	default:
		CALL(cuTexRefGetBorderColor, (none ? NULL : number, ref), "x%d, %d", i, none);
		out(number, sizeof(number));
	}
}

const struct operation differ_references[] = { { "reference-made", 3, do_reference_made },
					       { "reference", 4, do_reference },
					       { "reference-said", 3, do_reference_said },
					       { NULL, 0, NULL } };
