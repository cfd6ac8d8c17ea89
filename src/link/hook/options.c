#include "link/hook/hook.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{"delay_us", offsetof(struct pl_hook_options, delay_us)},
	{"bandwidth", offsetof(struct pl_hook_options, bandwidth)},
	{"drop_after", offsetof(struct pl_hook_options, drop_after)},
	{"cut_after", offsetof(struct pl_hook_options, cut_after)},
	{"cut_after_bytes", offsetof(struct pl_hook_options, cut_after_bytes)},
	{"corrupt_every", offsetof(struct pl_hook_options, corrupt_every)},
	{"seed", offsetof(struct pl_hook_options, seed)},
};

/* Return: what follows the number, or NULL. */
static const char *parse_number(const char *text, uint64_t *number_out)
{
	uint64_t number = 0, unit = 1;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return NULL;
	if (at == text)
		return NULL;
	if (*at == 'K' || *at == 'M' || *at == 'G')
		unit = *at == 'K' ? 1000 : *at == 'M' ? 1000000 : 1000000000;
	if (unit > 1)
		at++;
	return __builtin_mul_overflow(number, unit, number_out) ? NULL : at;
}

int pl_hook_options_parse(const char *text, struct pl_hook_options *options_out)
{
	struct pl_hook_options options = {0};

	while (*text) {
		const char *value = strchr(text, '=');
		size_t key = 0, count = sizeof(keys) / sizeof(keys[0]);

		if (!value)
			return pl_err(-EINVAL);
		while (key < count && (strlen(keys[key].name) != (size_t)(value - text) ||
				       strncmp(keys[key].name, text, (size_t)(value - text))))
			key++;
		if (key == count)
			return pl_err(-EINVAL);
		text = parse_number(value + 1, (uint64_t *)(void *)((char *)&options + keys[key].offset));
		if (!text || (*text && *text != ',') || (*text == ',' && !text[1]))
			return pl_err(-EINVAL);
		if (*text)
			text++;
	}
	*options_out = options;
	return 0;
}
