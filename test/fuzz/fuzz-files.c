/*
 * Include files that a client ships: nothing may be written outside of the private folder, nothing may stay, and the
 * options may not lead out of it.  Input: the length of an option's folder (u8), the folder, then the blob.
 */
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/opencl/files.h"
#include "fuzz.h"

#define LEVELS 6 /* folders above the private one that would see an escape */

static char outer[] = "/tmp/plenum-fuzz-XXXXXX";
static char home[128];
static unsigned outside, inside;

static int entry_count(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	if (strstr(path, "/plenum-include-"))
		inside++;
	else
		outside++;
	return 0;
}

static void entries_count(void)
{
	outside = inside = 0;
	nftw(outer, entry_count, 8, FTW_PHYS);
}

static void outer_remove(void)
{
	for (char *slash = strrchr(home, '/'); slash && strlen(home) >= strlen(outer); slash = strrchr(home, '/')) {
		rmdir(home);
		*slash = '\0';
	}
}

static void outer_make(void)
{
	size_t length;

	pl_fuzz_check(mkdtemp(outer) != NULL);
	length = (size_t)snprintf(home, sizeof(home), "%s", outer);
	for (int i = 0; i < LEVELS; i++) {
		length += (size_t)snprintf(home + length, sizeof(home) - length, "/%d", i);
		pl_fuzz_check(!mkdir(home, 0700));
	}
	pl_fuzz_check(!setenv("TMPDIR", home, 1) && !atexit(outer_remove));
}

/* The rewritten "-I FOLDER": relative, and from `depth` folders below the copy's root never above it. */
static void option_check(const char *option, size_t depth)
{
	const char *at = option + 3;
	long level = (long)depth;

	pl_fuzz_check(!strncmp(option, "-I ", 3));
	at += *at == '"';
	pl_fuzz_check(*at != '/');
	while (*at && *at != '"') {
		size_t length = strcspn(at, "/\"");

		if (length == 2 && !strncmp(at, "..", 2))
			level--;
		else if (length && !(length == 1 && *at == '.'))
			level++;
		pl_fuzz_check(level >= 0);
		at += length;
		at += *at == '/';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_fuzz fuzz = { data, data + size };
	char option[300] = "-I", *options = NULL, *strip = NULL;
	struct pl_cl_files files;
	size_t got;
	const uint8_t *folder = pl_fuzz_bytes(&fuzz, (size_t)pl_fuzz_number(&fuzz, 1), &got);
	uint8_t *blob;

	if (!home[0])
		outer_make();
	if (got)
		memcpy(option + 2, folder, got);
	option[2 + got] = '\0';
	option[2 + strcspn(option + 2, " \t\n\r\v\f")] = '\0'; /* one option */
	blob = malloc(pl_fuzz_left(&fuzz) + 1);
	pl_fuzz_check(blob != NULL);
	if (pl_fuzz_left(&fuzz))
		memcpy(blob, fuzz.at, pl_fuzz_left(&fuzz));
	if (!pl_cl_files_options(pl_fuzz_left(&fuzz) ? blob : NULL, pl_fuzz_left(&fuzz), option, &options, &strip) &&
	    options)
		option_check(options, strip ? strlen(strip) / 3 : 0);
	free(options);
	free(strip);
	if (!pl_cl_files_enter(&files, pl_fuzz_left(&fuzz) ? blob : NULL, pl_fuzz_left(&fuzz))) {
		entries_count();
		pl_fuzz_check(outside == LEVELS + 1 && !!inside == !!pl_fuzz_left(&fuzz));
		pl_cl_files_leave(&files);
	}
	entries_count();
	pl_fuzz_check(outside == LEVELS + 1 && !inside);
	free(blob);
	return 0;
}
