/* Where the functions of a text are, and texts with some of them. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "slice.h"

#define DO_NOTHING "{ret;}"

struct item { /* a function with a body: offsets in the text */
	size_t begin, body, end;
	size_t name;
	uint32_t name_len;
	bool entry;
};

struct pl_ptx_slices {
	struct item *items;
	uint32_t n, room;
	uint32_t *table; /* by name: index + 1; a power of two of places */
	uint32_t places;
};

struct scan {
	const char *text;
	size_t at, end;
};

struct buffer {
	char *data;
	size_t used, room;
	bool failed;
};

/* ---- characters ---- */

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       c == '%';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Past a string whose first quote stands at the place; to the end where it has no other. */
static void string_skip(struct scan *s)
{
	for (s->at++; s->at < s->end && s->text[s->at] != '"'; s->at++)
		if (s->text[s->at] == '\\')
			s->at++;
	s->at = s->at < s->end ? s->at + 1 : s->end;
}

/* Past a comment that begins here, or one character. */
static void slash_skip(struct scan *s)
{
	const char *at = s->text + s->at, *found;
	size_t left = s->end - s->at;

	if (left > 1 && at[1] == '/') {
		found = memchr(at, '\n', left);
		s->at = found ? (size_t)(found - s->text) : s->end;
	} else if (left > 1 && at[1] == '*') {
		found = memmem(at + 2, left - 2, "*/", 2);
		s->at = found ? (size_t)(found - s->text) + 2 : s->end;
	} else {
		s->at++;
	}
}

