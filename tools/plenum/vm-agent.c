// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's side: process 1 after the init script.  It takes a job from the
 * control port, runs the program between pipes (or on a terminal), carries the
 * bytes, and reports the exit status.  The host then ends the machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "vm-internal.h"
#include "vm-proto.h"

#define PORTS_MS_MAX    20000   /* limit: the ports appear while their driver starts */
#define JOB_MS_MAX      20000
#define GRACE_MS        1000    /* what the program left behind may write this long */
#define FAREWELL_MS     10000   /* limit: the host ends the machine once it has everything */
#define BUFFER_BYTES    32768u  /* one virtio-serial write */
#define VENDORS_DIR     "/run/plenum/vendors"

struct job {                    /* a checked pl_vm_job; strings point into `data` */
	struct pl_vm_job head;
	char *data;
	gid_t *groups;
	const char *folder;
	const char *icd_library;
	char **args;
	char **env;
};

struct pump {                   /* one direction of one stream */
	char buffer[BUFFER_BYTES];
	size_t at, len;
	uint64_t passed;
	int from_fd;            /* -1: at its end */
	int to_fd;              /* -1: nobody reads, bytes are dropped */
};

struct agent {
	int ports[PL_VM_PORTS];
	struct job job;
	struct pump in;         /* host's stdin to the program */
	struct pump out[2];
	uint64_t in_total;
	bool in_total_known;
	char incoming[sizeof(struct pl_vm_msg)];
	size_t incoming_len;
	int signal_fd;
	int terminal_fd;        /* the master's; -1: pipes */
	pid_t child;
	bool exited, killed;
	uint64_t quiet_ms;      /* when anything last moved */
	uint32_t status;
};

