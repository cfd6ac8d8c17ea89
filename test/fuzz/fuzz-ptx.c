/* PTX text, as a program hands it to the driver.  What the compiler accepts, the engine's validator must accept too. */
#include "fuzz.h"
#include "refgpu/isa/validate.h"
#include "refgpu/ptx/ptx.h"

static void image_check(const struct pl_ptx_image *image)
{
	const struct pl_ptx_bytes *code = &image->sections[PL_PTX_CODE];
	struct pl_isa_refusal refusal;

	for (int i = 0; i < PL_PTX_SECTIONS; i++) {
		pl_fuzz_check(image->sections[i].data_bytes <= image->sections[i].bytes);
		pl_fuzz_touch(image->sections[i].data, image->sections[i].data_bytes);
	}
	for (uint32_t i = 0; i < image->relocs_n; i++)
		pl_fuzz_check(image->relocs[i].section < PL_PTX_SECTIONS && image->relocs[i].target < PL_PTX_SECTIONS &&
			      image->relocs[i].offset + (image->relocs[i].kind == PL_PTX_RELOC_BYTES
								 ? image->relocs[i].bytes
								 : 16) <=
				      image->sections[image->relocs[i].section].data_bytes);
	for (uint32_t i = 0; i < image->funcs_n; i++)
		pl_fuzz_check(image->funcs[i].offset + image->funcs[i].bytes <= code->bytes);
	if (code->bytes)
		pl_fuzz_check(pl_isa_validate((const struct pl_isa_insn *)(const void *)code->data,
					      (uint32_t)(code->bytes / 16), &refusal) == PL_ISA_VALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1); /* exact: one byte too far is seen */
	struct pl_ptx_source source = { text, size, "fuzz" };
	char error[512], info[256];
	struct pl_ptx_log log = {
		.error = error, .error_bytes = sizeof(error), .info = info, .info_bytes = sizeof(info)
	};
	struct pl_ptx_options options = { .verbose = true, .line_info = true };
	struct pl_ptx_image *image = NULL;
	uint32_t version, target;
	int r;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	(void)pl_ptx_peek(&source, &version, &target);
	r = pl_ptx_compile(&image, &source, 1, &options, &log);
	pl_fuzz_check((r == 0) == (image != NULL));
	pl_fuzz_check(r <= 0 || error[0]);
	if (image)
		image_check(image);
	pl_ptx_image_destroy(image);
	free(text);
	return 0;
}
