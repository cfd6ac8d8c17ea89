/*
 * What nvcc puts into a program: a wrapper that points at a container whose entries hold PTX text or code for one
 * generation of devices, plain or compressed.  Here is found which PTX a device of a given generation takes.
 *
 * The memory is a program's and is not trusted: it is read with calls that fail where nothing is mapped, and every
 * number in it is checked.  No state; any thread.
 */
#ifndef PL_REFGPU_DRIVER_FATBIN_H
#define PL_REFGPU_DRIVER_FATBIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_CU_FATBIN_BYTES_MAX   (4ull << 30) /* of one container */
#define PL_CU_FATBIN_ENTRIES_MAX 65536u       /* of one container */
#define PL_CU_FATBIN_TEXT_MAX    (256u << 20) /* of one PTX text, unpacked */
#define PL_CU_FATBIN_TEXTS_MAX   4096u        /* of one wrapper whose parts are linked when they are loaded */
#define PL_CU_FATBIN_UNKNOWN     ((size_t)-1) /* a size that the caller was not told */

enum { /* positive results; *why_out says more */
       PL_CU_FATBIN_OK,
       PL_CU_FATBIN_E_INVALID, /* no image, or a broken one */
       PL_CU_FATBIN_E_NO_CODE, /* an image, but none of its PTX is for this device */
       PL_CU_FATBIN_E_TOO_NEW, /* as above: all its PTX is for newer devices */
};

struct pl_cu_text {
	char *data; /* ends in 0, which is not counted */
	size_t len_bytes;
};

struct pl_cu_texts {
	struct pl_cu_text *text;
	uint32_t n;
	bool built; /* by nvcc, out of a container: nobody reads what a compiler says of it */
};

/** pl_cu_fatbin_read() - the PTX of an image
 * @texts_out:  on success one text, or several that have to be linked; pl_cu_texts_fini()
 * @image:      a wrapper, a container, PTX text (ends in 0), or an ELF file
 * @size_bytes: PL_CU_FATBIN_UNKNOWN where the API does not say
 * @sm:         the device's generation, 90 for compute capability 9.0: the newest PTX up to it
 * @why_out:    a sentence for the log, never freed, good until the next image of this thread
 * Return: 0, PL_CU_FATBIN_E_*, or fatal -ENOMEM. */
int pl_cu_fatbin_read(struct pl_cu_texts *texts_out, const void *image, size_t size_bytes, unsigned int sm,
		      const char **why_out);
void pl_cu_texts_fini(struct pl_cu_texts *texts);
/* Moves all of `from` behind what `to` has.  0, PL_CU_FATBIN_E_INVALID (too many), -ENOMEM; then `from` is as it was.
 */
int pl_cu_texts_append(struct pl_cu_texts *to, struct pl_cu_texts *from);

/* Texts that have to be linked as one piece of memory that pl_cu_fatbin_read() reads, at this address or another. NULL:
 * no memory. */
void *pl_cu_texts_pack(const struct pl_cu_texts *texts, size_t *bytes_out);

#endif
