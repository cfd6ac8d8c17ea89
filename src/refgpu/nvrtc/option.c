/* Options of a compilation: machine code becomes PTX. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "refgpu/nvrtc/nvrtc.h"

static const char *const names[] = { "--gpu-architecture", "-arch" };

/* What an option says of the architecture: "" where the next one does, NULL where it is another option. */
static const char *architecture_of(const char *option)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);

		if (strncmp(option, names[i], length))
			continue;
		if (!option[length])
			return "";
		if (option[length] == '=')
			return option + length + 1;
	}
	return NULL;
}

/* The generation behind sm_ or compute_; NULL: it is named otherwise. */
static const char *generation_of(const char *value, bool *code_out)
{
	*code_out = !strncmp(value, "sm_", 3);
	return *code_out ? value + 3 : strncmp(value, "compute_", 8) ? NULL : value + 8;
}

static char *rewritten(const char *option, const char *value, const char *generation, int newest)
{
	size_t before = (size_t)(value - option), room = strlen(option) + sizeof("compute_") + 12;
	char *made = malloc(room);

	if (made && newest && strtol(generation, NULL, 10) > newest)
		snprintf(made, room, "%.*scompute_%d", (int)before, option, newest);
	else if (made)
		snprintf(made, room, "%.*scompute_%s", (int)before, option, generation);
	return made;
}

int pl_rtc_options_rewrite(struct pl_rtc_options *out, int n, const char *const *options, int newest)
{
	struct pl_rtc_options made = { .n = n };
	bool next = false;

	if (n < 0 || n > PL_RTC_OPTIONS_MAX || (n && !options))
		return pl_err(-EINVAL);
	made.list = calloc((size_t)n + 1, sizeof(*made.list));
	made.made = calloc((size_t)n + 1, sizeof(*made.made));
	if (!made.list || !made.made)
		goto no_memory;
	for (int i = 0; i < n; i++) {
		const char *value = options[i] && !next ? architecture_of(options[i]) : options[i];
		const char *generation;
		bool code;

		made.list[i] = options[i];
		next = !next && value && !*value;
		generation = value ? generation_of(value, &code) : NULL;
		if (!generation || (!code && (!newest || strtol(generation, NULL, 10) <= newest)))
			continue;
		made.list[i] = made.made[made.made_n] = rewritten(options[i], value, generation, newest);
		if (!made.made[made.made_n++])
			goto no_memory;
	}
	*out = made;
	return 0;
no_memory:
	pl_rtc_options_fini(&made);
	return pl_err(-ENOMEM);
}

void pl_rtc_options_fini(struct pl_rtc_options *options)
{
	for (int i = 0; options->made && i < options->made_n; i++)
		free(options->made[i]);
	free(options->made);
	free(options->list);
	*options = (struct pl_rtc_options){ 0 };
}
