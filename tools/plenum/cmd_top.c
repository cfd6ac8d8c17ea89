#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/wait.h"
#include "plenum/rates.h"
#include "plenum/sessions.h"
#include "plenum/tool.h"

#define DELAY_S_MIN 0.1
#define DELAY_S_MAX 86400.0
#define ROW_BYTES   256
#define HEAD_LINES  3 /* above the sessions */

struct arguments {
	struct pl_tool_servers servers;
	uint64_t count; /* 0 = until told to end */
	double delay_s;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ "delay", 'd', "SECONDS", 0, "how often (default: each second)", 0 },
	{ "count", 'n', "COUNT", 0, "end after so many times (default: q or Ctrl-C ends)", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case 'd':
		arguments->delay_s = strtod(text, &end);
		if (*text < '0' || *text > '9' || *end || !(arguments->delay_s >= DELAY_S_MIN) ||
		    arguments->delay_s > DELAY_S_MAX)
			argp_error(state, "--delay: seconds from %g to %g, not `%s'", DELAY_S_MIN, DELAY_S_MAX, text);
		return 0;
	case 'n':
		arguments->count = pl_tool_number(state, "count", text, 1, INT64_MAX);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* ---- the terminal ---- */

struct screen {
	bool in_place; /* stdout is a terminal */
	bool keys;     /* stdin, too */
	struct termios before;
};

static volatile sig_atomic_t end_wanted, stop_wanted;

static void signal_note(int sig)
{
	*(sig == SIGTSTP ? &stop_wanted : &end_wanted) = 1;
}

static void screen_enter(struct screen *screen)
{
	struct termios raw = screen->before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (screen->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	if (screen->in_place)
		fputs("\033[?25l\033[H\033[2J", stdout);
	fflush(stdout);
}

static void screen_leave(const struct screen *screen)
{
	if (screen->in_place)
		fputs("\033[?25h", stdout);
	fflush(stdout);
	if (screen->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static void screen_begin(struct screen *screen)
{
	struct sigaction action = { .sa_handler = signal_note };

	screen->in_place = isatty(STDOUT_FILENO);
	screen->keys = screen->in_place && isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &screen->before);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (screen->in_place)
		sigaction(SIGTSTP, &action, NULL);
	screen_enter(screen);
}

/* Waits until then.  Return: go on. */
static bool screen_wait(struct screen *screen, uint64_t until_ns)
{
	while (!end_wanted) {
		uint64_t now_ns = pl_now_ns();
		struct pollfd input = { .fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN };
		char key;

		if (now_ns >= until_ns)
			return true;
		if (stop_wanted) {
			stop_wanted = 0;
			screen_leave(screen);
			raise(SIGSTOP);
			screen_enter(screen);
		}
		if (poll(&input, 1, (int)((until_ns - now_ns) / 1000000u) + 1) <= 0 || !input.revents)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
			return false;
	}
	return false;
}

/* How many lines and columns there are for us. */
static void screen_size(const struct screen *screen, size_t *lines_out, size_t *columns_out)
{
	struct winsize size = { 0 };

	*lines_out = *columns_out = SIZE_MAX;
	if (!screen->in_place || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		return;
	*lines_out = size.ws_row > HEAD_LINES + 1 ? size.ws_row - HEAD_LINES - 1u : 1;
	*columns_out = size.ws_col;
}

/* ---- what is shown ---- */

static void line_print(const struct screen *screen, const char *line)
{
	size_t lines, columns;

	screen_size(screen, &lines, &columns);
	printf("%.*s%s\n", columns < ROW_BYTES ? (int)columns : ROW_BYTES, line, screen->in_place ? "\033[K" : "");
}

static const char *who_text(struct json_object *session, char *room, size_t size)
{
	const struct passwd *user;
	uint64_t uid = pl_session_number(session, "uid");

	if (!pl_session_has(session, "uid"))
		return pl_session_text(session, "address");
	user = getpwuid((uid_t)uid);
	if (user)
		return user->pw_name;
	snprintf(room, size, "%llu", (unsigned long long)uid);
	return room;
}

static const char *rate_text(double rate, char *room, size_t size)
{
	if (rate > 0 && rate < 10)
		snprintf(room, size, "%.1f", rate);
	else
		snprintf(room, size, "%.0f", rate);
	return room;
}

static void rate_print(const struct screen *screen, const struct pl_rate *rate)
{
	char line[ROW_BYTES], uid[24], memory[24], calls[32], asks[32];
	struct json_object *session = rate->session;

	snprintf(line, sizeof(line), "%6llu %-21.21s %-20.20s %-6.6s %8s %10s %10s %10.2f %10.2f",
		 (unsigned long long)rate->id, who_text(session, uid, sizeof(uid)), pl_session_text(session, "program"),
		 pl_session_text(session, "api"),
		 pl_tool_size_text(pl_session_number(session, "memory_bytes"), memory, sizeof(memory)),
		 rate_text(rate->calls, calls, sizeof(calls)), rate_text(rate->asks, asks, sizeof(asks)),
		 rate->in_bytes / 1e6, rate->out_bytes / 1e6);
	line_print(screen, line);
}

static void frame_print(const struct screen *screen, const char *address, const struct pl_rate *rates, size_t count,
			bool draining)
{
	char line[ROW_BYTES];
	size_t lines, columns;

	if (screen->in_place)
		fputs("\033[H", stdout);
	snprintf(line, sizeof(line), "%zu session%s%s at %.100s", count, count == 1 ? "" : "s",
		 draining ? " being drained" : "", address);
	line_print(screen, line);
	line_print(screen, "");
	snprintf(line, sizeof(line), "%6s %-21s %-20s %-6s %8s %10s %10s %10s %10s", "ID", "USER/ADDRESS", "PROGRAM",
		 "API", "MEMORY", "CALLS/S", "ASKS/S", "IN MB/S", "OUT MB/S");
	line_print(screen, line);
	screen_size(screen, &lines, &columns);
	for (size_t i = 0; i < count && i < lines; i++)
		rate_print(screen, &rates[i]);
	fputs(screen->in_place ? "\033[J" : "\n", stdout);
	fflush(stdout);
}

struct sample {
	struct json_object *answer, *list;
	uint64_t at_ns;
};

static int sample_take(const char *address, struct sample *sample, char why[512])
{
	int r = pl_sessions_ask(address, &sample->answer, &sample->list, why);

	sample->at_ns = pl_now_ns();
	return r;
}

/* Return: 0, -errno: said in `why`. */
static int watch(struct screen *screen, const struct arguments *arguments, const char *address, char why[512])
{
	struct sample before = { 0 }, now = { 0 };
	int r = sample_take(address, &before, why);

	for (uint64_t shown = 0; !r && (!arguments->count || shown < arguments->count); shown++) {
		struct json_object *draining = NULL;
		struct pl_rate *rates = NULL;
		long count;

		if (!screen_wait(screen, before.at_ns + (uint64_t)(arguments->delay_s * 1e9)))
			break;
		r = sample_take(address, &now, why);
		if (r)
			break;
		count = pl_rates_make(before.list, now.list, (double)(now.at_ns - before.at_ns) / 1e9, &rates);
		json_object_object_get_ex(now.answer, "draining", &draining);
		if (count >= 0)
			frame_print(screen, address, rates, (size_t)count, json_object_get_boolean(draining));
		free(rates);
		json_object_put(before.answer);
		before = now;
		now = (struct sample){ 0 };
	}
	json_object_put(before.answer);
	return r;
}

int pl_cmd_top(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		NULL,
		"Show what a server's sessions do now, the busiest first.\v"
		"CALLS/S: all calls a second, ASKS/S: those that the program waited for.  IN and "
		"OUT: from and to the program, without what lies in shared memory.",
		NULL,
		NULL,
		NULL
	};
	struct arguments arguments = { .delay_s = 1 };
	char address[PL_LINK_ADDRESS_MAX], why[512];
	struct screen screen = { 0 };
	int r;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	screen_begin(&screen);
	r = watch(&screen, &arguments, address, why);
	screen_leave(&screen);
	if (r < 0)
		fprintf(stderr, "plenum top: %s\n", why);
	return r < 0 || ferror(stdout) ? 1 : 0;
}