__attribute__((noreturn)) static void give_up(const char *what)
{
	dprintf(STDERR_FILENO, "plenum guest: %s: %s\n", what, strerror(errno));
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* The ports' names are in sysfs; their device numbers depend on the order of events. */
static int port_open(const char *name)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	int fd = -1;

	while (dir && fd < 0 && (entry = readdir(dir))) {
		pl_cleanup(pl_freep) char *name_path = NULL, *device = NULL, *text = NULL;

		if (entry->d_name[0] == '.')
			continue;
		name_path = pl_vm_format("/sys/class/virtio-ports/%s/name", entry->d_name);
		device = pl_vm_format("/dev/%s", entry->d_name);
		if (!name_path || !device || pl_vm_read_file(name_path, 4096, &text, NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, name) == 0)
			fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void ports_open(struct agent *agent)
{
	static const char *const names[PL_VM_PORTS] = {
		[PL_VM_CTL] = PL_VM_PORT_CTL,
		[PL_VM_STDIN] = PL_VM_PORT_STDIN,
		[PL_VM_STDOUT] = PL_VM_PORT_STDOUT,
		[PL_VM_STDERR] = PL_VM_PORT_STDERR,
	};
	uint64_t end_ms = pl_vm_now_ms() + PORTS_MS_MAX;

	for (int i = 0; i < PL_VM_PORTS; i++) {
		while ((agent->ports[i] = port_open(names[i])) < 0) {
			if (pl_vm_now_ms() > end_ms)
				give_up(names[i]);
			(void)poll(NULL, 0, 5);
		}
	}
}

/* A port reads as ended until the host's side is known to be there: ask again. */
static void ctl_read_all(struct agent *agent, void *data, size_t len_bytes)
{
	uint64_t end_ms = pl_vm_now_ms() + JOB_MS_MAX;
	char *p = data;

	while (len_bytes > 0) {
		ssize_t n = read(agent->ports[PL_VM_CTL], p, len_bytes);

		if (n > 0) {
			p += n;
			len_bytes -= (size_t)n;
			continue;
		}
		if (pl_vm_now_ms() > end_ms)
			give_up("no job from the host");
		(void)poll(NULL, 0, 2);
	}
}

static void ctl_write(struct agent *agent, uint32_t type, uint32_t arg, uint64_t value)
{
	const struct pl_vm_msg msg = { .type = type, .arg = arg, .value = value };
	uint64_t end_ms = pl_vm_now_ms() + JOB_MS_MAX;

	while (write(agent->ports[PL_VM_CTL], &msg, sizeof(msg)) != sizeof(msg)) {
		if (pl_vm_now_ms() > end_ms)
			give_up("the host does not listen");
		(void)poll(NULL, 0, 2);
	}
}

/* The next string of @p, which ends before @end; NULL when there is none. */
static char *take_string(char **p, const char *end)
{
	char *text = *p, *stop = memchr(text, '\0', (size_t)(end - text));

	*p = stop ? stop + 1 : text;
	return stop ? text : NULL;
}

static bool take_strings(char **list, uint32_t count, char **p, const char *end)
{
	for (uint32_t i = 0; i < count; i++) {
		list[i] = take_string(p, end);
		if (!list[i])
			return false;
	}
	return true;
}

static void job_receive(struct agent *agent)
{
	struct job *job = &agent->job;
	struct pl_vm_job *head = &job->head;
	size_t groups_bytes;
	char *p, *end;

	ctl_read_all(agent, head, sizeof(*head));
	errno = EPROTO;
	if (head->magic != PL_VM_JOB_MAGIC || head->version != PL_VM_JOB_VERSION ||
	    head->len_bytes > PL_VM_JOB_BYTES_MAX || head->group_count > PL_VM_JOB_GROUPS_MAX ||
	    head->arg_count < 1 || head->arg_count > PL_VM_JOB_STRINGS_MAX ||
	    head->env_count > PL_VM_JOB_STRINGS_MAX)
		give_up("job");
	groups_bytes = head->group_count * sizeof(gid_t);
	if (groups_bytes > head->len_bytes)
		give_up("job");
	job->data = malloc(head->len_bytes + 1);
	job->groups = calloc(head->group_count + 1, sizeof(gid_t));
	job->args = calloc(head->arg_count + 1, sizeof(char *));
	job->env = calloc(head->env_count + 1, sizeof(char *));
	if (!job->data || !job->groups || !job->args || !job->env)
		give_up("job");
	ctl_read_all(agent, job->data, head->len_bytes);
	memcpy(job->groups, job->data, groups_bytes);
	p = job->data + groups_bytes;
	end = job->data + head->len_bytes;
	job->folder = take_string(&p, end);
	job->icd_library = take_string(&p, end);
	errno = EPROTO;
	if (!job->folder || !job->icd_library ||
	    !take_strings(job->args, head->arg_count, &p, end) ||
	    !take_strings(job->env, head->env_count, &p, end))
		give_up("job");
}

/* OpenCL's loader reads a folder of files that each name a library: ours has one. */
static void vendors_write(const char *icd_library)
{
	int fd;

	if (!icd_library[0])
		return;
	(void)mkdir("/run/plenum", 0755);
	(void)mkdir(VENDORS_DIR, 0755);
	fd = open(VENDORS_DIR "/plenum.icd", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		give_up(VENDORS_DIR);
	dprintf(fd, "%s\n", icd_library);
	close(fd);
}

static void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		dprintf(STDERR_FILENO, "plenum guest: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The memory that the guest shares with its host is root's: the program's user gets it. */
static void ivshmem_allow(const struct pl_vm_job *job)
{
	static const char folder[] = "/sys/bus/pci/devices";
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pl_cleanup(pl_freep) char *id_path = NULL, *enable = NULL, *memory = NULL, *text = NULL;

		if (entry->d_name[0] == '.')
			continue;
		id_path = pl_vm_format("%s/%s/modalias", folder, entry->d_name);
		enable = pl_vm_format("%s/%s/enable", folder, entry->d_name);
		memory = pl_vm_format("%s/%s/resource2", folder, entry->d_name);
		if (!id_path || !enable || !memory || pl_vm_read_file(id_path, 4096, &text, NULL) < 0 ||
		    strncmp(text, "pci:v00001AF4d00001110", 22) != 0)
			continue;
		file_write(enable, "1");
		if (chown(memory, job->uid, job->gid) < 0)
			dprintf(STDERR_FILENO, "plenum guest: %s: %s\n", memory, strerror(errno));
	}
	if (dir)
		closedir(dir);
}

static void window_set(int fd, uint32_t rows, uint32_t columns)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (fd >= 0 && rows && columns)
		(void)ioctl(fd, TIOCSWINSZ, &size);
}

__attribute__((noreturn, format(printf, 2, 3)))
static void child_fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	dprintf(STDERR_FILENO, "plenum vm: ");
	vdprintf(STDERR_FILENO, format, args);
	dprintf(STDERR_FILENO, "\n");
	va_end(args);
	_exit(status);
}

/* Does not return.  @fds: the program's standard streams. */
static void child_exec(const struct job *job, const int *fds)
{
	sigset_t none;
	bool terminal = job->head.flags & PL_VM_JOB_TTY;

	setsid();
	if (terminal)
		(void)ioctl(fds[0], TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	umask((mode_t)job->head.umask);
	if (setgroups(job->head.group_count, job->groups) < 0 || setgid(job->head.gid) < 0 ||
	    setuid(job->head.uid) < 0)
		child_fail(126, "cannot become user %u: %s", job->head.uid, strerror(errno));
	if (chdir(job->folder) < 0)
		child_fail(126, "cannot enter %s in the guest: %s", job->folder, strerror(errno));
	environ = job->env;
	execvp(job->args[0], job->args);
	child_fail(errno == ENOENT || errno == ENOTDIR ? 127 : 126, "%s: %s", job->args[0],
		   strerror(errno));
}

static void pipe_make(const struct job *job, int *read_fd, int *write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		give_up("pipe");
	/* so that the program may open /dev/stdout and friends again */
	if (fchown(fds[0], job->head.uid, job->head.gid) < 0)
		give_up("pipe");
	*read_fd = fds[0];
	*write_fd = fds[1];
}

static void terminal_make(struct agent *agent, int *fds)
{
	const char *name;

	agent->terminal_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (agent->terminal_fd < 0 || unlockpt(agent->terminal_fd) < 0 ||
	    !(name = ptsname(agent->terminal_fd)))
		give_up("terminal");
	fds[0] = fds[1] = fds[2] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fds[0] < 0 || fchown(fds[0], agent->job.head.uid, agent->job.head.gid) < 0)
		give_up("terminal");
	window_set(agent->terminal_fd, agent->job.head.rows, agent->job.head.columns);
	agent->in.to_fd = agent->out[0].from_fd = agent->terminal_fd;
}

static void program_start(struct agent *agent)
{
	struct job *job = &agent->job;
	int fds[3];

	agent->in = (struct pump){ .from_fd = agent->ports[PL_VM_STDIN], .to_fd = -1 };
	for (int i = 0; i < 2; i++)
		agent->out[i] = (struct pump){ .from_fd = -1,
					       .to_fd = agent->ports[PL_VM_STDOUT + i] };
	if (job->head.flags & PL_VM_JOB_TTY) {
		terminal_make(agent, fds);
	} else {
		if (job->head.flags & PL_VM_JOB_NO_STDIN)
			fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		else
			pipe_make(job, &fds[0], &agent->in.to_fd);
		pipe_make(job, &agent->out[0].from_fd, &fds[1]);
		pipe_make(job, &agent->out[1].from_fd, &fds[2]);
	}
	agent->child = fork();
	if (agent->child < 0)
		give_up("fork");
	if (agent->child == 0)
		child_exec(job, fds);
	for (int i = 0; i < 3; i++) {
		if (i == 0 || fds[i] != fds[0])
			close(fds[i]);
	}
	(void)fcntl(agent->in.to_fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2; i++)
		(void)fcntl(agent->out[i].from_fd, F_SETFL, O_NONBLOCK);
}

/* The terminal's master is one descriptor with two users. */
static void pump_close(struct agent *agent, int *fd)
{
	if (*fd >= 0 && *fd != agent->terminal_fd)
		close(*fd);
	*fd = -1;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void pump_read(struct agent *agent, struct pump *pump, bool from_port)
{
	ssize_t n = read(pump->from_fd, pump->buffer, sizeof(pump->buffer));

	if (n > 0) {
		pump->at = 0;
		pump->len = (size_t)n;
		agent->quiet_ms = pl_vm_now_ms();
	} else if (!from_port && (n == 0 || !would_block())) {
		pump_close(agent, &pump->from_fd);      /* a terminal says EIO at its end */
	}
}

static void pump_write(struct agent *agent, struct pump *pump)
{
	ssize_t n = (ssize_t)pump->len;

	if (pump->to_fd >= 0)
		n = write(pump->to_fd, pump->buffer + pump->at, pump->len);
	if (n < 0 && would_block())
		return;
	if (n < 0) {            /* the program closed its input: drop what comes */
		pump_close(agent, &pump->to_fd);
		n = (ssize_t)pump->len;
	}
	pump->at += (size_t)n;
	pump->len -= (size_t)n;
	pump->passed += (size_t)n;
	agent->quiet_ms = pl_vm_now_ms();
}

static void take_message(struct agent *agent, const struct pl_vm_msg *msg)
{
	if (msg->type == PL_VM_MSG_STDIN_END) {
		agent->in_total = msg->value;
		agent->in_total_known = true;
	} else if (msg->type == PL_VM_MSG_STREAM_SHUT && (msg->arg == 1 || msg->arg == 2)) {
		pump_close(agent, &agent->out[msg->arg - 1].from_fd);
	} else if (msg->type == PL_VM_MSG_WINDOW) {
		window_set(agent->terminal_fd, msg->arg, (uint32_t)msg->value);
	}
}

static void serve_ctl(struct agent *agent)
{
	ssize_t n = read(agent->ports[PL_VM_CTL], agent->incoming + agent->incoming_len,
			 sizeof(agent->incoming) - agent->incoming_len);

	if (n > 0)
		agent->incoming_len += (size_t)n;
	if (agent->incoming_len == sizeof(agent->incoming)) {
		struct pl_vm_msg msg;

		memcpy(&msg, agent->incoming, sizeof(msg));
		agent->incoming_len = 0;
		take_message(agent, &msg);
	}
}

static void reap_children(struct agent *agent)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(agent->signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != agent->child)
			continue;
		agent->exited = true;
		agent->quiet_ms = pl_vm_now_ms();
		agent->status = WIFSIGNALED(status) ? 128 + (uint32_t)WTERMSIG(status) :
						      (uint32_t)WEXITSTATUS(status);
	}
}

