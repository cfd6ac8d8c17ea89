/*
 * Headers that OpenCL C sources include from the client's disk.  What an #include line names is looked for where a
 * compiler would: beside the file that includes it, in the -I directories, in the working directory; what is found is
 * taken along, and what it includes.  A name that a macro makes is not seen.
 *
 * Layout: repeated { u64 path bytes, path, u64 content bytes, content }, each padded to 8; the first path is "." and
 * its content the working directory.  docs/protocol.md
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "client/opencl/types.h"

#define FILES_MAX      8192u	   /* limit: headers of one build */
#define FILE_BYTES_MAX (16u << 20) /* limit: of one header */
#define DIRS_MAX       256u	   /* limit: -I options */

struct search {
	struct pl_cl_files *files;
	char cwd[PATH_MAX];
	char *dirs[DIRS_MAX];
	uint32_t dirs_count;
	char **seen;
	uint32_t seen_count, seen_room;
	uint32_t next; /* of seen: not looked through yet */
	int fault;
};

/* Next "include" behind a '#' at or after `at`; NULL = none. */
static const char *directive_find(const char *at, const char *end)
{
	while ((at = memchr(at, '#', (size_t)(end - at)))) {
		const char *word = at + 1;
		while (word < end && (*word == ' ' || *word == '\t'))
			word++;
		if (end - word > 7 && !memcmp(word, "include", 7))
			return word + 7;
		at++;
	}
	return NULL;
}

bool pl_cl_source_includes(const char *source, size_t bytes)
{
	return directive_find(source, source + bytes) != NULL;
}

static int files_put(struct pl_cl_files *files, const void *data, size_t bytes)
{
	size_t need = files->bytes + 8 + PL_WIRE_PAD(bytes);
	struct pl_enc enc;

	if (need > PL_CL_LIMIT_SOURCE_MAX)
		return pl_err(-EMSGSIZE);
	if (need > files->room) {
		size_t room = need * 2;
		uint8_t *at = realloc(files->at, room);
		if (!at)
			return pl_err(-ENOMEM);
		files->at = at;
		files->room = room;
	}
	enc.at = files->at + files->bytes;
	pl_enc_array(&enc, data, bytes, 1);
	files->bytes = need;
	return 0;
}

/* ---- options ---- */

static void dir_add(struct search *search, const char *dir, size_t length)
{
	char *path = NULL;

	if (!length || search->dirs_count == DIRS_MAX)
		return;
	if (asprintf(&path, "%s%s%.*s", *dir == '/' ? "" : search->cwd, *dir == '/' ? "" : "/", (int)length, dir) < 0) {
		search->fault = -ENOMEM;
		return;
	}
	search->dirs[search->dirs_count++] = path;
}

/* One word of the options, as a shell would cut it; quotes may stand anywhere in it.  Return: what follows. */
static const char *word_next(const char *at, char *word, size_t room)
{
	size_t used = 0;
	char quote = 0;

	while (isspace((unsigned char)*at))
		at++;
	for (; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (!quote && (*at == '"' || *at == '\'')) {
			quote = *at;
			continue;
		}
		if (quote && *at == quote) {
			quote = 0;
			continue;
		}
		if (*at == '\\' && at[1] && quote != '\'')
			at++;
		if (used + 1 < room)
			word[used++] = *at;
	}
	word[used] = 0;
	return at;
}

static void options_parse(struct search *search, const char *options)
{
	char word[PATH_MAX];

	while (*(options = word_next(options, word, sizeof(word))) || *word) {
		if (!strcmp(word, "-I")) {
			options = word_next(options, word, sizeof(word));
			dir_add(search, word, strlen(word));
		} else if (!strncmp(word, "-I", 2)) {
			dir_add(search, word + 2, strlen(word + 2));
		}
		if (!*options)
			break;
	}
}

/* ---- files ---- */

