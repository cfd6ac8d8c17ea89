/* Where CUDA's drivers and NVML are: the reference GPU's, hardware's, and what programs get in their place. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plenum/tool.h"

#ifndef PL_REFGPU_DIR /* where the installation puts the reference GPU's libcuda.so.1 */
#define PL_REFGPU_DIR "/usr/local/lib/plenum/refgpu"
#endif
#ifndef PL_CUDA_DIR /* and the client's */
#define PL_CUDA_DIR "/usr/local/lib/plenum/cuda"
#endif
#ifndef PL_TRACE_DIR /* and the one in front of either, for `plenum trace' */
#define PL_TRACE_DIR "/usr/local/lib/plenum/trace"
#endif
#define LIBRARY   "libcuda.so.1"
#define NVML      "libnvidia-ml.so.1"
#define PATH_ROOM (4 * PATH_MAX + 8192) /* of all folders and what LD_LIBRARY_PATH was */

static bool folder_try(const char *base, const char *below, char *folder_out)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/" LIBRARY, base, below);
	if (access(path, R_OK) < 0)
		return false;
	snprintf(path, sizeof(path), "%s%s", base, below);
	return realpath(path, folder_out) != NULL;
}

static bool exe_folder(char *folder_out)
{
	ssize_t n = readlink("/proc/self/exe", folder_out, PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return false;
	folder_out[n] = '\0';
	slash = strrchr(folder_out, '/');
	if (slash)
		*slash = '\0';
	return slash;
}

/* $variable, beside this program (build tree, installation), compiled in. */
static bool folder_find(const char *variable, const char *const places[2], const char *installed, char *folder_out)
{
	const char *told = getenv(variable);
	char folder[PATH_MAX];

	if (told && *told)
		return folder_try(told, "", folder_out);
	for (size_t i = 0; i < 2 && exe_folder(folder); i++)
		if (folder_try(folder, places[i], folder_out))
			return true;
	return folder_try(installed, "", folder_out);
}

bool pl_tool_refgpu_find(char *folder_out)
{
	static const char *const places[2] = { "/../../src/refgpu/driver", "/../lib/plenum/refgpu" };

	return folder_find("PLENUM_REFGPU_DIR", places, PL_REFGPU_DIR, folder_out);
}

bool pl_tool_cuda_client_find(char *folder_out)
{
	static const char *const places[2] = { "/../../src/client/cuda", "/../lib/plenum/cuda" };

	return folder_find("PLENUM_CUDA_DIR", places, PL_CUDA_DIR, folder_out);
}

/* Device files of hardware that NVIDIA's driver serves: Linux, and Linux in Windows. */
static bool hardware(void)
{
	return !access("/dev/nvidiactl", F_OK) || !access("/dev/dxg", F_OK);
}

const char *pl_tool_cuda_driver(const char *told)
{
	static char path[PATH_MAX + sizeof(LIBRARY) + 1];
	char folder[PATH_MAX];

	if (told && strcmp(told, "refgpu"))
		return told;
	if (!told && hardware())
		return LIBRARY;
	if (!pl_tool_refgpu_find(folder))
		return NULL;
	snprintf(path, sizeof(path), "%s/" LIBRARY, folder);
	return path;
}

const char *pl_tool_nvml_library(const char *told, const char *cuda_driver)
{
	static char path[PATH_MAX + sizeof(NVML) + 1];
	char folder[PATH_MAX];
	bool software = pl_tool_refgpu_find(folder);

	snprintf(path, sizeof(path), "%s/" LIBRARY, folder);
	if (told && strcmp(told, "refgpu"))
		return told;
	if (!told && cuda_driver && (!software || strcmp(cuda_driver, path)))
		return NVML;
	if (!software || (!told && !cuda_driver))
		return NULL;
	snprintf(path, sizeof(path), "%s/" NVML, folder);
	return path;
}

/* `folders`, colons between them, come first.  Return: 0; -ENAMETOOLONG. */
static int path_make(const char *folders, char *path_out, size_t size)
{
	const char *old = getenv("LD_LIBRARY_PATH");
	int len = snprintf(path_out, size, "%s%s%s", folders, old && *old ? ":" : "", old ? old : "");

	return len < (int)size ? 0 : -ENAMETOOLONG;
}

static int path_put(const char *folders)
{
	char path[PATH_ROOM];
	int r = path_make(folders, path, sizeof(path));

	if (r < 0)
		return r;
	return setenv("LD_LIBRARY_PATH", path, 1) < 0 ? -errno : 0;
}

static bool is_in(const char *file, const char *folder)
{
	char real[PATH_MAX], *slash;

	if (!realpath(file, real))
		return false;
	slash = strrchr(real, '/');
	*slash = '\0';
	return !strcmp(real, folder);
}

int pl_tool_libraries_trace(const char *driver)
{
	static const char *const places[2] = { "/../../src/trace", "/../lib/plenum/trace" };
	char trace[PATH_MAX], client[PATH_MAX], refgpu[PATH_MAX], path[PATH_MAX + sizeof(LIBRARY) + 1];
	int r = 0;

	if (driver) {
		driver = pl_tool_cuda_driver(driver);
		if (!driver || (strchr(driver, '/') && access(driver, R_OK) < 0))
			return -ENOENT;
		snprintf(path, sizeof(path), "%s", driver);
		if (pl_tool_refgpu_find(refgpu) && is_in(driver, refgpu)) /* its NVRTC and NVML */
			r = path_put(refgpu);
	} else {
		if (!pl_tool_cuda_client_find(client))
			return 0; /* a build without CUDA: OpenCL's calls are traced */
		snprintf(path, sizeof(path), "%s/" LIBRARY, client);
		r = pl_tool_libraries_set();
	}
	if (r < 0)
		return r;
	if (!folder_find("PLENUM_TRACE_DIR", places, PL_TRACE_DIR, trace))
		return -ENOENT;
	r = path_put(trace);
	return r < 0 ? r : setenv("PLENUM_TRACE_CUDA", path, 1) < 0 ? -errno : 0;
}

/* Return: false: there is no client for CUDA; OpenCL finds its library by other means. */
static bool libraries_find(char *folders_out, size_t size)
{
	char cuda[PATH_MAX], nvml[2 * PATH_MAX], real[PATH_MAX], refgpu[PATH_MAX];

	if (!pl_tool_cuda_client_find(cuda))
		return false;
	snprintf(nvml, sizeof(nvml), "%s/../nvml", cuda);
	if (!realpath(nvml, real))
		*real = '\0';             /* an installation: both are in one folder */
	if (!pl_tool_refgpu_find(refgpu)) /* for its NVRTC; its driver and NVML stand behind ours */
		*refgpu = '\0';
	snprintf(folders_out, size, "%s%s%s%s%s", cuda, *real ? ":" : "", real, *refgpu ? ":" : "", refgpu);
	return true;
}

int pl_tool_libraries_set(void)
{
	char folders[3 * PATH_MAX + 8];

	return libraries_find(folders, sizeof(folders)) ? path_put(folders) : 0;
}

char *pl_tool_libraries_variable(void)
{
	static const char name[] = "LD_LIBRARY_PATH=";
	char folders[3 * PATH_MAX + 8], variable[sizeof(name) + PATH_ROOM];

	if (!libraries_find(folders, sizeof(folders)) ||
	    path_make(folders, variable + strlen(name), sizeof(variable) - strlen(name)) < 0)
		return NULL;
	memcpy(variable, name, strlen(name));
	return strdup(variable);
}
