#include "server/landlock.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* The same numbers on every architecture; older C libraries do not have them. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE       445
#define CALL_RESTRICT_SELF  446
#define CREATE_VERSION      1u
#define RULE_PATH_BENEATH   1

enum { /* rights on files and folders, and the version of the interface that has them */
       FS_EXECUTE = 1 << 0,
       FS_WRITE_FILE = 1 << 1,
       FS_READ_FILE = 1 << 2,
       FS_READ_DIR = 1 << 3,
       FS_REMOVE_DIR = 1 << 4,
       FS_REMOVE_FILE = 1 << 5,
       FS_MAKE_CHAR = 1 << 6,
       FS_MAKE_DIR = 1 << 7,
       FS_MAKE_REG = 1 << 8,
       FS_MAKE_SOCK = 1 << 9,
       FS_MAKE_FIFO = 1 << 10,
       FS_MAKE_BLOCK = 1 << 11,
       FS_MAKE_SYM = 1 << 12,
       FS_REFER = 1 << 13,     /* 2 */
       FS_TRUNCATE = 1 << 14,  /* 3 */
       FS_IOCTL_DEV = 1 << 15, /* 5 */
};
#define FS_OF_FILES     (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND_TCP    1u /* 4 */
#define NET_CONNECT_TCP 2u
#define SCOPE_UNIX      1u /* 6 */
#define SCOPE_SIGNAL    2u

struct ruleset {
	uint64_t files, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

int pl_landlock_abi(void)
{
	long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static uint64_t handled_files(int abi)
{
	uint64_t files = FS_REFER - 1;

	if (abi >= 2)
		files |= FS_REFER;
	if (abi >= 3)
		files |= FS_TRUNCATE;
	if (abi >= 5)
		files |= FS_IOCTL_DEV;
	return files;
}

int pl_landlock_begin(int abi, int *rules_out)
{
	struct ruleset set = { .files = handled_files(abi) };
	size_t bytes = offsetof(struct ruleset, net);
	long rules;

	if (abi >= 4) {
		set.net = NET_BIND_TCP | NET_CONNECT_TCP;
		bytes = offsetof(struct ruleset, scoped);
	}
	if (abi >= 6) {
		set.scoped = SCOPE_UNIX | SCOPE_SIGNAL;
		bytes = sizeof(set);
	}
	rules = syscall(CALL_CREATE_RULESET, &set, bytes, 0); /* close-on-exec by itself */
	if (rules < 0)
		return pl_err(-errno);
	*rules_out = (int)rules;
	return 0;
}

static uint64_t files_of(unsigned rights)
{
	uint64_t files = 0;

	if (rights & PL_LANDLOCK_LIST)
		files |= FS_READ_DIR;
	if (rights & PL_LANDLOCK_READ)
		files |= FS_READ_FILE | FS_READ_DIR;
	if (rights & PL_LANDLOCK_EXEC)
		files |= FS_EXECUTE;
	if (rights & PL_LANDLOCK_WRITE)
		files |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SYM |
			 FS_MAKE_FIFO | FS_REFER | FS_TRUNCATE;
	if (rights & PL_LANDLOCK_CHANGE)
		files |= FS_WRITE_FILE | FS_TRUNCATE;
	if (rights & PL_LANDLOCK_DEVICE)
		files |= FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_IOCTL_DEV;
	return files;
}

int pl_landlock_allow(int rules, int abi, const char *path, unsigned rights)
{
	pl_cleanup(pl_closep) int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_rule rule = { .allowed = files_of(rights) & handled_files(abi), .parent_fd = fd };
	struct stat stat;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : pl_err(-errno);
	if (fstat(fd, &stat) < 0)
		return pl_err(-errno);
	if (!S_ISDIR(stat.st_mode))
		rule.allowed &= FS_OF_FILES;
	if (rule.allowed && syscall(CALL_ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0) < 0)
		return pl_err(-errno);
	return 0;
}

int pl_landlock_enter(int rules)
{
	pl_cleanup(pl_closep) int fd = rules;

	return syscall(CALL_RESTRICT_SELF, fd, 0) < 0 ? pl_err(-errno) : 0;
}
