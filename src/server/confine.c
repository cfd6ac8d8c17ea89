#include "server/confine.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/landlock.h"
#include "server/seccomp.h"

#define READ_EXEC     (PL_LANDLOCK_READ | PL_LANDLOCK_EXEC)
#define READ_WRITE    (PL_LANDLOCK_READ | PL_LANDLOCK_WRITE)

#define PROCESSES_MAX 16384u /* limit: processes and threads of a worker with its own user id */
#define ICD_BYTES_MAX 4096

/* ---- what drivers need ---- */

/* Programs, libraries, their data; what the kernel says of hardware; device files.  Not /etc, /home, /root, /var, /run,
 * /tmp and /srv, and of /dev no disks and no memory. */
static const struct {
	const char *pattern;
	unsigned rights;
} known[] = {
	{ "/usr", READ_EXEC },
	{ "/lib*", READ_EXEC },
	{ "/bin", READ_EXEC },
	{ "/sbin", READ_EXEC },
	{ "/nix/store", READ_EXEC },
	{ "/opt/rocm*", READ_EXEC },
	{ "/opt/intel", READ_EXEC },
	{ "/opt/amdgpu*", READ_EXEC },
	{ "/etc/OpenCL", PL_LANDLOCK_READ },
	{ "/etc/ld.so.*", PL_LANDLOCK_READ },
	{ "/etc/drirc", PL_LANDLOCK_READ },
	{ "/etc/nvidia", PL_LANDLOCK_READ },
	{ "/etc/localtime", PL_LANDLOCK_READ },
	{ "/proc", PL_LANDLOCK_READ },
	{ "/sys/bus", PL_LANDLOCK_READ },
	{ "/sys/class", PL_LANDLOCK_READ },
	{ "/sys/dev", PL_LANDLOCK_READ },
	{ "/sys/devices", PL_LANDLOCK_READ },
	{ "/sys/module", PL_LANDLOCK_READ },
	{ "/sys/fs/cgroup", PL_LANDLOCK_READ },
	{ "/sys/kernel/mm", PL_LANDLOCK_READ },
	{ "/dev", PL_LANDLOCK_LIST },
	{ "/dev/null", PL_LANDLOCK_DEVICE },
	{ "/dev/zero", PL_LANDLOCK_DEVICE },
	{ "/dev/full", PL_LANDLOCK_DEVICE },
	{ "/dev/random", PL_LANDLOCK_DEVICE },
	{ "/dev/urandom", PL_LANDLOCK_DEVICE },
	{ "/dev/dri", PL_LANDLOCK_DEVICE },
	{ "/dev/kfd", PL_LANDLOCK_DEVICE },
	{ "/dev/accel", PL_LANDLOCK_DEVICE },
	{ "/dev/nvidia*", PL_LANDLOCK_DEVICE },
	{ "/dev/dxg", PL_LANDLOCK_DEVICE },
	{ "/dev/mali*", PL_LANDLOCK_DEVICE },
	{ "/dev/dma_heap", PL_LANDLOCK_DEVICE },
	{ "/dev/udmabuf", PL_LANDLOCK_DEVICE },
};

/* Below the user's cache folder. */
static const char *const caches[] = {
	"pocl", "mesa_shader_cache", "mesa_shader_cache_db", "neo_compiler_cache", "comgr", "nvidia",
};

/* Folders and files that drivers and loaders take from the environment. */
static const char *const read_variables[] = { "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "OPENCL_VENDOR_PATH",
					      "OPENCL_LAYERS",   "LD_LIBRARY_PATH",   "POCL_PATH_PREFIX" };
static const char *const cache_variables[] = { "POCL_CACHE_DIR", "CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR" };

static int rule_add(struct pl_confine *confine, const char *path, unsigned rights)
{
	char *copy;

	if (confine->rules_count == PL_CONFINE_RULES_MAX) {
		pl_log_error("more than %d paths for the workers", PL_CONFINE_RULES_MAX);
		return pl_err(-E2BIG);
	}
	copy = strdup(path);
	if (!copy)
		return pl_err(-ENOMEM);
	confine->rules[confine->rules_count++] = (struct pl_confine_rule){ .path = copy, .rights = rights };
	return 0;
}

static int pattern_add(struct pl_confine *confine, const char *pattern, unsigned rights)
{
	glob_t found = { 0 };
	int r = 0;

	if (glob(pattern, GLOB_NOSORT, NULL, &found)) {
		globfree(&found);
		return 0;
	}
	for (size_t i = 0; !r && i < found.gl_pathc; i++)
		r = rule_add(confine, found.gl_pathv[i], rights);
	globfree(&found);
	return pl_trace(r);
}

static int known_add(struct pl_confine *confine)
{
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(known) / sizeof(known[0]); i++)
		r = pattern_add(confine, known[i].pattern, known[i].rights);
	return pl_trace(r);
}

/* Of a driver in PREFIX/lib, PREFIX/lib64 or PREFIX/lib/ARCHITECTURE: PREFIX/share, where its headers and device code
 * lie.  Nothing where it is not installed like that. */
