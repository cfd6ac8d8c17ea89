/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vmCUDA paper's Tables 1 and 2 and Figures 4 to 10 from one run, each with a word on what of it is reproduced:
 * count (the same numbers), shape (the same relation between them), or not reproduced, with the reason.
 */
#include "vmcuda.h"

#include "plot.h"

#include <math.h>
#include <string.h>

#define MEASURED_EVERYWHERE "stereo" /* in each mode that has any program */

static double named(const struct pl_bench_run *run, const char *mode, const char *prefix, const char *name)
{
	for (unsigned m = 0; m < run->n_modes; m++)
		if (!strcmp(run->modes[m].name, mode))
			return pl_vmcuda_value(run, m, prefix, name);
	return NAN;
}

static bool mode_has(const struct pl_bench_run *run, unsigned mode, const char *prefix, const char *name)
{
	return isfinite(pl_vmcuda_value(run, mode, prefix, name));
}

static void number(double v, const char *unit, FILE *to)
{
	char text[32];

	if (!isfinite(v)) {
		fputs(" - |", to);
		return;
	}
	pl_plot_number(v, text, sizeof(text));
	fprintf(to, " %s%s |", text, unit);
}

static void percent(double v, FILE *to)
{
	if (isfinite(v))
		fprintf(to, " %+.1f %% |", v);
	else
		fputs(" - |", to);
}

static void plot_show(const bool *drawn, unsigned which, FILE *to)
{
	if (drawn[which])
		fprintf(to, "![%s](vmcuda-%s.svg)\n\n", pl_bench_vmcuda_plots[which].alt,
			pl_bench_vmcuda_plots[which].name);
}

static void columns(const struct pl_bench_run *run, const char *first, const char *prefix, const char *name, FILE *to)
{
	fprintf(to, "| %s |", first);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_has(run, m, prefix, name))
			fprintf(to, " %s |", run->modes[m].name);
	fputs("\n| --- |", to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_has(run, m, prefix, name))
			fputs(" --- |", to);
	fputc('\n', to);
}

static void table_1(const struct pl_bench_run *run, FILE *to)
{
	fputs("## Table 1: the programs and their data\n\n"
	      "**Count**, at a scale: the same arrays as the paper's programs, scaled down so that a run on a device "
	      "in "
	      "software takes seconds; the last column is the scale.\n\n"
	      "| program | in, paper | in, here | out, paper | out, here | bytes, here / paper |\n"
	      "| --- | --- | --- | --- | --- | --- |\n",
	      to);
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		double sent = named(run, "native", "sent_", pl_vmcuda_apps[i].name), back;

		back = named(run, "native", "back_", pl_vmcuda_apps[i].name);
		fprintf(to, "| %s |", pl_vmcuda_apps[i].title);
		number(pl_vmcuda_apps[i].in_mib * 1.048576, " MB", to);
		number(sent, " MB", to);
		number(pl_vmcuda_apps[i].out_mib * 1.048576, " MB", to);
		number(back, " MB", to);
		number((sent + back) / ((pl_vmcuda_apps[i].in_mib + pl_vmcuda_apps[i].out_mib) * 1.048576), "", to);
		fputc('\n', to);
	}
	fputc('\n', to);
}

/* Overhead in percent against native in the same run; NAN when either is missing. */
static double overhead(const struct pl_bench_run *run, const char *mode, const char *prefix, const char *name)
{
	const struct pl_bench_cell *cell;
	char figure[64];

	snprintf(figure, sizeof(figure), "%s%s", prefix, name);
	cell = pl_bench_find(run, figure, mode);
	return cell && cell->has_ratio ? 100 * (cell->ratio - 1) : NAN;
}

/* Networks of other MTUs are Figure 6's. */
static bool mode_is_way(const struct pl_bench_run *run, unsigned mode)
{
	return run->modes[mode].kind != PL_BENCH_MTU && mode_has(run, mode, "app_", pl_vmcuda_apps[0].name);
}

