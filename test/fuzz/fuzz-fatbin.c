/* What a program hands to the driver as an image: containers, compressed entries, texts; and what is packed from them.
 */
#include "fuzz.h"
#include "refgpu/driver/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *image = malloc(size + 1); /* exact: one byte too far is seen */
	struct pl_cu_texts texts = { 0 };
	const char *why = NULL;
	void *packed;
	size_t bytes;

	if (!image)
		return 0;
	if (size)
		memcpy(image, data, size);
	/* A wrapper is pointers: random ones may point at something, which is what they then hold. */
	if (size >= 4 && image[0] == 0xb1 && image[1] == 0x43)
		image[0] = 0;
	if (!pl_cu_archive_read(&texts, image, size, 90, &why))
		pl_cu_texts_fini(&texts);
	else
		pl_fuzz_check(why && !texts.n);
	why = NULL;
	if (!pl_cu_fatbin_read(&texts, image, size, 90, &why)) {
		for (uint32_t i = 0; i < texts.n; i++)
			pl_fuzz_check(strlen(texts.text[i].data) == texts.text[i].len_bytes);
		packed = pl_cu_texts_pack(&texts, &bytes);
		free(packed);
	} else {
		pl_fuzz_check(why && !texts.n);
	}
	pl_cu_texts_fini(&texts);
	free(image);
	return 0;
}
