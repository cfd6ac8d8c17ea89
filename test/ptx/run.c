/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CASE_SECONDS_MAX 20

static const char *volatile running;
static const struct pt_tally *volatile so_far;

static void never_ends(int signal_number)
{
	char line[400];
	int length = snprintf(line, sizeof(line),
			      "FAIL %s does not end\n%u passed, %u failed, %u skipped, the rest not run\n",
			      running ? running : "?", so_far->passed, so_far->failed + 1, so_far->skipped);

	(void)signal_number;
	if (write(STDOUT_FILENO, line, (size_t)length) < 0)
		_exit(2);
	_exit(1);
}

unsigned pt_case_ptx(const struct pt_case *c)
{
	return c->family->ptx > PT_PTX_LEAST ? c->family->ptx : PT_PTX_LEAST;
}

unsigned pt_case_sm(const struct pt_case *c)
{
	return c->family->sm > 80 ? c->family->sm : 80;
}

unsigned pt_case_target(const struct pt_case *c, unsigned most)
{
	unsigned target = pt_case_sm(c) > 90 ? pt_case_sm(c) : 90;

	if (c->family->specific)
		return most == UINT_MAX ? target : most;
	return target < most ? target : most;
}

size_t pt_batch_end(const struct pt_cases *cases, size_t first)
{
	size_t end = first;

	while (end < cases->count && end - first < PT_MODULE_KERNELS &&
	       pt_case_ptx(&cases->list[end]) == pt_case_ptx(&cases->list[first]) &&
	       pt_case_sm(&cases->list[end]) == pt_case_sm(&cases->list[first]) &&
	       cases->list[end].family->specific == cases->list[first].family->specific)
		end++;
	return end;
}

/* What is known of NVIDIA's driver does not fail there; on the reference GPU it does. */
static void report(struct pt_tally *tally, const char *how, const struct pt_case *c, const char *details)
{
	const char *known = !strcmp(how, "FAIL") && tally->vendor ? pt_known_of(c->name) : NULL;

	if (known) {
		printf("known %s  %s: %s\n", c->name, known, details);
		tally->skipped++;
		return;
	}
	printf("%s %s%s%s\n", how, c->name, details[0] ? "  " : "", details);
	if (!strcmp(how, "ok"))
		tally->passed++;
	else if (!strcmp(how, "skip"))
		tally->skipped++;
	else
		tally->failed++;
}

static bool matches(const struct pt_case *c, unsigned k, uint64_t got, uint64_t want)
{
	enum pt_type type = c->out[k].type;
	const struct pt_type_info *t = &pt_types[type];
	int bits = t->lanes ? t->bits / t->lanes : t->bits;

	if (t->bits < 64 && want == PT_ANY)
		return true;
	got &= t->bits == 8 ? 0xffffffff : pt_mask(t->bits);
	want = pt_extended(type, want);
	if (got == want)
		return true;
	if (!t->format || c->family->exact_nan)
		return false;
	if (type == PT_TF32) {
		got &= ~(uint64_t)0x1fff;
		want &= ~(uint64_t)0x1fff;
	}
	for (int lane = 0; lane < t->lanes; lane++) {
		uint64_t g = got >> (lane * bits) & pt_mask(bits), w = want >> (lane * bits) & pt_mask(bits);

		if (g != w && !(sf_is_nan(t->format, g) && sf_is_nan(t->format, w)))
			return false;
	}
	return true;
}

static size_t values_print(char *to, size_t room, const char *what, const struct pt_operand *types,
			   const uint64_t *values, unsigned count)
{
	size_t at = (size_t)snprintf(to, room, "%s", what);

	for (unsigned i = 0; i < count && at < room; i++) {
		int bits = pt_types[types[i].type].bits;

		at += (size_t)snprintf(to + at, room - at, " %0*llx", (bits + 3) / 4,
				       (unsigned long long)(values[i] & (bits == 8 ? 0xffffffff : pt_mask(bits))));
	}
	return at < room ? at : room - 1;
}