static void table_2_label(const struct pl_bench_run *run, FILE *to)
{
	double most = -INFINITY, stereo = overhead(run, "tcp", "app_", "stereo");

	for (size_t i = 0; i < PL_VMCUDA_APPS; i++)
		if (strcmp(pl_vmcuda_apps[i].name, "stereo"))
			most = fmax(most, overhead(run, "tcp", "app_", pl_vmcuda_apps[i].name));
	if (!isfinite(most) || !isfinite(stereo))
		fputs("**Not reproduced** in this run: tcp or native is missing.\n\n", to);
	else if (stereo >= most)
		fprintf(to,
			"**Shape**: the program that moves most costs most over tcp (stereo disparity %+.1f %%, the "
			"others at most %+.1f %%; paper: 14.7 and 3.5 %%).\n\n",
			stereo, most);
	else
		fprintf(to,
			"**Not reproduced**: stereo disparity moves most but costs %+.1f %% over tcp, another program "
			"%+.1f %% (paper: 14.7 and at most 3.5 %%).\n\n",
			stereo, most);
}

/* Overhead outside of kernels, in percent of native's whole time. */
static double overhead_beside(const struct pl_bench_run *run, const char *mode, const char *name)
{
	double mine = named(run, mode, "copy_", name) + named(run, mode, "rest_", name);
	double native = named(run, "native", "copy_", name) + named(run, "native", "rest_", name);

	return 100 * (mine - native) / named(run, "native", "app_", name);
}

/* Kernels are the same code on the same processors in all modes, and most of the time: where the machine is shared
 * their time varies by more than all else takes. */
static void table_2_beside(const struct pl_bench_run *run, FILE *to)
{
	fputs("Of it outside of kernels (copies, allocations, the start, the program's own work), in percent of "
	      "native's whole time; and the time from the first launch until all have ended.\n\n| program |",
	      to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_is_way(run, m) && run->modes[m].kind != PL_BENCH_NATIVE)
			fprintf(to, " %s, outside | kernels |", run->modes[m].name);
	fputs("\n| --- |", to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_is_way(run, m) && run->modes[m].kind != PL_BENCH_NATIVE)
			fputs(" --- | --- |", to);
	fputc('\n', to);
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		const char *name = pl_vmcuda_apps[i].name;

		fprintf(to, "| %s |", pl_vmcuda_apps[i].title);
		for (unsigned m = 0; m + 1 < run->n_modes; m++) {
			if (!mode_is_way(run, m) || run->modes[m].kind == PL_BENCH_NATIVE)
				continue;
			percent(overhead_beside(run, run->modes[m].name, name), to);
			percent(overhead(run, run->modes[m].name, "gpu_", name), to);
		}
		fputc('\n', to);
	}
	fputc('\n', to);
}

static void table_2(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("## Table 2 and Figure 4: time and overhead against native\n\n", to);
	table_2_label(run, to);
	fputs("Seconds of the whole program; overhead against native in this run, for each way to the server.\n\n"
	      "| program | paper: native, vmCUDA, overhead |",
	      to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_is_way(run, m))
			fprintf(to, " %s |%s", run->modes[m].name,
				run->modes[m].kind == PL_BENCH_NATIVE ? "" : " overhead |");
	fputs("\n| --- | --- |", to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++)
		if (mode_is_way(run, m))
			fputs(run->modes[m].kind == PL_BENCH_NATIVE ? " --- |" : " --- | --- |", to);
	fputc('\n', to);
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		fprintf(to, "| %s | %.1f s, %.1f s, %.1f %% |", pl_vmcuda_apps[i].title, pl_vmcuda_apps[i].native_s,
			pl_vmcuda_apps[i].remote_s, pl_vmcuda_apps[i].total_percent);
		for (unsigned m = 0; m + 1 < run->n_modes; m++) {
			if (!mode_is_way(run, m))
				continue;
			number(pl_vmcuda_value(run, m, "app_", pl_vmcuda_apps[i].name), " s", to);
			if (run->modes[m].kind != PL_BENCH_NATIVE)
				percent(overhead(run, run->modes[m].name, "app_", pl_vmcuda_apps[i].name), to);
		}
		fputc('\n', to);
	}
	fputc('\n', to);
	table_2_beside(run, to);
	plot_show(drawn, 0, to);
}