static bool seen_add(struct search *search, const char *path)
{
	for (uint32_t i = 0; i < search->seen_count; i++)
		if (!strcmp(search->seen[i], path))
			return false;
	if (search->seen_count == FILES_MAX)
		return false;
	if (search->seen_count == search->seen_room) {
		uint32_t room = search->seen_room ? search->seen_room * 2 : 16;
		char **seen = realloc(search->seen, room * sizeof(*seen));
		if (!seen) {
			search->fault = -ENOMEM;
			return false;
		}
		search->seen = seen;
		search->seen_room = room;
	}
	search->seen[search->seen_count] = strdup(path);
	if (!search->seen[search->seen_count]) {
		search->fault = -ENOMEM;
		return false;
	}
	search->seen_count++;
	return true;
}

static bool is_file(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX;
}

/* The first place where a name is found; in each place that could be meant, as conditions are not evaluated. */
static void name_find(struct search *search, const char *name, size_t length, const char *beside)
{
	char path[PATH_MAX];
	int n;

	if (!length || length >= PATH_MAX)
		return;
	if (*name == '/') {
		snprintf(path, sizeof(path), "%.*s", (int)length, name);
		if (is_file(path))
			seen_add(search, path);
		return;
	}
	for (int i = -1; i <= (int)search->dirs_count; i++) {
		const char *dir = i < 0 ? beside : i < (int)search->dirs_count ? search->dirs[i] : search->cwd;
		if (!dir)
			continue;
		n = snprintf(path, sizeof(path), "%s/%.*s", dir, (int)length, name);
		if (n > 0 && n < (int)sizeof(path) && is_file(path)) {
			seen_add(search, path);
			return;
		}
	}
}

static void text_scan(struct search *search, const char *text, size_t bytes, const char *beside)
{
	const char *at = text, *end = text + bytes;

	while ((at = directive_find(at, end))) {
		const char *name, *close;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at == end || (*at != '"' && *at != '<'))
			continue;
		name = at + 1;
		close = name;
		while (close < end && *close != '\n' && *close != (*at == '"' ? '"' : '>'))
			close++;
		if (close < end && *close != '\n')
			name_find(search, name, (size_t)(close - name), beside);
		at = close;
	}
}

static int file_take(struct search *search, const char *path)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	pl_cleanup(pl_freep) char *text = NULL;
	char beside[PATH_MAX];
	size_t used = 0;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) || st.st_size > FILE_BYTES_MAX)
		return 0; /* the compiler will say so */
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return pl_err(-ENOMEM);
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, text + used, (size_t)st.st_size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	r = files_put(search->files, path, strlen(path));
	if (!r)
		r = files_put(search->files, text, used);
	if (r)
		return r;
	snprintf(beside, sizeof(beside), "%s", path);
	*strrchr(beside, '/') = 0;
	text_scan(search, text, used, beside);
	return 0;
}

static void search_fini(struct search *search)
{
	for (uint32_t i = 0; i < search->dirs_count; i++)
		free(search->dirs[i]);
	for (uint32_t i = 0; i < search->seen_count; i++)
		free(search->seen[i]);
	free(search->seen);
}

int pl_cl_files_collect(struct pl_cl_files *files, const char *options, const struct pl_cl_program *program,
			struct pl_cl_program *const *headers, uint32_t headers_count)
{
	struct search search = {.files = files};
	bool any = program->source;
	int r;

	for (uint32_t i = 0; i < headers_count; i++)
		any |= headers[i]->source != NULL;
	if (!any || !getcwd(search.cwd, sizeof(search.cwd)))
		return 0;
	if (options)
		options_parse(&search, options);
	if (program->source)
		text_scan(&search, program->source, program->source_bytes, NULL);
	for (uint32_t i = 0; i < headers_count; i++)
		if (headers[i]->source)
			text_scan(&search, headers[i]->source, headers[i]->source_bytes, NULL);
	r = search.fault;
	if (!r && search.seen_count) {
		r = files_put(files, ".", 1);
		if (!r)
			r = files_put(files, search.cwd, strlen(search.cwd));
	}
	while (!r && search.next < search.seen_count) {
		r = file_take(&search, search.seen[search.next++]);
		if (!r)
			r = search.fault;
	}
	search_fini(&search);
	return r;
}
