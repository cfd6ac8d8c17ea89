#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lz4.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cuda/image.h"
#include "fatbin.h"
#include "identity.h"

struct choice {
	struct pl_cuda_container_entry entry;
	const uint8_t *payload;
	bool found, fits;
	unsigned int oldest; /* PTX that there is; 0 = none */
};

static int refuse(const char **why_out, int result, const char *why)
{
	*why_out = why;
	return result;
}

static _Thread_local char advice[400]; /* for refuse(), until the next image of this thread */

static int refuse_newer(const char **why_out, unsigned int oldest, unsigned int sm)
{
	unsigned int claim = oldest > PL_CUDA_CLAIM_UNKNOWN ? oldest : PL_CUDA_CLAIM_UNKNOWN;

	snprintf(
		advice, sizeof(advice),
		"the image has PTX for compute_%u and newer only, and the device claims %u.%u: build it for compute_%u "
		"or older, or set PLENUM_REFGPU_CAPABILITY=%u.%u where the device runs, which lets it claim that",
		oldest, sm / 10, sm % 10, sm, claim / 10, claim % 10);
	return refuse(why_out, PL_CU_FATBIN_E_TOO_NEW, advice);
}

/* A library that knows a capability relies on its machine code for it, though it has PTX for newer ones. */
static int refuse_machine_code(const char **why_out, unsigned int sm, const char *why)
{
	int n = snprintf(advice, sizeof(advice), "%s", why);

	if (sm < PL_CUDA_CLAIM_UNKNOWN)
		snprintf(advice + n, sizeof(advice) - (size_t)n,
			 ", or, if it is a library's, set PLENUM_REFGPU_CAPABILITY=%u.%u where the device runs: for "
			 "devices that it does not know it has PTX",
			 PL_CUDA_CLAIM_UNKNOWN / 10, PL_CUDA_CLAIM_UNKNOWN % 10);
	return refuse(why_out, PL_CU_FATBIN_E_NO_CODE, advice);
}

static bool entry_fits(const struct pl_cuda_container_entry *entry, unsigned int sm)
{
	if (entry->flags & PL_CUDA_ENTRY_ARCH)
		return entry->sm == sm;
	return !(entry->flags & PL_CUDA_ENTRY_KIN) || entry->sm / 10 == sm / 10;
}

/* What is made for one capability or family is the last choice of others: this device may know all that is in it.
 * Newest first; of the same generation the later entry, as the runtime's own order is. */
static void choice_offer(struct choice *choice, const struct pl_cuda_container_entry *entry, const uint8_t *payload,
			 unsigned int sm)
{
	bool fits = entry_fits(entry, sm);

	if (entry->kind != PL_CUDA_ENTRY_PTX)
		return;
	if (!choice->oldest || entry->sm < choice->oldest)
		choice->oldest = entry->sm;
	if (entry->sm > sm ||
	    (choice->found && (choice->fits > fits || (choice->fits == fits && entry->sm < choice->entry.sm))))
		return;
	choice->fits = fits;
	choice->entry = *entry;
	choice->payload = payload;
	choice->found = true;
}

static int container_walk(struct choice *choice, const uint8_t *image, size_t size_bytes, unsigned int sm,
			  const char **why_out)
{
	struct pl_cuda_container head;
	uint64_t at, end;

	if (size_bytes < sizeof(head) || !pl_cuda_peek(&head, image, sizeof(head)))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image ends in its header");
	if (head.magic != PL_CUDA_IMAGE_CONTAINER || head.version != 1 || head.header_bytes < sizeof(head))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image has no header that this driver knows");
	if (head.size_bytes > PL_CU_FATBIN_BYTES_MAX ||
	    (size_bytes != PL_CU_FATBIN_UNKNOWN && head.size_bytes + head.header_bytes > size_bytes))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image is shorter than its header says");
	at = head.header_bytes;
	end = at + head.size_bytes;
	for (uint32_t n = 0; at < end; n++) {
		struct pl_cuda_container_entry entry;
		if (n == PL_CU_FATBIN_ENTRIES_MAX)
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image has too many entries");
		if (end - at < sizeof(entry) || !pl_cuda_peek(&entry, image + at, sizeof(entry)))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image ends in an entry's header");
		if (entry.header_bytes < sizeof(entry) || entry.header_bytes > end - at ||
		    entry.payload_bytes > end - at - entry.header_bytes)
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an entry is longer than the image");
		choice_offer(choice, &entry, image + at + entry.header_bytes, sm);
		at += entry.header_bytes + entry.payload_bytes;
	}
	return PL_CU_FATBIN_OK;
}

