/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIP 77

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--only GLOB] [--list] [--dump DIR] [--device N] [--seed N]\n"
		"  runs PTX instructions on a CUDA device and compares with their definition\n",
		program);
	return 2;
}

/* Every module as text, named after its target and number. */
static int dump(const struct pt_cases *cases, const char *folder)
{
	const struct pt_case *list[PT_MODULE_KERNELS];
	unsigned number = 0;

	for (size_t at = 0; at < cases->count;) {
		size_t end = pt_batch_end(cases, at);
		char path[512], *text;
		FILE *file;

		for (size_t i = at; i < end; i++)
			list[i - at] = &cases->list[i];
		snprintf(path, sizeof(path), "%s/%04u.ptx", folder, number++);
		file = fopen(path, "w");
		if (!file) {
			perror(path);
			return 1;
		}
		text = pt_module_text(list, end - at, pt_case_ptx(list[0]), pt_case_target(list[0], UINT_MAX));
		fputs(text, file);
		free(text);
		fclose(file);
		at = end;
	}
	printf("%u modules\n", number);
	return 0;
}

static int run(const struct pt_cases *cases, int device, uint64_t seed, bool here)
{
	static struct pt_driver cu;
	struct pt_tally tally = { .here = here };

	cu.seed = seed;
	if (pt_driver_open(&cu, device)) {
		printf("skipped: %s\n", cu.error);
		return SKIP;
	}
	printf("%s, sm_%d, CUDA %d.%d\n", cu.name, cu.sm, cu.version / 1000, cu.version % 1000 / 10);
	tally.vendor = !strstr(cu.name, "Plenum reference GPU");
	if (pt_run(&cu, cases, &tally)) {
		printf("the device is gone: %s\n", cu.error);
		tally.failed++;
	}
	printf("%u passed, %u failed, %u skipped\n", tally.passed, tally.failed, tally.skipped);
	return tally.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "only", required_argument, NULL, 'o' },
						 { "list", no_argument, NULL, 'l' },
						 { "dump", required_argument, NULL, 'd' },
						 { "device", required_argument, NULL, 'n' },
						 { "seed", required_argument, NULL, 's' },
						 { "here", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	const char *only = NULL, *folder = NULL;
	struct pt_cases cases = { 0 };
	uint64_t seed = 1;
	bool list = false, here = false;
	int option, device = 0, status = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			only = optarg;
			break;
		case 'h':
			here = true;
			break;
		case 'l':
			list = true;
			break;
		case 'd':
			folder = optarg;
			break;
		case 'n':
			device = atoi(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind != argc)
		return usage(argv[0]);
	pt_cases_make(&cases, only);
	if (!cases.count) {
		fprintf(stderr, "no instruction matches %s; --list shows them\n", only);
		status = 2;
	} else if (list) {
		for (size_t i = 0; i < cases.count; i++)
			puts(cases.list[i].name);
	} else if (folder) {
		status = dump(&cases, folder);
	} else {
		status = run(&cases, device, seed, here);
	}
	pt_cases_free(&cases);
	return status;
}