/* Does the time over tcp grow with the data about as much as natively? */
static void figure_5_label(const struct pl_bench_run *run, FILE *to)
{
	double first = overhead(run, "tcp", "large_", "12.5"), last = overhead(run, "tcp", "large_", "237.5");
	double growth = named(run, "tcp", "large_", "237.5") / named(run, "tcp", "large_", "50");

	if (!isfinite(first) || !isfinite(last) || !isfinite(growth))
		fputs("**Not reproduced** in this run: tcp or native is missing.\n\n", to);
	else if (growth > 0.6 * 237.5 / 50.0 && growth < 1.4 * 237.5 / 50.0)
		fprintf(to,
			"**Shape**: time grows in proportion to the bytes (%.2f times from 50 to 237.5; bytes %.2f "
			"times); "
			"overhead over tcp %+.1f to %+.1f %% (paper 14 to 20 %%).\n\n",
			growth, 237.5 / 50.0, first, last);
	else
		fprintf(to, "**Not reproduced**: from 50 to 237.5 time grows %.2f times, the bytes %.2f times.\n\n",
			growth, 237.5 / 50.0);
}

static void figure_5(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("## Figure 5: very large data\n\n", to);
	figure_5_label(run, to);
	fputs("Stereo disparity, 30 pairs (with --quick 4) of pictures one after the other, each 1/64 of the paper's: "
	      "about 1/100 of "
	      "the "
	      "12.5 to 237.5 GB that the paper moved in 100 iterations.  Seconds.\n\n",
	      to);
	columns(run, "paper's GB", "large_", pl_vmcuda_large[0].name, to);
	for (size_t i = 0; i < PL_VMCUDA_LARGE; i++) {
		fprintf(to, "| %s |", pl_vmcuda_large[i].name);
		for (unsigned m = 0; m + 1 < run->n_modes; m++)
			if (mode_has(run, m, "large_", pl_vmcuda_large[0].name))
				number(pl_vmcuda_value(run, m, "large_", pl_vmcuda_large[i].name), "", to);
		fputc('\n', to);
	}
	fputc('\n', to);
	plot_show(drawn, 1, to);
}

static void figure_6_label(const struct pl_bench_run *run, FILE *to)
{
	double best = 0;
	bool all = true, any = false;

	for (size_t i = 1; i < PL_VMCUDA_APPS; i++) {
		double a = named(run, "mtu1500", "copy_", pl_vmcuda_apps[i].name),
		       b = named(run, "mtu9000", "copy_", pl_vmcuda_apps[i].name);

		if (!isfinite(a) || !isfinite(b))
			continue;
		any = true;
		all = all && b < a;
		best = fmax(best, 100 * (a / b - 1));
	}
	if (!any)
		fputs("**Not reproduced** in this run: the networks need root, ip, unshare and nsenter.\n\n", to);
	else if (all)
		fprintf(to,
			"**Shape**: with packets of 9000 bytes the copies of every program but the smallest are "
			"faster, by up to "
			"%.0f %% (paper: up to 939 %%, on a virtual network card).\n\n",
			best);
	else
		fputs("**Not reproduced**: not every program copies faster with packets of 9000 bytes here.\n\n", to);
}

/* A row for each program, a column for each mode that has values. */
static void rows(const struct pl_bench_run *run, const char *prefix, double factor, const char *unit, FILE *to)
{
	columns(run, "program", prefix, MEASURED_EVERYWHERE, to);
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		fprintf(to, "| %s |", pl_vmcuda_apps[i].title);
		for (unsigned m = 0; m + 1 < run->n_modes; m++)
			if (mode_has(run, m, prefix, MEASURED_EVERYWHERE))
				number(factor * pl_vmcuda_value(run, m, prefix, pl_vmcuda_apps[i].name), unit, to);
		fputc('\n', to);
	}
	fputc('\n', to);
}

static void figure_6(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("## Figure 6: memory copy time and the MTU\n\n", to);
	figure_6_label(run, to);
	fputs("Milliseconds in copies.  mtu1500 and mtu9000: tcp between network namespaces, one MTU a packet (no "
	      "segmentation "
	      "offload).\n\n",
	      to);
	rows(run, "copy_", 1000, "", to);
	plot_show(drawn, 2, to);
}