static bool unpack_zstd(char *to, size_t to_bytes, const void *from, size_t from_bytes)
{
	size_t got = ZSTD_decompress(to, to_bytes, from, from_bytes);
	return !ZSTD_isError(got) && got == to_bytes;
}

static bool unpack_lz4(char *to, size_t to_bytes, const void *from, size_t from_bytes)
{
	int got = LZ4_decompress_safe(from, to, (int)from_bytes, (int)to_bytes);
	return got >= 0 && (size_t)got == to_bytes;
}

static int entry_unpack(struct pl_cu_text *text, const struct pl_cuda_container_entry *entry, const uint8_t *payload,
			const char **why_out)
{
	bool packed = entry->flags & (PL_CUDA_ENTRY_LZ4 | PL_CUDA_ENTRY_ZSTD);
	uint64_t from_bytes = packed ? entry->packed_bytes : entry->payload_bytes;
	uint64_t to_bytes = packed ? entry->unpacked_bytes : from_bytes;
	pl_cleanup(pl_freep) char *to = NULL, *from = NULL;
	bool good;

	if (to_bytes > PL_CU_FATBIN_TEXT_MAX || from_bytes > entry->payload_bytes || !from_bytes)
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "an entry has a size that cannot be");
	to = malloc(to_bytes + 1);
	from = packed ? malloc(from_bytes) : NULL;
	if (!to || (packed && !from))
		return pl_err(-ENOMEM);
	if (!pl_cuda_peek(packed ? from : to, payload, from_bytes))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image ends in an entry");
	good = !packed                             ? true
	       : entry->flags & PL_CUDA_ENTRY_ZSTD ? unpack_zstd(to, to_bytes, from, from_bytes)
						   : unpack_lz4(to, to_bytes, from, from_bytes);
	if (!good)
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "a compressed entry does not unpack");
	to[to_bytes] = 0;
	text->len_bytes = strlen(to);
	text->data = pl_steal(to);
	return PL_CU_FATBIN_OK;
}

static int texts_grow(struct pl_cu_texts *texts)
{
	struct pl_cu_text *more = realloc(texts->text, (texts->n + 1) * sizeof(*more));
	if (!more)
		return pl_err(-ENOMEM);
	more[texts->n] = (struct pl_cu_text){ 0 };
	texts->text = more;
	return 0;
}

/* Adds the container's best PTX to `texts`. */
static int container_read(struct pl_cu_texts *texts, const void *image, size_t size_bytes, unsigned int sm,
			  const char **why_out)
{
	struct choice choice = { 0 };
	int r = container_walk(&choice, image, size_bytes, sm, why_out);
	if (r)
		return r;
	if (!choice.found)
		return choice.oldest ? refuse_newer(why_out, choice.oldest, sm)
				     : refuse_machine_code(why_out, sm,
							   "the image has no PTX: build it with code=compute_XX");
	r = texts_grow(texts);
	if (!r)
		r = entry_unpack(&texts->text[texts->n], &choice.entry, choice.payload, why_out);
	if (!r) {
		texts->n++;
		texts->built = true;
	}
	return r;
}

/* A program of several files that are linked on the device: code that was linked when it was built has no PTX, the
 * parts have. */
static int parts_read(struct pl_cu_texts *texts, uint64_t parts, unsigned int sm, const char **why_out)
{
	for (uint32_t n = 0; n < PL_CU_FATBIN_TEXTS_MAX; n++) {
		const void *part;
		int r;
		if (!pl_cuda_peek(&part, (const char *)(uintptr_t)parts + n * sizeof(part), sizeof(part)))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the list of parts ends nowhere");
		if (!part)
			return PL_CU_FATBIN_OK;
		r = container_read(texts, part, PL_CU_FATBIN_UNKNOWN, sm, why_out);
		if (r)
			return r;
	}
	return refuse(why_out, PL_CU_FATBIN_E_INVALID, "too many parts");
}

