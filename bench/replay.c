/* SPDX-License-Identifier: Apache-2.0 */
/* Records that earlier runs wrote, as if they had been measured now: a page is made of several runs, or made again. */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES (1u << 16) /* limit: one record */

static void text_take(struct json_object *from, const char *key, char *to, size_t bytes)
{
	struct json_object *value;

	if (json_object_object_get_ex(from, key, &value) && json_object_is_type(value, json_type_string))
		snprintf(to, bytes, "%s", json_object_get_string(value));
}

static double number_take(struct json_object *from, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(from, key, &value) ? json_object_get_double(value) : 0;
}

static int mode_find(const struct pl_bench_run *run, const char *name)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		if (!strcmp(run->modes[m].name, name))
			return (int)m;
	return -1;
}

/* The first file's machine is the page's; a mode's device is what the first run says that had it. */
static void head_take(struct pl_bench_run *run, struct json_object *line, struct json_object *machine)
{
	struct pl_bench_machine *to = &run->machine;
	struct json_object *modes;

	if (!to->when[0]) {
		text_take(machine, "cpu", to->cpu, sizeof(to->cpu));
		text_take(machine, "kernel", to->kernel, sizeof(to->kernel));
		text_take(machine, "os", to->os, sizeof(to->os));
		text_take(machine, "governor", to->governor, sizeof(to->governor));
		text_take(machine, "hypervisor", to->hypervisor, sizeof(to->hypervisor));
		text_take(line, "when", to->when, sizeof(to->when));
		to->cores = (unsigned)number_take(machine, "cores");
		to->mem_bytes = (uint64_t)number_take(machine, "memory_bytes");
		to->load_start = number_take(machine, "load_start");
	}
	to->load_end = number_take(machine, "load_end");
	if (!json_object_object_get_ex(line, "modes", &modes) || !json_object_is_type(modes, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(modes); i++) {
		struct json_object *mode = json_object_array_get_idx(modes, i);
		char name[24] = "";
		int m;

		text_take(mode, "mode", name, sizeof(name));
		m = mode_find(run, name);
		if (m < 0 || run->modes[m].device[0])
			continue;
		text_take(mode, "platform", run->modes[m].platform, sizeof(run->modes[m].platform));
		text_take(mode, "device", run->modes[m].device, sizeof(run->modes[m].device));
		text_take(mode, "driver", run->modes[m].driver, sizeof(run->modes[m].driver));
		text_take(mode, "skipped", run->modes[m].why, sizeof(run->modes[m].why));
	}
}

static void record_take(struct pl_bench_run *run, struct json_object *line)
{
	char name[64] = "", mode[24] = "", why[sizeof(((struct pl_bench_cell *)0)->why)] = "";
	struct pl_bench_cell *cell;
	int m;

	text_take(line, "name", name, sizeof(name));
	text_take(line, "mode", mode, sizeof(mode));
	m = mode_find(run, mode);
	for (size_t f = 0; f < run->n_figures && m >= 0; f++) {
		struct json_object *ratio;

		if (strcmp(run->figures[f].name, name) || !run->wanted[f])
			continue;
		cell = pl_bench_cell(run, f, (unsigned)m);
		text_take(line, "error", why, sizeof(why));
		cell->state = why[0] ? PL_BENCH_FAILED : PL_BENCH_DONE;
		memcpy(cell->why, why, sizeof(why));
		cell->stats = (struct pl_bench_stats){ .median = number_take(line, "value"),
						       .p10 = number_take(line, "p10"),
						       .p90 = number_take(line, "p90"),
						       .n = (size_t)number_take(line, "n") };
		cell->has_ratio = json_object_object_get_ex(line, "ratio", &ratio) && ratio;
		cell->ratio = number_take(line, "ratio");
		cell->ratio_p10 = number_take(line, "ratio_p10");
		cell->ratio_p90 = number_take(line, "ratio_p90");
		cell->ratio_low = number_take(line, "ratio_low");
		cell->ratio_high = number_take(line, "ratio_high");
	}
}

static int file_take(struct pl_bench_run *run, const char *path, char *why_out, size_t why_bytes)
{
	FILE *f = fopen(path, "re");
	char *text = f ? malloc(LINE_BYTES) : NULL;
	unsigned n = 0;
	int r = 0;

	if (!text) {
		snprintf(why_out, why_bytes, "%s: %s", path, strerror(errno));
		r = -EINVAL;
	}
	while (!r && fgets(text, LINE_BYTES, f)) {
		struct json_object *line = json_tokener_parse(text), *machine;

		n++;
		if (json_object_is_type(line, json_type_object)) {
			if (json_object_object_get_ex(line, "machine", &machine))
				head_take(run, line, machine);
			else
				record_take(run, line);
		} else {
			snprintf(why_out, why_bytes, "%s: line %u is no record of plenum bench", path, n);
			r = -EINVAL;
		}
		json_object_put(line);
	}
	if (!r && !n) {
		snprintf(why_out, why_bytes, "%s: holds no records", path);
		r = -EINVAL;
	}
	free(text);
	if (f)
		fclose(f);
	return r;
}

int pl_bench_replay(struct pl_bench_run *run, char *why_out, size_t why_bytes)
{
	char list[4096], *save = NULL, *path;
	int r = 0;

	snprintf(list, sizeof(list), "%s", run->config->from);
	for (path = strtok_r(list, ",", &save); path && !r; path = strtok_r(NULL, ",", &save))
		r = file_take(run, path, why_out, why_bytes);
	return r;
}
