#include "backend/opencl/files.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "wire/codec.h"

#define NAME_LENGTH_MAX 255u

static pthread_mutex_t one_lock = PTHREAD_MUTEX_INITIALIZER; /* the process has one current folder */

/* A client's absolute path, as its parts: no "." and no "..". */
struct path {
	uint32_t count;
	const char *part[PL_CL_FILES_DEPTH_MAX];
	uint32_t length[PL_CL_FILES_DEPTH_MAX];
};

/* ---- paths ---- */

/* Appends; ".." never leads above the root.  Return: it is a path. */
static bool path_add(struct path *path, const char *text, uint64_t bytes)
{
	const char *end = text + bytes;

	if (bytes > PL_CL_FILES_PATH_MAX || memchr(text, '\0', bytes))
		return false;
	while (text < end) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		size_t length = (size_t)((slash ? slash : end) - text);

		if (length == 2 && text[0] == '.' && text[1] == '.') {
			path->count -= path->count > 0;
		} else if (length && !(length == 1 && text[0] == '.')) {
			if (path->count == PL_CL_FILES_DEPTH_MAX || length > NAME_LENGTH_MAX)
				return false;
			path->part[path->count] = text;
			path->length[path->count++] = (uint32_t)length;
		}
		text += length + 1;
	}
	return true;
}

static bool path_starts(const struct path *path, const struct path *with)
{
	if (path->count < with->count)
		return false;
	for (uint32_t i = 0; i < with->count; i++)
		if (path->length[i] != with->length[i] || memcmp(path->part[i], with->part[i], with->length[i]))
			return false;
	return true;
}

/* ---- the blob ---- */

static struct pl_bytes bytes_next(struct pl_dec *dec)
{
	return pl_dec_bytes(dec, (uint64_t)(dec->end - dec->at));
}

/* The client's current folder.  Return: it is a blob. */
static bool blob_open(struct pl_dec *dec, const void *blob, uint64_t bytes, struct path *cwd_out)
{
	struct pl_bytes dot, cwd;

	*dec = (struct pl_dec){ 0 };
	*cwd_out = (struct path){ 0 };
	if (!bytes)
		return true;
	*dec = (struct pl_dec){ .at = blob, .end = (const uint8_t *)blob + bytes };
	dot = bytes_next(dec);
	cwd = bytes_next(dec);
	return !dec->failed && dot.bytes == 1 && *(const char *)dot.at == '.' && cwd.bytes &&
	       path_add(cwd_out, cwd.at, cwd.bytes);
}

/* ---- options ---- */

struct text {
	char *at;
	size_t length, room;
	bool failed;
};

static void text_add(struct text *text, const char *from, size_t length)
{
	if (text->length + length + 1 > text->room) {
		size_t room = (text->room + length + 64) * 2;
		char *larger = realloc(text->at, room);

		if (!larger) {
			text->failed = true;
			return;
		}
		text->at = larger;
		text->room = room;
	}
	memcpy(text->at + text->length, from, length);
	text->length += length;
	text->at[text->length] = '\0';
}

static void parts_add(struct text *text, const struct path *path, uint32_t from)
{
	if (from == path->count)
		text_add(text, ".", 1);
	for (uint32_t i = from; i < path->count; i++) {
		if (i > from)
			text_add(text, "/", 1);
		text_add(text, path->part[i], path->length[i]);
	}
}

static void up_add(struct text *text, const struct path *cwd)
{
	for (uint32_t i = 0; i < cwd->count; i++)
		text_add(text, "../", 3);
}

/* A folder of the client's, as it is called in the copy.  Return: it has a name there. */
static bool folder_add(struct text *text, const struct path *cwd, const char *folder, size_t length)
{
	bool absolute = length && folder[0] == '/';
	struct path path = { 0 };
	bool quote;

	if (!absolute)
		path = *cwd;
	if (!path_add(&path, folder, length) || memchr(folder, '"', length) || memchr(folder, '\\', length))
		return false;
	quote = memchr(folder, ' ', length) || memchr(folder, '\t', length);
	if (quote)
		text_add(text, "\"", 1);
	if (!absolute && path_starts(&path, cwd)) {
		parts_add(text, &path, cwd->count);
	} else {
		up_add(text, cwd);
		parts_add(text, &path, 0);
	}
	if (quote)
		text_add(text, "\"", 1);
	return true;
}

/* One word of the options, quotes taken off its ends.  Return: behind it. */
static const char *word_next(const char *at, const char **word_out, size_t *length_out)
{
	const char *from;

	if (*at == '"' || *at == '\'') {
		char quote = *at++;

		for (from = at; *at && *at != quote; at++)
			;
		*word_out = from;
		*length_out = (size_t)(at - from);
		return *at ? at + 1 : at;
	}
	for (from = at; *at && !strchr(" \t\n\r\v\f", *at); at++)
		if (*at == '"')
			for (at++; *at && *at != '"'; at++)
				if (!at[1])
					break;
	*word_out = from;
	*length_out = (size_t)(at - from);
	return at;
}

/* At "-I": the folder that follows it, with or without a gap.  Return: behind it. */
static const char *folder_next(struct text *text, const struct path *cwd, const char *at)
{
	const char *folder;
	size_t length;

	at += 2;
	at += strspn(at, " \t\n\r\v\f");
	at = word_next(at, &folder, &length);
	text_add(text, "-I ", 3);
	if (!folder_add(text, cwd, folder, length))
		text_add(text, "plenum-none", 11);
	if (*at && !strchr(" \t\n\r\v\f", *at)) /* behind a closing quote: it must not lengthen the folder's name */
		text_add(text, " ", 1);
	return at;
}