static int wrapper_read(struct pl_cu_texts *texts, const void *image, unsigned int sm, const char **why_out)
{
	struct pl_cuda_wrapper wrapper;
	int r;
	if (!pl_cuda_peek(&wrapper, image, sizeof(wrapper)))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the wrapper is cut");
	if (wrapper.version != 1 && wrapper.version != 2)
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "a wrapper of a version that this driver does not know");
	r = container_read(texts, (const void *)(uintptr_t)wrapper.data, PL_CU_FATBIN_UNKNOWN, sm, why_out);
	if (r > 0 && r != PL_CU_FATBIN_E_INVALID && wrapper.version == 2 && wrapper.parts)
		r = parts_read(texts, wrapper.parts, sm, why_out);
	return r;
}

static uint8_t is_binary(char c)
{
	return ((uint8_t)c < ' ') & ((uint8_t)(c - '\t') > '\r' - '\t');
}

#define PLAUSIBLE_STEP 64u /* bytes looked at together: a loop of a known length, which is made of vectors */

static bool text_plausible(const char *text, size_t len_bytes)
{
	uint8_t bad[PLAUSIBLE_STEP] = { 0 }, any = 0;
	size_t at = 0;

	for (; at + PLAUSIBLE_STEP <= len_bytes; at += PLAUSIBLE_STEP)
		for (size_t i = 0; i < PLAUSIBLE_STEP; i++)
			bad[i] |= is_binary(text[at + i]);
	for (; at < len_bytes; at++)
		any |= is_binary(text[at]);
	for (size_t i = 0; i < PLAUSIBLE_STEP; i++)
		any |= bad[i];
	return len_bytes > 0 && !any;
}

static int text_read(struct pl_cu_texts *texts, const void *image, size_t size_bytes, const char **why_out)
{
	struct pl_cu_text *text;
	size_t most = size_bytes < PL_CU_FATBIN_TEXT_MAX + 1u ? size_bytes : PL_CU_FATBIN_TEXT_MAX + 1u, len;
	int r;
	if (!pl_cuda_peek_text(image, most, &len) || len > PL_CU_FATBIN_TEXT_MAX)
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the text has no end");
	r = texts_grow(texts);
	if (r)
		return r;
	text = &texts->text[texts->n];
	text->data = malloc(len + 1);
	if (!text->data)
		return pl_err(-ENOMEM);
	texts->n++;
	if (!pl_cuda_peek(text->data, image, len))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the text has no end");
	text->data[len] = 0;
	text->len_bytes = strlen(text->data);
	if (!text_plausible(text->data, text->len_bytes))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "neither an image nor PTX");
	return PL_CU_FATBIN_OK;
}

void *pl_cu_texts_pack(const struct pl_cu_texts *texts, size_t *bytes_out)
{
	struct pl_cuda_linked head = { .magic = PL_CUDA_IMAGE_LINKED, .texts = texts->n, .size_bytes = sizeof(head) };
	uint8_t *packed, *at;
	for (uint32_t i = 0; i < texts->n; i++)
		head.size_bytes += sizeof(uint64_t) + texts->text[i].len_bytes;
	packed = malloc(head.size_bytes);
	if (!packed)
		return NULL;
	memcpy(packed, &head, sizeof(head));
	at = packed + sizeof(head);
	for (uint32_t i = 0; i < texts->n; i++) {
		uint64_t len = texts->text[i].len_bytes;
		memcpy(at, &len, sizeof(len));
		memcpy(at + sizeof(len), texts->text[i].data, len);
		at += sizeof(len) + len;
	}
	*bytes_out = head.size_bytes;
	return packed;
}

