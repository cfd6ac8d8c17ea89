/*
 * The PTX compiler: one or several PTX texts become one image for the reference GPU.  Pure computation: no device, no
 * file, no global state; any thread.  Texts are hostile: every size is checked against a limit below, and what is not
 * supported is refused with line and reason, never compiled to something else.
 *
 * An image has three sections that the caller places in device memory (code, global, constant) and relocations that say
 * which words need the addresses.  Offsets and sizes are bytes.  Addresses of functions are addresses in the code
 * section.
 */
#ifndef PL_REFGPU_PTX_PTX_H
#define PL_REFGPU_PTX_PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PTX_TEXT_BYTES_MAX    (256u << 20)  /* one text */
#define PL_PTX_UNITS_MAX         4096u         /* texts that are linked together */
#define PL_PTX_PARAM_BYTES_MAX   32764u        /* of one kernel, as PTX 8.1 allows */
#define PL_PTX_SHARED_STATIC_MAX (228u << 10)  /* of one kernel; what a launch may use is the driver's business */
#define PL_PTX_VAR_BYTES_MAX     (64ull << 30) /* one variable; only what has initial data takes host memory */
#define PL_PTX_ERRORS_MAX        20u           /* in one log; then the compiler gives up */
#define PL_PTX_CALL_DEPTH        4096u         /* of functions that are `recursive` */
/* Steps of what costs more than a function is long, for a function of n instructions: MIN + n * EACH. */
#define PL_PTX_WORK_MIN          20000000ull
#define PL_PTX_WORK_EACH         100u
#define PL_PTX_VERSION_MAX       99u  /* .version major * 10 + minor: what it adds is refused by its own name */
#define PL_PTX_TARGET_MAX        121u /* .target sm_NN */

enum { /* positive results of pl_ptx_compile(): the log says where and why */
       PL_PTX_OK,
       PL_PTX_E_INVALID,     /* not PTX: syntax, types, undeclared names */
       PL_PTX_E_UNSUPPORTED, /* PTX, but nothing that this GPU does */
       PL_PTX_E_VERSION,     /* .version or .target is newer than this compiler */
       PL_PTX_E_LINK,        /* undefined or doubly defined between units */
       PL_PTX_E_LIMIT,       /* too large: one of the limits above or of the instruction set */
};

struct pl_ptx_source {
	const char *text; /* need not end in 0; a 0 inside ends it */
	size_t bytes;
	const char *name; /* for the log and the line table; NULL = "ptx" */
};

struct pl_ptx_options {
	uint32_t target;        /* sm_NN that the device claims, e.g. 90; 0 = take any up to PL_PTX_TARGET_MAX */
	uint32_t registers_max; /* accepted as a hint: there is no spilling */
	bool line_info;         /* keep .loc; PTX lines are always kept */
	bool verbose;           /* one line a function in the log: slots, bytes */
	bool entry_only;        /* drop functions that no entry and no table of addresses reaches */
};

struct pl_ptx_log { /* both buffers optional; always ended by 0, cut at a line where they are full */
	char *info, *error;
	size_t info_bytes, error_bytes; /* room */
	size_t info_used, error_used;   /* set: without the 0 */
	uint32_t line, column;          /* set: of the first error, 1-based; 0 = none */
	uint64_t work;                  /* set: steps of the analyses that PL_PTX_WORK_MIN bounds */
};

enum pl_ptx_section { PL_PTX_CODE, PL_PTX_GLOBAL, PL_PTX_CONST, PL_PTX_SECTIONS };

struct pl_ptx_bytes {
	uint8_t *data;       /* the first data_bytes; what follows is zero */
	uint64_t data_bytes; /* <= bytes */
	uint64_t bytes;
	uint32_t align;
};

/* What pl_ptx_image_place() does with value = address of section `target` + addend at `offset` of `section`. */
enum pl_ptx_reloc_kind {
	PL_PTX_RELOC_BYTES, /* the lowest `bytes` bytes of value >> shift */
	PL_PTX_RELOC_MOV64, /* into the fields of a MOV64 or UMOV64 */
};
struct pl_ptx_reloc {
	uint64_t offset, addend;
	uint8_t kind;
	uint8_t section, target; /* enum pl_ptx_section */
	uint8_t bytes, shift;
};

enum pl_ptx_space { PL_PTX_SPACE_GLOBAL, PL_PTX_SPACE_CONST, PL_PTX_SPACE_SHARED };
enum pl_ptx_ref {
	PL_PTX_REF_NONE,
	PL_PTX_REF_TEX,
	PL_PTX_REF_SAMPLER,
	PL_PTX_REF_SURF
}; /* .texref, .samplerref, .surfref */