/* False: nothing is defined.  Where only some sets of constants are, GOT will do for the others. */
static bool wanted(const struct pt_case *c, const uint64_t *in, const uint64_t *got, uint64_t *want)
{
	if (c->how == PT_PLAIN)
		return c->family->want(&c->op, in, want);
	for (unsigned k = 0; k < PT_CONSTANTS; k++) {
		uint64_t operands[PT_CONSTANT_INS_MAX], result[PT_OUTS_MAX];

		memcpy(operands, c->constant[k], sizeof(operands));
		if (c->how == PT_IMMEDIATE)
			memcpy(operands, in, (c->ins - 1) * sizeof(*in));
		want[k] = c->family->want(&c->op, operands, result) ? result[0] : got[k];
	}
	return true;
}

/* How many rows are wrong; the first is described. */
static unsigned rows_compare(const struct pt_case *c, const uint64_t *in, const uint64_t *out, char *why, size_t room)
{
	unsigned wrong = 0;
	uint64_t *want = calloc((size_t)c->group * c->outs + 1, sizeof(*want));

	for (unsigned row = 0; row < c->rows; row += c->group) {
		const uint64_t *i = in + (size_t)row * c->ins, *o = out + (size_t)row * c->outs;
		char judged[160] = "";

		if (c->family->judge) {
			if (c->family->judge(&c->op, i, o, judged) || wrong++)
				continue;
			values_print(why, room, "of", c->in, i, c->ins);
			values_print(why + strlen(why), room - strlen(why), " got", c->out, o, c->outs);
			snprintf(why + strlen(why), room - strlen(why), " want %s", judged);
			continue;
		}
		if (!wanted(c, i, o, want))
			continue;
		for (unsigned k = 0; k < c->group * c->outs; k++) {
			unsigned thread = k / c->outs;

			if (matches(c, k % c->outs, o[k], want[k]))
				continue;
			if (!wrong++) {
				int at = snprintf(why, room, "row %u ", row + thread);

				at += (int)values_print(why + at, room - (size_t)at, "of", c->in, i + thread * c->ins,
							c->ins);
				at += (int)values_print(why + at, room - (size_t)at, " got", c->out,
							o + thread * c->outs, c->outs);
				values_print(why + at, room - (size_t)at, " want", c->out, want + thread * c->outs,
					     c->outs);
			}
			break;
		}
	}
	free(want);
	if (wrong > 1)
		snprintf(why + strlen(why), room - strlen(why), " (and %u more)", wrong - 1);
	return wrong;
}

/* The operands there, the launch, the results back. */
static CUresult rows_run(struct pt_driver *cu, const struct pt_case *c, CUfunction function, const uint64_t *in,
			 uint64_t *out)
{
	size_t in_bytes = (size_t)c->rows * c->ins * sizeof(*in), out_bytes = (size_t)c->rows * c->outs * sizeof(*out);
	CUdeviceptr from = 0, to = 0;
	CUresult e;

	e = cu->f.cuMemAlloc(&from, in_bytes + 16);
	if (!e)
		e = cu->f.cuMemAlloc(&to, out_bytes + 16);
	if (!e && in_bytes)
		e = cu->f.cuMemcpyHtoD(from, in, in_bytes);
	if (!e)
		e = cu->f.cuMemcpyHtoD(to, out, out_bytes);
	if (!e)
		e = pt_launch(cu, function, c->rows / c->threads, c->threads, from, to, c->rows);
	if (!e)
		e = cu->f.cuMemcpyDtoH(out, to, out_bytes);
	cu->f.cuMemFree(from);
	cu->f.cuMemFree(to);
	return e;
}

static void case_alone(struct pt_driver *cu, const struct pt_case *c, struct pt_tally *tally)
{
	char line[512] = "", *details;
	int r = pt_alone_run(cu, c, line, sizeof(line));

	if (r)
		snprintf(line, sizeof(line), "FAIL no process of its own: %s", strerror(-r));
	details = strstr(line, c->name);
	details = details ? details + strlen(c->name) : line;
	report(tally,
	       !strncmp(line, "ok ", 3)     ? "ok"
	       : !strncmp(line, "skip ", 5) ? "skip"
					    : "FAIL",
	       c, details + strspn(details, " "));
}

/* 1: a fault took the context with it. */
static int case_run(struct pt_driver *cu, const struct pt_case *c, CUmodule module, unsigned number,
		    struct pt_tally *tally)
{
	uint64_t *in = calloc((size_t)c->rows * c->ins + 1, sizeof(*in)),
		 *out = calloc((size_t)c->rows * c->outs + 1, sizeof(*out));
	char entry[16], why[800] = "";
	CUfunction function;
	CUresult e;

