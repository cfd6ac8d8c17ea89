/* A packed image as it comes from a client: what is unpacked must lie inside. */
#include "cuda/image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packed = malloc(size + 8); /* exact: one byte too far is seen */
	const void *image = NULL;

	if (!packed)
		return 0;
	if (size)
		memcpy(packed, data, size);
	(void)pl_cuda_image_hash(packed, size);
	if (!pl_cuda_image_unpack(packed, size, &image))
		pl_fuzz_check((const uint8_t *)image >= packed && (const uint8_t *)image < packed + size);
	free(packed);
	return 0;
}
