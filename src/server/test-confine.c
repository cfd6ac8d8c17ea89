/* What a confined process can and can not do; each case in a child of its own, as there is no way back. */
#undef NDEBUG
#include "server/confine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/process.h"
#include "server/landlock.h"

#define UID_FIRST 700000u

static char folder[PL_TEST_PATH_MAX], outside[PL_TEST_PATH_MAX];
static struct pl_confine confine;
static struct pl_confine_options options;

/* Runs `what` confined, in a child; it asserts. */
static void confined(void (*what)(void))
{
	int status;
	pid_t pid;

	assert(pl_confine_prepare(&confine, &options, NULL, 0) == 0);
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		alarm(60);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		assert(pl_confine_enter(&confine, folder) == 0);
		what();
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid);
	assert(WIFEXITED(status) && !WEXITSTATUS(status));
	pl_confine_fini(&confine);
}

static int open_errno(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? errno : 0;
}

static void path_of(char out[PL_TEST_PATH_MAX + 16], const char *in, const char *name)
{
	snprintf(out, PL_TEST_PATH_MAX + 16, "%s/%s", in, name);
}

/* ---- files ---- */

static void outside_is_closed(void)
{
	char path[PL_TEST_PATH_MAX + 16];

	path_of(path, outside, "secret");
	assert(open_errno(path, O_RDONLY) == EACCES);
	assert(open_errno(path, O_WRONLY) == EACCES);
	assert(unlink(path) < 0 && errno == EACCES);
	path_of(path, outside, "new");
	assert(open_errno(path, O_WRONLY | O_CREAT) == EACCES);
	assert(open_errno("/etc/passwd", O_RDONLY) == EACCES);
	assert(open_errno("/", O_RDONLY | O_DIRECTORY) == EACCES);
	assert(open_errno("/usr/plenum-test", O_WRONLY | O_CREAT) != 0);
}

/* Drivers name their threads by files; of other processes nothing can be written. */
static void *thread_named(void *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)gettid());
	file = fopen(path, "we");
	assert(file && fputs(name, file) >= 0 && !fclose(file));
	assert(!prctl(PR_GET_NAME, path) && !strcmp(path, name));
	return NULL;
}

static void threads_are_named(void)
{
	char path[64];
	pthread_t thread;

	thread_named("main");
	assert(!pthread_create(&thread, NULL, thread_named, "another") && !pthread_join(thread, NULL));
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)getppid());
	assert(open_errno(path, O_WRONLY) == EACCES);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)getppid(), (int)getppid());
	assert(open_errno(path, O_WRONLY) == EACCES);
}

static void what_drivers_need_is_open(void)
{
	char path[PL_TEST_PATH_MAX + 16], other[PL_TEST_PATH_MAX + 16];

	assert(open_errno("/usr", O_RDONLY | O_DIRECTORY) == 0);
	assert(open_errno("/proc/cpuinfo", O_RDONLY) == 0);
	assert(open_errno("/proc/self/maps", O_RDONLY) == 0);
	assert(open_errno("/dev/null", O_RDWR) == 0);
	assert(open_errno("/dev/urandom", O_RDONLY) == 0);
	path_of(path, folder, "a");
	assert(open_errno(path, O_WRONLY | O_CREAT) == 0);
	path_of(other, folder, "sub");
	assert(!mkdir(other, 0700));
	path_of(other, folder, "sub/b");
	assert(!rename(path, other) && !unlink(other)); /* from one folder into another: how caches are filled */
	path_of(other, folder, "sub");
	assert(!rmdir(other));
}

static void named_paths_are_open(void)
{
	char path[PL_TEST_PATH_MAX + 16];

	path_of(path, outside, "secret");
	assert(open_errno(path, O_RDONLY) == 0);
	assert(open_errno(path, O_WRONLY) == (options.write_count ? 0 : EACCES));
}

/* ---- a driver in a folder of its own ---- */

static void file_make(const char *in, const char *name, const char *text)
{
	char path[PL_TEST_PATH_MAX + 16];
	FILE *file;

	path_of(path, in, name);
	file = fopen(path, "we");
	assert(file && fputs(text, file) >= 0 && !fclose(file));
}

static void share_beside_lib_is_open(void)
{
	char path[PL_TEST_PATH_MAX + 16];

	path_of(path, outside, "share/code.bc");
	assert(open_errno(path, O_RDONLY) == 0 && open_errno(path, O_WRONLY) == EACCES);
	path_of(path, outside, "lib/driver.so");
	assert(open_errno(path, O_RDONLY) == 0);
	path_of(path, outside, "secret");
	assert(open_errno(path, O_RDONLY) == EACCES);
}

