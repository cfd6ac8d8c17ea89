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

/* The values are hashlib.blake2b()'s of Python, which has another implementation. */
static void test_digests_are_those_of_another_implementation(void)
{
	static const struct {
		size_t bytes;
		const char *digest;
	} known[] = {
		{ 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
		{ 1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" },
		{ 127, "4ff62e7c4c43fe101a078479c48836be4907d9d498dcc577ca89d694b2c11f9b" },
		{ 128, "14696d2a98d9f8a280da8b132b1045b345e1033759c6b02fcc4ee885c8ae7c37" },
		{ 129, "3934215260b1039be9d9d2b073b059bcd50120c327a22af93eb4d98cf821c14c" },
		{ 256, "3d0cb2693dfbac42af5a6cc960953fea8714aa39c4bcd054ef61d6b5e98ade4a" },
		{ 384, "df77558f4625dcb36650680360e5fff4fa13f79f02c1a89129ab339550984549" },
		{ 1023, "3c7f78e9d4b2a29a6c320e0fe1c7f93c76848bb1e38cd5b3b4526a1d39e68ef5" },
		{ 5000, "7a268f55ebc9ae107f1286ffa542109d21923e14db182533d2396aebc04cb12a" },
		{ 65536, "5ab46be3fecf7cb04ba84ac525603b956b5edf093058ac11a330087978be8686" },
		{ 100001, "6e3590c5202fedbeb20a0b18c758d77bd5d05b4a0f4846a0ae4a8f6fa06ff5e0" },
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
