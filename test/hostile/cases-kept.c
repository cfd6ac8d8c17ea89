/* Modules that are kept for later sessions: clients that lie of their digests. */
#include <stdlib.h>

#include "base/digest.h"
#include "calls-cuda.h"
#include "cuda/image.h"
#include "cuda/result.h"
#include "wire/cuda.h"

#define TEXT_BYTES 100000u
#define MODULE     0x5000100000010ull
#define HASH       77u /* the client's own name for it */

enum { CTX = 0x900 };

static struct peer peer;

struct image {
	void *packed;
	size_t bytes;
	uint8_t digest[PL_DIGEST_BYTES + 1]; /* and one that does not belong there */
};

static struct image image_make(char fill)
{
	static const char kernel[] =
		".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k()\n{\n	ret;\n}\n// ";
	struct image image = { 0 };
	char *text = malloc(TEXT_BYTES);

	assert(text);
	memset(text, fill, TEXT_BYTES);
	memcpy(text, kernel, sizeof(kernel) - 1);
	text[TEXT_BYTES - 1] = '\0';
	assert(!pl_cuda_image_pack(text, &image.packed, &image.bytes));
	pl_digest(image.packed, image.bytes, image.digest);
	free(text);
	return image;
}

static void open_session(void)
{
	peer_open_cuda(&peer, server.tcp_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
}

static int32_t find(const struct image *image, uint64_t bytes, uint64_t digest_bytes)
{
	return CU(plImageFind, .image_hash = HASH, .image_bytes = bytes, .digest = { image->digest, digest_bytes });
}

/* Return: enum pl_cuda_wanted. */
static uint32_t load(const struct image *image, bool with_image)
{
	struct pl_cuda_cuModuleLoadDataEx_args args = { .image_hash = HASH,
							.image_bytes = image->bytes,
							.module = MODULE };
	struct pl_cuda_cuModuleLoadDataEx_reply got;
	_Alignas(8) uint8_t body[CALL_MAX] = { 0 };
	struct pl_enc enc = { body };

	args.image = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = with_image ? image->bytes : 0 };
	pl_cuda_cuModuleLoadDataEx_put(&enc, &args);
	ask_with_bulk(&peer, PL_CUDA_OP_cuModuleLoadDataEx, body, (uint32_t)pl_cuda_cuModuleLoadDataEx_bytes(&args),
		      image->packed, args.image.bytes);
	expect_is(peer.body.status, CUDA_SUCCESS);
	pl_cuda_cuModuleLoadDataEx_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	expect_is(got.result, CUDA_SUCCESS);
	reply_bulk_drop(&peer);
	return got.image_wanted;
}

static void questions_that_make_no_sense(void)
{
	struct image image = image_make('a');
	static const uint64_t bytes[] = {
		0, 1, PL_CUDA_KEPT_BYTES_MIN - 1, PL_CUDA_IMAGE_BYTES_MAX + 1, UINT64_MAX, UINT64_MAX - 7
	};

	open_session();
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		expect_is(find(&image, bytes[i], PL_DIGEST_BYTES), CUDA_ERROR_INVALID_VALUE);
	expect_is(find(&image, image.bytes, 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(find(&image, image.bytes, PL_DIGEST_BYTES - 1), CUDA_ERROR_INVALID_VALUE);
	assert(find(&image, image.bytes, PL_DIGEST_BYTES + 1));
	expect_is(find(&image, PL_CUDA_IMAGE_BYTES_MAX, PL_DIGEST_BYTES),
		  CUDA_SUCCESS); /* beyond its limit: not there */
	expect_is(load(&image, false), PL_CUDA_WANTED);
	expect_is(load(&image, true), 0);
	peer_close(&peer);
	free(image.packed);
}

/* It gets what it sent; nobody else does. */
static void contents_of_another_digest(void)
{
	struct image image = image_make('b'), other = image_make('c');

	open_session();
	expect_is(find(&image, image.bytes, PL_DIGEST_BYTES), CUDA_SUCCESS);
	expect_is(load(&other, false), PL_CUDA_WANTED);
	expect_is(load(&other, true), 0);
	peer_close(&peer);
	for (int i = 0; i < 2; i++) {
		const struct image *lost = i ? &image : &other;

		open_session();
		expect_is(find(lost, lost->bytes, PL_DIGEST_BYTES), CUDA_SUCCESS);
		expect_is(load(lost, false), PL_CUDA_WANTED);
		peer_close(&peer);
	}
	free(image.packed);
	free(other.packed);
}

/* What one has sent whole, and had no time to use. */
static void contents_of_who_has_gone(void)
{
	struct image image = image_make('d');

	open_session();
	expect_is(find(&image, image.bytes, PL_DIGEST_BYTES), CUDA_SUCCESS);
	expect_is(load(&image, true), 0);
	peer_close(&peer);
	open_session();
	expect_is(find(&image, image.bytes - 8, PL_DIGEST_BYTES), CUDA_SUCCESS); /* the digest, another length */
	expect_is(load(&image, false), PL_CUDA_WANTED);
	expect_is(find(&image, image.bytes, PL_DIGEST_BYTES), CUDA_SUCCESS);
	expect_is(load(&image, false), 0);
	peer_close(&peer);
	free(image.packed);
}

const struct hostile_case cases_kept[] = {
	{ "kept: questions that make no sense", questions_that_make_no_sense, false },
	{ "kept: contents that are not what was said", contents_of_another_digest, false },
	{ "kept: contents of who has gone", contents_of_who_has_gone, false },
	{ NULL, NULL, false },
};
