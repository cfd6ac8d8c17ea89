#include "cuda/image.h"

#include <elf.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PACKED_MAGIC   0x474d494c50ull /* "PLIMG" */
#define READ_BYTES_MAX (64u << 20)     /* of one process_vm_readv() */
#define PAGE_BYTES     4096u
#define PAGES_AT_ONCE  8u /* of a text whose end is looked for */
#define PAD(n)         (((uint64_t)(n) + 7) & ~(uint64_t)7)

enum packed_kind {
	PACKED_PLAIN = 1, /* one piece that is an image as it is */
	PACKED_WRAPPER,   /* a container that needs a wrapper around it */
	PACKED_PARTS,     /* the first is the wrapper's own container, the others its parts */
};

/* At the begin of a packed image; then the pieces' sizes, then the pieces, each padded to 8 bytes.  The room is for the
 * wrapper and its list, which the taker writes. */
struct packed {
	uint64_t magic;
	uint32_t kind, count;
	uint64_t room_bytes;
};

struct piece {
	const void *at;
	uint64_t bytes;
};

struct pieces {
	struct piece *piece;
	uint32_t count;
	enum packed_kind kind;
};

/* Who looks for an end reads up to the page's, which may lie behind the object's: nothing that AddressSanitizer knows.
 */
#ifdef __SANITIZE_ADDRESS__
__attribute__((no_sanitize_address)) static void bytes_take(char *to, const volatile char *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = from[i];
}
#else
static void bytes_take(char *to, const char *from, size_t bytes)
{
	memcpy(to, from, bytes);
}
#endif

/* Each forbidden try is a line in the system's log: one is enough. */
static _Atomic bool forbidden;

