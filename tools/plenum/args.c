/* Arguments that several commands share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/address.h"
#include "plenum/tool.h"

void pl_tool_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
	static char name[64];

	argp_err_exit_status = 2;
	for (const struct pl_command *command = pl_commands; command->name; command++)
		if (!strcmp(command->name, argv[0])) {
			snprintf(name, sizeof(name), "plenum %s", argv[0]);
			argv[0] = name;
			break;
		}
	argp_parse(argp, argc, argv, flags, NULL, input);
}

static bool number_read(const char *text, uint64_t *value_out, const char **end_out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value_out = strtoull(text, &end, 10);
	*end_out = end;
	return errno == 0;
}

uint64_t pl_tool_number(struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max)
{
	const char *end = "";
	uint64_t value = 0;

	if (!number_read(text, &value, &end) || *end || value < min || value > max)
		argp_error(state, "--%s: a number from %llu to %llu, not `%s'", option, (unsigned long long)min,
			   (unsigned long long)max, text);
	return value;
}

uint64_t pl_tool_size(struct argp_state *state, const char *option, const char *text)
{
	static const char units[] = "KMGT";
	const char *end = "", *unit;
	uint64_t value = 0;
	unsigned shift = 0;

	if (!number_read(text, &value, &end))
		end = "?";
	unit = *end ? strchr(units, *end & ~0x20) : NULL;
	if (unit) {
		shift = 10u * (unsigned)(unit - units + 1);
		end++;
	}
	if (!value || *end || value > UINT64_MAX >> shift)
		argp_error(state, "--%s: bytes, or a size such as 512M or 4G, not `%s'", option, text);
	return value << shift;
}

const char *pl_tool_size_text(uint64_t bytes, char *room, size_t size)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1000 && unit + 1 < (int)sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(room, size, "%llu", (unsigned long long)bytes);
	else
		snprintf(room, size, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return room;
}

void pl_tool_servers_add(struct argp_state *state, struct pl_tool_servers *servers, const char *address)
{
	struct pl_address parsed;

	if (servers->count == PL_TOOL_SERVERS_MAX)
		argp_error(state, "--server: at most %d", PL_TOOL_SERVERS_MAX);
	if (strchr(address, ',') || pl_address_parse(address, &parsed)) /* which says what is wrong */
		argp_error(state, "--server: one address (unix:/PATH, tcp://HOST:PORT, ...), not `%s'", address);
	servers->at[servers->count++] = address;
}

bool pl_tool_session_parse(int key, const char *text, struct argp_state *state, struct pl_tool_servers *servers,
		      uint64_t *session_io)
{
	switch (key) {
	case 's':
		pl_tool_servers_add(state, servers, text);
		return true;
	case ARGP_KEY_ARG:
		if (*session_io)
			argp_error(state, "one session at a time, not `%s' as well", text);
		*session_io = pl_tool_number(state, "SESSION", text, 1, INT64_MAX);
		return true;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which session?  `plenum ps' lists them");
		return true;
	}
	return false;
}
