/* SPDX-License-Identifier: Apache-2.0 */
/* plenum bench: the command line of the benchmark. */
#include "harness.h"
#include "modes.h"
#include "report.h"
#include "bench.h"
#include "plenum/tool.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODES_DEFAULT "native,shm,tcp"
#define MODES_KERNELS "native,refgpu,refgpu-1"
#define MODES_VMCUDA "native,shm,tcp,mtu1500,mtu9000"
#define PLOTS_DEFAULT "docs/results"
#define MICRO_LIMIT_S 2400u
#define APPS_LIMIT_S 7200u
#define QUICK_LIMIT_S 600u
#define FIGURE_S 8u
#define QUICK_FIGURE_S 3u
#define LIMIT_S_MAX 86400u
#define SLICE_MS_MIN 10u
#define SLICE_MS_MAX 1000u

enum { EXIT_SOME_FAILED = 1, EXIT_USAGE = 2, EXIT_STOPPED = 130 };

/* clang-format off */
static const char usage[] =
	"usage: plenum bench micro|apps|kernels|vmcuda [--api opencl|cuda] [--modes LIST] [--json FILE]\n"
	"                    [--plots DIR] [--quick] [--only NAME,...] [--busy|--idle]\n"
	"                    [OPTION...]\n"
	"       plenum bench --list\n"
	"\n"
	"Measures the ways to reach a device side by side in one run: for each figure mode\n"
	"A, B, C, then B, C, A and so on, so that drift of the machine hits all equally.\n"
	"\n"
	"  --modes LIST     of native, shm, tcp, vm, vm-tcp, vm-ivshmem, vm-vsock, peer, and\n"
	"                   NAME=PATH for any other driver (a folder of .icd files, or one; with\n"
	"                   --api cuda a folder with a libcuda.so.1);\n"
	"                   default " MODES_DEFAULT ".\n"
	"                   kernels compares OpenCL (native) with CUDA: refgpu is the reference\n"
	"                   GPU, cuda the system's driver; default " MODES_KERNELS "\n"
	"                   vmcuda knows mtuBYTES too, tcp through a network with that MTU (root),\n"
	"                   and vms, a guest for each of several clients;\n"
	"                   default " MODES_VMCUDA "\n"
	"                   A mode that cannot run is skipped and says why\n"
	"  --api cuda       micro on CUDA.  vmcuda is CUDA: the vmCUDA paper's tables and figures\n"
	"  --driver DIR     native's libcuda.so.1; default NVIDIA's, else the reference GPU's\n"
	"  --from FILE,...  measure nothing: make tables and pages of what --json wrote before\n"
	"  --samples DIR    vmcuda: programs of the public CUDA samples, run besides\n"
	"  --json FILE      a JSON line for the machine, one per figure and mode; - is stdout\n"
	"  --plots DIR      Markdown and SVG plots; in a source tree " PLOTS_DEFAULT "\n"
	"  --list           every figure: name, unit, meaning\n"
	"  --only NAME,...  these figures; a name may end in *\n"
	"  --quick          fewer rounds and samples, smaller parts of the applications\n"
	"  --idle           start nothing beside the measurement (default).  Waking a sleeping\n"
	"                   virtual CPU costs 40-50 us, and whoever blocks pays it\n"
	"  --busy           keep every core awake with a spinner of idle priority, so that no\n"
	"                   wake-up is paid for; only figures of the same state compare\n"
	"  --rounds N       rounds per pass (micro, 1-30) or per application\n"
	"  --slices MS      vmcuda: the modes' programs at once, of which one runs at any time, for\n"
	"                   about MS milliseconds (10-1000; 500 is good), and the others stand\n"
	"                   still: ratios that other load of the machine does not blur; whole\n"
	"                   times, not their parts\n"
	"  --limit SECONDS  whole run; default 2400 (micro), 7200 (apps, vmcuda),\n"
	"                   600 with --quick\n"
	"  --platform TEXT  use the OpenCL platform whose name holds TEXT; default the first\n"
	"  --clpeak PATH, --shoc DIR                  the applications\n"
	"  --plenum PATH, --worker PATH, --icd PATH   our own parts, where they are not found\n"
	"  --peer-pocld PATH, --peer-icd DIR          PoCL's remote driver, for the mode peer\n"
	"  --quiet          no progress on stderr\n"
	"\n"
	"Exit status: 0 all measured, 1 some figure failed or nothing was measured, 2 usage,\n"
	"130 stopped.\n";
