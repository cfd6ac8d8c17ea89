/* Where NVIDIA's library lies: what the program's loader would have found without this one, and where its packages put
 * it. */
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "refgpu/nvrtc/nvrtc.h"

/* Folders where CUDA's toolkit and distributions put libraries. */
static const char *const usual[] = { "/usr/local/cuda/lib64", "/usr/local/cuda/targets/x86_64-linux/lib",
				     "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/opt/cuda/lib64" };

/* A copy of this library says so; two that take each other for NVIDIA's would call each other for ever. */
static bool is_one_of_ours(const char *path)
{
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	bool ours = library && dlsym(library, PL_RTC_MARK);

	if (library)
		dlclose(library);
	return ours;
}

/* It is there, and is neither this library under another name nor a copy. */
static bool is_another(const char *path)
{
	struct stat there, here;
	Dl_info own;

	if (stat(path, &there) || !S_ISREG(there.st_mode))
		return false;
	if (dladdr((void *)&pl_rtc_find, &own) && own.dli_fname && !stat(own.dli_fname, &here) &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		return false;
	return !is_one_of_ours(path);
}

static bool folder_try(const char *folder, size_t length, const char *name, char *path_out)
{
	int n = length && length < PATH_MAX ? snprintf(path_out, PATH_MAX, "%.*s/%s", (int)length, folder, name) : -1;

	return n > 0 && n < PATH_MAX && is_another(path_out);
}

static bool list_try(const char *list, const char *name, char *path_out)
{
	while (list && *list) {
		size_t length = strcspn(list, ":;");

		if (folder_try(list, length, name, path_out))
			return true;
		list += length + (list[length] != 0);
	}
	return false;
}

/* LD_LIBRARY_PATH and the folders that the program itself names. */
static bool loader_try(const char *name, char *path_out)
{
	void *program = dlopen(NULL, RTLD_LAZY);
	Dl_serinfo sizes, *folders;
	bool found = false;

	if (!program || dlinfo(program, RTLD_DI_SERINFOSIZE, &sizes))
		return false;
	folders = calloc(1, sizes.dls_size);
	if (!folders)
		return false;
	folders->dls_size = sizes.dls_size;
	folders->dls_cnt = sizes.dls_cnt;
	if (!dlinfo(program, RTLD_DI_SERINFO, folders))
		for (unsigned i = 0; i < folders->dls_cnt && !found; i++) {
			const char *folder = folders->dls_serpath[i].dls_name;

			found = folder_try(folder, strlen(folder), name, path_out);
		}
	free(folders);
	return found;
}

/* /etc/ld.so.conf.d: one folder a line. */
static bool configured_try(const char *name, char *path_out)
{
	bool found = false;
	glob_t files;

	if (glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &files))
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++) {
		FILE *file = fopen(files.gl_pathv[i], "re");
		char line[PATH_MAX];

		while (file && !found && fgets(line, sizeof(line), file))
			found = line[0] == '/' && folder_try(line, strcspn(line, " \t\r\n"), name, path_out);
		if (file)
			fclose(file);
	}
	globfree(&files);
	return found;
}

bool pl_rtc_find(const char *name, const char *told, char *path_out)
{
	const char *home = getenv("CUDA_HOME");
	char folder[PATH_MAX];

	if (told && *told) { /* nothing else will do */
		snprintf(path_out, PATH_MAX, "%s", told);
		return is_another(path_out) || folder_try(told, strlen(told), name, path_out);
	}
	if (loader_try(name, path_out) || list_try(getenv("LD_LIBRARY_PATH"), name, path_out))
		return true;
	if (home && *home && (size_t)snprintf(folder, sizeof(folder), "%s/lib64", home) < sizeof(folder) &&
	    folder_try(folder, strlen(folder), name, path_out))
		return true;
	if (configured_try(name, path_out))
		return true;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (folder_try(usual[i], strlen(usual[i]), name, path_out))
			return true;
	return false;
}
