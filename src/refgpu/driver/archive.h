/*
 * Host objects and archives of them, as a program gives them to the linker: the PTX of the images inside.  NVIDIA's
 * library of the device's own runtime has machine code alone; the part of it that cooperative groups need stands here.
 *
 * The bytes are a program's: every number in them is checked.  No state; any thread.
 */
#ifndef PL_REFGPU_DRIVER_ARCHIVE_H
#define PL_REFGPU_DRIVER_ARCHIVE_H

#include "fatbin.h"

/** pl_cu_archive_read() - the PTX of an object (ELF) or an archive ("!<arch>")
 * @texts_out: on success one text for each image that was found; pl_cu_texts_fini()
 * Otherwise as pl_cu_fatbin_read(). */
int pl_cu_archive_read(struct pl_cu_texts *texts_out, const void *data, size_t size_bytes, unsigned int sm,
		       const char **why_out);

#endif