/* clang-format on */

enum option_id {
	OPT_API = 256,
	OPT_MODES,
	OPT_JSON,
	OPT_PLOTS,
	OPT_LIST,
	OPT_QUICK,
	OPT_ONLY,
	OPT_BUSY,
	OPT_IDLE,
	OPT_ROUNDS,
	OPT_SLICES,
	OPT_LIMIT,
	OPT_PLATFORM,
	OPT_CLPEAK,
	OPT_SHOC,
	OPT_SAMPLES,
	OPT_DRIVER,
	OPT_FROM,
	OPT_PLENUM,
	OPT_WORKER,
	OPT_ICD,
	OPT_PEER_POCLD,
	OPT_PEER_ICD,
	OPT_QUIET,
	OPT_HELP,
};

static const struct option options[] = {
	{ "api", required_argument, NULL, OPT_API },
	{ "modes", required_argument, NULL, OPT_MODES },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "plots", required_argument, NULL, OPT_PLOTS },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "busy", no_argument, NULL, OPT_BUSY },
	{ "idle", no_argument, NULL, OPT_IDLE },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "slices", required_argument, NULL, OPT_SLICES },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "platform", required_argument, NULL, OPT_PLATFORM },
	{ "clpeak", required_argument, NULL, OPT_CLPEAK },
	{ "shoc", required_argument, NULL, OPT_SHOC },
	{ "samples", required_argument, NULL, OPT_SAMPLES },
	{ "driver", required_argument, NULL, OPT_DRIVER },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "plenum", required_argument, NULL, OPT_PLENUM },
	{ "worker", required_argument, NULL, OPT_WORKER },
	{ "icd", required_argument, NULL, OPT_ICD },
	{ "peer-pocld", required_argument, NULL, OPT_PEER_POCLD },
	{ "peer-icd", required_argument, NULL, OPT_PEER_ICD },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int number_parse(const char *text, unsigned max, unsigned *value_out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || !v || v > max) {
		fprintf(stderr, "plenum bench: '%s' is not a number of 1 to %u\n", text, max);
		return -EINVAL;
	}
	*value_out = (unsigned)v;
	return 0;
}

static int slices_parse(const char *text, unsigned *ms_out)
{
	int r = number_parse(text, SLICE_MS_MAX, ms_out);

	if (r || *ms_out >= SLICE_MS_MIN)
		return r;
	fprintf(stderr, "plenum bench: slices of %s ms are mostly the change from one to the next: give %u to %u\n",
		text, SLICE_MS_MIN, SLICE_MS_MAX);
	return -EINVAL;
}

/* Return: 0, or -EINVAL after telling what is wrong. */
static int option_take(struct pl_bench_config *config, int id, const char *value)
{
	switch (id) {
	case OPT_API:
		config->cuda = !strcmp(value, "cuda");
		if (config->cuda || !strcmp(value, "opencl"))
			return 0;
		fprintf(stderr, "plenum bench: api '%s' is not supported: use opencl or cuda\n", value);
		return -EINVAL;
	case OPT_MODES: config->modes = value; return 0;
	case OPT_JSON: config->json = value; return 0;
	case OPT_PLOTS: config->plots = value; return 0;
	case OPT_QUICK: config->quick = true; return 0;
	case OPT_ONLY: config->only = value; return 0;
	case OPT_BUSY: config->busy = true; return 0;
	case OPT_IDLE: config->busy = false; return 0;
	case OPT_ROUNDS: return number_parse(value, 30, &config->rounds);
	case OPT_SLICES: return slices_parse(value, &config->slice_ms);
	case OPT_LIMIT: return number_parse(value, LIMIT_S_MAX, &config->limit_s);
	case OPT_PLATFORM: config->platform = value; return 0;
	case OPT_CLPEAK: config->clpeak = value; return 0;
	case OPT_SHOC: config->shoc = value; return 0;
	case OPT_SAMPLES: config->samples = value; return 0;
	case OPT_DRIVER: config->driver = value; return 0;
	case OPT_FROM: config->from = value; return 0;
	case OPT_PLENUM: config->plenum = value; return 0;
	case OPT_WORKER: config->worker = value; return 0;
	case OPT_ICD: config->icd = value; return 0;
	case OPT_PEER_POCLD: config->peer_pocld = value; return 0;
	case OPT_PEER_ICD: config->peer_icd = value; return 0;
	case OPT_QUIET: config->quiet = true; return 0;
	default: fputs("plenum bench: see 'plenum bench --help'\n", stderr); return -EINVAL;
	}
}

