/* Conformance of a CUDA driver's PTX: tables of instructions, the text made of them, and what they must compute. */
#ifndef PL_TEST_PTX_H
#define PL_TEST_PTX_H

#include "soft.h"

#include <stddef.h>

#define PT_INS_MAX   16
#define PT_OUTS_MAX  16
#define PT_WORDS_MAX 16

enum pt_type {
	PT_NONE,
	PT_PRED,
	PT_U8,
	PT_S8,
	PT_B8,
	PT_U16,
	PT_S16,
	PT_B16,
	PT_U32,
	PT_S32,
	PT_B32,
	PT_U64,
	PT_S64,
	PT_B64,
	PT_F16,
	PT_BF16,
	PT_F32,
	PT_F64,
	PT_TF32,
	PT_U16X2,
	PT_S16X2,
	PT_F16X2,
	PT_BF16X2,
	PT_E4M3X2,
	PT_E5M2X2,
	PT_E2M3X2,
	PT_E3M2X2,
	PT_E2M1X2,
	PT_UE8M0X2,
	PT_F32X2,
	PT_COUNT,
};

/* What `want` may give for a result that PTX leaves open, of fewer than 64 bits. */
#define PT_ANY ((uint64_t)1 << 63)

struct pt_type_info {
	const char *name;
	int bits, lanes;
	bool is_signed;
	const struct sf_format *format;
};

extern const struct pt_type_info pt_types[PT_COUNT];

/* An opcode taken apart. */
struct pt_op {
	char name[96];  /* as in PTX */
	char text[112]; /* its words, cut */
	const char *word[PT_WORDS_MAX];
	unsigned words;
	enum pt_type type[4]; /* those of its words that are types, in order */
	unsigned types;
	enum sf_round round;
	unsigned flags;  /* SF_ */
	char arg[64];    /* what the table says after the opcode */
	uint64_t number; /* arg as a number */
};

/* The word N places after `col` in a matrix instruction: the types of D, A, B, C. */
const char *pt_op_matrix_type(const struct pt_op *op, unsigned n);
/* Of a type's name; NULL: an integer. BITS: of an element in its register. */
const struct sf_format *pt_format_named(const char *name, int *bits_out);
bool pt_op_has(const struct pt_op *op, const char *word);
/* False: a word too many, or too long. */
bool pt_op_parse(struct pt_op *op, const char *name);

struct pt_driver;
struct pt_case;

/* Fills OUT; false: the result is undefined for these operands. */
typedef bool pt_want_fn(const struct pt_op *op, const uint64_t *in, uint64_t *out);
/* Whether GOT will do; otherwise WHY (160 bytes) says what was wanted. */
typedef bool pt_judge_fn(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why);
/* The case's own launches. 0, or -1 with WHY (400 bytes). */
typedef int pt_run_fn(struct pt_driver *cu, const struct pt_case *c, void *function, void *module, char *why);

/*
 * A row of a table. OPS is an opcode in which {a,b} are alternatives, and after a blank an argument. SIG says what
 * comes out and goes in: T U V types of the opcode, R as T but without edges, W twice as wide as T, h r d bits, f D
 * floats, p predicate, s shift count, n byte position or length, x y elements of a matrix instruction's A or B and of
 * its C. TEXT is the kernel's body over %o0.. and %i0.., in which # is the opcode, ~ the argument, &T &B &U its first
 * type, as bits, unsigned, and $ a name that is the kernel's own.
 */
struct pt_family {
	const char *ops, *sig, *text, *decl;
	pt_want_fn *want;
	pt_judge_fn *judge;
	pt_run_fn *run;
	unsigned sm, ptx;
	unsigned group;   /* threads that `want` sees at once (their rows follow each other); 0: 1 */
	unsigned threads; /* of a block; 0: 128 */
	unsigned rows;    /* 0: 1024 */
	bool may_refuse;  /* so new or so rare that a driver may say that it does not support it */
	bool specific;    /* PTX of one architecture: the target ends in 'a' */
	bool exact_nan;   /* a NaN's bits count */
	bool alone;       /* in a process of its own: it loses the context, and the device with it for a process */
};

struct pt_operand {
	enum pt_type type;
	char kind;
	const struct sf_format *small; /* small whole numbers in this format */
};

/* Variants that a compiler may compute itself, or must encode: all operands constants, or the last one in the text. */
enum pt_how {
	PT_PLAIN,
	PT_FOLDED,
	PT_IMMEDIATE,
};

#define PT_CONSTANTS        8 /* results of such a kernel, each of its own constants */
#define PT_CONSTANT_INS_MAX 4

struct pt_case {
	char *name;
	enum pt_how how;
	uint64_t constant[PT_CONSTANTS][PT_CONSTANT_INS_MAX];
	struct pt_op op;
	const struct pt_family *family;
	struct pt_operand out[PT_OUTS_MAX], in[PT_INS_MAX];
	unsigned outs, ins;
	unsigned rows, threads, group;
};

struct pt_cases {
	struct pt_case *list;
	size_t count, room;
};

/* Every group of families ends with a row whose ops is NULL. */
extern const struct pt_family *const pt_groups[];
/* Adds the cases whose name matches GLOB (NULL: all). */
void pt_cases_make(struct pt_cases *cases, const char *glob);
void pt_cases_free(struct pt_cases *cases);

/* The text of kernels NUMBER.. for the cases, to be freed; entries are k<number>. */
char *pt_module_text(const struct pt_case *const *cases, size_t count, unsigned ptx, unsigned sm);
void pt_operands_fill(const struct pt_case *c, uint64_t *rows, uint64_t seed);
uint64_t pt_random(uint64_t *state);
/* What a register of this type holds when the instruction wrote VALUE. */
uint64_t pt_extended(enum pt_type type, uint64_t value);

static inline int64_t pt_signed(uint64_t value, int bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline uint64_t pt_mask(int bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

#endif
