#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cuda/md2.h"

static void digest_is(const char *text, const char *hex)
{
	uint8_t digest[PL_CUDA_MD2_BYTES];
	char got[33];
	struct pl_cuda_md2 md2;
	pl_cuda_md2_init(&md2);
	pl_cuda_md2_add(&md2, text, strlen(text));
	pl_cuda_md2_fini(&md2, digest);
	for (int i = 0; i < PL_CUDA_MD2_BYTES; i++)
		snprintf(got + 2 * i, 3, "%02x", digest[i]);
	assert(!strcmp(got, hex));
}

/* The test suite of RFC 1319. */
static void test_the_digests_of_the_rfc(void)
{
	digest_is("", "8350e5a3e24c153df2275c9f80692773");
	digest_is("a", "32ec01ec4a6dac72c0ab96fb34c0b5d1");
	digest_is("abc", "da853b0d3f88d99b30283a69e6ded6bb");
	digest_is("message digest", "ab4f496bfb2a530b219ff33031fe06b0");
	digest_is("abcdefghijklmnopqrstuvwxyz", "4e8ddff3650292ab5a4108c3aa47940b");
	digest_is("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
		  "d5976f79d83d3a0dc9806c3c66f3efd8");
}

/* RFC 2104, written out. */
static void test_a_keyed_digest_is_two_plain_ones(void)
{
	uint8_t inner[16 + 4], outer[16 + PL_CUDA_MD2_BYTES], digest[PL_CUDA_MD2_BYTES], want[PL_CUDA_MD2_BYTES];
	struct pl_cuda_md2 md2;
	memset(inner, 'k' ^ 0x36, 3);
	memset(inner + 3, 0x36, 13);
	memcpy(inner + 16, "data", 4);
	pl_cuda_md2_init(&md2);
	pl_cuda_md2_add(&md2, inner, sizeof(inner));
	pl_cuda_md2_fini(&md2, outer + 16);
	memset(outer, 'k' ^ 0x5c, 3);
	memset(outer + 3, 0x5c, 13);
	pl_cuda_md2_init(&md2);
	pl_cuda_md2_add(&md2, outer, sizeof(outer));
	pl_cuda_md2_fini(&md2, want);
	pl_cuda_hmac_md2("kkk", 3, "data", 4, digest);
	assert(!memcmp(digest, want, sizeof(want)));
	pl_cuda_hmac_md2("kkl", 3, "data", 4, digest);
	assert(memcmp(digest, want, sizeof(want)));
}

int main(void)
{
	test_the_digests_of_the_rfc();
	test_a_keyed_digest_is_two_plain_ones();
	return 0;
}