static void figure_7_label(const struct pl_bench_run *run, FILE *to)
{
	double best = INFINITY, worst = 0;
	unsigned best_at = 0;
	char text[16];

	for (unsigned i = 0; i < PL_VMCUDA_BLOCKS; i++) {
		double v = named(run, "tcp", "block_", pl_vmcuda_block(i, text, sizeof(text)));

		if (isfinite(v) && v < best) {
			best = v;
			best_at = i;
		}
		if (isfinite(v))
			worst = fmax(worst, v);
	}
	if (!isfinite(best))
		fputs("**Not reproduced** in this run: tcp is missing.\n\n", to);
	else if (worst / best >= 1.1)
		fprintf(to,
			"**Shape**: the block size matters, over tcp by %.0f %%; best at %u KiB (paper: 30 to 110 %%, "
			"4 MiB "
			"chosen).\n\n",
			100 * (worst / best - 1), 128u << best_at);
	else
		fprintf(to,
			"**Not reproduced**: over tcp the worst block size costs %.0f %% more than the best, and "
			"payloads are "
			"streamed from the caller's memory, so that a block is no buffer of its own (paper: 30 to 110 "
			"%%).\n\n",
			100 * (worst / best - 1));
}

static void figure_7(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	char text[16];

	fputs("## Figure 7: memory copy time and the block size\n\n", to);
	figure_7_label(run, to);
	fputs("Pageable copies of 32, 64, 128, 256 and 624 MiB there and back: 2.3 GB of the paper's 50, with --quick "
	      "an eighth of that.  Seconds.\n\n",
	      to);
	columns(run, "block, KiB", "block_", "4194304", to);
	for (unsigned i = 0; i < PL_VMCUDA_BLOCKS; i++) {
		fprintf(to, "| %u |", 128u << i);
		for (unsigned m = 0; m + 1 < run->n_modes; m++)
			if (mode_has(run, m, "block_", "4194304"))
				number(pl_vmcuda_value(run, m, "block_", pl_vmcuda_block(i, text, sizeof(text))), "",
				       to);
		fputc('\n', to);
	}
	fputc('\n', to);
	plot_show(drawn, 3, to);
}

/* How much longer a program takes with six clients than with one, over shm. */
static double growth(const struct pl_bench_run *run, const char *app)
{
	return named(run, "shm", "clients_6_", app) / named(run, "shm", "clients_1_", app);
}

static void figure_8_label(const struct pl_bench_run *run, FILE *to)
{
	double binomial = growth(run, "binomial"), product = growth(run, "matmul");

	if (!isfinite(binomial) || !isfinite(product)) {
		fputs("**Not reproduced** in this run: shm is missing.\n\n", to);
		return;
	}
	if (binomial > 3 && product > 3)
		fprintf(to,
			"**Shape** for the programs that compute: with six clients binomial options takes %.1f times, "
			"the "
			"matrix product %.1f times as long as with one, as on the paper's shared GPU.  ",
			binomial, product);
	else
		fprintf(to,
			"**Not reproduced** for the programs that compute: with six clients binomial options takes "
			"%.1f "
			"times, the matrix product %.1f times as long as with one (paper: nearly six times).  ",
			binomial, product);
	fprintf(to,
		"**Not reproduced** for those that the paper found flat (Black-Scholes %.1f, stereo disparity %.1f, "
		"radix "
		"sort %.1f times): there each VM had a processor of its own beside the GPU, here the reference GPU "
		"computes "
		"on the same processors as all clients.\n\n",
		growth(run, "blackscholes"), growth(run, "stereo"), growth(run, "radixsort"));
}

