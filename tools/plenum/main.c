#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "plenum/tool.h"

static int cmd_help(int argc, char **argv);

const struct pl_command pl_commands[] = {
	{ "serve", pl_cmd_serve, "let other programs, guests and machines use this machine's devices" },
	{ "run", pl_cmd_run, "run a program with a server's devices" },
	{ "devices", pl_cmd_devices, "list the devices that programs see" },
	{ "ps", pl_cmd_ps, "list a server's sessions, or end one" },
	{ "stats", pl_cmd_stats, "show what sessions send, wait for and hold" },
	{ "top", pl_cmd_top, "show what sessions do now, the busiest first" },
	{ "metrics", pl_cmd_metrics, "a server's figures for Prometheus" },
	{ "limit", pl_cmd_limit, "change what a running session may hold" },
	{ "suspend", pl_cmd_suspend, "move a session's device memory to host memory, and let it wait" },
	{ "resume", pl_cmd_resume, "let a suspended session go on" },
	{ "checkpoint", pl_cmd_checkpoint, "write a session to a file; its program waits" },
	{ "restore", pl_cmd_restore, "let a session go on that is in such a file" },
	{ "drain", pl_cmd_drain, "let a server end without ending anybody" },
	{ "trace", pl_cmd_trace, "run a program and show each call of OpenCL and CUDA, its time and bytes" },
	{ "doctor", pl_cmd_doctor, "find what keeps this from working, and say what to do" },
	{ "vm", pl_cmd_vm, "run a program in a virtual machine that uses this machine's devices" },
	{ "refgpu", pl_cmd_refgpu, "run CUDA programs on the reference GPU, without hardware" },
	{ "bench", pl_cmd_bench, "measure: native, shared memory, network and virtual machine side by side" },
	{ "version", pl_cmd_version, "show versions" },
	{ "help", cmd_help, "show this, or a command's options" },
	{ NULL, NULL, NULL },
};

static const struct pl_command *command_find(const char *name)
{
	for (const struct pl_command *command = pl_commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

static void help_print(FILE *out)
{
	fprintf(out, "Usage: plenum COMMAND [OPTION...]\n"
		     "CUDA and OpenCL devices of another process, machine or host, for programs as they are.\n\n");
	for (const struct pl_command *command = pl_commands; command->name; command++)
		fprintf(out, "  %-10s %s\n", command->name, command->summary);
	fprintf(out, "\n`plenum COMMAND --help' lists a command's options; `man plenum' tells more.\n");
}

static int cmd_help(int argc, char **argv)
{
	static char help[] = "--help";
	const struct pl_command *command;

	if (argc < 2 || argv[1][0] == '-') {
		help_print(stdout);
		return 0;
	}
	command = command_find(argv[1]);
	if (!command) {
		fprintf(stderr, "plenum: no command `%s'; `plenum help' lists them\n", argv[1]);
		return 2;
	}
	if (command->run == cmd_help) {
		help_print(stdout);
		return 0;
	}
	return command->run(2, (char *[]){ argv[1], help, NULL });
}

int main(int argc, char **argv)
{
	const struct pl_command *command;

	pl_log_init("plenum", PL_LOG_WARN);
	argp_err_exit_status = 2;
	if (argc < 2) {
		help_print(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_print(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return pl_cmd_version(1, (char *[]){ argv[1], NULL });
	command = command_find(argv[1]);
	if (!command) {
		fprintf(stderr, "plenum: no command `%s'; `plenum help' lists them\n", argv[1]);
		return 2;
	}
	return command->run(argc - 1, argv + 1);
}
