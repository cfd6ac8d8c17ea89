/*
 * Fragments of matrices between registers and memory: wmma.load, wmma.store, ldmatrix, stmatrix.  A fragment of wmma is
 * the matrix row by row (matrix.h: some column by column), so lines of memory that run the same way are copied, others
 * are transposed.  What is not this regular, and every fault, goes lane by lane (matrix.c).
 */
#include "refgpu/compute/matrix.h"
#include "refgpu/compute/tiles.h"
#include "refgpu/compute/vec-mem.h"

#define FRAGMENT_BYTES_MAX 1024u
#define LINES_MAX          32u

/* out[c][r] = in[r][c]; sides are multiples of 8, of 32 bits and more: of 4. */
static void turn8(uint8_t *out, const uint8_t *in, unsigned rows, unsigned cols)
{
	for (unsigned r = 0; r < rows; r += 8)
		for (unsigned c = 0; c < cols; c += 8) {
			v16x8 v[8];

			for (unsigned i = 0; i < 8; i++) {
				uint64_t line;

				memcpy(&line, in + (r + i) * cols + c, 8);
				v[i] = (v16x8)(v2x64){ line, 0 };
			}
			tile_turn8(v);
			for (unsigned i = 0; i < 4; i++) {
				v2x64 two = (v2x64)v[i];

				memcpy(out + (c + 2 * i) * rows + r, &two, 8);
				two[0] = two[1];
				memcpy(out + (c + 2 * i + 1) * rows + r, &two, 8);
			}
		}
}

/* Elements of 16 bits and more. */
static inline __attribute__((always_inline)) void turn_wide(char *out, const char *in, unsigned bytes, unsigned rows,
							    unsigned cols)
{
	unsigned side = 16 / bytes;

	for (unsigned r = 0; r < rows; r += side)
		for (unsigned c = 0; c < cols; c += side) {
			v16x8 v[8];

			for (unsigned i = 0; i < side; i++)
				v[i] = tile_load(in + ((r + i) * cols + c) * bytes);
			if (bytes == 2)
				tile_turn16(v);
			else if (bytes == 4)
				tile_turn32(v);
			else
				tile_turn64(v);
			for (unsigned i = 0; i < side; i++)
				tile_store(out + ((c + i) * rows + r) * bytes, v[i]);
		}
}

static void turn(void *out, const void *in, unsigned bits, unsigned rows, unsigned cols)
{
	switch (bits) {
	case 8:
		turn8(out, in, rows, cols);
		break;
	case 16:
		turn_wide(out, in, 2, rows, cols);
		break;
	case 32:
		turn_wide(out, in, 4, rows, cols);
		break;
	default:
		turn_wide(out, in, 8, rows, cols);
	}
}

/* -- wmma.load and wmma.store -- */

struct lines { /* of a matrix in memory */
	unsigned count, elements, bits, bytes;
	uint64_t begin, pitch;
	bool turned; /* a line of memory is not one of the fragment */
};

/* False: not the same for all lanes, not aligned, bits within bytes, or a size that no PTX has. */
static inline bool lines_of(const struct pl_sm_op *op, const char *R, struct lines *lines_out)
{
	const uint64_t *base = PL_SM_REG(const uint64_t, a), begin = base[0];
	const uint32_t *strides = PL_SM_REG(const uint32_t, b), stride = strides[0];
	unsigned which = op->x & 3, bits = pl_sm_element_bits(op->type), rows, cols, side = bits < 32 ? 8 : 4;
	bool by_column = op->x & PL_ISA_WM_COL;
	uint64_t differ = 0;

	LANES_LOOP differ |= base[i] ^ begin;
	LANES_LOOP differ |= strides[i] ^ stride;
	pl_sm_wm_size(op->sub, which, &rows, &cols);
	lines_out->count = by_column ? cols : rows;
	lines_out->elements = by_column ? rows : cols;
	lines_out->bits = bits;
	lines_out->bytes = lines_out->elements * bits / 8;
	lines_out->begin = begin;
	lines_out->pitch = (uint64_t)stride * bits / 8;
	lines_out->turned = by_column != pl_sm_wm_by_column(which, bits);
	if (rows % side || cols % side || lines_out->count > LINES_MAX ||
	    lines_out->count * lines_out->bytes > FRAGMENT_BYTES_MAX)
		return false;
	if (bits < 8)
		return !differ && stride * bits % 8 == 0 && !lines_out->turned;
	return !differ && (begin & (bits / 8 - 1)) == 0;
}

static inline void line_copy(void *to, const void *from, unsigned bytes)
{
	switch (bytes) {
	case 16:
		memcpy(to, from, 16);
		break;
	case 32:
		memcpy(to, from, 32);
		break;
	case 64:
		memcpy(to, from, 64);
		break;
	default:
		memcpy(to, from, bytes);
	}
}

/* Host memory of each line.  False: one is out of bounds, or does not lie in one run of pages. */
static inline bool lines_find(struct pl_sm_warp *w, const struct pl_sm_op *op, const struct lines *lines,
			      char *host[LINES_MAX], bool store)
{
	uint64_t at = lines->begin, last = lines->pitch * (lines->count - 1) + lines->bytes;
	bool offset = op->x & PL_ISA_WM_SHARED;

	if (offset || at - PL_ISA_SHARED_BASE < PL_ISA_WINDOW_BYTES) {
		at -= offset ? 0 : PL_ISA_SHARED_BASE;
		if (at > w->sm->grid->shared_bytes || w->sm->grid->shared_bytes - at < last)
			return false;
		for (unsigned i = 0; i < lines->count; i++)
			host[i] = (char *)w->block->shared + at + lines->pitch * i;
		return true;
	}
	for (unsigned i = 0; i < lines->count; i++, at += lines->pitch) {
		const struct pl_mmu_run *run =
			at >= PL_ISA_LOCAL_BASE ? NULL
						: pl_mmu_run_at(&w->sm->tlb, at, store ? PL_RG_WRITE : PL_RG_READ);

		if (!run || run->bytes - (at - run->begin) < lines->bytes)
			return false;
		host[i] = (char *)run->host + (at - run->begin);
	}
	return true;
}

