// SPDX-License-Identifier: Apache-2.0
/* `plenum vm`: the command line around pl_vm_run(). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"
#include "vm-internal.h"

#define TOKEN_BYTES_MAX 4096    /* limit: a token file's size */

enum {                          /* exit statuses besides the program's own */
	STATUS_TIMEOUT = 124,
	STATUS_FAILED = 125,
	STATUS_USAGE = 2,
};

enum {
	OPTION_ACCEL = 256,
	OPTION_BOOT_SILENCE,
	OPTION_CPUS,
	OPTION_ICD,
	OPTION_KEEP,
	OPTION_KERNEL,
	OPTION_LINK,
	OPTION_MEMORY,
	OPTION_REGION,
	OPTION_SERVER,
	OPTION_TIMEOUT,
	OPTION_TOKEN_FILE,
	OPTION_TRAPS,
	OPTION_VERBOSE,
	OPTION_GUEST_AGENT,
};

struct command {
	struct pl_vm_options vm;
	enum pl_vm_link_kind link;
	uint32_t region_mib;
	const char *server;     /* NULL: a private one; "none": none */
	const char *token_file;
	const char **set_env;   /* --env, in order */
	size_t set_env_count;
	char *libraries;        /* where the guest's programs find CUDA's libraries; NULL: nothing is set */
	bool keep, help, shell, agent;
	char *shell_args[3];
	char guest_dir[PATH_MAX];
	char icd_library[PATH_MAX];
};

static const char usage_text[] =
	"Usage: plenum vm [OPTION...] run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"       plenum vm [OPTION...] [shell]\n"
	"Run a program, or a shell, in a QEMU guest that sees this machine's files (what it\n"
	"writes stays in the guest) and this machine's devices through Plenum.\n"
	"\n"
	"      --accel=auto|kvm|tcg   auto: KVM where a trial boot succeeds (default)\n"
	"      --boot-silence=SECONDS a guest that boots and says nothing for so long is started\n"
	"                             again, once (default: 60)\n"
	"      --cpus=N               virtual CPUs (default: 2, or 1 where there is one)\n"
	"  -e, --env=NAME[=VALUE]     set NAME, or take the value it has here\n"
	"      --icd=LIBRARY          OpenCL ICD for the guest\n"
	"      --keep                 leave the temporary files\n"
	"      --kernel=FILE          bzImage or vmlinux (default: newest in /boot)\n"
	"      --link=tcp|ivshmem|vsock\n"
	"                             what carries the calls to the server (default: tcp)\n"
	"      --memory=SIZE          in MiB, or with K, M or G (default: 1024M)\n"
	"  -n, --no-stdin             the program reads /dev/null\n"
	"      --region=SIZE          memory shared by --link=ivshmem (default: 256M)\n"
	"      --server=ADDRESS       tcp://HOST:PORT, vsock:any:PORT or ivshmem:FILE;ADDRESS, or\n"
	"                             none (default: a private server)\n"
	"      --timeout=SECONDS      give up after this time; exit status 124\n"
	"      --token-file=FILE      for --server (default: $PLENUM_TOKEN)\n"
	"      --traps=FILE           QEMU writes each access to a device that left the guest\n"
	"  -t, --tty                  a terminal for the program\n"
	"      --verbose              show the guest's console\n"
	"  -h, --help                 this text\n";

/* Variables that mean something on the host only. */
static const char *const host_only[] = {
	"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "OCL_ICD_FILENAMES", "PLENUM", "PLENUM_TOKEN",
	"SSH_AUTH_SOCK", "TMUX", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
};

/* A number between @min and @max, followed by nothing.  Return: false: said so. */
static bool parse_number(const char *option, const char *text, uint32_t min, uint32_t max,
			 uint32_t *value_out)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < min || value > max) {
		pl_vm_say("--%s takes a number from %u to %u, not \"%s\"", option, min, max, text);
		return false;
	}
	*value_out = (uint32_t)value;
	return true;
}

/* With the unit K, M (also where none is said) or G.  Return: 0: no size. */
static uint64_t size_mib(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || text[0] == '-' || value > UINT32_MAX)
		value = 0;
	if ((*end == 'K' || *end == 'k') && end[1] == '\0')
		value /= 1024;
	else if ((*end == 'G' || *end == 'g') && end[1] == '\0')
		value *= 1024;
	else if (*end && !((*end == 'M' || *end == 'm') && end[1] == '\0'))
		value = 0;
	return value;
}