static bool suite_parse(struct pl_bench_config *config, const char *word)
{
	static const struct {
		const char *name, *modes;
		unsigned suite;
	} suites[] = { { "micro", MODES_DEFAULT, PL_BENCH_MICRO },
		{ "apps", MODES_DEFAULT, PL_BENCH_APPS },
		{ "kernels", MODES_KERNELS, PL_BENCH_KERNELS },
		{ "vmcuda", MODES_VMCUDA, PL_BENCH_VMCUDA } };

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		if (strcmp(suites[i].name, word))
			continue;
		config->suites = suites[i].suite;
		if (!config->modes)
			config->modes = suites[i].modes;
		return true;
	}
	return false;
}

/* Return: 0 to go on, or the exit status + 1. */
static int command_line(struct pl_bench_config *config, int argc, char **argv)
{
	bool list = false;
	int id;

	optind = 1;
	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (id == OPT_HELP || id == 'h') {
			fputs(usage, stdout);
			return 1;
		}
		if (id == OPT_LIST)
			list = true;
		else if (option_take(config, id, optarg))
			return EXIT_USAGE + 1;
	}
	for (; optind < argc; optind++) {
		if (config->suites || !suite_parse(config, argv[optind])) {
			fprintf(stderr,
				"plenum bench: '%s' is not expected: give one of micro, apps, kernels, vmcuda\n",
				argv[optind]);
			return EXIT_USAGE + 1;
		}
	}
	if (config->cuda && config->suites == PL_BENCH_MICRO)
		config->suites = PL_BENCH_CUDA;
	if (config->cuda && (config->suites & (PL_BENCH_APPS | PL_BENCH_KERNELS))) {
		fputs("plenum bench: --api cuda belongs to micro; CUDA programs are measured by vmcuda\n", stderr);
		return EXIT_USAGE + 1;
	}
	if (config->slice_ms && config->suites != PL_BENCH_VMCUDA) {
		fputs("plenum bench: --slices belongs to vmcuda\n", stderr);
		return EXIT_USAGE + 1;
	}
	if (list) {
		pl_bench_list(stdout, config->suites ? config->suites : ~0u);
		return 1;
	}
	if (config->suites)
		return 0;
	fputs(usage, stderr);
	return EXIT_USAGE + 1;
}

static bool name_matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return !strncmp(pattern, name, n - 1);
	return !strcmp(pattern, name);
}

/* Mark the wanted figures. Return: 0 or -EINVAL after telling what is wrong. */
static int figures_choose(struct pl_bench_run *run)
{
	char list[2048], *save = NULL, *word;

	if (!run->config->only) {
		for (size_t f = 0; f < run->n_figures; f++)
			run->wanted[f] = run->figures[f].suite & run->config->suites;
		return 0;
	}
	snprintf(list, sizeof(list), "%s", run->config->only);
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		bool any = false;

		for (size_t f = 0; f < run->n_figures; f++)
			if ((run->figures[f].suite & run->config->suites) &&
				name_matches(word, run->figures[f].name))
				any = run->wanted[f] = true;
		if (!any) {
			fprintf(stderr,
				"plenum bench: no figure '%s' in this suite: see 'plenum bench "
				"--list'\n",
				word);
			return -EINVAL;
		}
	}
	return 0;
}

/* The first of these folders, relative to ours, with a libcuda.so.1; "" when there is none. */
static void libcuda_find(const struct pl_bench_config *config, const char *const *near, char *dir_out, size_t bytes)
{
	char path[PATH_MAX], file[PATH_MAX + 16];

	dir_out[0] = '\0';
	for (; *near && !dir_out[0]; near++) {
		snprintf(path, sizeof(path), "%.2000s/%s", config->exe_dir, *near);
		snprintf(file, sizeof(file), "%s/libcuda.so.1", path);
		if (!access(file, R_OK) && bytes >= PATH_MAX && !realpath(path, dir_out))
			dir_out[0] = '\0';
	}
}

