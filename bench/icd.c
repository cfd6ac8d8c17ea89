/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which driver the OpenCL loader finds.  Native: what the user would get, minus
 * Plenum.  Plenum: Plenum alone, so that no other driver's start-up is measured.
 */
#include "modes.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VENDORS_DEFAULT "/etc/OpenCL/vendors"
#define ICD_TEXT_MAX 4096 /* limit: an .icd file holds one path */

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_icd(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".icd");
}

/* Does the last part of this path name Plenum's client? */
static bool is_plenum(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strstr(slash ? slash : path, "plenum") != NULL;
}

/* Return: the length of the text, or -errno. */
static int text_read(const char *path, char *text_out, size_t text_bytes)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return -errno;
	n = fread(text_out, 1, text_bytes - 1, f);
	text_out[n] = '\0';
	fclose(f);
	return (int)n;
}

static int text_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fputs(text, f);
	return fclose(f) ? -errno : 0;
}

/* Copy the drivers of a folder except Plenum's. Return: how many were left out, or -errno. */
static int folder_filter(const char *from, const char *to)
{
	char path[PATH_MAX + 256], text[ICD_TEXT_MAX];
	struct dirent *entry;
	int left_out = 0, r;
	DIR *dir;

	if (mkdir(to, 0700) && errno != EEXIST)
		return -errno;
	dir = opendir(from);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (!is_icd(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", from, entry->d_name);
		r = text_read(path, text, sizeof(text));
		if (r < 0)
			continue;
		if (is_plenum(entry->d_name) || is_plenum(text)) {
			left_out++;
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", to, entry->d_name);
		r = text_write(path, text);
		if (r < 0) {
			closedir(dir);
			return r;
		}
	}
	closedir(dir);
	return left_out;
}

int pl_bench_icd_native(const struct pl_bench_run *run, struct pl_bench_env *env)
{
	const char *vendors = pl_bench_env_get(env, "OCL_ICD_VENDORS");
	char filtered[128];
	int r;

	pl_bench_env_unset(env, "PLENUM");
	pl_bench_env_unset(env, "PLENUM_TOKEN");
	pl_bench_env_unset(env, "PLENUM_STATS");
	if (vendors && !is_folder(vendors)) {
		if (!is_plenum(vendors))
			return 0;
		vendors = NULL;
	}
	if (!vendors)
		vendors = VENDORS_DEFAULT;
	if (!is_folder(vendors))
		return 0; /* the loader decides, and the worker's error will tell */
	snprintf(filtered, sizeof(filtered), "%s/icd-native", run->config->run_dir);
	r = folder_filter(vendors, filtered);
	if (r < 0)
		return r;
	return pl_bench_env_set(env, "OCL_ICD_VENDORS", r ? filtered : vendors);
}

int pl_bench_icd_use(struct pl_bench_mode *mode, const char *path)
{
	pl_bench_env_unset(&mode->env, "OCL_ICD_FILENAMES");
	pl_bench_env_unset(&mode->env, "OPENCL_VENDOR_PATH");
	pl_bench_env_unset(&mode->env, "OPENCL_LAYERS");
	return pl_bench_env_set(&mode->env, "OCL_ICD_VENDORS", path);
}

/* Where the build and an installation put plenum.icd, seen from the tool's folder. */
static const char *const places[] = {
	"%s/plenum.icd",
	"%s/../../src/client/opencl/plenum.icd",
	"%s/../src/client/opencl/plenum.icd",
	"%s/../../../etc/OpenCL/vendors/plenum.icd",
	"%s/../../etc/OpenCL/vendors/plenum.icd",
	"%s/../etc/OpenCL/vendors/plenum.icd",
	VENDORS_DEFAULT "/plenum.icd%.0s",
};

static int plenum_find(const struct pl_bench_config *config, char *path_out, size_t path_bytes)
{
	if (config->icd) {
		snprintf(path_out, path_bytes, "%s%s", config->icd,
			is_folder(config->icd) ? "/plenum.icd" : "");
		return access(path_out, R_OK) ? -errno : 0;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path_out, path_bytes, places[i], config->exe_dir);
#pragma GCC diagnostic pop
		if (!access(path_out, R_OK))
			return 0;
	}
	return -ENOENT;
}

int pl_bench_icd_plenum(const struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	char found[PATH_MAX], text[ICD_TEXT_MAX], folder[128], path[160];
	int r = plenum_find(run->config, found, sizeof(found));

	if (r) {
		pl_bench_mode_why(run, mode,
			"plenum.icd was not found%s%s: build or install the OpenCL client, or name "
			"it "
			"with --icd PATH",
			run->config->icd ? " at " : "", run->config->icd ? run->config->icd : "");
		return r;
	}
	r = text_read(found, text, sizeof(text));
	snprintf(folder, sizeof(folder), "%s/icd-plenum", run->config->run_dir);
	snprintf(path, sizeof(path), "%s/plenum.icd", folder);
	if (r >= 0 && mkdir(folder, 0700) && errno != EEXIST)
		r = -errno;
	if (r >= 0)
		r = text_write(path, text);
	if (r < 0) {
		pl_bench_mode_why(run, mode, "cannot copy %s: %s", found, strerror(-r));
		return r;
	}
	return pl_bench_icd_use(mode, folder);
}