/* The driver is told where its cache is: the list of users, which says so too, is closed. */
static void the_cache_is_named_and_open(void)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	char path[PL_TEST_PATH_MAX + 16], expected[PL_TEST_PATH_MAX + 16];

	path_of(expected, outside, ".cache");
	assert(cache && !strcmp(cache, expected));
	path_of(path, cache, "mesa_shader_cache/index");
	assert(open_errno(path, O_RDWR | O_CREAT) == 0 && !unlink(path));
}

static void test_drivers_find_the_users_cache(void)
{
	char *home = strdup(getenv("HOME") ? getenv("HOME") : "/");

	assert(home);
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", outside, 1);
	confined(the_cache_is_named_and_open);
	setenv("HOME", home, 1);
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	free(home);
}

static void test_a_driver_reads_what_lies_beside_it(void)
{
	static const char *const files[] = { "share/code.bc", "lib/driver.so", "driver.icd" };
	static const char *const folders[] = { "share", "lib" };
	char path[PL_TEST_PATH_MAX + 16];

	for (size_t i = 0; i < 2; i++) {
		path_of(path, outside, folders[i]);
		assert(!mkdir(path, 0700));
	}
	path_of(path, outside, "lib/driver.so");
	file_make(outside, "driver.icd", path);
	file_make(outside, "lib/driver.so", "");
	file_make(outside, "share/code.bc", "");
	path_of(path, outside, "driver.icd");
	setenv("OCL_ICD_VENDORS", path, 1);
	confined(share_beside_lib_is_open);
	unsetenv("OCL_ICD_VENDORS");
	for (size_t i = 0; i < 3; i++) {
		path_of(path, outside, files[i]);
		assert(!unlink(path));
	}
	for (size_t i = 0; i < 2; i++) {
		path_of(path, outside, folders[i]);
		assert(!rmdir(path));
	}
}

/* ---- system calls ---- */

static void forbidden_calls_fail(void)
{
	static const struct {
		const char *name;
		long number, first;
	} calls[] = {
		{ "ptrace", SYS_ptrace, PTRACE_TRACEME },
		{ "process_vm_readv", SYS_process_vm_readv, 0 },
		{ "process_vm_writev", SYS_process_vm_writev, 0 },
		{ "mount", SYS_mount, 0 },
		{ "umount2", SYS_umount2, 0 },
		{ "pivot_root", SYS_pivot_root, 0 },
		{ "chroot", SYS_chroot, 0 },
		{ "keyctl", SYS_keyctl, 0 },
		{ "add_key", SYS_add_key, 0 },
		{ "bpf", SYS_bpf, 0 },
		{ "perf_event_open", SYS_perf_event_open, 0 },
		{ "kexec_load", SYS_kexec_load, 0 },
		{ "init_module", SYS_init_module, 0 },
		{ "finit_module", SYS_finit_module, 0 },
		{ "delete_module", SYS_delete_module, 0 },
		{ "reboot", SYS_reboot, 0 },
		{ "setuid", SYS_setuid, 0 },
		{ "setgroups", SYS_setgroups, 0 },
		{ "capset", SYS_capset, 0 },
		{ "userfaultfd", SYS_userfaultfd, 0 },
		{ "io_uring_setup", SYS_io_uring_setup, 1 },
		{ "unshare", SYS_unshare, CLONE_NEWUSER },
		{ "setns", SYS_setns, 0 },
		{ "open_by_handle_at", SYS_open_by_handle_at, 0 },
		{ "personality", SYS_personality, 0 },
		{ "socket", SYS_socket, AF_INET },
		{ "connect", SYS_connect, 0 },
		{ "accept", SYS_accept, 0 },
		{ "accept4", SYS_accept4, 0 },
		{ "clone", SYS_clone, CLONE_NEWUSER | SIGCHLD },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		errno = 0;
		if (syscall(calls[i].number, calls[i].first, 0, 0, 0, 0) != -1 || errno != EPERM) {
			fprintf(stderr, "%s: %s\n", calls[i].name, strerror(errno));
			abort();
		}
	}
	assert(ioctl(0, TIOCSTI, "x") < 0 && errno == EPERM);
	assert(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
	assert(syscall(SYS_personality, 0xffffffff) >= 0); /* a question only */
}

/* A name, as NVIDIA's driver gives a socket when it starts, and no more. */
static void a_unix_socket_has_a_name_and_no_peer(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t bytes;

	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "plenum-test-%d", (int)getpid());
	bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
	assert(fd >= 0 && !bind(fd, (struct sockaddr *)&name, bytes) && !listen(fd, 1));
	assert(accept(fd, NULL, NULL) < 0 && errno == EPERM);
	assert(connect(fd, (struct sockaddr *)&name, bytes) < 0 && errno == EPERM);
	assert(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	close(fd);
}

static void *thread_run(void *arg)
{
	return arg;
}

static void ordinary_calls_work(void)
{
	int pair[2], status;
	pthread_t thread;
	void *got;
	pid_t pid;

	assert(!pthread_create(&thread, NULL, thread_run, folder) && !pthread_join(thread, &got) && got == folder);
	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	assert(syscall(SYS_memfd_create, "x", 0) >= 0);
	pid = fork();
	assert(pid >= 0);
	if (!pid)
		execl("/usr/bin/true", "true", (char *)NULL), _exit(99);
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
}

static void children_are_confined(void)
{
	int status;
	pid_t pid = fork();

	assert(pid >= 0);
	if (!pid)
		_exit(syscall(SYS_keyctl, 0, 0, 0, 0, 0) < 0 && errno == EPERM ? 0 : 1);
	assert(waitpid(pid, &status, 0) == pid && !status);
}

static void other_processes_are_out_of_reach(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)getppid());
	assert(open_errno(path, O_RDONLY) == EACCES);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	assert(open_errno(path, O_RDWR) == EACCES);
	if (confine.landlock_abi >= 6)
		assert(kill(getppid(), 0) < 0 && errno == EPERM);
	assert(!kill(getpid(), 0));
}

