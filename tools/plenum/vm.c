// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "vm-internal.h"
#include "vm-proto.h"

#define ENV_VENDORS  "/run/plenum/vendors"

void pl_vm_options_init(struct pl_vm_options *options)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	*options = (struct pl_vm_options){
		.accel = PL_VM_ACCEL_AUTO,
		.memory_mib = 1024,
		.cpus = cpus > 1 ? 2 : 1,
		.boot_silence_s = 60,
	};
}

static void put(FILE *file, const void *data, size_t len_bytes)
{
	if (len_bytes)
		fwrite(data, 1, len_bytes, file);
}

static void put_string(FILE *file, const char *text)
{
	put(file, text, strlen(text) + 1);
}

static uint32_t put_variable(FILE *file, const char *name, const char *value)
{
	if (!value)
		return 0;
	put(file, name, strlen(name));
	put(file, "=", 1);
	put_string(file, value);
	return 1;
}

static bool variable_is(const char *variable, const char *name)
{
	size_t len = strlen(name);

	return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static bool variable_is_ours(const char *variable)
{
	return variable_is(variable, "PLENUM") || variable_is(variable, "PLENUM_TOKEN") ||
	       variable_is(variable, "OCL_ICD_VENDORS") ||
	       variable_is(variable, "OPENCL_VENDOR_PATH");
}

static int put_groups(FILE *file, struct pl_vm_job *job)
{
	gid_t groups[PL_VM_JOB_GROUPS_MAX];
	int n = getgroups(PL_VM_JOB_GROUPS_MAX, groups);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		uint32_t group = groups[i];

		put(file, &group, sizeof(group));
	}
	job->group_count = (uint32_t)n;
	return 0;
}

static void put_environment(FILE *file, const struct pl_vm_options *options, const char *address,
			    struct pl_vm_job *job)
{
	uint32_t count = 0;

	for (char *const *variable = options->env; *variable; variable++) {
		if (variable_is_ours(*variable))
			continue;
		put_string(file, *variable);
		count++;
	}
	count += put_variable(file, "PLENUM", address);
	count += put_variable(file, "PLENUM_TOKEN", address ? options->token : NULL);
	if (options->icd_library) {
		count += put_variable(file, "OCL_ICD_VENDORS", ENV_VENDORS);
		count += put_variable(file, "OPENCL_VENDOR_PATH", ENV_VENDORS);
	}
	job->env_count = count;
}

static void job_fini(struct pl_vm_job_data *data)
{
	if (data->data)
		explicit_bzero(data->data, data->len_bytes);    /* the token */
	free(data->data);
}

static int job_init(struct pl_vm_job_data *data, const struct pl_vm_options *options,
		    const char *address)
{
	struct pl_vm_job job = {
		.magic = PL_VM_JOB_MAGIC, .version = PL_VM_JOB_VERSION,
		.uid = getuid(), .gid = getgid(),
		.flags = (options->tty ? PL_VM_JOB_TTY : 0) |
			 (options->no_stdin ? PL_VM_JOB_NO_STDIN : 0) |
			 (options->link && options->link->region_path ? PL_VM_JOB_IVSHMEM : 0),
	};
	pl_cleanup(pl_freep) char *folder = getcwd(NULL, 0);
	struct winsize size;
	FILE *file;
	char *bytes = NULL;
	int r;

	job.umask = umask(0);
	umask((mode_t)job.umask);
	if (options->tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		job.rows = size.ws_row;
		job.columns = size.ws_col;
	}
	*data = (struct pl_vm_job_data){ .data = NULL };
	file = open_memstream(&bytes, &data->len_bytes);
	if (!file)
		return -ENOMEM;
	put(file, &job, sizeof(job));
	r = put_groups(file, &job);
	put_string(file, folder ? folder : "/");
	put_string(file, options->icd_library ? options->icd_library : "");
	for (char *const *arg = options->argv; *arg; arg++, job.arg_count++)
		put_string(file, *arg);
	put_environment(file, options, address, &job);
	if (fclose(file) != 0 && r == 0)
		r = -ENOMEM;
	data->data = bytes;
	if (r == 0 && data->len_bytes - sizeof(job) > PL_VM_JOB_BYTES_MAX)
		r = -E2BIG;
	if (r < 0) {
		pl_vm_say("cannot describe the program to the guest: %s", strerror(-r));
		job_fini(data);
		return r;
	}
	job.len_bytes = (uint32_t)(data->len_bytes - sizeof(job));
	memcpy(data->data, &job, sizeof(job));
	return 0;
}