static bool parse_region(const char *text, uint32_t *mib_out)
{
	uint64_t value = size_mib(text);

	if (value < PL_VM_REGION_MIB_MIN || value > PL_VM_REGION_MIB_MAX || (value & (value - 1))) {
		pl_vm_say("--region takes 16M, 32M and so on up to 64G, not \"%s\"", text);
		return false;
	}
	*mib_out = (uint32_t)value;
	return true;
}

static bool parse_link(const char *text, enum pl_vm_link_kind *kind_out)
{
	static const char *const names[] = {
		[PL_VM_LINK_TCP] = "tcp",
		[PL_VM_LINK_IVSHMEM] = "ivshmem",
		[PL_VM_LINK_VSOCK] = "vsock",
	};

	for (size_t i = PL_VM_LINK_TCP; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*kind_out = (enum pl_vm_link_kind)i;
			return true;
		}
	}
	pl_vm_say("--link takes tcp, ivshmem or vsock, not \"%s\"", text);
	return false;
}

static bool parse_memory(const char *text, uint32_t *mib_out)
{
	uint64_t value = size_mib(text);

	if (value < PL_VM_MEMORY_MIB_MIN || value > PL_VM_MEMORY_MIB_MAX) {
		pl_vm_say("--memory takes %uM or more, not \"%s\"", PL_VM_MEMORY_MIB_MIN, text);
		return false;
	}
	*mib_out = (uint32_t)value;
	return true;
}

static bool parse_accel(const char *text, enum pl_vm_accel *accel_out)
{
	static const char *const names[] = {
		[PL_VM_ACCEL_AUTO] = "auto",
		[PL_VM_ACCEL_KVM] = "kvm",
		[PL_VM_ACCEL_TCG] = "tcg",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*accel_out = (enum pl_vm_accel)i;
			return true;
		}
	}
	pl_vm_say("--accel takes auto, kvm or tcg, not \"%s\"", text);
	return false;
}

static bool add_env(struct command *command, const char *text)
{
	const char **grown;

	if (text[0] == '=' || text[0] == '\0') {
		pl_vm_say("--env takes NAME or NAME=VALUE, not \"%s\"", text);
		return false;
	}
	grown = reallocarray(command->set_env, command->set_env_count + 1, sizeof(*grown));
	if (!grown)
		return false;
	command->set_env = grown;
	command->set_env[command->set_env_count++] = text;
	return true;
}

static bool parse_option(struct command *command, int option, const char *value)
{
	struct pl_vm_options *vm = &command->vm;

	switch (option) {
	case OPTION_ACCEL:
		return parse_accel(value, &vm->accel);
	case OPTION_CPUS:
		return parse_number("cpus", value, 1, PL_VM_CPUS_MAX, &vm->cpus);
	case 'e':
		return add_env(command, value);
	case OPTION_ICD:
		vm->icd_library = value;
		return true;
	case OPTION_KEEP:
		command->keep = true;
		return true;
	case OPTION_KERNEL:
		vm->kernel_path = value;
		return true;
	case OPTION_TRAPS:
		vm->traps_path = value;
		return true;
	case OPTION_LINK:
		return parse_link(value, &command->link);
	case OPTION_REGION:
		return parse_region(value, &command->region_mib);
	case OPTION_MEMORY:
		return parse_memory(value, &vm->memory_mib);
	case 'n':
		vm->no_stdin = true;
		return true;
	case OPTION_SERVER:
		command->server = value;
		return true;
	case OPTION_BOOT_SILENCE:
		return parse_number("boot-silence", value, PL_VM_SILENCE_S_MIN, PL_VM_SILENCE_S_MAX,
				    &vm->boot_silence_s);
	case OPTION_TIMEOUT:
		return parse_number("timeout", value, 1, PL_VM_TIMEOUT_S_MAX, &vm->timeout_s);
	case OPTION_TOKEN_FILE:
		command->token_file = value;
		return true;
	case 't':
		vm->tty = true;
		return true;
	case OPTION_VERBOSE:
		vm->verbose = true;
		return true;
	case OPTION_GUEST_AGENT:
		command->agent = true;
		return true;
	case 'h':
		command->help = true;
		return true;
	default:
		return false;           /* getopt_long() named it */
	}
}