/* What only the CUDA modes need; they say so when it is missing. */
static void cuda_find(struct pl_bench_config *config)
{
	static const char *const worker_near[] = { "../../bench/cuda/plenum-bench-cuda",
		"../libexec/plenum/plenum-bench-cuda", NULL };
	static const char *const vmcuda_near[] = { "../../bench/vmcuda/plenum-bench-vmcuda",
		"../libexec/plenum/plenum-bench-vmcuda", NULL };
	static const char *const client_near[] = { "../../src/client/cuda", "../lib/plenum/cuda",
		"../lib/x86_64-linux-gnu/plenum/cuda", NULL };
	static const char *const refgpu_near[] = { "../../src/refgpu/driver", "../lib/plenum/refgpu",
		"../lib/x86_64-linux-gnu/plenum/refgpu", NULL };

	pl_bench_exe_find(config, "plenum-bench-cuda", worker_near, config->cuda_worker_path,
		sizeof(config->cuda_worker_path));
	pl_bench_exe_find(config, "plenum-bench-vmcuda", vmcuda_near, config->vmcuda_path,
		sizeof(config->vmcuda_path));
	libcuda_find(config, refgpu_near, config->refgpu_dir, sizeof(config->refgpu_dir));
	libcuda_find(config, client_near, config->cuda_client_dir, sizeof(config->cuda_client_dir));
}

/* Find our own parts. Return: 0 or -ENOENT after telling what is missing. */
static int parts_find(struct pl_bench_config *config)
{
	static const char *const worker_near[] = { "../../bench/opencl/plenum-bench-opencl",
		"../libexec/plenum/plenum-bench-opencl", NULL };
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		snprintf(config->exe_dir, sizeof(config->exe_dir), "%.*s", (int)(slash - self),
			self);
	if (config->plenum)
		snprintf(config->plenum_path, sizeof(config->plenum_path), "%s", config->plenum);
	else if (slash && !strcmp(slash, "/plenum"))
		snprintf(config->plenum_path, sizeof(config->plenum_path), "%s", self);
	else
		pl_bench_exe_find(
			config, "plenum", NULL, config->plenum_path, sizeof(config->plenum_path));
	if (config->clpeak)
		snprintf(config->clpeak_path, sizeof(config->clpeak_path), "%s", config->clpeak);
	else
		pl_bench_exe_find(
			config, "clpeak", NULL, config->clpeak_path, sizeof(config->clpeak_path));
	cuda_find(config);
	if (config->suites & (PL_BENCH_CUDA | PL_BENCH_VMCUDA)) {
		if (config->worker)
			snprintf(config->cuda_worker_path, sizeof(config->cuda_worker_path), "%s", config->worker);
		return 0; /* what is missing is each mode's to say */
	}
	if (config->worker) {
		if (realpath(config->worker, config->worker_path))
			return 0;
		fprintf(stderr, "plenum bench: %s: %s\n", config->worker, strerror(errno));
		return -ENOENT;
	}
	if (!pl_bench_exe_find(config, "plenum-bench-opencl", worker_near, config->worker_path,
		    sizeof(config->worker_path)))
		return 0;
	fputs("plenum bench: plenum-bench-opencl was not found beside this program or in $PATH: "
	      "build it, or name it with --worker PATH\n",
		stderr);
	return -ENOENT;
}

static int run_dir_make(struct pl_bench_config *config)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || tmp[0] != '/' || strlen(tmp) > sizeof(config->run_dir) - 24)
		tmp = "/tmp";
	snprintf(config->run_dir, sizeof(config->run_dir), "%.50s/plenum-bench-XXXXXX", tmp);
	if (mkdtemp(config->run_dir))
		return 0;
	fprintf(stderr, "plenum bench: %s: %s\n", config->run_dir, strerror(errno));
	return -errno;
}

static int entry_remove(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	remove(path);
	return 0;
}

/*
 * The janitor: its input ends when we do, however we end, and it then removes
 * the run's folder, whose path it reads first.
 */
