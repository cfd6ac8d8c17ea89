/* What makes an unmodified program use Plenum: two variables. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "link/address.h"
#include "plenum/tool.h"
#include "server/daemon.h"

#ifndef PL_ICD_DIR /* where the installation puts plenum.icd */
#define PL_ICD_DIR "/usr/local/share/plenum/icd"
#endif
#ifndef PL_VM_GUEST_DIR /* and what a guest starts with */
#define PL_VM_GUEST_DIR "/usr/local/share/plenum/guest"
#endif
#define VENDORS "/etc/OpenCL/vendors"

/* ---- servers ---- */

void pl_tool_server_default(char address_out[PL_LINK_ADDRESS_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char paths[3][PL_LINK_ADDRESS_MAX];
	int count = 0;

	if (runtime && *runtime)
		snprintf(paths[count++], sizeof(paths[0]), "unix:%.400s/plenum.sock", runtime);
	snprintf(paths[count++], sizeof(paths[0]), "unix:/run/plenum.sock");
	snprintf(paths[count++], sizeof(paths[0]), "unix:/tmp/plenum-%u.sock", (unsigned)geteuid());
	for (int i = 0; i < count; i++)
		if (!access(paths[i] + strlen("unix:"), R_OK | W_OK)) {
			memcpy(address_out, paths[i], sizeof(paths[i]));
			return;
		}
	pl_daemon_default_address(address_out);
}

void pl_tool_server_first(const struct pl_tool_servers *servers, char address_out[PL_LINK_ADDRESS_MAX])
{
	const char *list = getenv("PLENUM"), *first = "";

	if (servers->count)
		snprintf(address_out, PL_LINK_ADDRESS_MAX, "%s", servers->at[0]);
	else if (list && *list)
		snprintf(address_out, PL_LINK_ADDRESS_MAX, "%.*s", (int)pl_address_next(&list, &first), first);
	else
		pl_tool_server_default(address_out);
}

/* In a folder that everybody may write to, somebody else may have put a socket in our way. */
static bool socket_is_trusted(const char *address)
{
	struct stat st;

	if (strncmp(address, "unix:/tmp/", 10) || lstat(address + 5, &st) < 0)
		return true;
	return st.st_uid == geteuid() || st.st_uid == 0;
}

/* ---- the ICD ---- */

static bool exe_folder(char *folder_out)
{
	ssize_t n = readlink("/proc/self/exe", folder_out, PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return false;
	folder_out[n] = '\0';
	slash = strrchr(folder_out, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

/* Return: DIR/plenum.icd is there. */
static bool icd_try(const char *base, const char *below, char *path_out)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s/plenum.icd", base, below);
	return realpath(path, path_out) && !access(path_out, R_OK);
}

int pl_tool_icd_find(char *path_out)
{
	static const char *const places[] = {
		"/../../src/client/opencl", /* the build tree */
		"/../share/plenum/icd",     /* an installation */
		"",
	};
	const char *told = getenv("PLENUM_ICD_DIR");
	char folder[PATH_MAX];

	if (told && *told)
		return icd_try(told, "", path_out) ? 0 : -ENOENT;
	for (size_t i = 0; exe_folder(folder) && i < sizeof(places) / sizeof(places[0]); i++)
		if (icd_try(folder, places[i], path_out))
			return 0;
	return icd_try(PL_ICD_DIR, "", path_out) || icd_try(VENDORS, "", path_out) ? 0 : -ENOENT;
}

/* An installation below another root (DESTDIR, an unpacked archive): the library is below the same one. */
static bool icd_moved(const char *icd_path, char *library)
{
	const char *below = strstr(icd_path, PL_ICD_DIR "/");
	char path[2 * PATH_MAX];

	if (!below)
		return false;
	snprintf(path, sizeof(path), "%.*s%s", (int)(below - icd_path), icd_path, library);
	if (strlen(path) >= PATH_MAX || access(path, R_OK) < 0)
		return false;
	strcpy(library, path);
	return true;
}

/* Return: 0; 1: it is not where the file says, but found; -errno. */
static int icd_read(const char *icd_path, char *library_out)
{
	FILE *file = fopen(icd_path, "re");
	bool got;

	if (!file)
		return -errno;
	got = fgets(library_out, PATH_MAX, file) != NULL;
	fclose(file);
	if (!got)
		return -EINVAL;
	library_out[strcspn(library_out, "\r\n")] = '\0';
	if (*library_out == '/' && access(library_out, R_OK) < 0 && icd_moved(icd_path, library_out))
		return 1;
	return *library_out ? 0 : -EINVAL;
}

int pl_tool_icd_library(const char *icd_path, char *library_out)
{
	int r = icd_read(icd_path, library_out);

	return r < 0 ? r : 0;
}

int pl_tool_guest_find(char *path_out)
{
	static const char *const places[] = { "/guest", "/../share/plenum/guest" }; /* build tree, installation */
	const char *told = getenv("PLENUM_GUEST_DIR");
	char folder[PATH_MAX], init[2 * PATH_MAX];

	if (told && *told) {
		snprintf(path_out, PATH_MAX, "%s", told);
		return 0;
	}
	for (size_t i = 0; exe_folder(folder) && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(init, sizeof(init), "%s%s/init", folder, places[i]);
		if (realpath(init, path_out)) {
			*strrchr(path_out, '/') = '\0';
			return 0;
		}
	}
	snprintf(path_out, PATH_MAX, "%s", PL_VM_GUEST_DIR);
	return access(PL_VM_GUEST_DIR "/init", R_OK) < 0 ? -ENOENT : 0;
}

static bool is_icd(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, ".icd");
}

/* The folder of plenum.icd where it is alone there, else the file itself: not each loader takes a file. */
static void vendors_choose(const char *icd_path, char *vendors_out)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(vendors_out, PATH_MAX, "%s", icd_path);
	*strrchr(vendors_out, '/') = '\0';
	dir = opendir(vendors_out);
	while (dir && (entry = readdir(dir)))
		count += is_icd(entry->d_name);
	if (dir)
		closedir(dir);
	if (count != 1)
		snprintf(vendors_out, PATH_MAX, "%s", icd_path);
}

/* ---- local drivers besides ---- */

static int folder_own(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) ? 0 : -EPERM;
}