static int share_add(struct pl_confine *confine, const char *folder)
{
	char share[PATH_MAX + 8];
	const char *lib = strstr(folder, "/lib");

	for (const char *next; lib && (next = strstr(lib + 1, "/lib"));)
		lib = next;
	if (!lib || lib == folder || (lib[4] && lib[4] != '/' && strncmp(lib + 4, "64", 2)))
		return 0;
	snprintf(share, sizeof(share), "%.*s/share", (int)(lib - folder), folder);
	return access(share, R_OK) ? 0 : pl_trace(rule_add(confine, share, PL_LANDLOCK_READ));
}

/* The folder of a library that is named by its path: others that it needs lie beside it. */
static int library_add(struct pl_confine *confine, const char *library)
{
	char real[PATH_MAX], *folder;
	int r;

	if (!library || !strchr(library, '/') || !realpath(library, real))
		return 0;
	folder = dirname(real);
	r = rule_add(confine, folder, READ_EXEC);
	return r ? pl_trace(r) : share_add(confine, folder);
}

/* What an ICD file names. */
static int icd_read(struct pl_confine *confine, const char *path)
{
	char text[ICD_BYTES_MAX] = "";
	FILE *file = fopen(path, "re");
	bool named = file && fgets(text, sizeof(text), file);

	if (file)
		fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return named ? pl_trace(library_add(confine, text)) : 0;
}

static int icds_read(struct pl_confine *confine, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	while (dir && !r && (entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');
		char path[PATH_MAX];

		if (end && !strcmp(end, ".icd") &&
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path))
			r = icd_read(confine, path);
	}
	if (dir)
		closedir(dir);
	return pl_trace(r);
}

/* A list of absolute paths with colons between. */
static int variable_add(struct pl_confine *confine, const char *name, unsigned rights)
{
	const char *value = getenv(name);
	pl_cleanup(pl_freep) char *list = value ? strdup(value) : NULL;
	char *rest = list, *path;
	int r = 0;

	while (!r && rest && (path = strsep(&rest, ":"))) {
		size_t length = strlen(path);

		if (path[0] != '/' || length < 2)
			continue;
		r = rule_add(confine, path, rights);
		if (r || !strncmp(name, "LD_", 3) || rights & PL_LANDLOCK_WRITE)
			continue;
		if (length > 4 && !strcmp(path + length - 4, ".icd"))
			r = icd_read(confine, path);
		else
			r = icds_read(confine, path);
	}
	return pl_trace(r);
}

static int cache_add(struct pl_confine *confine, const char *folder)
{
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return 0; /* the driver does without */
	return pl_trace(rule_add(confine, folder, READ_WRITE));
}

static int caches_add(struct pl_confine *confine)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char base[PATH_MAX / 2], path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(cache_variables) / sizeof(cache_variables[0]); i++)
		r = variable_add(confine, cache_variables[i], READ_WRITE);
	if (cache && cache[0] == '/')
		snprintf(base, sizeof(base), "%s", cache);
	else if (home && home[0] == '/')
		snprintf(base, sizeof(base), "%s/.cache", home);
	else
		return pl_trace(r);
	mkdir(base, 0700);
	setenv("XDG_CACHE_HOME", base, 1); /* without it Mesa asks the list of users, which workers can not read */
	for (size_t i = 0; !r && i < sizeof(caches) / sizeof(caches[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, caches[i]);
		r = cache_add(confine, path);
	}
	if (!r && home && home[0] == '/' && !access("/dev/nvidiactl", F_OK)) {
		snprintf(path, sizeof(path), "%s/.nv", home);
		r = cache_add(confine, path);
	}
	return pl_trace(r);
}

static int rules_make(struct pl_confine *confine, const struct pl_confine_options *options,
		      const char *const *libraries, uint32_t libraries_count)
{
	int r = known_add(confine);

	for (uint32_t i = 0; !r && i < libraries_count; i++)
		r = library_add(confine, libraries[i]);
	if (!r)
		r = icds_read(confine, "/etc/OpenCL/vendors");
	for (size_t i = 0; !r && i < sizeof(read_variables) / sizeof(read_variables[0]); i++)
		r = variable_add(confine, read_variables[i], READ_EXEC);
	if (!r && !confine->uids_count) /* a user of its own has its own caches */
		r = caches_add(confine);
	for (uint32_t i = 0; !r && i < options->read_count; i++)
		r = rule_add(confine, options->read[i], READ_EXEC);
	for (uint32_t i = 0; !r && i < options->write_count; i++)
		r = rule_add(confine, options->write[i], READ_WRITE | PL_LANDLOCK_EXEC);
	return pl_trace(r);
}

/* ---- in the daemon ---- */

static void group_add(struct pl_confine *confine, const char *path)
{
	struct stat stat_of;

	if (stat(path, &stat_of) < 0 || !S_ISCHR(stat_of.st_mode) || !stat_of.st_gid) /* root's is not for workers */
		return;
	for (uint32_t i = 0; i < confine->groups_count; i++)
		if (confine->groups[i] == stat_of.st_gid)
			return;
	if (confine->groups_count < PL_CONFINE_GROUPS_MAX)
		confine->groups[confine->groups_count++] = stat_of.st_gid;
}