int pl_cl_files_options(const void *blob, uint64_t bytes, const char *options, char **options_out, char **strip_out)
{
	struct text text = { 0 }, strip = { 0 };
	bool rewritten = false;
	struct path cwd;
	struct pl_dec dec;

	*options_out = *strip_out = NULL;
	if (!blob_open(&dec, blob, bytes, &cwd))
		return pl_err(-EINVAL);
	for (const char *at = options; *at && !text.failed;) {
		size_t gap = strspn(at, " \t\n\r\v\f"), length;
		const char *word, *end;

		text_add(&text, at, gap);
		at += gap;
		if (at[0] == '-' && at[1] == 'I') {
			at = folder_next(&text, &cwd, at);
			rewritten = true;
			continue;
		}
		end = word_next(at, &word, &length);
		text_add(&text, at, (size_t)(end - at));
		at = end;
	}
	up_add(&strip, &cwd);
	if (rewritten && !text.failed && !strip.failed) {
		*options_out = text.at;
		*strip_out = strip.at;
		return 0;
	}
	free(text.at);
	free(strip.at);
	return text.failed || strip.failed ? pl_err(-ENOMEM) : 0;
}

/* ---- the copy ---- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

/* Opens the folder of the first `count` parts below dir_fd, making what is missing.  Return: its fd or -errno. */
static int folder_open(int dir_fd, const struct path *path, uint32_t count)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);

	for (uint32_t i = 0; i < count && fd >= 0; i++) {
		char name[NAME_LENGTH_MAX + 1];
		int below;

		memcpy(name, path->part[i], path->length[i]);
		name[path->length[i]] = '\0';
		mkdirat(fd, name, 0700);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	return fd < 0 ? -errno : fd;
}

/* A file that can not be made is one that the compiler will miss; nothing of the client's leads out of the folder. */
static void file_make(int root_fd, const struct path *path, struct pl_bytes content)
{
	pl_cleanup(pl_closep) int folder = -1, fd = -1;
	char name[NAME_LENGTH_MAX + 1];

	if (!path->count)
		return;
	folder = folder_open(root_fd, path, path->count - 1);
	if (folder < 0)
		return;
	memcpy(name, path->part[path->count - 1], path->length[path->count - 1]);
	name[path->length[path->count - 1]] = '\0';
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	for (uint64_t done = 0; done < content.bytes;) {
		ssize_t wrote = write(fd, (const uint8_t *)content.at + done, content.bytes - done);

		if (wrote <= 0) {
			pl_log_warn("an include file of a client can not be written: %s", strerror(errno));
			return;
		}
		done += (uint64_t)wrote;
	}
}

static int copy_make(int root_fd, const void *blob, uint64_t bytes)
{
	pl_cleanup(pl_closep) int cwd_fd = -1;
	struct pl_dec dec;
	struct path cwd;
	int files = 0;

	if (!blob_open(&dec, blob, bytes, &cwd))
		return pl_err(-EINVAL);
	cwd_fd = folder_open(root_fd, &cwd, cwd.count);
	if (cwd_fd < 0)
		return pl_err(cwd_fd);
	while (dec.at < dec.end && files++ < (int)PL_CL_FILES_MAX) {
		struct pl_bytes name = bytes_next(&dec), content = bytes_next(&dec);
		struct path path = { 0 };

		if (dec.failed || !name.bytes || *(const char *)name.at != '/' || !path_add(&path, name.at, name.bytes))
			return pl_err(-EINVAL);
		file_make(root_fd, &path, content);
	}
	return fchdir(cwd_fd) ? pl_err(-errno) : 0;
}

int pl_cl_files_enter(struct pl_cl_files *files, const void *blob, uint64_t bytes)
{
	pl_cleanup(pl_closep) int root_fd = -1;
	const char *tmp = getenv("TMPDIR");
	int r = 0;

	*files = (struct pl_cl_files){ .back_fd = -1 };
	if (!bytes)
		return 0;
	if (!tmp || strlen(tmp) > 64 || tmp[0] != '/')
		tmp = "/tmp";
	snprintf(files->folder, sizeof(files->folder), "%s/plenum-include-XXXXXX", tmp);
	pthread_mutex_lock(&one_lock);
	if (!mkdtemp(files->folder)) {
		r = -errno;
		pthread_mutex_unlock(&one_lock);
		return pl_err(r);
	}
	files->entered = true;
	files->back_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* it need not be readable */
	root_fd = open(files->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (files->back_fd < 0 || root_fd < 0)
		r = -errno;
	if (!r)
		r = copy_make(root_fd, blob, bytes);
	if (r)
		pl_cl_files_leave(files);
	return r ? pl_err(r) : 0;
}

void pl_cl_files_leave(struct pl_cl_files *files)
{
	if (!files->entered)
		return;
	if ((files->back_fd < 0 || fchdir(files->back_fd)) && chdir("/"))
		pl_log_warn("can not leave a temporary folder: %s", strerror(errno));
	if (files->back_fd >= 0)
		close(files->back_fd);
	nftw(files->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	files->entered = false;
	pthread_mutex_unlock(&one_lock);
}