	running = c->name;
	alarm(CASE_SECONDS_MAX);
	snprintf(entry, sizeof(entry), "k%u", number);
	e = cu->f.cuModuleGetFunction(&function, module, entry);
	if (e) {
		snprintf(why, sizeof(why), "cuModuleGetFunction: %s", pt_error_name(cu, e));
	} else if (c->family->run) {
		e = c->family->run(cu, c, function, module, why) ? CUDA_ERROR_UNKNOWN : 0;
	} else {
		pt_operands_fill(c, in, cu->seed);
		memset(out, 0xcd, (size_t)c->rows * c->outs * sizeof(*out));
		e = rows_run(cu, c, function, in, out);
		if (e)
			snprintf(why, sizeof(why), "%s", pt_error_name(cu, e));
		else if (rows_compare(c, in, out, why, sizeof(why)))
			e = CUDA_ERROR_UNKNOWN;
	}
	alarm(0);
	report(tally, e ? "FAIL" : "ok", c, why);
	free(in);
	free(out);
	/* Some cases mean to lose the context. */
	return (e || c->family->run) && cu->f.cuCtxSynchronize();
}

/* LOG: the driver's first line when it refuses. */
static CUresult module_load(struct pt_driver *cu, const struct pt_case *const *list, size_t count, CUmodule *module,
			    char *log, size_t room)
{
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)(uintptr_t)room };
	char *text = pt_module_text(list, count, pt_case_ptx(list[0]), pt_case_target(list[0], (unsigned)cu->sm));
	CUresult e;

	memset(log, 0, room);
	alarm(CASE_SECONDS_MAX);
	running = list[0]->name;
	e = cu->f.cuModuleLoadDataEx(module, text, 2, options, values);
	alarm(0);
	log[room - 1] = 0;
	free(text);
	return e;
}

/* How many cases were dealt with: fewer than COUNT when a fault took the context; -1: no new one. */
static long batch_run(struct pt_driver *cu, const struct pt_case *const *list, size_t count, struct pt_tally *tally)
{
	char log[4096], why[512];
	size_t done = 0;
	CUmodule module;
	CUresult e = module_load(cu, list, count, &module, log, sizeof(log));
	int gone = 0;

	if (e && count > 1) {
		while (done < count && batch_run(cu, list + done, 1, tally) == 1)
			done++;
		return done == count ? (long)count : -1;
	}
	if (e) {
		snprintf(why, sizeof(why), "%s: %.*s", pt_error_name(cu, e), (int)strcspn(log, "\n"), log);
		report(tally, e == CUDA_ERROR_NOT_SUPPORTED && list[0]->family->may_refuse ? "skip" : "refused",
		       list[0], why);
		return cu->f.cuCtxSynchronize() && pt_driver_renew(cu) ? -1 : 1;
	}
	while (done < count && !gone) {
		if (list[done]->family->alone && !tally->here)
			case_alone(cu, list[done], tally);
		else
			gone = case_run(cu, list[done], module, (unsigned)done, tally);
		done++;
	}
	if (!gone)
		cu->f.cuModuleUnload(module);
	else if (pt_driver_renew(cu))
		return -1;
	return (long)done;
}

int pt_run(struct pt_driver *cu, const struct pt_cases *cases, struct pt_tally *tally)
{
	const struct pt_case *list[PT_MODULE_KERNELS];
	size_t at = 0;

	so_far = tally;
	signal(SIGALRM, never_ends);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (at < cases->count) {
		size_t end = pt_batch_end(cases, at);
		const struct pt_case *c = &cases->list[at];
		char why[96] = "";
		long done;

		if (pt_case_sm(c) > (unsigned)cu->sm)
			snprintf(why, sizeof(why), "needs sm_%u, the device is sm_%d", pt_case_sm(c), cu->sm);
		else if (pt_case_ptx(c) > (unsigned)cu->ptx)
			snprintf(why, sizeof(why), "needs PTX %u, the driver takes %d", pt_case_ptx(c), cu->ptx);
		for (size_t i = at; i < end; i++) {
			list[i - at] = &cases->list[i];
			if (why[0])
				report(tally, "skip", list[i - at], why);
		}
		done = why[0] ? (long)(end - at) : batch_run(cu, list, end - at, tally);
		if (done < 0)
			return -1;
		at += (size_t)done;
		fflush(stdout);
	}
	return 0;
}