static void loop_once(struct agent *agent)
{
	struct pollfd set[] = {
		{ agent->signal_fd, POLLIN, 0 },
		{ agent->ports[PL_VM_CTL], POLLIN, 0 },
		{ agent->in.len ? -1 : agent->in.from_fd, POLLIN, 0 },
		{ agent->in.len ? agent->in.to_fd : -1, POLLOUT, 0 },
		{ agent->out[0].len ? -1 : agent->out[0].from_fd, POLLIN, 0 },
		{ agent->out[1].len ? -1 : agent->out[1].from_fd, POLLIN, 0 },
		{ agent->out[0].len ? agent->out[0].to_fd : -1, POLLOUT, 0 },
		{ agent->out[1].len ? agent->out[1].to_fd : -1, POLLOUT, 0 },
	};

	if (poll(set, sizeof(set) / sizeof(set[0]), 100) < 0 && errno != EINTR)
		give_up("poll");
	if ((set[1].revents | set[2].revents) & (POLLHUP | POLLERR))
		(void)poll(NULL, 0, 2);         /* a port whose host side is not there yet */
	if (set[0].revents)
		reap_children(agent);
	if (set[1].revents & POLLIN)
		serve_ctl(agent);
	if (set[2].revents & POLLIN)
		pump_read(agent, &agent->in, true);
	if (agent->in.len)
		pump_write(agent, &agent->in);
	for (int i = 0; i < 2; i++) {
		if (set[4 + i].revents && agent->out[i].from_fd >= 0)
			pump_read(agent, &agent->out[i], false);
		if (agent->out[i].len)
			pump_write(agent, &agent->out[i]);
	}
	if (agent->in_total_known && agent->in.passed == agent->in_total && !agent->in.len)
		pump_close(agent, &agent->in.to_fd);
}

