/*
 * Numbers of textures and surfaces: a row of a table of images, and for a texture one of a table of samplers above it
 * (the reference GPU's and NVIDIA's are made so).  Kernels are given them, so they have to come out as they were.
 *
 * A number is not the next one where others were made between and have gone.  Rows that these had are taken by some of
 * ours, which go again: by textures as long as samplers are missing, else by surfaces.  How many samplers were made by
 * then is what the next texture that is to come says.
 */
#include "backend/cuda/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define TRIED_MAX     65536u /* limit: rows that are taken for one that is to come */
#define IMAGE_BITS    20
#define IMAGE(number) ((number) & ((1u << IMAGE_BITS) - 1))

struct row {
	uint64_t number;
	bool surface;
};

/* One session a process. */
static struct {
	uint64_t *textures; /* that are to come, in order */
	size_t count, room, at;
	uint64_t image, sampler; /* the next ones, as far as is known: drivers begin so, and go on with what is next */
	CUarray array;           /* of ours; NULL = not made yet */
	struct row *rows;        /* of ours */
	size_t rows_count, rows_room;
} numbers = { .image = 1 };

/* ---- what is to come ---- */

static int texture_look(const struct pl_journal_record *record, void *arg)
{
	uint64_t *larger = numbers.textures;

	(void)arg;
	if (record->op != PL_CUDA_OP_cuTexObjectCreate || record->status || record->reply_bytes < sizeof(uint64_t))
		return 0;
	if (numbers.count == numbers.room) {
		numbers.room = numbers.room ? 2 * numbers.room : 64;
		larger = realloc(numbers.textures, numbers.room * sizeof(*larger));
	}
	if (!larger)
		return pl_err(-ENOMEM);
	numbers.textures = larger;
	memcpy(&numbers.textures[numbers.count++], record->reply, sizeof(uint64_t));
	return 0;
}

int pl_cuda_numbers_load(struct pl_journal *journal)
{
	return pl_trace(pl_journal_each(journal, texture_look, NULL));
}

/* ---- rows of ours ---- */

static void row_end(struct row row)
{
	(void)(row.surface ? pl_cuda.cuSurfObjectDestroy(row.number) : pl_cuda.cuTexObjectDestroy(row.number));
}

static bool row_keep(uint64_t number, bool surface)
{
	struct row *larger = numbers.rows;

	if (numbers.rows_count == TRIED_MAX)
		return false;
	if (numbers.rows_count == numbers.rows_room) {
		numbers.rows_room = numbers.rows_room ? 2 * numbers.rows_room : 64;
		larger = realloc(numbers.rows, numbers.rows_room * sizeof(*larger));
	}
	if (!larger)
		return false;
	numbers.rows = larger;
	numbers.rows[numbers.rows_count++] = (struct row){ number, surface };
	return true;
}

static void made(uint64_t number, bool surface)
{
	numbers.image = IMAGE(number) + 1;
	if (!surface)
		numbers.sampler = (number >> IMAGE_BITS) + 1;
}

static bool array_make(void)
{
	const CUDA_ARRAY3D_DESCRIPTOR form = { .Width = 1,
					       .Height = 1,
					       .Format = CU_AD_FORMAT_FLOAT,
					       .NumChannels = 1,
					       .Flags = CUDA_ARRAY3D_SURFACE_LDST };

	return numbers.array || (pl_cuda.cuArray3DCreate_v2 && !pl_cuda.cuArray3DCreate_v2(&numbers.array, &form));
}

/* Return: a row of images is taken, and of samplers where it was no surface. */
static bool row_take(bool surface)
{
	const CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	unsigned long long number; /* CUtexObject, CUsurfObject */
	CUresult r;

	if (!array_make())
		return false;
	resource.res.array.hArray = numbers.array;
	r = surface ? pl_cuda.cuSurfObjectCreate(&number, &resource)
		    : pl_cuda.cuTexObjectCreate(&number, &resource, &sampling, NULL);
	if (r)
		return false;
	made(number, surface);
	return row_keep(number, surface);
}

/* The last first: drivers that give a number again give the first one first then. */
static void rows_end(void)
{
	while (numbers.rows_count)
		row_end(numbers.rows[--numbers.rows_count]);
	if (numbers.array)
		(void)pl_cuda.cuArrayDestroy(numbers.array);
	numbers.array = NULL;
}

/* Up to the row of images that is wanted. */
static void rows_pass(uint64_t wanted)
{
	uint64_t samplers = numbers.at < numbers.count ? numbers.textures[numbers.at] >> IMAGE_BITS : 0;

	while (numbers.image < IMAGE(wanted) && row_take(numbers.sampler >= samplers))
		;
}

/* ---- the call that is said again ---- */

bool pl_cuda_numbered(uint16_t op)
{
	return op == PL_CUDA_OP_cuTexObjectCreate || op == PL_CUDA_OP_cuSurfObjectCreate;
}

/* Return: it was made. */
static bool make(struct pl_serve *serve, const struct pl_dec *dec, uint64_t *number_out)
{
	serve->dec = *dec;
	serve->replied = false;
	pl_cuda_serve_call(serve);
	if (serve->kept.status || !serve->reply_room)
		return false;
	memcpy(number_out, (uint8_t *)serve->reply_room + sizeof(struct pl_wire_head) + sizeof(struct pl_wire_reply),
	       sizeof(*number_out));
	return true;
}

void pl_cuda_number_again(struct pl_serve *serve)
{
	const bool surface = serve->head->op == PL_CUDA_OP_cuSurfObjectCreate;
	const uint64_t wanted = pl_cuda_again_address(pl_cuda_session_of(serve));
	const struct pl_dec dec = serve->dec;
	uint64_t got;

	rows_pass(wanted);
	while (make(serve, &dec, &got)) {
		made(got, surface);
		if (got == wanted || !row_keep(got, surface))
			break;
	}
	numbers.at += !surface;
	rows_end();
}