static void no_capability_is_left(void)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	int seen = 0;

	assert(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "CapEff:", 7) || !strncmp(line, "CapPrm:", 7))
			assert(strtoull(line + 7, NULL, 16) == 0 && ++seen);
	fclose(file);
	assert(seen == 2);
}

static void nothing_is_closed(void)
{
	char path[PL_TEST_PATH_MAX + 16];

	path_of(path, outside, "secret");
	assert(open_errno(path, O_RDONLY) == 0);
	assert(syscall(SYS_unshare, 0) == 0);
}

/* ---- users ---- */

static void user_check(uint32_t slot, int expected)
{
	pid_t pid = fork();
	int status;

	assert(pid >= 0);
	if (!pid) {
		struct stat stat_of;

		assert(pl_confine_user(&confine, slot, folder) == expected);
		if (!expected) {
			assert(geteuid() == UID_FIRST + slot && getuid() == geteuid() && getegid() == geteuid());
			assert(!stat(folder, &stat_of) && stat_of.st_uid == geteuid());
			assert(!strcmp(getenv("HOME"), folder) &&
			       !strncmp(getenv("XDG_CACHE_HOME"), folder, strlen(folder)));
			assert(seteuid(0) < 0 && open_errno("/etc/shadow", O_RDONLY) == EACCES);
		}
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && !status);
}

static void test_workers_get_users_of_their_own(void)
{
	options = (struct pl_confine_options){ .off = true, .uid_first = UID_FIRST, .uids_count = 2 };
	if (geteuid()) {
		assert(pl_confine_prepare(&confine, &options, NULL, 0) == -EPERM);
		printf("SKIP: users of their own: only root can give them\n");
		return;
	}
	assert(pl_confine_prepare(&confine, &options, NULL, 0) == 0);
	user_check(0, 0);
	user_check(1, 0);
	user_check(2, -EAGAIN); /* beyond the range */
	assert(!chown(folder, 0, 0));
}

static void test_as_many_paths_as_may_be_named_fit(void)
{
	options = (struct pl_confine_options){ .read_count = PL_CONFINE_PATHS_MAX };
	for (uint32_t i = 0; i < options.read_count; i++)
		options.read[i] = "/usr";
	confined(ordinary_calls_work);
	confined(a_unix_socket_has_a_name_and_no_peer);
}

static void files_make(void)
{
	char path[PL_TEST_PATH_MAX + 16];

	pl_test_folder_create(folder);
	pl_test_folder_create(outside);
	path_of(path, outside, "secret");
	assert(open_errno(path, O_WRONLY | O_CREAT) == 0);
	setenv("XDG_CACHE_HOME", "/nowhere", 1); /* leave the user's alone */
}

int main(void)
{
	pl_log_init("test", PL_LOG_OFF);
	files_make();
	if (pl_landlock_abi() < PL_LANDLOCK_ABI_MIN) {
		printf("SKIP: files: this kernel has no Landlock\n");
	} else {
		confined(outside_is_closed);
		confined(what_drivers_need_is_open);
		confined(threads_are_named);
		confined(other_processes_are_out_of_reach);
		test_a_driver_reads_what_lies_beside_it();
		test_drivers_find_the_users_cache();
		options.read[options.read_count++] = outside;
		confined(named_paths_are_open);
		options.write[options.write_count++] = outside;
		confined(named_paths_are_open);
		options = (struct pl_confine_options){ 0 };
	}
	confined(forbidden_calls_fail);
	confined(ordinary_calls_work);
	confined(a_unix_socket_has_a_name_and_no_peer);
	confined(children_are_confined);
	confined(no_capability_is_left);
	test_as_many_paths_as_may_be_named_fit();
	options = (struct pl_confine_options){ .off = true };
	confined(nothing_is_closed);
	test_workers_get_users_of_their_own();
	pl_test_folder_remove(folder);
	pl_test_folder_remove(outside);
	return 0;
}
