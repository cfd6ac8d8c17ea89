/*
 * Names of variables in an image of device code: the driver knows them by name alone, and has no list.  Too many names
 * do no harm, the driver is asked for each.  The image was checked when it was unpacked (cuda/image.h); what lies
 * inside of its frames was not.
 */
#include <ctype.h>
#include <elf.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "backend/cuda/checkpoint.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "cuda/image.h"

#define UNPACKED_MAX   (1ull << 30) /* limit: of one entry */
#define PARTS_MAX      PL_CUDA_IMAGE_PIECES_MAX
#define NAME_BYTES_MAX 65536u
#define HEAP_NAME      "malloc" /* a kernel that allocates memory calls it by this name */

/* ---- the list ---- */

static int name_add(struct pl_cuda_names *names, const char *name, size_t bytes)
{
	if (!bytes || bytes > NAME_BYTES_MAX)
		return 0;
	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 64;
		char **larger = realloc(names->at, room * sizeof(*larger));

		if (!larger)
			return pl_err(-ENOMEM);
		names->at = larger;
		names->room = room;
	}
	names->at[names->count] = strndup(name, bytes);
	if (!names->at[names->count])
		return pl_err(-ENOMEM);
	names->count++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_sort(struct pl_cuda_names *names)
{
	size_t kept = 0;

	if (!names->count)
		return;
	qsort(names->at, names->count, sizeof(names->at[0]), compare);
	for (size_t i = 0; i < names->count; i++) {
		if (kept && !strcmp(names->at[i], names->at[kept - 1]))
			free(names->at[i]);
		else
			names->at[kept++] = names->at[i];
	}
	names->count = kept;
}

void pl_cuda_names_fini(struct pl_cuda_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->at[i]);
	free(names->at);
	*names = (struct pl_cuda_names){ 0 };
}

/* ---- PTX ---- */

static bool is_of_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%';
}

/* From behind a `.global` on: words that are neither directives nor numbers, up to where values begin.  Return: 0 or
 * -ENOMEM; *at_io is behind it. */
static int declaration_read(struct pl_cuda_names *names, const char **at_io, const char *end)
{
	const char *at = *at_io;
	int r = 0;

	while (!r && at < end && *at != ';' && *at != '=' && *at != '{' && *at != '}') {
		const char *start = at;

		if (*at == '[' || *at == '(') {
			const char *close = memchr(at, *at == '[' ? ']' : ')', (size_t)(end - at));

			at = close ? close + 1 : end;
			continue;
		}
		while (at < end && (is_of_name(*at) || *at == '.'))
			at++;
		if (at == start)
			at++;
		else if (*start != '.' && !isdigit((unsigned char)*start))
			r = name_add(names, start, (size_t)(at - start));
	}
	*at_io = at;
	return r;
}

static bool starts_with(const char *at, const char *end, const char *word)
{
	size_t bytes = strlen(word);

	return (size_t)(end - at) > bytes && !memcmp(at, word, bytes) && !is_of_name(at[bytes]);
}

/* Anywhere: a comment that has the word is no harm. */
static bool text_has_word(const char *text, const char *end, const char *word)
{
	const size_t bytes = strlen(word);

	for (const char *at = text; (at = memmem(at, (size_t)(end - at), word, bytes)); at += bytes)
		if ((at == text || !is_of_name(at[-1])) && (at + bytes == end || !is_of_name(at[bytes])))
			return true;
	return false;
}

static int text_read(struct pl_cuda_names *names, const char *text, size_t bytes)
{
	const char *end = text + strnlen(text, bytes), *at = text;
	int r = 0;

	names->heap |= text_has_word(text, end, HEAP_NAME);
	while (!r && (at = memchr(at, '.', (size_t)(end - at)))) {
		bool first = at == text || isspace((unsigned char)at[-1]) || at[-1] == ';' || at[-1] == '}';

		if (first && starts_with(at, end, ".global"))
			at += strlen(".global");
		else if (first && starts_with(at, end, ".const"))
			at += strlen(".const");
		else {
			at++;
			continue;
		}
		r = declaration_read(names, &at, end);
	}
	return r;
}