/* Where folders of ours for loaders lie. */
static void vendors_own(const char *suffix, char *vendors_out)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *temporary = getenv("TMPDIR");

	if (runtime && *runtime)
		snprintf(vendors_out, PATH_MAX, "%s/plenum-icd%s", runtime, suffix);
	else
		snprintf(vendors_out, PATH_MAX, "%s/plenum-icd%s-%u", temporary && *temporary ? temporary : "/tmp",
			 suffix, (unsigned)geteuid());
}

static void link_put(const char *target, const char *folder, const char *name)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	if (symlink(target, path) < 0)
		fprintf(stderr, "plenum: %s: %s\n", path, strerror(errno));
}

/* A folder of links: the local .icd files and ours.  Loaders know one folder only. */
static int vendors_join(const char *icd_path, char *vendors_out)
{
	const char *local = getenv("OCL_ICD_VENDORS");
	char target[2 * PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int r;

	if (!local || !*local)
		local = VENDORS;
	vendors_own("", vendors_out);
	r = folder_own(vendors_out);
	if (r < 0)
		return r;
	dir = opendir(local);
	while (dir && (entry = readdir(dir))) {
		snprintf(target, sizeof(target), "%s/%s", local, entry->d_name);
		if (is_icd(entry->d_name) && strcmp(entry->d_name, "plenum.icd"))
			link_put(target, vendors_out, entry->d_name);
	}
	if (dir)
		closedir(dir);
	link_put(icd_path, vendors_out, "plenum.icd");
	return 0;
}

/* An .icd of our own for a library that is not where the installed one says. */
static int icd_settle(char *icd_path)
{
	char library[PATH_MAX], folder[PATH_MAX], fresh[2 * PATH_MAX];
	int r = icd_read(icd_path, library);
	FILE *file;

	if (r <= 0)
		return 0; /* an .icd that can not be read is the loader's to complain about */
	vendors_own("-moved", folder);
	r = folder_own(folder);
	if (r < 0)
		return r;
	snprintf(fresh, sizeof(fresh), "%s/%d", folder, (int)getpid());
	snprintf(icd_path, PATH_MAX, "%.*s/plenum.icd", PATH_MAX - 16, folder);
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	r = fprintf(file, "%s\n", library) < 0 ? -EIO : 0;
	if (fclose(file) || (!r && rename(fresh, icd_path) < 0))
		r = -errno;
	return r;
}

/* ---- both ---- */

/* A server on the network always wants a token: without one the program would find no device, and not say why. */
static void token_check(const char *list)
{
	const char *token = getenv("PLENUM_TOKEN"), *address;
	size_t length;

	while (!(token && *token) && (length = pl_address_next(&list, &address)))
		if (!strncmp(address, "tcp://", 6) || !strncmp(address, "vsock:", 6)) {
			fprintf(stderr, "plenum: %.*s wants a token, and PLENUM_TOKEN is not set\n", (int)length,
				address);
			return;
		}
}

static int servers_set(const struct pl_tool_servers *servers)
{
	char list[PL_TOOL_SERVERS_MAX * PL_LINK_ADDRESS_MAX] = "";
	const char *told = getenv("PLENUM");
	size_t len = 0;

	for (uint32_t i = 0; i < servers->count; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? "," : "", servers->at[i]);
	token_check(servers->count ? list : told ? told : "");
	if (!servers->count && told && *told)
		return 0;
	if (!servers->count) {
		pl_tool_server_default(list);
		if (!socket_is_trusted(list)) {
			fprintf(stderr, "plenum: %s belongs to another user; name a server with --server\n", list + 5);
			return -EPERM;
		}
	}
	return setenv("PLENUM", list, 1) < 0 ? -errno : 0;
}

int pl_tool_env_set(const struct pl_tool_servers *servers, bool keep_local)
{
	char icd[PATH_MAX], vendors[PATH_MAX];
	int r = servers_set(servers);

	if (r < 0)
		return r;
	r = pl_tool_icd_find(icd);
	if (r < 0) {
		fprintf(stderr, "plenum: plenum.icd was not found: build or install the OpenCL client, or set "
				"PLENUM_ICD_DIR\n");
		return r;
	}
	r = icd_settle(icd);
	if (r < 0) {
		fprintf(stderr, "plenum: a file for OpenCL's loader: %s\n", strerror(-r));
		return r;
	}
	if (keep_local) {
		if (!getenv("OCL_ICD_VENDORS") && !access(VENDORS "/plenum.icd", R_OK))
			return 0; /* it is among the local ones */
		r = vendors_join(icd, vendors);
		if (r < 0) {
			fprintf(stderr, "plenum: %s: %s\n", vendors, strerror(-r));
			return r;
		}
	} else {
		vendors_choose(icd, vendors);
		unsetenv("OCL_ICD_FILENAMES");
	}
	unsetenv("OPENCL_VENDOR_PATH");
	return setenv("OCL_ICD_VENDORS", vendors, 1) < 0 ? -errno : 0;
}

int pl_tool_exec(char **argv)
{
	int code;

	execvp(argv[0], argv);
	code = errno == ENOENT ? 127 : 126;
	fprintf(stderr, "plenum: %s: %s\n", argv[0], strerror(errno));
	return code;
}