/* Groups of accelerators' device files: "render", "video". */
static void groups_find(struct pl_confine *confine)
{
	static const char *const patterns[] = { "/dev/dri/render*", "/dev/kfd", "/dev/accel/*", "/dev/nvidia*",
						"/dev/mali*" };

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		glob_t found = { 0 };

		if (!glob(patterns[i], GLOB_NOSORT, NULL, &found))
			for (size_t j = 0; j < found.gl_pathc; j++)
				group_add(confine, found.gl_pathv[j]);
		globfree(&found);
	}
}

static int users_check(struct pl_confine *confine, const struct pl_confine_options *options)
{
	if (!options->uids_count)
		return 0;
	if (geteuid()) {
		pl_log_error("workers with user ids of their own: only root can give them (--worker-uids)");
		return pl_err(-EPERM);
	}
	confine->uid_first = options->uid_first;
	confine->uids_count = options->uids_count;
	groups_find(confine);
	return 0;
}

int pl_confine_prepare(struct pl_confine *confine, const struct pl_confine_options *options,
		       const char *const *libraries, uint32_t libraries_count)
{
	int abi, r;

	*confine = (struct pl_confine){ .off = options->off };
	r = users_check(confine, options);
	if (r || confine->off)
		return pl_trace(r);
	abi = pl_landlock_abi();
	if (abi < PL_LANDLOCK_ABI_MIN) {
		pl_log_warn("this kernel can not keep workers from files (Landlock %d, wanted %d): programs that are "
			    "let in may read what this server's user may",
			    abi, PL_LANDLOCK_ABI_MIN);
		return 0;
	}
	confine->landlock_abi = abi;
	r = rules_make(confine, options, libraries, libraries_count);
	if (r)
		pl_confine_fini(confine);
	return pl_trace(r);
}

void pl_confine_fini(struct pl_confine *confine)
{
	for (uint32_t i = 0; i < confine->rules_count; i++)
		free(confine->rules[i].path);
	confine->rules_count = 0;
}

/* ---- in the worker ---- */

int pl_confine_user(const struct pl_confine *confine, uint32_t slot, const char *folder)
{
	struct rlimit processes = { PROCESSES_MAX, PROCESSES_MAX };
	uid_t uid = confine->uid_first + slot;
	char cache[PATH_MAX];

	if (!confine->uids_count)
		return 0;
	if (slot >= confine->uids_count || !folder) {
		pl_log_error("no user id is left for this worker: --worker-uids has %u, or there is no folder",
			     confine->uids_count);
		return pl_err(-EAGAIN);
	}
	setrlimit(RLIMIT_NPROC, &processes);
	if (chown(folder, uid, (gid_t)uid) < 0 || setgroups(confine->groups_count, confine->groups) < 0 ||
	    setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) < 0 || setresuid(uid, uid, uid) < 0)
		return pl_err(-errno);
	prctl(PR_SET_DUMPABLE, 1); /* it may read its own /proc; others are kept off otherwise */
	setenv("HOME", folder, 1);
	for (size_t i = 0; i < sizeof(cache_variables) / sizeof(cache_variables[0]); i++)
		unsetenv(cache_variables[i]);
	snprintf(cache, sizeof(cache), "%s/.cache", folder);
	setenv("XDG_CACHE_HOME", cache, 1);
	return 0;
}

static void capabilities_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		pl_log_warn("the worker keeps its capabilities: %s", strerror(errno));
}

static int files_confine(const struct pl_confine *confine, const char *folder)
{
	const char *tmp = getenv("TMPDIR");
	pl_cleanup(pl_closep) int rules = -1;
	int abi = confine->landlock_abi;
	int r = pl_landlock_begin(abi, &rules);

	for (uint32_t i = 0; !r && i < confine->rules_count; i++)
		r = pl_landlock_allow(rules, abi, confine->rules[i].path, confine->rules[i].rights);
	if (!r) /* NVIDIA's driver names its threads (comm), and cuInit() fails where it may not */
		r = pl_landlock_allow(rules, abi, "/proc/self/task", PL_LANDLOCK_CHANGE);
	if (!r)
		r = pl_landlock_allow(rules, abi,
				      folder                 ? folder
				      : tmp && tmp[0] == '/' ? tmp
							     : "/tmp",
				      READ_WRITE | PL_LANDLOCK_EXEC);
	return r ? pl_trace(r) : pl_trace(pl_landlock_enter(pl_steal_fd(&rules)));
}

int pl_confine_enter(const struct pl_confine *confine, const char *folder)
{
	int r = 0;

	if (confine->off)
		return 0;
	if (confine->landlock_abi)
		r = files_confine(confine, folder);
	if (r)
		return pl_trace(r);
	capabilities_drop();
	r = pl_seccomp_enter();
	if (r == -ENOSYS || r == -EINVAL) {
		pl_log_warn("system calls of workers are not confined: this machine has no filter for them");
		return 0;
	}
	return pl_trace(r);
}