/* ---- ELF ---- */

static bool section_get(const uint8_t *elf, size_t bytes, const Elf64_Ehdr *head, uint64_t n, Elf64_Shdr *section)
{
	if (n >= head->e_shnum || head->e_shentsize < sizeof(*section) || head->e_shoff > bytes ||
	    (n + 1) * head->e_shentsize > bytes - head->e_shoff)
		return false;
	memcpy(section, elf + head->e_shoff + n * head->e_shentsize, sizeof(*section));
	return section->sh_type == SHT_NOBITS ||
	       (section->sh_offset <= bytes && section->sh_size <= bytes - section->sh_offset);
}

static int symbols_read(struct pl_cuda_names *names, const uint8_t *elf, const Elf64_Shdr *table,
			const Elf64_Shdr *strings)
{
	const char *text = (const char *)elf + strings->sh_offset;
	int r = 0;

	for (uint64_t at = 0; !r && table->sh_size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;
		size_t room;

		memcpy(&symbol, elf + table->sh_offset + at, sizeof(symbol));
		if (symbol.st_name >= strings->sh_size)
			continue;
		room = strings->sh_size - symbol.st_name;
		if (room >= sizeof(HEAP_NAME) && !memcmp(text + symbol.st_name, HEAP_NAME, sizeof(HEAP_NAME)))
			names->heap = true;
		if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT)
			r = name_add(names, text + symbol.st_name, strnlen(text + symbol.st_name, room));
	}
	return r;
}

/* Return: 0; -EINVAL: it has no symbols; -ENOMEM. */
static int elf_read(struct pl_cuda_names *names, const uint8_t *elf, size_t bytes)
{
	Elf64_Shdr table, strings;
	Elf64_Ehdr head;

	if (bytes < sizeof(head))
		return -EINVAL;
	memcpy(&head, elf, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64)
		return -EINVAL;
	for (uint64_t n = 0; section_get(elf, bytes, &head, n, &table); n++)
		if (table.sh_type == SHT_SYMTAB && section_get(elf, bytes, &head, table.sh_link, &strings) &&
		    strings.sh_type == SHT_STRTAB)
			return symbols_read(names, elf, &table, &strings);
	return -EINVAL;
}

/* ---- containers ---- */

static bool unpack(const struct pl_cuda_container_entry *entry, const uint8_t *payload, uint8_t *to)
{
	if (entry->flags & PL_CUDA_ENTRY_ZSTD)
		return ZSTD_decompress(to, entry->unpacked_bytes, payload, entry->packed_bytes) ==
		       entry->unpacked_bytes;
	return entry->packed_bytes <= INT32_MAX &&
	       LZ4_decompress_safe((const char *)payload, (char *)to, (int)entry->packed_bytes,
				   (int)entry->unpacked_bytes) == (int)entry->unpacked_bytes;
}

/* Return: 0; -EINVAL: it is not read here; -ENOMEM. */
static int entry_read(struct pl_cuda_names *names, const struct pl_cuda_container_entry *entry, const uint8_t *payload)
{
	bool packed = entry->flags & (PL_CUDA_ENTRY_LZ4 | PL_CUDA_ENTRY_ZSTD);
	pl_cleanup(pl_freep) uint8_t *room = NULL;
	uint64_t bytes = entry->payload_bytes;

	if (entry->kind != PL_CUDA_ENTRY_PTX && entry->kind != PL_CUDA_ENTRY_ELF)
		return -EINVAL;
	if (packed) {
		bytes = entry->unpacked_bytes;
		if (!bytes || bytes > UNPACKED_MAX || entry->packed_bytes > entry->payload_bytes)
			return -EINVAL;
		room = malloc(bytes);
		if (!room)
			return pl_err(-ENOMEM);
		if (!unpack(entry, payload, room))
			return -EINVAL;
		payload = room;
	}
	return entry->kind == PL_CUDA_ENTRY_PTX ? text_read(names, (const char *)payload, bytes)
						: elf_read(names, payload, bytes);
}

