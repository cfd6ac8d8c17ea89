#include "server/become.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/err.h"
#include "server/folder.h"

static void limits_set(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* PLENUM="" and not unset: our own ICD, where the loader finds it, must not lead the driver back to this server. */
static void environment_clean(void)
{
	static const char *const ours[] = { "PLENUM_TOKEN", "PLENUM_TRACE", "PLENUM_STATS" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		unsetenv(ours[i]);
	setenv("PLENUM", "", 1);
}

/* /proc/self/environ shows where the environment was when the process began: a source can include that file. */
static void environment_hide(void)
{
	extern char **environ;

	for (char **entry = environ; *entry; entry++) {
		char *copy = strdup(*entry);

		if (!copy)
			return;
		explicit_bzero(*entry, strlen(*entry));
		*entry = copy;
	}
}

/* Return: the control socket's number from now on. */
static int files_close(int control)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && null >= 0)
		dup2(null, STDERR_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (control != STDERR_FILENO + 1)
		control = dup3(control, STDERR_FILENO + 1, O_CLOEXEC);
	if (close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		for (long fd = STDERR_FILENO + 2; fd < sysconf(_SC_OPEN_MAX); fd++)
			close((int)fd);
	return control;
}

static void signals_reset(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void parent_follow(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0); /* the daemon died before we could be told */
}

int pl_become_confined(const struct pl_worker_config *config)
{
	char own[PL_FOLDER_PATH_MAX];
	const char *folder = config->folder && pl_folder_enter(config->folder, own) ? own : NULL;
	int r = pl_confine_user(config->confine, config->slot, folder);

	parent_follow(config->parent); /* another user id forgets it */
	return r ? pl_trace(r) : pl_trace(pl_confine_enter(config->confine, folder));
}

int pl_become_worker(const struct pl_worker_config *config, int control)
{
	static char name[32];

	parent_follow(config->parent);
	signals_reset();
	setsid();
	prctl(PR_SET_NAME, "plenum-worker");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limits_set();
	control = files_close(control);
	snprintf(name, sizeof(name), "plenum-worker %d", (int)getpid());
	pl_log_init(name, config->log_level);
	environment_hide();
	environment_clean();
	return control;
}