static int janitor_main(int in, int out)
{
	FILE *from = fdopen(in, "r");
	char dir[128], more[128];

	prctl(PR_SET_PDEATHSIG, 0);
	close(out);
	if (!from || !fgets(dir, sizeof(dir), from))
		return 1;
	dir[strcspn(dir, "\n")] = '\0';
	while (fgets(more, sizeof(more), from))
		;
	nftw(dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int janitor_start(const struct pl_bench_config *config, struct pl_bench_proc *proc)
{
	const struct pl_bench_spawn spawn = { .body = janitor_main, .ready_fd = -1 };
	int r = pl_bench_proc_start(proc, &spawn);

	return r ? r : pl_bench_proc_say(proc, "%s\n", config->run_dir);
}

static void limits_set(struct pl_bench_config *config)
{
	if (!config->limit_s)
		config->limit_s = config->quick			    ? QUICK_LIMIT_S
				  : config->suites & (PL_BENCH_APPS | PL_BENCH_VMCUDA) ? APPS_LIMIT_S
										       : MICRO_LIMIT_S;
	config->figure_s = config->quick ? QUICK_FIGURE_S : FIGURE_S;
	config->deadline_ns = pl_bench_now_ns() + config->limit_s * 1000000000ull;
	if (!config->plots && !access(PLOTS_DEFAULT, W_OK) && !access("meson.build", R_OK))
		config->plots = PLOTS_DEFAULT;
}

/* Start what each mode needs. Return: 0, -EINTR, or -ENODEV when none can run. */
static int modes_start(struct pl_bench_run *run)
{
	bool any = false;
	int r = 0;

	for (unsigned m = 0; m < run->n_modes && r != -EINTR; m++) {
		struct pl_bench_mode *mode = &run->modes[m];

		pl_bench_progress(run, "starting %s", mode->name);
		r = pl_bench_mode_prepare(run, mode);
		if (r && r != -EINTR)
			pl_bench_note(run, "%s: skipped: %s", mode->name, mode->why);
		any = any || (mode->active && mode->kind != PL_BENCH_RAW_MODE);
	}
	if (r == -EINTR)
		return r;
	return any ? 0 : -ENODEV;
}

/* Others' work is not ours to stop, but the reader must know. */
static void load_warn(const struct pl_bench_run *run)
{
	if (run->machine.load_start > 0.5 * run->machine.cores)
		pl_bench_note(run,
			"warning: the machine is not quiet: load average %.2f on %u cores; expect "
			"spread, compare ratios only",
			run->machine.load_start, run->machine.cores);
}

/* Different devices do not compare; the peer and other drivers name theirs differently. */
static void devices_compare(const struct pl_bench_run *run)
{
	const struct pl_bench_mode *native = NULL;

	for (unsigned m = 0; m < run->n_modes; m++) {
		const struct pl_bench_mode *mode = &run->modes[m];

		if (mode->kind == PL_BENCH_NATIVE && mode->active)
			native = mode;
		else if (native && mode->active && mode->kind < PL_BENCH_PEER &&
			 strcmp(mode->device, native->device))
			pl_bench_note(run,
				"%s: warning: its device is '%s', natively it is '%s': ratios "
				"compare "
				"different devices; choose one with --platform",
				mode->name, mode->device, native->device);
	}
}

static int figures_run(struct pl_bench_run *run)
{
	int r = 0;

	if (run->config->suites == PL_BENCH_VMCUDA)
		r = pl_bench_parts(run);
	if (run->config->suites & (PL_BENCH_APPS | PL_BENCH_VMCUDA))
		return r ? r : pl_bench_apps(run);
	r = pl_bench_micro(run);
	return r ? r : pl_bench_counts(run);
}

/* Return: 0 or -EIO after telling which file failed. */
static int run_report(struct pl_bench_run *run)
{
	const struct pl_bench_config *config = run->config;
	bool to_stdout = config->json && !strcmp(config->json, "-");
	char why[PATH_MAX + 64];
	FILE *f;
	int r = 0;

	if (config->json) {
		f = to_stdout ? stdout : fopen(config->json, "we");
		r = f ? pl_bench_json_write(run, f) : -errno;
		if (f && !to_stdout && fclose(f) && !r)
			r = -errno;
		if (r)
			fprintf(stderr, "plenum bench: %s: %s\n", config->json, strerror(-r));
	}
	pl_bench_progress(run, "%s", "");
	pl_bench_table_print(run, to_stdout ? stderr : stdout);
	if (config->plots && pl_bench_results_write(run, config->plots, why, sizeof(why))) {
		fprintf(stderr, "plenum bench: %s\n", why);
		r = -EIO;
	}
	return r;
}

static int status_of(const struct pl_bench_run *run, int r)
{
	bool any = false, failed = r != 0;

	for (size_t i = 0; i < run->n_figures * run->n_modes; i++) {
		any = any || run->cells[i].state == PL_BENCH_DONE;
		failed = failed || run->cells[i].state == PL_BENCH_FAILED;
	}
	return any && !failed ? 0 : EXIT_SOME_FAILED;
}

/* Processes beside the modes. */
struct helpers {
	struct pl_bench_proc busy, janitor;
};

static void run_fini(struct pl_bench_run *run, struct helpers *helpers)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		pl_bench_mode_end(&run->modes[m]);
	pl_bench_proc_end(&helpers->busy, 500);
	pl_bench_proc_end(&helpers->janitor, 2000);
	pl_bench_proc_sweep();
	if (run->config->run_dir[0])
		nftw(run->config->run_dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; run->cells && i < run->n_figures * run->n_modes; i++)
		pl_bench_samples_fini(&run->cells[i].samples);
	free(run->cells);
}

static int run_replay(struct pl_bench_run *run)
{
	char why[PATH_MAX + 64];

	if (!pl_bench_replay(run, why, sizeof(why)))
		return status_of(run, run_report(run));
	fprintf(stderr, "plenum bench: %s\n", why);
	return EXIT_USAGE;
}

/* Everything between a checked command line and the report. Return: exit status. */
static int run_all(struct pl_bench_run *run, struct helpers *helpers)
{
	int r = run_dir_make(run->config);

	if (r)
		return EXIT_SOME_FAILED;
	limits_set(run->config);
	if (run->config->from)
		return run_replay(run);
	pl_bench_stop_watch();
	pl_bench_machine_read(&run->machine);
	load_warn(run);
	r = janitor_start(run->config, &helpers->janitor);
	if (!r)
		r = modes_start(run);
	if (r == -ENODEV)
		fputs("plenum bench: no mode can run; see the reasons above\n", stderr);
	if (!r && run->config->busy)
		r = pl_bench_busy_start(&helpers->busy);
	if (!r && run->config->suites == PL_BENCH_KERNELS)
		run->machine.cores_start = pl_bench_cores_measure();
	if (!r) {
		devices_compare(run);
		r = figures_run(run);
	}
	if (!r && run->config->suites == PL_BENCH_KERNELS)
		run->machine.cores_end = pl_bench_cores_measure();
	if (r == -EINTR || pl_bench_stopped()) {
		fputs("\nplenum bench: stopped; nothing was written\n", stderr);
		return EXIT_STOPPED;
	}
	if (r)
		return EXIT_SOME_FAILED;
	run->machine.load_end = pl_bench_load();
	pl_bench_finish(run);
	return status_of(run, run_report(run));
}

int pl_cmd_bench(int argc, char **argv)
{
	struct pl_bench_config config = { 0 };
	struct helpers helpers = { 0 };
	struct pl_bench_run *run;
	char why[PATH_MAX + 64];
	int r = command_line(&config, argc, argv);

	if (r)
		return r - 1;
	run = calloc(1, sizeof(*run));
	if (!run)
		return EXIT_SOME_FAILED;
	run->config = &config;
	run->figures = pl_bench_figures(&run->n_figures);
	if (pl_bench_modes_parse(run, why, sizeof(why))) {
		fprintf(stderr, "plenum bench: %s\n", why);
		free(run);
		return EXIT_USAGE;
	}
	run->cells = calloc(run->n_figures * run->n_modes, sizeof(*run->cells));
	if (!run->cells)
		r = EXIT_SOME_FAILED;
	else if (figures_choose(run) || parts_find(&config))
		r = EXIT_USAGE;
	else
		r = run_all(run, &helpers);
	run_fini(run, &helpers);
	free(run);
	return r;
}