struct pl_ptx_var {
	const char *name;
	enum pl_ptx_space space;
	enum pl_ptx_ref ref;    /* a reference is an 8-byte global variable that holds the handle of its object */
	uint64_t offset, bytes; /* in its section; of shared variables the offset holds in kernels that use it */
	uint32_t align;
	bool visible;          /* .visible, .weak, .common: the driver's symbol lookup finds it */
	bool managed;          /* .attribute(.managed) */
	uint32_t sampler_bits; /* ref == SAMPLER: initial state as PTX gives it; see PL_PTX_SAMPLER_* */
};

struct pl_ptx_param {
	uint32_t offset, bytes, align;
	bool pointer; /* .ptr was given */
};

struct pl_ptx_func {
	const char *name;
	bool entry, visible;
	uint64_t offset, bytes; /* in the code section */
	/* What a warp needs while it runs this function and all that it calls; for recursion, as deep as the stack
	 * lets. */
	uint32_t slots, predicates, uniforms, call_depth;
	uint32_t own_slots;      /* this function's frame alone */
	uint32_t named_barriers; /* bar.sync: highest used + 1; 16 where it is a register */
	uint32_t shared_bytes;   /* static; rounded to where dynamic shared memory begins */
	uint32_t local_bytes;    /* per thread, with callees; the stack limit comes on top where `recursive` */
	uint32_t own_local_bytes;
	bool recursive;      /* or calls through pointers, or alloca: the depth is not known */
	bool uses_grid_sync; /* reserved for cooperative launches: reads the grid workspace registers */
	uint32_t param_bytes;
	uint32_t params_n;
	const struct pl_ptx_param *params;
	uint32_t maxntid[3], reqntid[3], cluster[3]; /* 0 = not given */
	uint32_t minnctapersm, maxnreg, maxclusterrank;
	bool explicit_cluster;
	uint32_t instructions; /* of 16 bytes */
};

struct pl_ptx_line {
	uint32_t code_offset; /* from here to the next row */
	uint32_t unit;        /* index of the source */
	uint32_t ptx_line;
	uint32_t file, line; /* .loc; file indexes pl_ptx_image.files, UINT32_MAX = none */
};

struct pl_ptx_image { /* read-only; everything lies in the image's own memory */
	struct pl_ptx_bytes sections[PL_PTX_SECTIONS];
	uint32_t funcs_n, vars_n, relocs_n, lines_n, files_n;
	const struct pl_ptx_func *funcs;
	const struct pl_ptx_var *vars;
	const struct pl_ptx_reloc *relocs;
	const struct pl_ptx_line *lines; /* by code_offset */
	const char *const *files;
	uint32_t version, target; /* the newest of the units: major * 10 + minor; sm number */
	bool debug;               /* .target ..., debug */
};

/** pl_ptx_compile() - compile, and link, PTX texts
 * @image_out: set on success only; release with pl_ptx_image_destroy()
 * @sources:   1..PL_PTX_UNITS_MAX texts; .extern names are resolved between them
 * @options:   NULL = defaults
 * @log:       NULL = none.  One line an error: "NAME:LINE: what is wrong: what to do"
 * Return: 0, PL_PTX_E_*, or fatal -ENOMEM. */
int pl_ptx_compile(struct pl_ptx_image **image_out, const struct pl_ptx_source *sources, uint32_t sources_n,
		   const struct pl_ptx_options *options, struct pl_ptx_log *log);
void pl_ptx_image_destroy(struct pl_ptx_image *image); /* NULL is fine */

/* By name; NULL = not there.  Borrowed from the image. */
const struct pl_ptx_func *pl_ptx_image_func(const struct pl_ptx_image *image, const char *name);
const struct pl_ptx_var *pl_ptx_image_var(const struct pl_ptx_image *image, const char *name);
/* The row that holds at this offset of the code section; NULL = none. */
const struct pl_ptx_line *pl_ptx_image_line(const struct pl_ptx_image *image, uint64_t code_offset);

/** pl_ptx_image_place() - write the sections where they will lie, with relocations done
 * @bases: device address of each section
 * @out:   host memory of data_bytes bytes for each section (what follows is zero and the caller's to clear) */
void pl_ptx_image_place(const struct pl_ptx_image *image, const uint64_t bases[PL_PTX_SECTIONS],
			uint8_t *const out[PL_PTX_SECTIONS]);

/* Names and .version/.target of a text without compiling it.  Return: false = no PTX header at its begin. */
bool pl_ptx_peek(const struct pl_ptx_source *source, uint32_t *version_out, uint32_t *target_out);

#endif
