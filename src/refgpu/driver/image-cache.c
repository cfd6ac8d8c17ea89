/* Images that were compiled before: who loads the same text again shares them. */
#include <stdlib.h>
#include <string.h>

#include "module.h"

#define ENTRIES_MAX 64u           /* images that are kept */
#define TEXTS_MAX   (32ull << 20) /* bytes of their texts, together */

struct entry {
	struct pl_cu_image *image;
	struct pl_cu_texts texts;
	uint64_t bytes;
	struct pl_ptx_options options;
	bool whole; /* somebody asked for it: not a lazy image */
	struct entry *next;
};

static struct {
	pthread_mutex_t lock;
	struct entry *newest; /* under lock: used last is first */
	uint32_t count;
	uint64_t bytes;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_off(void)
{
	const char *told = getenv("CUDA_CACHE_DISABLE");

	return told && strcmp(told, "0") != 0;
}

static bool options_same(const struct pl_ptx_options *a, const struct pl_ptx_options *b)
{
	return a->target == b->target && a->registers_max == b->registers_max && a->line_info == b->line_info &&
	       a->verbose == b->verbose && a->entry_only == b->entry_only;
}

static bool texts_same(const struct pl_cu_texts *a, const struct pl_cu_texts *b)
{
	if (a->n != b->n || a->built != b->built)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->text[i].len_bytes != b->text[i].len_bytes)
			return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (memcmp(a->text[i].data, b->text[i].data, a->text[i].len_bytes) != 0)
			return false;
	return true;
}

static void entry_free(struct entry *entry)
{
	pl_cu_texts_fini(&entry->texts);
	pl_cu_image_unref(entry->image);
	free(entry);
}

static bool texts_copy(struct entry *entry, const struct pl_cu_texts *texts)
{
	entry->texts.text = calloc(texts->n, sizeof(*texts->text));
	if (!entry->texts.text)
		return false;
	entry->texts.built = texts->built;
	for (; entry->texts.n < texts->n; entry->texts.n++) {
		const struct pl_cu_text *from = &texts->text[entry->texts.n];
		struct pl_cu_text *to = &entry->texts.text[entry->texts.n];

		to->data = malloc(from->len_bytes + 1);
		if (!to->data)
			return false;
		memcpy(to->data, from->data, from->len_bytes + 1);
		to->len_bytes = from->len_bytes;
	}
	return true;
}

struct pl_cu_image *pl_cu_image_cached(const struct pl_cu_texts *texts, const struct pl_cu_jit *jit)
{
	bool whole = pl_cu_image_whole_wanted(jit);
	struct pl_cu_image *image = NULL;

	if (is_off())
		return NULL;
	pthread_mutex_lock(&cache.lock);
	for (struct entry **at = &cache.newest; *at && !image; at = &(*at)->next) {
		struct entry *entry = *at;

		if (entry->whole != whole || !options_same(&entry->options, &jit->options) ||
		    !texts_same(&entry->texts, texts))
			continue;
		image = pl_cu_image_ref(entry->image);
		*at = entry->next;
		entry->next = cache.newest;
		cache.newest = entry;
		break;
	}
	pthread_mutex_unlock(&cache.lock);
	return image;
}

/* Called with cache.lock held.  Return: the oldest one, no longer in the cache. */
static struct entry *oldest_take(void)
{
	struct entry **at = &cache.newest, *entry;

	while ((*at)->next)
		at = &(*at)->next;
	entry = *at;
	*at = NULL;
	cache.count--;
	cache.bytes -= entry->bytes;
	return entry;
}

void pl_cu_image_keep(struct pl_cu_image *image, const struct pl_cu_texts *texts, const struct pl_cu_jit *jit)
{
	struct entry *entry = NULL, *gone = NULL;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < texts->n; i++)
		bytes += texts->text[i].len_bytes;
	/* What the compiler had to say it says each time. */
	if (is_off() || jit->log.info_used || jit->log.error_used || bytes > TEXTS_MAX / 4)
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return;
	*entry = (struct entry){ .image = pl_cu_image_ref(image),
				 .bytes = bytes,
				 .options = jit->options,
				 .whole = pl_cu_image_whole_wanted(jit) };
	if (!texts_copy(entry, texts)) {
		entry_free(entry);
		return;
	}
	pthread_mutex_lock(&cache.lock);
	while (cache.count == ENTRIES_MAX || (cache.count && cache.bytes + bytes > TEXTS_MAX)) {
		struct entry *oldest = oldest_take();

		oldest->next = gone;
		gone = oldest;
	}
	entry->next = cache.newest;
	cache.newest = entry;
	cache.count++;
	cache.bytes += bytes;
	pthread_mutex_unlock(&cache.lock);
	while (gone) {
		entry = gone;
		gone = entry->next;
		entry_free(entry);
	}
}