/* What one entry has the others have, for other devices. */
static int container_read(struct pl_cuda_names *names, const uint8_t *container)
{
	struct pl_cuda_container head;
	bool any = false, failed = false;
	uint64_t at, end;
	int r = 0;

	memcpy(&head, container, sizeof(head));
	at = head.header_bytes;
	end = at + head.size_bytes;
	while (r != -ENOMEM && end - at >= sizeof(struct pl_cuda_container_entry)) {
		struct pl_cuda_container_entry entry;

		memcpy(&entry, container + at, sizeof(entry));
		if (entry.header_bytes < sizeof(entry) || entry.header_bytes > end - at ||
		    entry.payload_bytes > end - at - entry.header_bytes)
			break;
		r = entry_read(names, &entry, container + at + entry.header_bytes);
		any |= !r;
		failed |= r && (entry.kind == PL_CUDA_ENTRY_PTX || entry.kind == PL_CUDA_ENTRY_ELF);
		at += entry.header_bytes + entry.payload_bytes;
	}
	names->unknown |= !any || failed;
	return r == -ENOMEM ? r : 0;
}

static int linked_read(struct pl_cuda_names *names, const uint8_t *image)
{
	struct pl_cuda_linked head;
	uint64_t at = sizeof(head), bytes;
	int r = 0;

	memcpy(&head, image, sizeof(head));
	for (uint32_t i = 0; !r && i < head.texts; i++, at += bytes) {
		if (head.size_bytes < at || head.size_bytes - at < sizeof(bytes)) {
			names->unknown = true;
			break;
		}
		memcpy(&bytes, image + at, sizeof(bytes));
		at += sizeof(bytes);
		if (bytes > head.size_bytes - at) {
			names->unknown = true;
			break;
		}
		r = text_read(names, (const char *)image + at, bytes);
	}
	return r;
}

static int wrapper_read(struct pl_cuda_names *names, const void *image)
{
	struct pl_cuda_wrapper wrapper;
	const uint64_t *parts;
	int r;

	memcpy(&wrapper, image, sizeof(wrapper));
	parts = (const uint64_t *)(uintptr_t)wrapper.parts;
	if (wrapper.version != 2 || !parts)
		return container_read(names, (const uint8_t *)(uintptr_t)wrapper.data);
	r = container_read(names, (const uint8_t *)(uintptr_t)wrapper.data);
	names->unknown = false; /* that one may be a shell for its parts */
	for (uint32_t i = 0; !r && i < PARTS_MAX && parts[i]; i++)
		r = container_read(names, (const uint8_t *)(uintptr_t)parts[i]);
	return r;
}

static int image_read(struct pl_cuda_names *names, const void *image)
{
	uint64_t bytes;
	uint32_t magic;
	int r;

	memcpy(&magic, image, sizeof(magic)); /* there is room behind a short text */
	switch (magic) {
	case PL_CUDA_IMAGE_WRAPPER:
		return wrapper_read(names, image);
	case PL_CUDA_IMAGE_CONTAINER:
		return container_read(names, image);
	case PL_CUDA_IMAGE_LINKED:
		return linked_read(names, image);
	case PL_CUDA_IMAGE_ELF:
		bytes = ((const Elf64_Ehdr *)image)->e_shoff +
			(uint64_t)((const Elf64_Ehdr *)image)->e_shnum * ((const Elf64_Ehdr *)image)->e_shentsize;
		r = elf_read(names, image, bytes);
		names->unknown |= r == -EINVAL;
		return r == -EINVAL ? 0 : r;
	default:
		return text_read(names, image, PL_CUDA_IMAGE_TEXT_MAX);
	}
}

int pl_cuda_image_names(const void *image, struct pl_cuda_names *names_out)
{
	int r;

	*names_out = (struct pl_cuda_names){ 0 };
	r = image_read(names_out, image);
	if (r)
		pl_cuda_names_fini(names_out);
	else
		names_sort(names_out);
	return r ? pl_trace(r) : 0;
}
