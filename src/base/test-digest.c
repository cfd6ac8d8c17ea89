#include "base/digest.h"

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Byte i of all contents here. */
static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

static void digest_text(size_t bytes, size_t shift, char text_out[2 * PL_DIGEST_BYTES + 1])
{
	uint8_t *data = malloc(bytes + shift + 1), digest[PL_DIGEST_BYTES];

	assert(data);
	for (size_t i = 0; i < bytes; i++)
		data[shift + i] = byte_at(i);
	pl_digest(data + shift, bytes, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text_out + 2 * i, 3, "%02x", digest[i]);
	free(data);
}

/* The values are hashlib.blake2b()'s, put together as its tree parameters say. */
static void test_digests_are_those_of_another_implementation(void)
{
	static const struct {
		size_t bytes;
		const char *digest;
	} known[] = {
		{ 0, "b5ef811a8038f70b628fa8b294daae7492b1ebe343a80eaabbf1f6ae664dd67b" },
		{ 1, "a139280e72757b723e6473d5be59f36e9d50fc5cd7d4585cbc09804895a36c52" },
		{ 127, "da0754222d05822682c46112a9abcd1ff0ba3b774f04aa6c89921ef496d5f488" },
		{ 128, "a92fd23dd7f0cb39d082fe107350eb526835d10b065b4e820dec477512de13a6" },
		{ 129, "ce1f816c341fa30ab9cccd166c417202dbe2d4db4aa59d61c4bb6e9a637a7118" },
		{ 256, "4df358e158ee1101ef72558e9bac13df223f31c77a52f7e349b32472222d7fbb" },
		{ 384, "5af761a16a69395e66fb506fee44724055d6bd636ab9b254241c009f916079e7" },
		{ 385, "7623b2bdb27cb9a2c309cd12079798cc8a08f756efb7393614e752d77a25db6b" },
		{ 511, "62fa1763977b7cb929be8ea1ff59ddb0e1bc7f458bc9749a2da4627754bb79b7" },
		{ 512, "be2feec3d008eb73e16e1ae6fd89661d39a60c6ac772bc2cf3f0b863021fa019" },
		{ 513, "61a284416ec391cfdd70df7e3a0cc3539b1f16376cf7ac1234ae868f2d8af9f9" },
		{ 640, "81146601ce2228ad039b7970fbc2f1d036b23a79e7922b1bdcdfb19cdc10ab21" },
		{ 1023, "312e7b795a9430111eee9402f307eb85c9694b57c4d946230120b0c66beb5f26" },
		{ 1024, "41eb33fe6c6968b49c60d245d832c6db943a4e4295e826fef284b11ff063df38" },
		{ 1025, "30fff6d8c36f2c803c5041a0fd98014254dd9187021e4c033aaa405e7bd5c297" },
		{ 1300, "b93276f0692d3df44ad944d9abb227a02f37da767a0da34deccf355638735c22" },
		{ 1536, "1d4a58cca1b0786e09ea7dc94374693bc7be4d28861ecd287d10f7175601dbf1" },
		{ 1537, "d11e1dc9b4c53a1009e01855a5ad2bce45efe1ad86c70a354c517fb8de6547e0" },
		{ 5000, "f82a73b1d75f4fa84debf624221e09c3d5a6ed7639c9d271ce399d6b08f6bfbe" },
		{ 65536, "a0303681890da62aa9191722364ce4e455d17b4201b0a0b4e708f18af892d7dd" },
		{ 100001, "f34853d3bac1f8267133827e33dfd1d121d2790a7a8e48e527b835c567ce509a" },
	};
	char text[2 * PL_DIGEST_BYTES + 1];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		digest_text(known[i].bytes, 0, text);
		assert(!strcmp(text, known[i].digest));
		digest_text(known[i].bytes, 3, text); /* wherever the content lies */
		assert(!strcmp(text, known[i].digest));
	}
}

static void test_each_bit_and_the_length_count(void)
{
	uint8_t data[1700] = { 0 }, plain[PL_DIGEST_BYTES], other[PL_DIGEST_BYTES];

	pl_digest(data, sizeof(data), plain);
	for (size_t at = 0; at < sizeof(data); at += 13) {
		data[at] ^= 0x10;
		pl_digest(data, sizeof(data), other);
		assert(memcmp(plain, other, sizeof(plain)));
		data[at] ^= 0x10;
	}
	for (size_t bytes = 0; bytes < sizeof(data); bytes++) {
		pl_digest(data, bytes, other);
		assert(memcmp(plain, other, sizeof(plain)));
	}
}

int main(void)
{
	test_digests_are_those_of_another_implementation();
	test_each_bit_and_the_length_count();
	return 0;
}
