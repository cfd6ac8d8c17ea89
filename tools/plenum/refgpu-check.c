/* plenum refgpu check: a program in the driver's check mode, and what was found, told in the end. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plenum/refgpu.h"
#include "plenum/tool.h"

static const char *const tools[] = {
	"memcheck", "racecheck", "synccheck", "initcheck", "globalinit", "leakcheck", "all"
};

static bool tools_good(const char *list)
{
	do {
		size_t len = strcspn(list, ","), i = 0;

		while (i < sizeof(tools) / sizeof(tools[0]) &&
		       (strlen(tools[i]) != len || strncmp(tools[i], list, len)))
			i++;
		if (i == sizeof(tools) / sizeof(tools[0])) {
			fprintf(stderr,
				"plenum refgpu check: no tool `%.*s'; there are memcheck, racecheck, synccheck, "
				"initcheck, globalinit, leakcheck and all\n",
				(int)len, list);
			return false;
		}
		list += len + (list[len] == ',');
	} while (*list);
	return true;
}

/* Return: its status as wait() has it; -1: it could not be started. */
static int program_run(char **program)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_quit;
	int status = -1;
	pid_t pid;

	sigaction(SIGINT, &ignore, &old_int); /* they go to the program too; we wait for what it makes of them */
	sigaction(SIGQUIT, &ignore, &old_quit);
	pid = fork();
	if (!pid) {
		sigaction(SIGINT, &old_int, NULL);
		sigaction(SIGQUIT, &old_quit, NULL);
		_exit(pl_tool_exec(program));
	}
	if (pid < 0)
		fprintf(stderr, "plenum refgpu check: fork: %s\n", strerror(errno));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* -- what the driver has written --------------------------------------------------------------------------------------
 */

struct report {
	struct json_object *findings;
	bool began; /* some process started the driver */
	uint64_t errors, leaked_bytes;
};

static const char *string_of(struct json_object *line, const char *name)
{
	struct json_object *value = NULL;
	const char *text = json_object_object_get_ex(line, name, &value) ? json_object_get_string(value) : NULL;

	return text ? text : "";
}

static int64_t number_of(struct json_object *line, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(line, name, &value) ? json_object_get_int64(value) : 0;
}

/* A count that has grown since its finding was told. */
static void count_take(struct report *report, struct json_object *line)
{
	for (size_t i = 0; i < json_object_array_length(report->findings); i++) {
		struct json_object *finding = json_object_array_get_idx(report->findings, i);

		if (number_of(finding, "number") != number_of(line, "number") ||
		    number_of(finding, "pid") != number_of(line, "pid"))
			continue;
		json_object_object_add(finding, "count", json_object_new_int64(number_of(line, "count")));
		return;
	}
}

static void line_take(struct report *report, struct json_object *line)
{
	const char *kind = string_of(line, "kind");

	if (!strcmp(kind, "begin")) {
		report->began = true;
	} else if (!strcmp(kind, "count")) {
		count_take(report, line);
	} else {
		report->errors++;
		if (!strcmp(kind, "leak"))
			report->leaked_bytes += (uint64_t)number_of(line, "bytes");
		json_object_array_add(report->findings, json_object_get(line));
	}
}

static void log_read(struct report *report, const char *path)
{
	FILE *from = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	while (from && getline(&text, &room, from) > 0) {
		struct json_object *line = json_tokener_parse(text);

		if (json_object_is_type(line, json_type_object))
			line_take(report, line);
		json_object_put(line);
	}
	free(text);
	if (from)
		fclose(from);
}

static uint64_t kind_count(const struct report *report, const char *kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < json_object_array_length(report->findings); i++)
		n += !strcmp(string_of(json_object_array_get_idx(report->findings, i), "kind"), kind);
	return n;
}

