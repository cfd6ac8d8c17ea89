#include <assert.h>
#include <string.h>

#include "cuda/md2.h"

#define BLOCK_BYTES 16
#define ROUNDS      18

/* RFC 1319: a permutation of the bytes, made from the digits of pi. */
static const uint8_t pi[256] = {
	41,  46,  67,  201, 162, 216, 124, 1,   61,  54,  84,  161, 236, 240, 6,   19,  98,  167, 5,   243, 192, 199,
	115, 140, 152, 147, 43,  217, 188, 76,  130, 202, 30,  155, 87,  60,  253, 212, 224, 22,  103, 66,  111, 24,
	138, 23,  229, 18,  190, 78,  196, 214, 218, 158, 222, 73,  160, 251, 245, 142, 187, 47,  238, 122, 169, 104,
	121, 145, 21,  178, 7,   63,  148, 194, 16,  137, 11,  34,  95,  33,  128, 127, 93,  154, 90,  144, 50,  39,
	53,  62,  204, 231, 191, 247, 151, 3,   255, 25,  48,  179, 72,  165, 181, 209, 215, 94,  146, 42,  172, 86,
	170, 198, 79,  184, 56,  210, 150, 164, 125, 182, 118, 252, 107, 226, 156, 116, 4,   241, 69,  157, 112, 89,
	100, 113, 135, 32,  134, 91,  207, 101, 230, 45,  168, 2,   27,  96,  37,  173, 174, 176, 185, 246, 28,  70,
	97,  105, 52,  64,  126, 15,  85,  71,  163, 35,  221, 81,  175, 58,  195, 92,  249, 206, 186, 197, 234, 38,
	44,  83,  13,  110, 133, 40,  132, 9,   211, 223, 205, 244, 65,  129, 77,  82,  106, 220, 55,  200, 108, 193,
	171, 250, 36,  225, 123, 8,   12,  189, 177, 74,  120, 136, 149, 139, 227, 99,  232, 109, 233, 203, 213, 254,
	59,  0,   29,  57,  242, 239, 183, 14,  102, 88,  208, 228, 166, 119, 114, 248, 235, 117, 75,  10,  49,  68,
	80,  180, 143, 237, 31,  26,  219, 153, 141, 51,  159, 17,  131, 20,
};

void pl_cuda_md2_init(struct pl_cuda_md2 *md2)
{
	memset(md2, 0, sizeof(*md2));
}

static void checksum_add(struct pl_cuda_md2 *md2, const uint8_t *block)
{
	uint8_t last = md2->checksum[BLOCK_BYTES - 1];
	for (int i = 0; i < BLOCK_BYTES; i++)
		last = md2->checksum[i] ^= pi[block[i] ^ last];
}

static void block_add(struct pl_cuda_md2 *md2, const uint8_t *block)
{
	uint8_t t = 0;
	for (int i = 0; i < BLOCK_BYTES; i++) {
		md2->state[BLOCK_BYTES + i] = block[i];
		md2->state[2 * BLOCK_BYTES + i] = block[i] ^ md2->state[i];
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 3 * BLOCK_BYTES; i++)
			t = md2->state[i] ^= pi[t];
		t = (uint8_t)(t + round);
	}
}

void pl_cuda_md2_add(struct pl_cuda_md2 *md2, const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;
	for (size_t i = 0; i < size_bytes; i++) {
		md2->block[md2->fill_bytes++] = bytes[i];
		if (md2->fill_bytes < BLOCK_BYTES)
			continue;
		checksum_add(md2, md2->block);
		block_add(md2, md2->block);
		md2->fill_bytes = 0;
	}
}

void pl_cuda_md2_fini(struct pl_cuda_md2 *md2, uint8_t digest_out[PL_CUDA_MD2_BYTES])
{
	uint8_t pad[BLOCK_BYTES];
	unsigned int pad_bytes = BLOCK_BYTES - md2->fill_bytes;
	memset(pad, (int)pad_bytes, sizeof(pad));
	pl_cuda_md2_add(md2, pad, pad_bytes);
	block_add(md2, md2->checksum);
	memcpy(digest_out, md2->state, PL_CUDA_MD2_BYTES);
}

void pl_cuda_hmac_md2(const void *key, size_t key_bytes, const void *data, size_t size_bytes,
		    uint8_t digest_out[PL_CUDA_MD2_BYTES])
{
	uint8_t inner[BLOCK_BYTES] = { 0 }, outer[BLOCK_BYTES];
	struct pl_cuda_md2 md2;

	assert(key_bytes <= BLOCK_BYTES);
	memcpy(inner, key, key_bytes);
	for (int i = 0; i < BLOCK_BYTES; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	pl_cuda_md2_init(&md2);
	pl_cuda_md2_add(&md2, inner, sizeof(inner));
	pl_cuda_md2_add(&md2, data, size_bytes);
	pl_cuda_md2_fini(&md2, digest_out);
	pl_cuda_md2_init(&md2);
	pl_cuda_md2_add(&md2, outer, sizeof(outer));
	pl_cuda_md2_add(&md2, digest_out, PL_CUDA_MD2_BYTES);
	pl_cuda_md2_fini(&md2, digest_out);
}