static int pack_read(struct pl_cu_texts *texts, const uint8_t *image, size_t size_bytes, const char **why_out)
{
	struct pl_cuda_linked head;
	uint64_t at = sizeof(head);
	if (size_bytes < sizeof(head) || !pl_cuda_peek(&head, image, sizeof(head)) ||
	    head.size_bytes > PL_CU_FATBIN_BYTES_MAX || head.texts > PL_CU_FATBIN_TEXTS_MAX || !head.texts ||
	    (size_bytes != PL_CU_FATBIN_UNKNOWN && head.size_bytes > size_bytes))
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "a linked image with a header that cannot be");
	for (uint32_t i = 0; i < head.texts; i++) {
		struct pl_cu_text *text;
		uint64_t len;
		if (at > head.size_bytes || head.size_bytes - at < sizeof(len) ||
		    !pl_cuda_peek(&len, image + at, sizeof(len)) || len > PL_CU_FATBIN_TEXT_MAX ||
		    len > head.size_bytes - at - sizeof(len))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "a linked image that ends too early");
		if (texts_grow(texts))
			return -ENOMEM;
		text = &texts->text[texts->n];
		text->data = malloc(len + 1);
		if (!text->data)
			return pl_err(-ENOMEM);
		texts->n++;
		if (!pl_cuda_peek(text->data, image + at + sizeof(len), len))
			return refuse(why_out, PL_CU_FATBIN_E_INVALID, "a linked image that ends too early");
		text->data[len] = 0;
		text->len_bytes = strlen(text->data);
		at += sizeof(len) + len;
	}
	return PL_CU_FATBIN_OK;
}

static int image_read(struct pl_cu_texts *texts, const void *image, size_t size_bytes, unsigned int sm,
		      const char **why_out)
{
	uint32_t magic = 0;
	if (size_bytes >= sizeof(magic) && !pl_cuda_peek(&magic, image, sizeof(magic)) &&
	    size_bytes != PL_CU_FATBIN_UNKNOWN)
		return refuse(why_out, PL_CU_FATBIN_E_INVALID, "the image is not readable");
	if (magic == PL_CUDA_IMAGE_WRAPPER && size_bytes >= sizeof(struct pl_cuda_wrapper))
		return wrapper_read(texts, image, sm, why_out);
	if (magic == PL_CUDA_IMAGE_CONTAINER)
		return container_read(texts, image, size_bytes, sm, why_out);
	if (magic == PL_CUDA_IMAGE_LINKED)
		return pack_read(texts, image, size_bytes, why_out);
	if (magic == PL_CUDA_IMAGE_ELF)
		return refuse_machine_code(why_out, sm,
					   "machine code of one generation of devices, without PTX: build with "
					   "code=compute_XX, or ask NVRTC for compute_XX instead of sm_XX (plenum "
					   "refgpu run does so for libnvrtc.so)");
	return text_read(texts, image, size_bytes, why_out);
}

int pl_cu_fatbin_read(struct pl_cu_texts *texts_out, const void *image, size_t size_bytes, unsigned int sm,
		      const char **why_out)
{
	struct pl_cu_texts texts = { 0 };
	int r = image_read(&texts, image, size_bytes, sm, why_out);
	if (r)
		pl_cu_texts_fini(&texts);
	else
		*texts_out = texts;
	return r;
}

void pl_cu_texts_fini(struct pl_cu_texts *texts)
{
	for (uint32_t i = 0; i < texts->n; i++)
		free(texts->text[i].data);
	free(texts->text);
	*texts = (struct pl_cu_texts){ 0 };
}

int pl_cu_texts_append(struct pl_cu_texts *to, struct pl_cu_texts *from)
{
	struct pl_cu_text *more;
	if (!from->n)
		return PL_CU_FATBIN_OK;
	if (to->n + from->n > PL_CU_FATBIN_TEXTS_MAX)
		return PL_CU_FATBIN_E_INVALID;
	more = realloc(to->text, (to->n + from->n) * sizeof(*more));
	if (!more)
		return pl_err(-ENOMEM);
	memcpy(more + to->n, from->text, from->n * sizeof(*more));
	to->text = more;
	to->n += from->n;
	free(from->text);
	*from = (struct pl_cu_texts){ 0 };
	return PL_CU_FATBIN_OK;
}
