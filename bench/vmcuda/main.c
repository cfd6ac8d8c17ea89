/* SPDX-License-Identifier: Apache-2.0 */
/* plenum-bench-vmcuda: the command line. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DIVISOR_MAX 32u

static const char usage[] =
	"usage: plenum-bench-vmcuda KIND [--size N] [--work N] [--repeat N] [--pinned] [--each]\n"
	"       plenum-bench-vmcuda copies [--divide N] [--repeat N]\n"
	"       plenum-bench-vmcuda crowd N PROGRAM [ARGUMENT...]\n"
	"KIND is binomial, blackscholes, matmul, stereo or radixsort: a CUDA program on whatever libcuda.so.1 the\n"
	"environment selects, which checks its answer and prints how long its parts took, as '@part NAME SECONDS'.\n"
	"--each says '@ready SIZE', begins when standard input ends, checks each turn's answer, says '@turn SIZE N'.\n"
	"copies copies 32 to 624 MiB, divided by N, there and back.  crowd runs a program N times at once.\n";

static const struct pl_vmcuda_kind *const kinds[] = { &pl_vmcuda_binomial, &pl_vmcuda_blackscholes, &pl_vmcuda_matmul,
						      &pl_vmcuda_stereo, &pl_vmcuda_radixsort };

struct arguments {
	const struct pl_vmcuda_kind *kind; /* NULL: copies */
	struct pl_vmcuda_options options;
	unsigned divisor;
};

void pl_vmcuda_part(const char *name, double value)
{
	printf("@part %s %.9g\n", name, value);
}

static double cpu_seconds(void)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use))
		return 0;
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void times_print(const struct pl_vmcuda_times *times, double total)
{
	pl_vmcuda_part("total", total);
	pl_vmcuda_part("init", times->init);
	pl_vmcuda_part("module", times->module);
	pl_vmcuda_part("alloc", times->alloc);
	pl_vmcuda_part("h2d", times->h2d);
	pl_vmcuda_part("kernel", times->kernel);
	pl_vmcuda_part("d2h", times->d2h);
	pl_vmcuda_part("free", times->release);
	pl_vmcuda_part("host", times->host);
	pl_vmcuda_part("cpu", cpu_seconds());
	pl_vmcuda_part("sent_mb", (double)times->sent / 1e6);
	pl_vmcuda_part("back_mb", (double)times->back / 1e6);
}

static int number(const char *text, unsigned long max, unsigned long *value_out)
{
	char *end;

	*value_out = text ? strtoul(text, &end, 10) : 0;
	if (text && end != text && !*end && *value_out && *value_out <= max)
		return 0;
	fprintf(stderr, "plenum-bench-vmcuda: '%s' is not a number of 1 to %lu\n", text ? text : "", max);
	return -1;
}

static int options_read(int argc, char **argv, struct arguments *arguments)
{
	unsigned long value;

	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--pinned")) {
			arguments->options.pinned = true;
			continue;
		}
		if (!strcmp(argv[i], "--each")) {
			arguments->options.each = true;
			continue;
		}
		if (!strcmp(argv[i], "--size")) {
			if (number(argv[++i], ~0ul, &value))
				return -1;
			arguments->options.n = value;
		} else if (!strcmp(argv[i], "--work")) {
			if (number(argv[++i], 1000000, &value))
				return -1;
			arguments->options.work = (unsigned)value;
		} else if (!strcmp(argv[i], "--repeat")) {
			if (number(argv[++i], 1000000, &value))
				return -1;
			arguments->options.repeat = (unsigned)value;
		} else if (!strcmp(argv[i], "--divide")) {
			if (number(argv[++i], DIVISOR_MAX, &value))
				return -1;
			arguments->divisor = (unsigned)value;
		} else {
			fputs(usage, stderr);
			return -1;
		}
	}
	return 0;
}

static int kind_read(const char *word, struct arguments *arguments)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i]->name, word))
			arguments->kind = kinds[i];
	if (arguments->kind || !strcmp(word, "copies"))
		return 0;
	fputs(usage, stderr);
	return -1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .options.repeat = 1, .divisor = 1 };
	double start = pl_worker_now();
	struct pl_worker w = { 0 };
	struct pl_vmcuda_times times;
	unsigned long n;
	int r;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc > 3 && !strcmp(argv[1], "crowd"))
		return number(argv[2], 1000, &n) ? 2 : pl_vmcuda_crowd((unsigned)n, argv + 3);
	if (argc < 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (kind_read(argv[1], &arguments) || options_read(argc, argv, &arguments))
		return 2;
	if (arguments.kind)
		r = pl_vmcuda_run(&w, arguments.kind, &arguments.options, &times);
	else
		r = pl_vmcuda_copies(&w, arguments.divisor, arguments.options.repeat, &times);
	if (r) {
		fprintf(stderr, "plenum-bench-vmcuda: %s\n", w.error);
		return 1;
	}
	times_print(&times, pl_worker_now() - start);
	return 0;
}