/* Up to the first word that is no option. */
static bool parse_options(struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "accel", required_argument, NULL, OPTION_ACCEL },
		{ "boot-silence", required_argument, NULL, OPTION_BOOT_SILENCE },
		{ "cpus", required_argument, NULL, OPTION_CPUS },
		{ "env", required_argument, NULL, 'e' },
		{ "guest-agent", no_argument, NULL, OPTION_GUEST_AGENT },
		{ "help", no_argument, NULL, 'h' },
		{ "icd", required_argument, NULL, OPTION_ICD },
		{ "keep", no_argument, NULL, OPTION_KEEP },
		{ "kernel", required_argument, NULL, OPTION_KERNEL },
		{ "link", required_argument, NULL, OPTION_LINK },
		{ "memory", required_argument, NULL, OPTION_MEMORY },
		{ "no-stdin", no_argument, NULL, 'n' },
		{ "region", required_argument, NULL, OPTION_REGION },
		{ "server", required_argument, NULL, OPTION_SERVER },
		{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
		{ "token-file", required_argument, NULL, OPTION_TOKEN_FILE },
		{ "traps", required_argument, NULL, OPTION_TRAPS },
		{ "tty", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, OPTION_VERBOSE },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0;             /* glibc: start over */
	while ((option = getopt_long(argc, argv, "+e:hnt", options, NULL)) != -1) {
		if (!parse_option(command, option, optarg))
			return false;
	}
	return true;
}

static bool parse_shell(struct command *command, int rest)
{
	const char *shell = getenv("SHELL");

	if (rest > 0) {
		pl_vm_say("shell takes no arguments; use `plenum vm run`");
		return false;
	}
	command->shell = true;
	command->shell_args[0] = (char *)(shell && shell[0] == '/' ? shell : "/bin/sh");
	command->vm.tty |= isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	command->vm.argv = command->shell_args;
	return true;
}

static bool parse_command(struct command *command, int argc, char **argv)
{
	if (!parse_options(command, argc, argv))
		return false;
	if (command->help || command->agent)
		return true;
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return parse_shell(command, 0);
	if (strcmp(argv[0], "run") != 0 && strcmp(argv[0], "shell") != 0) {
		pl_vm_say("there is no `plenum vm %s`; did you mean `plenum vm run -- %s`?",
			  argv[0], argv[0]);
		return false;
	}
	if (!parse_options(command, argc, argv))
		return false;
	if (command->help)
		return true;
	if (strcmp(argv[0], "shell") == 0)
		return parse_shell(command, argc - optind);
	if (optind == argc) {
		pl_vm_say("run takes a program");
		return false;
	}
	command->vm.argv = argv + optind;
	return true;
}

static bool named_in(const char *variable, const char *const *names, size_t count)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < count; i++) {
		if (strncmp(variable, names[i], len) == 0 &&
		    (names[i][len] == '\0' || names[i][len] == '='))
			return true;
	}
	return false;
}

/* The caller's environment without what --env replaces and what only the host has, with the way to our libraries. */
static char **make_environment(const struct command *command)
{
	const size_t host_only_count = sizeof(host_only) / sizeof(host_only[0]);
	const char *libraries = command->libraries;
	size_t count = 0, at = 0;
	char **env;

	if (libraries && named_in(libraries, command->set_env, command->set_env_count))
		libraries = NULL;
	while (environ[count])
		count++;
	env = calloc(count + command->set_env_count + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!named_in(environ[i], host_only, host_only_count) &&
		    !named_in(environ[i], command->set_env, command->set_env_count) &&
		    !(libraries && named_in(environ[i], &libraries, 1)))
			env[at++] = environ[i];
	}
	if (libraries)
		env[at++] = (char *)libraries;
	for (size_t i = 0; i < command->set_env_count; i++) {
		const char *text = command->set_env[i];
		bool again = named_in(text, command->set_env + i + 1,
				      command->set_env_count - i - 1);

		if (!strchr(text, '=')) {
			const char *value = getenv(text);

			/* environ holds "NAME=" right before the value */
			text = value ? value - strlen(text) - 1 : NULL;
		}
		if (text && !again)
			env[at++] = (char *)text;
	}
	return env;
}

static int read_token(const char *path, char **token_out)
{
	const char *from_env = getenv("PLENUM_TOKEN");
	int r = 0;

	if (!path) {
		*token_out = from_env && *from_env ? strdup(from_env) : NULL;
		return from_env && *from_env && !*token_out ? -ENOMEM : 0;
	}
	r = pl_vm_read_file(path, TOKEN_BYTES_MAX, token_out, NULL);
	if (r < 0)
		pl_vm_say("cannot read the token in %s: %s", path, strerror(-r));
	else
		(*token_out)[strcspn(*token_out, "\r\n")] = '\0';
	return r;
}

