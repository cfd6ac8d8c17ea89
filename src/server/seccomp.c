#include "server/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH 0 /* no filter */
#endif
#define X32_BIT 0x40000000u

#define DENY    (SECCOMP_RET_ERRNO | EPERM)
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS) /* the C library then takes clone() */
#define CLONE_NAMESPACES                                                                                               \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define LOAD(member)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOAD_ARGUMENT(n)   LOAD(args[n]) /* its lower half: little-endian */
#define RETURN(action)     BPF_STMT(BPF_RET | BPF_K, (action))
#define EQUAL(value, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (t), (f))
/* Two instructions: the call's number is in the accumulator before and after. */
#define REFUSE(call) EQUAL(SYS_##call, 0, 1), RETURN(DENY)
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "LOAD_ARGUMENT"
#endif

static const struct sock_filter filter[] = {
	LOAD(arch),
	EQUAL(ARCH, 1, 0),
	RETURN(DENY),
	LOAD(nr),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
	RETURN(DENY),
#endif
	/* other processes */
	REFUSE(ptrace), REFUSE(process_vm_readv), REFUSE(process_vm_writev), REFUSE(pidfd_getfd),
	/* the system's tree, name spaces */
	REFUSE(mount), REFUSE(umount2), REFUSE(move_mount), REFUSE(open_tree), REFUSE(fsopen), REFUSE(fsconfig),
	REFUSE(fsmount), REFUSE(fspick), REFUSE(mount_setattr), REFUSE(pivot_root), REFUSE(chroot), REFUSE(unshare),
	REFUSE(setns), REFUSE(open_by_handle_at), REFUSE(name_to_handle_at), REFUSE(quotactl), REFUSE(swapon),
	REFUSE(swapoff), REFUSE(fanotify_init),
	/* keys, kernel */
	REFUSE(keyctl), REFUSE(add_key), REFUSE(request_key), REFUSE(bpf), REFUSE(perf_event_open), REFUSE(userfaultfd),
	REFUSE(io_uring_setup), REFUSE(io_uring_enter), REFUSE(io_uring_register), REFUSE(kexec_load),
	REFUSE(kexec_file_load), REFUSE(init_module), REFUSE(finit_module), REFUSE(delete_module), REFUSE(syslog),
	REFUSE(reboot), REFUSE(acct), REFUSE(sethostname), REFUSE(setdomainname), REFUSE(settimeofday),
	REFUSE(clock_settime), REFUSE(clock_adjtime), REFUSE(adjtimex), REFUSE(vhangup), REFUSE(lookup_dcookie),
#ifdef __x86_64__
	REFUSE(iopl), REFUSE(ioperm), REFUSE(modify_ldt), REFUSE(uselib), REFUSE(_sysctl), REFUSE(nfsservctl),
#endif
	/* who we are was decided before */
	REFUSE(setuid), REFUSE(setgid), REFUSE(setreuid), REFUSE(setregid), REFUSE(setresuid), REFUSE(setresgid),
	REFUSE(setfsuid), REFUSE(setfsgid), REFUSE(setgroups), REFUSE(capset),
	/* No connection of its own: its sockets are handed to it.  NVIDIA's driver gives a unix socket a name when it
	 * starts, for programs that share its memory, and fails where it may not. */
	REFUSE(connect), REFUSE(accept), REFUSE(accept4),
	EQUAL(SYS_socket, 0, 5), LOAD_ARGUMENT(0), EQUAL(AF_NETLINK, 2, 0), EQUAL(AF_UNIX, 1, 0), RETURN(DENY),
	LOAD(nr),
	/* what depends on an argument */
	EQUAL(SYS_clone, 0, 4), LOAD_ARGUMENT(0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NAMESPACES, 0, 1),
	RETURN(DENY), LOAD(nr),
	EQUAL(SYS_personality, 0, 4), LOAD_ARGUMENT(0), EQUAL(0xffffffffu, 1, 0), RETURN(DENY), LOAD(nr),
	EQUAL(SYS_ioctl, 0, 4), LOAD_ARGUMENT(1), EQUAL(TIOCSTI, 0, 1), RETURN(DENY), LOAD(nr),
	RETURN(SECCOMP_RET_ALLOW),
};

/* Its flags can not be seen from here.  The C library tries it for each thread: a filter of its own, whose refusals the
 * system does not log. */
static const struct sock_filter clone3_filter[] = {
	LOAD(nr),
	EQUAL(SYS_clone3, 0, 1),
	RETURN(UNKNOWN),
	RETURN(SECCOMP_RET_ALLOW),
};

static int enter(const struct sock_filter *code, size_t bytes, unsigned flags)
{
	struct sock_fprog program = { .len = (unsigned short)(bytes / sizeof(*code)),
				      .filter = (struct sock_filter *)(uintptr_t)code };
	int r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? -errno : 0;

	if (r == -EINVAL && flags) /* a kernel that does not know the flags */
		return enter(code, bytes, 0);
	return r;
}

int pl_seccomp_enter(void)
{
	int r;

	if (!ARCH)
		return pl_err(-ENOSYS);
	r = enter(clone3_filter, sizeof(clone3_filter), SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	if (!r)
		r = enter(filter, sizeof(filter), SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	return r ? pl_err(r) : 0;
}
