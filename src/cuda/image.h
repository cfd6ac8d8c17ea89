/*
 * Images of device code: the frames that nvcc puts around them, how long one is that a program gives as a bare pointer,
 * and how one travels to another process.  What lies inside the frames is the driver's affair.
 *
 * A program's memory is read with calls that fail where nothing is mapped.  No state; any thread.
 */
#ifndef PL_CUDA_IMAGE_H
#define PL_CUDA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_CUDA_IMAGE_WRAPPER    0x466243b1u /* struct pl_cuda_wrapper */
#define PL_CUDA_IMAGE_CONTAINER  0xba55ed50u /* struct pl_cuda_container */
#define PL_CUDA_IMAGE_ELF        0x464c457fu
#define PL_CUDA_IMAGE_LINKED     0x31504c50u /* what the reference GPU's linker makes */

#define PL_CUDA_IMAGE_BYTES_MAX  (4ull << 30) /* limit: of one piece */
#define PL_CUDA_IMAGE_TEXT_MAX   (256u << 20) /* limit: of PTX text */
#define PL_CUDA_IMAGE_PIECES_MAX 4097u        /* limit: containers of one wrapper */

struct pl_cuda_wrapper {
	uint32_t magic, version;
	uint64_t data, parts; /* addresses; version 2: a list of containers to link, that ends with 0 */
};

struct pl_cuda_container {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t size_bytes; /* behind the header */
};

enum { PL_CUDA_ENTRY_PTX = 1, PL_CUDA_ENTRY_ELF = 2 };
#define PL_CUDA_ENTRY_LZ4  0x2000u
#define PL_CUDA_ENTRY_ZSTD 0x8000u
#define PL_CUDA_ENTRY_ARCH 0x100000u /* compute_90a: of that one capability */
#define PL_CUDA_ENTRY_KIN  0x200000u /* compute_100f: of its family, the same major number */

struct pl_cuda_container_entry {
	uint16_t kind, version;
	uint32_t header_bytes;
	uint64_t payload_bytes; /* with padding */
	uint32_t packed_bytes, options_offset;
	uint16_t minor, major;
	uint32_t sm, name_offset, name_bytes;
	uint64_t flags, reserved, unpacked_bytes;
};

struct pl_cuda_linked {
	uint32_t magic, texts;
	uint64_t size_bytes; /* this header too */
};

/* Reads where perhaps nothing is mapped.  Return: all of it was there.  Where a sandbox forbids such reads it just
 * reads.
 */
bool pl_cuda_peek(void *to, const void *from, size_t bytes);
/* Length of a text that ends in 0, or `most` where there is none up to there.  Return: false = its memory ends first.
 */
bool pl_cuda_peek_text(const char *text, size_t most, size_t *len_out);

/** pl_cuda_image_pack() - what a program gave, in one piece that travels
 * @image: as the API takes it: a wrapper, a container, ELF, what a linker made, or PTX text that ends in 0
 * Return: 0 and *packed_out, to be free()d; -EINVAL: that is no image; -E2BIG: a limit; -ENOMEM. */
int pl_cuda_image_pack(const void *image, void **packed_out, size_t *bytes_out);
/* The same for a file's content. */
int pl_cuda_image_pack_bytes(const void *data, size_t data_bytes, void **packed_out, size_t *bytes_out);

/* A hash of a packed image, for who sends and who keeps it: 64 bits, against chance only. */
uint64_t pl_cuda_image_hash(const void *packed, size_t bytes);

/** pl_cuda_image_unpack() - make of it what a driver takes, in the memory at hand
 * @packed: from a peer: checked as such.  Changed, and in use as long as *image_out is; has 8 bytes of room at its end
 * Return: 0 and *image_out; -EINVAL: not whole. */
int pl_cuda_image_unpack(void *packed, size_t bytes, const void **image_out);

#endif