/* The agent in the guest is this executable, found under the same path. */
static int agent_path(char **path_out)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return -errno;
	path[n] = '\0';
	if (access(path, X_OK) < 0) {
		pl_vm_say("cannot find this program again for the guest: %s: %s", path,
			  strerror(errno));
		return PL_VM_E_SETUP;
	}
	*path_out = strdup(path);
	return *path_out ? 0 : -ENOMEM;
}

static int choose_accel(const struct pl_vm_options *options, const struct pl_vm_kernel *kernel,
			const char *initramfs_path, bool *kvm_out)
{
	*kvm_out = options->accel == PL_VM_ACCEL_KVM;
	if (*kvm_out && access("/dev/kvm", R_OK | W_OK) < 0) {
		pl_vm_say("cannot use KVM: /dev/kvm: %s", strerror(errno));
		return PL_VM_E_SETUP;
	}
	if (options->accel == PL_VM_ACCEL_AUTO)
		*kvm_out = pl_vm_kvm_boots(kernel, initramfs_path, options->verbose);
	return 0;
}

/* @last: a guest that is silent while it boots has failed; before, PL_VM_E_SILENT says so. */
static int guest_run(const struct pl_vm_options *options, const struct pl_vm_machine *machine,
		     const struct pl_vm_job_data *job, uint64_t deadline_ms, bool last, int *status_out)
{
	struct pl_vm_qemu qemu;
	int r = pl_vm_qemu_init(&qemu, machine);

	if (r)
		return r;
	r = pl_vm_relay_run(options, &qemu, job, deadline_ms, last, status_out);
	pl_vm_qemu_fini(&qemu);
	return r;
}

/* An emulated guest stands still at some moment of its boot, once in some hundreds of boots; another one does not. */
static int boot_and_run(const struct pl_vm_options *options, const struct pl_vm_machine *machine,
			const struct pl_vm_job_data *job, uint64_t deadline_ms, int *status_out)
{
	int r = guest_run(options, machine, job, deadline_ms, false, status_out);

	return r == PL_VM_E_SILENT ? guest_run(options, machine, job, deadline_ms, true, status_out) : r;
}

static int run_machine(const struct pl_vm_options *options, const struct pl_vm_kernel *kernel,
		       const struct pl_vm_job_data *job, uint64_t deadline_ms, int *status_out)
{
	pl_cleanup(pl_freep) char *initramfs_path = pl_vm_format("%s/initramfs", options->work_dir);
	pl_cleanup(pl_freep) char *init_path = pl_vm_format("%s/init", options->guest_dir);
	pl_cleanup(pl_freep) char *agent = NULL;
	struct pl_vm_machine machine = {
		.kernel = kernel, .initramfs_path = initramfs_path,
		.memory_mib = options->memory_mib, .cpus = options->cpus,
		.link = options->link, .traps_path = options->traps_path, .verbose = options->verbose,
	};
	int r;

	if (!initramfs_path || !init_path)
		return -ENOMEM;
	r = agent_path(&agent);
	if (r == 0)
		r = pl_vm_initramfs_write(initramfs_path, kernel, init_path, agent,
					  options->link && options->link->cid);
	if (r == 0)
		r = choose_accel(options, kernel, initramfs_path, &machine.kvm);
	return r ? r : boot_and_run(options, &machine, job, deadline_ms, status_out);
}

int pl_vm_run(const struct pl_vm_options *options, int *status_out)
{
	uint64_t deadline_ms = options->timeout_s ?
			pl_vm_now_ms() + (uint64_t)options->timeout_s * 1000 : 0;
	const char *address = options->link ? options->link->guest_address : NULL;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_action;
	struct pl_vm_job_data job;
	struct pl_vm_kernel kernel;
	sigset_t signals, old_mask;
	int r = job_init(&job, options, address);

	if (r)
		return r;
	pl_vm_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, &old_mask);
	sigaction(SIGPIPE, &ignore, &old_action);
	r = pl_vm_kernel_init(&kernel, options->kernel_path);
	if (r == 0) {
		r = run_machine(options, &kernel, &job, deadline_ms, status_out);
		pl_vm_kernel_fini(&kernel);
	}
	job_fini(&job);
	sigaction(SIGPIPE, &old_action, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	return r;
}