static void figure_8(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("## Figure 8: 1 to 6 clients at once\n\n", to);
	figure_8_label(run, to);
	fputs("Clients are processes of this machine, each with smaller data than above.\n\n", to);
	for (unsigned m = 0; m + 1 < run->n_modes; m++) {
		if (!isfinite(pl_vmcuda_crowd_value(run, m, 1, pl_vmcuda_apps[0].name)))
			continue;
		fprintf(to,
			"%s, mean seconds of a program:\n\n| program | 1 | 2 | 3 | 4 | 5 | 6 |\n"
			"| --- | --- | --- | --- | --- | --- | --- |\n",
			run->modes[m].name);
		for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
			fprintf(to, "| %s |", pl_vmcuda_apps[i].title);
			for (unsigned c = 1; c <= PL_VMCUDA_CLIENTS; c++)
				number(pl_vmcuda_crowd_value(run, m, c, pl_vmcuda_apps[i].name), "", to);
			fputc('\n', to);
		}
		fputc('\n', to);
	}
	plot_show(drawn, 4, to);
}

static void figure_9(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	double computing = named(run, "native", "gpu_", "binomial") / named(run, "native", "app_", "binomial");
	double product = named(run, "native", "gpu_", "matmul") / named(run, "native", "app_", "matmul");

	fputs("## Figure 9: where the time goes\n\n", to);
	if (computing > 0.5 && product > 0.5)
		fprintf(to,
			"**Shape** for binomial options and the matrix product: %.0f and %.0f %% of native time on the "
			"device.  "
			"**Not reproduced** for the others, which the paper found bound by the CPU: its device was "
			"hardware, the "
			"reference GPU is software, so that the device's part is most everywhere.\n\n",
			100 * computing, 100 * product);
	else
		fputs("**Not reproduced** in this run.\n\n", to);
	fputs("Per cent of the program's time: device / copies / the rest.\n\n", to);
	columns(run, "program", "app_", pl_vmcuda_apps[0].name, to);
	for (size_t i = 0; i < PL_VMCUDA_APPS; i++) {
		fprintf(to, "| %s |", pl_vmcuda_apps[i].title);
		for (unsigned m = 0; m + 1 < run->n_modes; m++) {
			double whole = pl_vmcuda_value(run, m, "app_", pl_vmcuda_apps[i].name) / 100;

			if (!mode_has(run, m, "app_", pl_vmcuda_apps[0].name))
				continue;
			if (!isfinite(whole)) {
				fputs(" - |", to);
				continue;
			}
			fprintf(to, " %.0f / %.1f / %.0f |",
				pl_vmcuda_value(run, m, "gpu_", pl_vmcuda_apps[i].name) / whole,
				pl_vmcuda_value(run, m, "copy_", pl_vmcuda_apps[i].name) / whole,
				pl_vmcuda_value(run, m, "rest_", pl_vmcuda_apps[i].name) / whole);
		}
		fputc('\n', to);
	}
	fputc('\n', to);
	plot_show(drawn, 5, to);
}

static void figure_10(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("## Figure 10: use of the processor\n\n"
	      "**Not reproduced** as a level: natively the reference GPU's own work is the program's, up to 100 % per "
	      "core.  "
	      "Measured instead: what of it stays in the client, and what the server and its workers (with the "
	      "reference GPU) "
	      "take.\n\nPer cent of one processor, the program:\n\n",
	      to);
	rows(run, "use_", 1, " %", to);
	fputs("The server and its workers:\n\n", to);
	rows(run, "server_use_", 1, " %", to);
	plot_show(drawn, 6, to);
}

void pl_bench_vmcuda_page(const struct pl_bench_run *run, const bool *drawn, FILE *to)
{
	fputs("The tables and figures of \"GPU Virtualization for High Performance General Purpose Computing on the "
	      "ESX "
	      "Hypervisor\" (vmCUDA), with our own programs of the same kinds.  Each says what of it is reproduced: "
	      "*count* "
	      "(the same numbers), *shape* (the same relation between numbers), or *not reproduced*, with the "
	      "reason.\n\n",
	      to);
	table_1(run, to);
	table_2(run, drawn, to);
	figure_5(run, drawn, to);
	figure_6(run, drawn, to);
	figure_7(run, drawn, to);
	figure_8(run, drawn, to);
	figure_9(run, drawn, to);
	figure_10(run, drawn, to);
	fputs("## All figures\n\n", to);
}
