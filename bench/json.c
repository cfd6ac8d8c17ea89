/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>

#ifndef PL_VERSION
#define PL_VERSION "unknown"
#endif

static void add_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

/* Six significant digits: a clock does not tell more. */
static void add_number(struct json_object *to, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	json_object_object_add(to, key, json_object_new_double_s(value, text));
}

static int line_put(FILE *to, struct json_object *line)
{
	int r = line ? fprintf(to, "%s\n",
			       json_object_to_json_string_ext(line,
				       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE))
		     : -1;

	json_object_put(line);
	return r < 0 ? -EIO : 0;
}

static struct json_object *machine_json(const struct pl_bench_machine *m)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "cpu", m->cpu);
	json_object_object_add(o, "cores", json_object_new_int((int)m->cores));
	json_object_object_add(o, "memory_bytes", json_object_new_int64((int64_t)m->mem_bytes));
	add_text(o, "kernel", m->kernel);
	add_text(o, "os", m->os);
	add_text(o, "governor", m->governor);
	add_text(o, "hypervisor", m->hypervisor);
	add_number(o, "load_start", m->load_start);
	add_number(o, "load_end", m->load_end);
	if (m->cores_start.arithmetic > 0) {
		add_number(o, "two_arithmetic_start", m->cores_start.arithmetic);
		add_number(o, "two_arithmetic_end", m->cores_end.arithmetic);
		add_number(o, "two_copying_start", m->cores_start.copying);
		add_number(o, "two_copying_end", m->cores_end.copying);
	}
	return o;
}

static struct json_object *mode_json(const struct pl_bench_mode *mode)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "mode", mode->name);
	if (mode->device[0]) {
		add_text(o, "platform", mode->platform);
		add_text(o, "device", mode->device);
		add_text(o, "driver", mode->driver);
		add_text(o, "version", mode->version);
	}
	if (mode->why[0])
		add_text(o, mode->device[0] ? "trouble" : "skipped", mode->why);
	return o;
}

static int head_write(const struct pl_bench_run *run, FILE *to)
{
	struct json_object *line = json_object_new_object(), *modes = json_object_new_array();

	json_object_object_add(line, "machine", machine_json(&run->machine));
	add_text(line, "when", run->machine.when);
	add_text(line, "plenum", PL_VERSION);
	add_text(line, "api", pl_bench_is_cuda(run) ? "cuda" : "opencl");
	add_text(line, "state", run->config->busy ? "busy" : "idle");
	json_object_object_add(line, "quick", json_object_new_boolean(run->config->quick));
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		json_object_array_add(modes, mode_json(&run->modes[m]));
	json_object_object_add(line, "modes", modes);
	return line_put(to, line);
}

static int cell_write(const struct pl_bench_run *run, size_t f, unsigned m, FILE *to)
{
	const struct pl_bench_cell *cell = pl_bench_cell(run, f, m);
	const struct pl_bench_figure *figure = &run->figures[f];
	struct json_object *line;
	bool done = cell->state == PL_BENCH_DONE;

	if (cell->state == PL_BENCH_NONE)
		return 0;
	line = json_object_new_object();
	add_text(line, "name", figure->name);
	add_text(line, "api", pl_bench_is_cuda(run) ? "cuda" : "opencl");
	add_text(line, "mode", run->modes[m].name);
	if (done)
		add_number(line, "value", cell->stats.median);
	else
		json_object_object_add(line, "value", NULL);
	add_text(line, "unit", pl_bench_unit_name(figure->unit));
	if (done && cell->has_ratio)
		add_number(line, "ratio", cell->ratio);
	else
		json_object_object_add(line, "ratio", NULL);
	if (done) {
		add_number(line, "p10", cell->stats.p10);
		add_number(line, "p90", cell->stats.p90);
		json_object_object_add(line, "n", json_object_new_int64((int64_t)cell->stats.n));
		if (cell->has_ratio) {
			add_number(line, "ratio_p10", cell->ratio_p10);
			add_number(line, "ratio_p90", cell->ratio_p90);
		}
		if (cell->has_ratio && cell->ratio_high > 0) {
			add_number(line, "ratio_low", cell->ratio_low);
			add_number(line, "ratio_high", cell->ratio_high);
		}
		add_text(line, "better",
			pl_bench_unit_more_is_better(figure->unit) ? "higher" : "lower");
		add_text(line, "state", run->config->busy ? "busy" : "idle");
	} else {
		add_text(line, "error", cell->why);
	}
	return line_put(to, line);
}

int pl_bench_json_write(const struct pl_bench_run *run, FILE *to)
{
	int r = head_write(run, to);

	for (size_t f = 0; f < run->n_figures && !r; f++)
		for (unsigned m = 0; m < run->n_modes && !r; m++)
			r = cell_write(run, f, m, to);
	return r;
}