static int run_with_server(struct command *command, int *status_out)
{
	struct pl_vm_options *vm = &command->vm;
	struct pl_vm_server server = { .pid = 0 };
	struct pl_vm_link link = { .region_fd = -1 };
	pl_cleanup(pl_freep) char *token = NULL;
	int r = 0;

	if (!command->server) {
		r = pl_vm_link_init(&link, command->link, command->region_mib, vm->work_dir);
		if (r == 0)
			r = pl_vm_server_init(&server, &link, vm->work_dir, vm->verbose);
		if (r == 0)
			r = pl_vm_link_guest(&link, command->link, server.address);
		vm->token = server.token;
	} else if (strcmp(command->server, "none") != 0) {
		r = read_token(command->token_file, &token);
		if (r == 0 && !token)
			pl_vm_say("%s wants a token: --token-file FILE, or PLENUM_TOKEN", command->server);
		if (r == 0)
			r = pl_vm_link_guest(&link, command->link, command->server);
		vm->token = token;
	}
	vm->link = &link;
	if (r == 0)
		r = pl_vm_run(vm, status_out);
	pl_vm_server_fini(&server);
	pl_vm_link_fini(&link);
	return r;
}

/* Plenum's own parts, as the guest finds them: under the same paths. */
static int find_parts(struct command *command)
{
	struct pl_vm_options *vm = &command->vm;
	char icd_path[PATH_MAX];

	if (pl_tool_guest_find(command->guest_dir) < 0) {
		pl_vm_say("the guest's files are not in %s: install Plenum again, or set PLENUM_GUEST_DIR",
			  command->guest_dir);
		return PL_VM_E_SETUP;
	}
	vm->guest_dir = command->guest_dir;
	if (vm->icd_library)
		return 0;
	if (pl_tool_icd_find(icd_path) == 0 && pl_tool_icd_library(icd_path, command->icd_library) == 0) {
		vm->icd_library = command->icd_library;
		return 0;
	}
	if (command->server && strcmp(command->server, "none") == 0)
		return 0;
	pl_vm_say("plenum.icd was not found: build or install the OpenCL client, or name it with --icd");
	return PL_VM_E_SETUP;
}

static int run(struct command *command)
{
	pl_cleanup(pl_freep) char **env = make_environment(command);
	char *work_dir = NULL;
	int status = STATUS_FAILED, r;

	if (!env)
		return STATUS_FAILED;
	command->vm.env = env;
	r = find_parts(command);
	if (r == 0)
		r = pl_vm_folder_create(&work_dir);
	if (r)
		return STATUS_FAILED;
	command->vm.work_dir = work_dir;
	r = run_with_server(command, &status);
	pl_vm_folder_remove(work_dir, command->keep);
	if (r == PL_VM_E_TIMEOUT)
		return STATUS_TIMEOUT;
	return r == 0 ? status : STATUS_FAILED;
}

/* Descriptors 0 to 2 exist, or files of ours would take their numbers. */
static void open_missing_streams(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDWR);
	}
}

int pl_cmd_vm(int argc, char **argv)
{
	struct command command = { .region_mib = PL_VM_REGION_MIB };
	sigset_t signals, old_mask;
	int status = STATUS_USAGE;

	open_missing_streams();
	pl_vm_options_init(&command.vm);
	if (!parse_command(&command, argc, argv)) {
		fprintf(stderr, "Try `plenum vm --help'.\n");
	} else if (command.agent) {
		status = pl_vm_agent_main();
	} else if (command.help) {
		fputs(usage_text, stdout);
		status = 0;
	} else if (command.vm.tty && !isatty(STDIN_FILENO)) {
		pl_vm_say("--tty needs a terminal as standard input");
	} else {
		pl_vm_signals(&signals);
		sigprocmask(SIG_BLOCK, &signals, &old_mask);
		if (!command.server || strcmp(command.server, "none") != 0)
			command.libraries = pl_tool_libraries_variable();
		status = run(&command);
		sigprocmask(SIG_SETMASK, &old_mask, NULL);
	}
	free(command.set_env);
	free(command.libraries);
	return status;
}