static __attribute__((noinline)) bool fragment_load(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R)
{
	_Alignas(64) char packed[FRAGMENT_BYTES_MAX];
	struct lines lines;
	char *host[LINES_MAX], *to;

	if (w->block->check || !lines_of(op, R, &lines) || !lines_find(w, op, &lines, host, false))
		return false;
	to = lines.turned ? packed : R + op->d;
	for (unsigned i = 0; i < lines.count; i++)
		line_copy(to + i * lines.bytes, host[i], lines.bytes);
	if (lines.turned)
		turn(R + op->d, packed, lines.bits, lines.count, lines.elements);
	w->sm->bytes_read += lines.count * lines.bytes;
	return true;
}

static __attribute__((noinline)) bool fragment_store(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R)
{
	_Alignas(64) char packed[FRAGMENT_BYTES_MAX];
	struct lines lines;
	char *host[LINES_MAX];
	const char *from;

	if (w->block->check || !lines_of(op, R, &lines) || !lines_find(w, op, &lines, host, true))
		return false;
	from = lines.turned ? packed : R + op->d;
	if (lines.turned)
		turn(packed, R + op->d, lines.bits, lines.elements, lines.count);
	for (unsigned i = 0; i < lines.count; i++)
		line_copy(host[i], from + i * lines.bytes, lines.bytes);
	w->sm->bytes_written += lines.count * lines.bytes;
	return true;
}

static void wmld_h(PL_SM_ARGS)
{
	if (mask != PL_SM_ALL || !fragment_load(w, op, R)) {
		pl_sm_wm_any(w, op, R, mask, false);
		if (w->stop)
			return;
	}
	PL_SM_NEXT;
}

static void wmst_h(PL_SM_ARGS)
{
	if (mask != PL_SM_ALL || !fragment_store(w, op, R)) {
		pl_sm_wm_any(w, op, R, mask, true);
		if (w->stop)
			return;
	}
	PL_SM_NEXT;
}

/* -- 8x8 matrices of 16 bits: rows of 16 bytes, whose addresses lanes 8 * n .. 8 * n + 7 give -- */

/* Offsets of all rows.  False: one of them is out of bounds or not aligned, or the launch is checked. */
static inline bool rows_at(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t off[32])
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a), imm = op->x;
	unsigned rows = 8u << (op->sub & 3);

	LANES_LOOP off[i] = a[i] + imm;
	return !w->block->check && lanes_good(off, PL_SM_ALL >> (32 - rows), 16, w->sm->grid->shared_bytes);
}

static __attribute__((noinline)) bool rows_load(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R)
{
	const uint8_t *shared = w->block->shared;
	char *d = R + op->d;
	uint32_t off[32];

	if (!rows_at(w, op, R, off))
		return false;
	for (unsigned n = 0; n < 1u << (op->sub & 3); n++) {
		v16x8 v[8];

		for (unsigned i = 0; i < 8; i++)
			v[i] = tile_load(shared + off[n * 8 + i]);
		if (op->sub & 4)
			tile_turn16(v);
		for (unsigned i = 0; i < 8; i++)
			tile_store(d + n * PL_SM_SLOT_BYTES + i * 16, v[i]);
	}
	return true;
}

static __attribute__((noinline)) bool rows_store(struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R)
{
	uint8_t *shared = w->block->shared;
	const char *d = R + op->d;
	uint32_t off[32];

	if (!rows_at(w, op, R, off))
		return false;
	for (unsigned n = 0; n < 1u << (op->sub & 3); n++) {
		v16x8 v[8];

		for (unsigned i = 0; i < 8; i++)
			v[i] = tile_load(d + n * PL_SM_SLOT_BYTES + i * 16);
		if (op->sub & 4)
			tile_turn16(v);
		for (unsigned i = 0; i < 8; i++)
			tile_store(shared + off[n * 8 + i], v[i]);
	}
	return true;
}

static void ldmatrix_h(PL_SM_ARGS)
{
	(void)mask;
	if (!rows_load(w, op, R) && !pl_sm_ldmatrix_any(w, op, R, false))
		return;
	PL_SM_NEXT;
}

static void stmatrix_h(PL_SM_ARGS)
{
	(void)mask;
	if (!rows_store(w, op, R) && !pl_sm_ldmatrix_any(w, op, R, true))
		return;
	PL_SM_NEXT;
}

bool V(pl_sm_bind_fragment)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_fragment)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	pl_sm_fn fn = f->op == PL_ISA_WMLD       ? wmld_h
		      : f->op == PL_ISA_WMST     ? wmst_h
		      : f->op == PL_ISA_LDMATRIX ? ldmatrix_h
		      : f->op == PL_ISA_STMATRIX ? stmatrix_h
						 : NULL;

	if (!fn)
		return false;
	op->x = f->imm;
	op->fn[0] = op->fn[1] = fn;
	return true;
}