static bool drained(const struct agent *agent)
{
	for (int i = 0; i < 2; i++) {
		if (agent->out[i].from_fd >= 0 || agent->out[i].len)
			return false;
	}
	return true;
}

static void run(struct agent *agent)
{
	while (!agent->exited || !drained(agent)) {
		loop_once(agent);
		if (agent->exited && !agent->killed &&
		    pl_vm_now_ms() - agent->quiet_ms > GRACE_MS) {
			agent->killed = true;
			kill(-1, SIGKILL);      /* what still holds the pipes */
		}
	}
	for (uint32_t i = 0; i < 2; i++)
		ctl_write(agent, PL_VM_MSG_STREAM_END, i + 1, agent->out[i].passed);
	ctl_write(agent, PL_VM_MSG_EXIT, agent->status, 0);
}

int pl_vm_agent_main(void)
{
	static struct agent agent = { .terminal_fd = -1 };
	sigset_t child;

	if (getpid() != 1) {
		pl_vm_say("--guest-agent is for the inside of a guest");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	agent.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (agent.signal_fd < 0)
		give_up("signalfd");
	ports_open(&agent);
	job_receive(&agent);
	vendors_write(agent.job.icd_library);
	if (agent.job.head.flags & PL_VM_JOB_IVSHMEM)
		ivshmem_allow(&agent.job.head);
	ctl_write(&agent, PL_VM_MSG_READY, 0, 0);
	program_start(&agent);
	run(&agent);
	(void)poll(NULL, 0, FAREWELL_MS);
	reboot(RB_POWER_OFF);
	return 1;
}