/* The name that begins here; the scan stands behind it. */
static size_t name_take(struct scan *s)
{
	size_t begin = s->at;

	while (s->at < s->end && is_name(s->text[s->at]))
		s->at++;
	return s->at - begin;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

/* Whether a '.' here begins a statement that declares a variable which outlives its function. */
static bool declares_variable(const struct scan *s)
{
	struct scan word = { s->text, s->at + 1, s->end };
	size_t before = s->at, len;

	while (before && is_blank(s->text[before - 1]))
		before--;
	if (!before || !strchr(";{}:", s->text[before - 1]))
		return false;
	len = name_take(&word);
	return is_word(s->text + s->at + 1, len, "global") || is_word(s->text + s->at + 1, len, "const");
}

/* Past the '}' of the '{' that stands here.  Return: false = there is none, or it declares variables. */
static bool braces_skip(struct scan *s, bool function)
{
	uint32_t depth = 0;

	while (s->at < s->end) {
		switch (s->text[s->at]) {
		case '"':
			string_skip(s);
			continue;
		case '/':
			slash_skip(s);
			continue;
		case '{':
			depth++;
			break;
		case '}':
			if (--depth == 0) {
				s->at++;
				return true;
			}
			break;
		case '.':
			if (function && declares_variable(s))
				return false;
			break;
		default:
			break;
		}
		s->at++;
	}
	return false;
}

/* ---- names ---- */

static uint32_t hash_of(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

/* Its place in the table: with its index + 1, or 0 where it is new. */
static uint32_t *place_of(const struct pl_ptx_slices *slices, const char *text, const char *name, size_t len)
{
	uint32_t at = hash_of(name, len) & (slices->places - 1);

	for (; slices->table[at]; at = (at + 1) & (slices->places - 1)) {
		const struct item *item = &slices->items[slices->table[at] - 1];

		if (item->name_len == len && !memcmp(text + item->name, name, len))
			break;
	}
	return &slices->table[at];
}

static int table_make(struct pl_ptx_slices *slices, const char *text)
{
	for (slices->places = 16; slices->places < slices->n * 2; slices->places *= 2)
		;
	slices->table = calloc(slices->places, sizeof(*slices->table));
	if (!slices->table)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < slices->n; i++) {
		uint32_t *place = place_of(slices, text, text + slices->items[i].name, slices->items[i].name_len);

		if (*place)
			return PL_PTX_E_UNSUPPORTED; /* two bodies: the compiler says so */
		*place = i + 1;
	}
	return 0;
}

/* Calls `each` for every function that is named between two places. */
static bool names_each(const struct pl_ptx_slices *slices, const char *text, size_t begin, size_t end,
		       bool (*each)(void *arg, uint32_t index), void *arg)
{
	struct scan s = { text, begin, end };

	while (s.at < s.end) {
		char c = text[s.at];
		size_t from = s.at, len;
		uint32_t found;

		if (c == '"') {
			string_skip(&s);
		} else if (c == '/') {
			slash_skip(&s);
		} else if (!is_name(c)) {
			s.at++;
		} else {
			len = name_take(&s);
			if ((c >= '0' && c <= '9') || c == '%' || (from && text[from - 1] == '.'))
				continue;
			found = *place_of(slices, text, text + from, len);
			if (found && !each(arg, found - 1))
				return false;
		}
	}
	return true;
}

static bool never(void *arg, uint32_t index)
{
	(void)arg;
	(void)index;
	return false;
}

/* ---- the text ---- */

enum { WORD_OTHER, WORD_LINKAGE, WORD_FUNC, WORD_ENTRY, WORD_PRAGMA, WORD_SECTION, WORD_ALIAS };

static int word_of(const char *word, size_t len)
{
	static const struct {
		const char *word;
		int is;
	} words[] = {
		{ "visible", WORD_LINKAGE }, { "extern", WORD_LINKAGE },  { "weak", WORD_LINKAGE },
		{ "common", WORD_LINKAGE },  { "func", WORD_FUNC },       { "entry", WORD_ENTRY },
		{ "pragma", WORD_PRAGMA },   { "section", WORD_SECTION }, { "alias", WORD_ALIAS },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(word, len, words[i].word))
			return words[i].is;
	return WORD_OTHER;
}

struct statement { /* what is known of the one that is being read */
	struct item item;
	bool begun, function, named, pragma, section;
	uint32_t parentheses;
};

static int item_add(struct pl_ptx_slices *slices, const struct item *item)
{
	if (slices->n == PL_PTX_SLICE_FUNCTIONS_MAX)
		return PL_PTX_E_UNSUPPORTED;
	if (slices->n == slices->room) {
		uint32_t room = slices->room ? slices->room * 2 : 64;
		struct item *more = realloc(slices->items, room * sizeof(*more));

		if (!more)
			return pl_err(-ENOMEM);
		slices->items = more;
		slices->room = room;
	}
	slices->items[slices->n++] = *item;
	return 0;
}

static int word_read(struct statement *st, struct scan *s)
{
	size_t begin = s->at++, len = name_take(s);
	int word = word_of(s->text + begin + 1, len);

	if (!st->begun && word >= WORD_LINKAGE && word <= WORD_ENTRY) {
		st->begun = true;
		st->item.begin = begin;
	}
	if (word == WORD_FUNC || word == WORD_ENTRY) {
		st->function = true;
		st->item.entry = word == WORD_ENTRY;
	}
	st->pragma |= word == WORD_PRAGMA;
	st->section |= word == WORD_SECTION;
	return word == WORD_ALIAS ? PL_PTX_E_UNSUPPORTED : 0;
}

static int brace_read(struct pl_ptx_slices *slices, struct statement *st, struct scan *s)
{
	int r = 0;

	st->item.body = s->at;
	if (!braces_skip(s, st->function))
		return PL_PTX_E_UNSUPPORTED;
	st->item.end = s->at;
	if (st->function)
		r = st->named && !st->parentheses ? item_add(slices, &st->item) : PL_PTX_E_UNSUPPORTED;
	if (st->function || st->section)
		*st = (struct statement){ 0 };
	return r;
}

static int text_read(struct pl_ptx_slices *slices, struct scan *s)
{
	struct statement st = { 0 };
	int r = 0;

	while (!r && s->at < s->end && s->text[s->at]) {
		char c = s->text[s->at];

		if (c == '"') {
			string_skip(s);
		} else if (c == '/') {
			slash_skip(s);
		} else if (c == '.') {
			r = word_read(&st, s);
		} else if (c == '{') {
			r = brace_read(slices, &st, s);
		} else if (is_name(c)) {
			size_t begin = s->at, len = name_take(s);

			if (st.function && !st.named && !st.parentheses) {
				st.named = true;
				st.item.name = begin;
				st.item.name_len = (uint32_t)len;
			}
		} else {
			st.parentheses += c == '(';
			st.parentheses -= c == ')' && st.parentheses;
			if (c == ';' && st.function && st.pragma)
				st.pragma = false;
			else if (c == ';')
				st = (struct statement){ 0 };
			s->at++;
		}
	}
	return r;
}

/* Whether the statement that begins behind blanks here declares a function, which names it. */
static bool declares_function(const char *text, size_t begin, size_t end)
{
	struct scan s = { text, begin, end };

	while (s.at < end) {
		size_t from = s.at, len;
		int word;

		if (text[s.at] != '.') {
			s.at++;
			continue;
		}
		s.at++;
		len = name_take(&s);
		word = word_of(text + from + 1, len);
		if (word == WORD_FUNC || word == WORD_ENTRY)
			return true;
	}
	return false;
}

/* Variables with addresses of functions would give another address in each part. */
static bool outside_names_none(const struct pl_ptx_slices *slices, const struct scan *s)
{
	size_t at = 0;

	for (uint32_t i = 0; i <= slices->n; i++) {
		size_t end = i < slices->n ? slices->items[i].begin : s->end;

		while (at < end) {
			const char *stop = memchr(s->text + at, ';', end - at);
			size_t next = stop ? (size_t)(stop - s->text) + 1 : end;

			if (!declares_function(s->text, at, next) &&
			    !names_each(slices, s->text, at, next, never, NULL))
				return false;
			at = next;
		}
		at = i < slices->n ? slices->items[i].end : end;
	}
	return true;
}

static void slices_destroyp(struct pl_ptx_slices **slices)
{
	pl_ptx_slices_destroy(*slices);
}

int pl_ptx_slices_create(struct pl_ptx_slices **slices_out, const struct pl_ptx_source *source)
{
	pl_cleanup(slices_destroyp) struct pl_ptx_slices *slices = calloc(1, sizeof(*slices));
	struct scan s = { source->text, 0, strnlen(source->text, source->bytes) };
	int r;

	if (!slices)
		return pl_err(-ENOMEM);
	r = text_read(slices, &s);
	if (!r)
		r = table_make(slices, source->text);
	if (r)
		return r < 0 ? pl_trace(r) : r;
	if (!outside_names_none(slices, &s))
		return PL_PTX_E_UNSUPPORTED;
	*slices_out = pl_steal(slices);
	return 0;
}

void pl_ptx_slices_destroy(struct pl_ptx_slices *slices)
{
	if (!slices)
		return;
	free(slices->items);
	free(slices->table);
	free(slices);
}

/* ---- parts ---- */

static void put(struct buffer *buffer, const char *data, size_t bytes)
{
	if (buffer->failed || buffer->room - buffer->used <= bytes) {
		size_t room = (buffer->used + bytes + 1) * 2;
		char *more = buffer->failed ? NULL : realloc(buffer->data, room);

		buffer->failed = !more;
		if (!more)
			return;
		buffer->data = more;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->used, data, bytes);
	buffer->used += bytes;
	buffer->data[buffer->used] = 0;
}

static void put_lines(struct buffer *buffer, const char *text, size_t begin, size_t end)
{
	const char *at = text + begin;

	while ((at = memchr(at, '\n', (size_t)(text + end - at)))) {
		put(buffer, "\n", 1);
		at++;
	}
}

struct wanted {
	bool *is;
	uint32_t *list;
	uint32_t n;
};

static bool want(void *arg, uint32_t index)
{
	struct wanted *wanted = arg;

	if (!wanted->is[index])
		wanted->list[wanted->n++] = index;
	wanted->is[index] = true;
	return true;
}

static void put_item(struct buffer *buffer, const char *text, const struct item *item, bool whole, bool head)
{
	if (whole) {
		put(buffer, text + item->begin, item->end - item->begin);
		return;
	}
	if (head) {
		put(buffer, text + item->begin, item->body - item->begin);
		put(buffer, DO_NOTHING, strlen(DO_NOTHING));
	}
	put_lines(buffer, text, head ? item->body : item->begin, item->end);
}

int pl_ptx_slices_text(const struct pl_ptx_slices *slices, const struct pl_ptx_source *source, const char *name,
		       char **text_out, size_t *bytes_out)
{
	pl_cleanup(pl_freep) bool *is = calloc(slices->n + 1, sizeof(*is));
	pl_cleanup(pl_freep) uint32_t *list = calloc(slices->n + 1, sizeof(*list));
	struct wanted wanted = { is, list, 0 };
	const char *text = source->text;
	struct buffer buffer = { 0 };
	size_t at = 0;

	if (!is || !list)
		return pl_err(-ENOMEM);
	if (name) {
		uint32_t found = *place_of(slices, text, name, strlen(name));

		if (!found || !slices->items[found - 1].entry)
			return PL_PTX_E_INVALID;
		want(&wanted, found - 1);
	}
	for (uint32_t i = 0; i < wanted.n; i++)
		names_each(slices, text, slices->items[list[i]].body, slices->items[list[i]].end, want, &wanted);
	for (uint32_t i = 0; i < slices->n; i++) {
		const struct item *item = &slices->items[i];

		put(&buffer, text + at, item->begin - at);
		put_item(&buffer, text, item, is[i], !name && item->entry);
		at = item->end;
	}
	put(&buffer, text + at, strnlen(text + at, source->bytes - at));
	if (buffer.failed) {
		free(buffer.data);
		return pl_err(-ENOMEM);
	}
	*text_out = buffer.data;
	*bytes_out = buffer.used;
	return 0;
}