bool pl_cuda_peek(void *to, const void *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t part = bytes - done < READ_BYTES_MAX ? bytes - done : READ_BYTES_MAX;
		struct iovec local = { (char *)to + done, part };
		struct iovec remote = { (char *)(uintptr_t)from + done, part };
		ssize_t got = -1;

		if (!atomic_load_explicit(&forbidden, memory_order_relaxed)) {
			got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
			if (got < 0 && (errno == EPERM || errno == ENOSYS))
				atomic_store_explicit(&forbidden, true, memory_order_relaxed);
		}
		if (atomic_load_explicit(&forbidden, memory_order_relaxed)) {
			bytes_take((char *)to + done, (const char *)from + done, part);
			got = (ssize_t)part;
		}
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* What is there of so many bytes, whole pages of them but for the first and the last. */
static size_t pages_peek(char *to, const char *from, size_t bytes)
{
	struct iovec remote[PAGES_AT_ONCE];
	struct iovec local = { to, bytes };
	size_t n = 0, at = 0;
	ssize_t got;

	for (; at < bytes && n < PAGES_AT_ONCE; n++) {
		size_t part = PAGE_BYTES - (uintptr_t)(from + at) % PAGE_BYTES;

		part = part < bytes - at ? part : bytes - at;
		remote[n] = (struct iovec){ (char *)(uintptr_t)from + at, part };
		at += part;
	}
	local.iov_len = at;
	got = process_vm_readv(getpid(), &local, 1, remote, n, 0); /* what is there of those, in their order */
	return got > 0 ? (size_t)got : 0;
}

bool pl_cuda_peek_text(const char *text, size_t most, size_t *len_out)
{
	char pages[PAGES_AT_ONCE * PAGE_BYTES];

	for (size_t at = 0; at < most;) {
		size_t part = sizeof(pages) - (uintptr_t)(text + at) % PAGE_BYTES, got = 0;
		const char *end;

		part = part < most - at ? part : most - at;
		if (!atomic_load_explicit(&forbidden, memory_order_relaxed))
			got = pages_peek(pages, text + at, part);
		if (!got) { /* or it is forbidden: the first page tells */
			size_t page = PAGE_BYTES - (uintptr_t)(text + at) % PAGE_BYTES;

			got = page < part ? page : part;
			if (!pl_cuda_peek(pages, text + at, got))
				return false;
		}
		end = memchr(pages, 0, got);
		if (end) {
			*len_out = at + (size_t)(end - pages);
			return true;
		}
		at += got;
	}
	*len_out = most;
	return true;
}

/* ---- how long is it ---- */

static int container_bytes(const void *at, uint64_t *bytes_out)
{
	struct pl_cuda_container head;

	if (!pl_cuda_peek(&head, at, sizeof(head)) || head.magic != PL_CUDA_IMAGE_CONTAINER || head.version != 1 ||
	    head.header_bytes < sizeof(head))
		return -EINVAL;
	if (head.size_bytes > PL_CUDA_IMAGE_BYTES_MAX - head.header_bytes)
		return -E2BIG;
	*bytes_out = head.header_bytes + head.size_bytes;
	return 0;
}

/* To the end of what any of its headers names. */
static int elf_bytes(const void *at, uint64_t *bytes_out)
{
	Elf64_Ehdr head;
	uint64_t end;

	if (!pl_cuda_peek(&head, at, sizeof(head)) || head.e_ident[EI_CLASS] != ELFCLASS64)
		return -EINVAL;
	end = sizeof(head);
	if (head.e_shoff > PL_CUDA_IMAGE_BYTES_MAX || head.e_phoff > PL_CUDA_IMAGE_BYTES_MAX)
		return -E2BIG;
	if (head.e_shnum && head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize > end)
		end = head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize;
	if (head.e_phnum && head.e_phoff + (uint64_t)head.e_phnum * head.e_phentsize > end)
		end = head.e_phoff + (uint64_t)head.e_phnum * head.e_phentsize;
	for (uint32_t i = 0; i < head.e_shnum && head.e_shentsize >= sizeof(Elf64_Shdr); i++) {
		Elf64_Shdr section;

		if (!pl_cuda_peek(&section, (const char *)at + head.e_shoff + (uint64_t)i * head.e_shentsize,
				  sizeof(section)))
			return -EINVAL;
		if (section.sh_type == SHT_NOBITS)
			continue;
		if (section.sh_offset > PL_CUDA_IMAGE_BYTES_MAX || section.sh_size > PL_CUDA_IMAGE_BYTES_MAX)
			return -E2BIG;
		if (section.sh_offset + section.sh_size > end)
			end = section.sh_offset + section.sh_size;
	}
	*bytes_out = end;
	return 0;
}

/* A text, its 0 included. */
static int text_bytes(const char *text, uint64_t *bytes_out)
{
	size_t len;

	if (!pl_cuda_peek_text(text, PL_CUDA_IMAGE_TEXT_MAX + 1, &len))
		return -EINVAL;
	*bytes_out = len + 1;
	return len > PL_CUDA_IMAGE_TEXT_MAX ? -E2BIG : 0;
}

static int linked_bytes(const void *at, uint64_t *bytes_out)
{
	struct pl_cuda_linked head;

	if (!pl_cuda_peek(&head, at, sizeof(head)) || head.size_bytes < sizeof(head))
		return -EINVAL;
	*bytes_out = head.size_bytes;
	return head.size_bytes > PL_CUDA_IMAGE_BYTES_MAX ? -E2BIG : 0;
}

static int wrapper_pieces(struct pieces *pieces, const void *image)
{
	struct pl_cuda_wrapper wrapper;
	int r;

	if (!pl_cuda_peek(&wrapper, image, sizeof(wrapper)) || (wrapper.version != 1 && wrapper.version != 2))
		return -EINVAL;
	pieces->kind = wrapper.version == 2 && wrapper.parts ? PACKED_PARTS : PACKED_WRAPPER;
	pieces->piece[0].at = (const void *)(uintptr_t)wrapper.data;
	r = container_bytes(pieces->piece[0].at, &pieces->piece[0].bytes);
	pieces->count = 1;
	while (!r && pieces->kind == PACKED_PARTS) {
		const char *list = (const char *)(uintptr_t)wrapper.parts;
		struct piece *next = &pieces->piece[pieces->count];

		if (pieces->count == PL_CUDA_IMAGE_PIECES_MAX)
			return -E2BIG;
		if (!pl_cuda_peek(&next->at, list + (pieces->count - 1) * sizeof(next->at), sizeof(next->at)))
			return -EINVAL;
		if (!next->at)
			break;
		r = container_bytes(next->at, &next->bytes);
		pieces->count++;
	}
	return r;
}

static int pieces_find(struct pieces *pieces, const void *image)
{
	struct piece *first = &pieces->piece[0];
	uint32_t magic = 0;

	(void)pl_cuda_peek(&magic, image, sizeof(magic)); /* a short text may end a page */
	*first = (struct piece){ .at = image };
	pieces->kind = PACKED_PLAIN;
	pieces->count = 1;
	switch (magic) {
	case PL_CUDA_IMAGE_WRAPPER:
		return wrapper_pieces(pieces, image);
	case PL_CUDA_IMAGE_CONTAINER:
		return container_bytes(image, &first->bytes);
	case PL_CUDA_IMAGE_ELF:
		return elf_bytes(image, &first->bytes);
	case PL_CUDA_IMAGE_LINKED:
		return linked_bytes(image, &first->bytes);
	default:
		return text_bytes(image, &first->bytes);
	}
}

/* ---- packing ---- */

static int pieces_pack(const struct pieces *pieces, void **packed_out, size_t *bytes_out)
{
	struct packed head = { .magic = PACKED_MAGIC, .kind = pieces->kind, .count = pieces->count };
	uint64_t bytes, *sizes;
	uint8_t *packed, *at;

	head.room_bytes = sizeof(struct pl_cuda_wrapper) + (uint64_t)(head.count + 1) * 8;
	bytes = sizeof(head) + (uint64_t)head.count * 8 + head.room_bytes;
	for (uint32_t i = 0; i < head.count; i++)
		bytes += PAD(pieces->piece[i].bytes);
	if (bytes > PL_CUDA_IMAGE_BYTES_MAX)
		return -E2BIG;
	packed = calloc(1, bytes);
	if (!packed)
		return -ENOMEM;
	memcpy(packed, &head, sizeof(head));
	sizes = (uint64_t *)(packed + sizeof(head));
	at = packed + sizeof(head) + (uint64_t)head.count * 8 + head.room_bytes;
	for (uint32_t i = 0; i < head.count; i++) {
		sizes[i] = pieces->piece[i].bytes;
		if (!pl_cuda_peek(at, pieces->piece[i].at, sizes[i])) {
			free(packed);
			return -EINVAL;
		}
		at += PAD(sizes[i]);
	}
	*packed_out = packed;
	*bytes_out = bytes;
	return 0;
}

int pl_cuda_image_pack(const void *image, void **packed_out, size_t *bytes_out)
{
	struct pieces pieces = { .piece = calloc(PL_CUDA_IMAGE_PIECES_MAX + 1, sizeof(*pieces.piece)) };
	int r = pieces.piece ? pieces_find(&pieces, image) : -ENOMEM;

	if (!r)
		r = pieces_pack(&pieces, packed_out, bytes_out);
	free(pieces.piece);
	return r;
}

int pl_cuda_image_pack_bytes(const void *data, size_t data_bytes, void **packed_out, size_t *bytes_out)
{
	struct piece piece = { data, data_bytes };
	struct pieces pieces = { .piece = &piece, .count = 1, .kind = PACKED_PLAIN };

	return data_bytes > PL_CUDA_IMAGE_BYTES_MAX ? -E2BIG : pieces_pack(&pieces, packed_out, bytes_out);
}

/* FNV-1a over words. */
uint64_t pl_cuda_image_hash(const void *packed, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t at = 0; at + 8 <= bytes; at += 8) {
		uint64_t word;

		memcpy(&word, (const char *)packed + at, 8);
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	return hash ^ bytes;
}

/* ---- unpacking ---- */

/* What a driver would follow out of the piece, or past its end, is refused. */
static bool piece_good(const void *at, uint64_t bytes, enum packed_kind kind)
{
	uint32_t magic = 0;
	uint64_t says;

	if (bytes >= sizeof(magic))
		memcpy(&magic, at, sizeof(magic));
	if (kind != PACKED_PLAIN || magic == PL_CUDA_IMAGE_CONTAINER)
		return bytes >= sizeof(struct pl_cuda_container) && !container_bytes(at, &says) && says <= bytes;
	if (magic == PL_CUDA_IMAGE_LINKED)
		return bytes >= sizeof(struct pl_cuda_linked) && !linked_bytes(at, &says) && says <= bytes;
	if (magic == PL_CUDA_IMAGE_ELF)
		return bytes >= sizeof(Elf64_Ehdr) && ((const Elf64_Ehdr *)at)->e_shoff <= bytes &&
		       ((const Elf64_Ehdr *)at)->e_shnum * (uint64_t)((const Elf64_Ehdr *)at)->e_shentsize <=
			       bytes - ((const Elf64_Ehdr *)at)->e_shoff;
	return magic != PL_CUDA_IMAGE_WRAPPER;
}

int pl_cuda_image_unpack(void *packed, size_t bytes, const void **image_out)
{
	uint8_t *room, *at, *end = (uint8_t *)packed + bytes;
	struct pl_cuda_wrapper *wrapper;
	const uint64_t *sizes;
	struct packed head;
	uint64_t *list;

	if (bytes < sizeof(head))
		return -EINVAL;
	memcpy(&head, packed, sizeof(head));
	if (head.magic != PACKED_MAGIC || head.kind < PACKED_PLAIN || head.kind > PACKED_PARTS || !head.count ||
	    head.count > PL_CUDA_IMAGE_PIECES_MAX || (head.kind != PACKED_PARTS && head.count != 1) ||
	    head.room_bytes != sizeof(*wrapper) + (uint64_t)(head.count + 1) * 8 ||
	    bytes - sizeof(head) < head.room_bytes + (uint64_t)head.count * 8)
		return -EINVAL;
	sizes = (const uint64_t *)((uint8_t *)packed + sizeof(head));
	room = (uint8_t *)packed + sizeof(head) + (uint64_t)head.count * 8;
	at = room + head.room_bytes;
	wrapper = (struct pl_cuda_wrapper *)room;
	list = (uint64_t *)(wrapper + 1);
	*wrapper = (struct pl_cuda_wrapper){ .magic = PL_CUDA_IMAGE_WRAPPER,
					     .version = head.kind == PACKED_PARTS ? 2 : 1,
					     .data = (uintptr_t)at,
					     .parts = head.kind == PACKED_PARTS ? (uintptr_t)list : 0 };
	*image_out = head.kind == PACKED_PLAIN ? (const void *)at : wrapper;
	for (uint32_t i = 0; i < head.count; i++) {
		if (!sizes[i] || sizes[i] > (uint64_t)(end - at) || PAD(sizes[i]) > (uint64_t)(end - at) ||
		    !piece_good(at, sizes[i], (enum packed_kind)head.kind))
			return -EINVAL;
		if (i)
			list[i - 1] = (uintptr_t)at;
		at += PAD(sizes[i]);
	}
	list[head.count - 1] = 0;
	memset(end, 0, 8); /* a text ends here at the latest */
	return at == end ? 0 : -EINVAL;
}