static void summary_print(FILE *to, const struct report *report)
{
	static const struct {
		const char *kind, *one, *many;
	} rows[] = {
		{ "fault", "failed kernel", "failed kernels" },
		{ "race", "race", "races" },
		{ "divergent-barrier", "divergent barrier", "divergent barriers" },
		{ "shared-uninitialised", "uninitialised read of shared memory",
		  "uninitialised reads of shared memory" },
		{ "global-uninitialised", "uninitialised read of device memory",
		  "uninitialised reads of device memory" },
		{ "failed-call", "failed call", "failed calls" },
		{ "leak", "leak", "leaks" },
	};
	const char *before = ": ";

	if (!report->began) {
		fputs("plenum check: the program did not start the reference GPU: nothing was checked\n", to);
		return;
	}
	fprintf(to, "plenum check: %" PRIu64 " error%s", report->errors, report->errors == 1 ? "" : "s");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n = kind_count(report, rows[i].kind);

		if (!n)
			continue;
		fprintf(to, "%s%" PRIu64 " %s", before, n, n == 1 ? rows[i].one : rows[i].many);
		before = ", ";
	}
	if (report->leaked_bytes)
		fprintf(to, " (%" PRIu64 " bytes)", report->leaked_bytes);
	fputc('\n', to);
}

static void report_json(FILE *to, const struct report *report, int status)
{
	struct json_object *all = json_object_new_object();

	json_object_object_add(all, "checked", json_object_new_boolean(report->began));
	json_object_object_add(all, "errors", json_object_new_int64((int64_t)report->errors));
	json_object_object_add(all, "leaked-bytes", json_object_new_int64((int64_t)report->leaked_bytes));
	json_object_object_add(all, "status", json_object_new_int(status));
	json_object_object_add(all, "findings", json_object_get(report->findings));
	fputs(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY), to);
	fputc('\n', to);
	json_object_put(all);
}

static int report_write(const struct refgpu_arguments *arguments, const struct report *report, int status)
{
	FILE *to = arguments->output ? fopen(arguments->output, "we") : arguments->json ? stdout : stderr;

	if (!to) {
		fprintf(stderr, "plenum refgpu check: %s: %s\n", arguments->output, strerror(errno));
		return -1;
	}
	if (arguments->json)
		report_json(to, report, status);
	else
		summary_print(to, report);
	if (arguments->output)
		fclose(to);
	return 0;
}

/* -- the verb --------------------------------------------------------------------------------------------------------
 */

static bool log_make(char *path, size_t bytes)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	snprintf(path, bytes, "%s/plenum-check-XXXXXX", folder && *folder ? folder : "/tmp");
	fd = mkstemp(path);
	if (fd < 0) {
		fprintf(stderr, "plenum refgpu check: %s: %s\n", path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

int refgpu_check(const struct refgpu_arguments *arguments, const char *folder)
{
	const char *wanted = arguments->tools ? arguments->tools : "all";
	struct report report = { 0 };
	char path[PATH_MAX], list[256];
	int status, exit_status;

	if (!arguments->program || !*arguments->program) {
		fputs("plenum refgpu check: no program; try `plenum refgpu check -- PROGRAM'\n", stderr);
		return 2;
	}
	if (!tools_good(wanted))
		return 2;
	if (!refgpu_path_set(folder) || !log_make(path, sizeof(path)))
		return 1;
	snprintf(list, sizeof(list), "%s%s", wanted, arguments->json ? ",quiet" : "");
	setenv("PLENUM_REFGPU_CHECK", list, 1);
	setenv("PLENUM_REFGPU_CHECK_LOG", path, 1);
	status = program_run(arguments->program);
	exit_status = status < 0 ? 1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	report.findings = json_object_new_array();
	if (!report.findings)
		return 1;
	log_read(&report, path);
	unlink(path);
	if (report_write(arguments, &report, exit_status))
		exit_status = 1;
	else if (report.errors && arguments->error_status >= 0)
		exit_status = arguments->error_status;
	json_object_put(report.findings);
	return exit_status;
}
