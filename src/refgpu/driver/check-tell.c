/* Check mode: what was found, as text and as lines of JSON. */
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "module.h"
#include "refgpu/isa/check.h"

#define DEPTH_MAX    24
#define FINDINGS_MAX 1000u /* told; what is more is counted */

struct place { /* of an instruction */
	const char *kernel;
	const void *image; /* only compared */
	uint64_t offset;
	const char *file; /* NULL: the text has no lines of its source */
	uint32_t line, ptx_line;
};

struct finding {
	uint32_t kind;
	const void *image;
	uint64_t offset[2];
	uint64_t count, told; /* told: in the log */
};

static struct {
	pthread_mutex_t lock;
	struct finding *findings; /* under lock, here and below */
	uint32_t findings_n;
	uint64_t untold;
} tell = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct {
	const char *name, *tool;
} kinds[PL_ISA_FOUND_KINDS] = {
	[PL_ISA_FOUND_RACE] = { "race", "racecheck" },
	[PL_ISA_FOUND_SHARED_UNINIT] = { "shared-uninitialised", "initcheck" },
	[PL_ISA_FOUND_GLOBAL_UNINIT] = { "global-uninitialised", "globalinit" },
	[PL_ISA_FOUND_DIVERGENT_BARRIER] = { "divergent-barrier", "synccheck" },
};

static const char *access_name(uint32_t access)
{
	return pl_rg_access_name(access);
}

/* -- lines of JSON ------------------------------------------------------------------------------------------------- */

struct line {
	FILE *to;
	char *text;
	size_t bytes;
};

static bool line_begin(struct line *line, const char *kind, const char *tool)
{
	*line = (struct line){ 0 };
	line->to = getenv("PLENUM_REFGPU_CHECK_LOG") ? open_memstream(&line->text, &line->bytes) : NULL;
	if (line->to)
		fprintf(line->to, "{\"kind\":\"%s\",\"tool\":\"%s\",\"pid\":%d", kind, tool, (int)getpid());
	return line->to;
}

static void line_string(struct line *line, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(line->to, ",\"%s\":\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fprintf(line->to, "\\%c", *value);
		else if ((unsigned char)*value < ' ')
			fprintf(line->to, "\\u%04x", (unsigned char)*value);
		else
			fputc(*value, line->to);
	}
	fputc('"', line->to);
}

static void line_triple(struct line *line, const char *name, const uint32_t v[3])
{
	fprintf(line->to, ",\"%s\":[%u,%u,%u]", name, v[0], v[1], v[2]);
}

/* One write, so that lines of several processes do not mix. */
static void line_end(struct line *line)
{
	const char *path = getenv("PLENUM_REFGPU_CHECK_LOG");
	int fd;
	fputs("}\n", line->to);
	fclose(line->to);
	fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
	if (fd < 0 || write(fd, line->text, line->bytes) < 0)
		fprintf(stderr, "plenum refgpu: PLENUM_REFGPU_CHECK_LOG=%s cannot be written\n", path ? path : "");
	if (fd >= 0)
		close(fd);
	free(line->text);
}

/* -- whose call ---------------------------------------------------------------------------------------------------- */

static bool ours(const void *address)
{
	static const void *base;
	Dl_info info;
	if (!base && dladdr((const void *)(uintptr_t)&ours, &info))
		base = info.dli_fbase;
	return dladdr(address, &info) && info.dli_fbase == base;
}

void pl_cu_check_frames(void *frames[PL_CU_CHECK_FRAMES])
{
	void *all[DEPTH_MAX];
	int depth = backtrace(all, DEPTH_MAX), at = 0;
	memset(frames, 0, PL_CU_CHECK_FRAMES * sizeof(*frames));
	while (at < depth && ours(all[at]))
		at++;
	for (uint32_t i = 0; i < PL_CU_CHECK_FRAMES && at < depth; i++)
		frames[i] = all[at++];
}

static void frame_text(const void *frame, char *text, size_t bytes)
{
	Dl_info info;
	if (!dladdr(frame, &info) || !info.dli_fname)
		snprintf(text, bytes, "%p", frame);
	else if (info.dli_sname)
		snprintf(text, bytes, "%s+0x%lx (%s)", info.dli_sname,
			 (unsigned long)((const char *)frame - (const char *)info.dli_saddr), info.dli_fname);
	else
		snprintf(text, bytes, "%s+0x%lx", info.dli_fname,
			 (unsigned long)((const char *)frame - (const char *)info.dli_fbase));
}

static void frames_print(void *const frames[PL_CU_CHECK_FRAMES])
{
	char text[512];
	for (uint32_t i = 0; i < PL_CU_CHECK_FRAMES && frames[i]; i++) {
		frame_text(frames[i], text, sizeof(text));
		fprintf(stderr, "\n  %s %s", i ? "   " : "by", text);
	}
}

static void frames_line(struct line *line, void *const frames[PL_CU_CHECK_FRAMES])
{
	char text[512];
	fputs(",\"frames\":[", line->to);
	for (uint32_t i = 0; i < PL_CU_CHECK_FRAMES && frames[i]; i++) {
		frame_text(frames[i], text, sizeof(text));
		fputs(i ? ",{" : "{", line->to);
		fprintf(line->to, "\"address\":\"%p\",", frames[i]);
		fputs("\"at\":\"", line->to);
		for (const char *c = text; *c; c++)
			if (*c != '"' && *c != '\\' && (unsigned char)*c >= ' ')
				fputc(*c, line->to);
		fputs("\"}", line->to);
	}
	fputs("]", line->to);
}

/* -- what kernels do ------------------------------------------------------------------------------------------------
 */

static struct place place_of(uint64_t pc)
{
	struct place place = { .kernel = "?" };
	const struct pl_ptx_image *ptx = NULL;
	const struct pl_ptx_func *func = pl_cu_code_find(pc, &ptx, &place.offset);
	const struct pl_ptx_line *line;
	if (!func)
		return place;
	place.kernel = func->name;
	place.image = ptx;
	line = pl_ptx_image_line(ptx, place.offset);
	if (!line)
		return place;
	place.ptx_line = line->ptx_line;
	place.line = line->line;
	place.file = line->file < ptx->files_n ? ptx->files[line->file] : NULL;
	return place;
}

static void place_print(const struct place *place)
{
	if (place->file)
		fprintf(stderr, " at %s:%u,", place->file, place->line);
	if (place->ptx_line)
		fprintf(stderr, "%s PTX line %u", place->file ? "" : " at", place->ptx_line);
}

static void record_print(const struct pl_isa_check_record *r, const struct place place[2])
{
	const uint32_t *b = r->block, *t = r->thread[0], *u = r->thread[1];
	fputs("plenum check: ", stderr);
	switch (r->kind) {
	case PL_ISA_FOUND_RACE:
		fprintf(stderr, "race: %s of %u bytes at 0x%llx of shared memory, nothing orders it after the %s below",
			access_name(r->access[0]), r->bytes, (unsigned long long)r->address, access_name(r->access[1]));
		break;
	case PL_ISA_FOUND_DIVERGENT_BARRIER:
		fprintf(stderr, "divergent barrier: lanes 0x%08x of a warp come, of 0x%08x that have not ended",
			(uint32_t)r->address, (uint32_t)(r->address >> 32));
		break;
	default:
		fprintf(stderr, "uninitialised: %s of %u bytes at 0x%llx of %s that nobody has written",
			access_name(r->access[0]), r->bytes, (unsigned long long)r->address,
			r->kind == PL_ISA_FOUND_SHARED_UNINIT ? "shared memory" : "device memory");
	}
	fprintf(stderr, "\n  in %s, block (%u,%u,%u), thread (%u,%u,%u)", place[0].kernel, b[0], b[1], b[2], t[0], t[1],
		t[2]);
	place_print(&place[0]);
	if (r->others) {
		fprintf(stderr, "\n  %s by %s, thread (%u,%u,%u)", access_name(r->access[1]), place[1].kernel, u[0],
			u[1], u[2]);
		place_print(&place[1]);
	}
	fputc('\n', stderr);
}

static void place_line(struct line *line, const char *name, const struct place *place, const uint32_t thread[3],
		       uint32_t access)
{
	fprintf(line->to, ",\"%s\":{\"access\":\"%s\"", name, access_name(access));
	line_string(line, "kernel", place->kernel);
	line_string(line, "file", place->file);
	if (place->file)
		fprintf(line->to, ",\"line\":%u", place->line);
	fprintf(line->to, ",\"ptx_line\":%u", place->ptx_line);
	line_triple(line, "thread", thread);
	fputc('}', line->to);
}

static void record_line(const struct pl_isa_check_record *r, const struct place place[2], uint32_t number)
{
	struct line line;
	if (!line_begin(&line, kinds[r->kind].name, kinds[r->kind].tool))
		return;
	fprintf(line.to, ",\"number\":%u,\"count\":%u,\"launch\":%llu,\"address\":%llu,\"bytes\":%u", number, r->count,
		(unsigned long long)r->grid_id, (unsigned long long)r->address, r->bytes);
	line_triple(&line, "block", r->block);
	place_line(&line, "at", &place[0], r->thread[0], r->access[0]);
	if (r->others)
		place_line(&line, "other", &place[1], r->thread[1], r->access[1]);
	line_end(&line);
}

/* Called with tell.lock held.  NULL: no room. */
static struct finding *finding_of(const struct pl_isa_check_record *r, const struct place place[2], bool *is_new)
{
	struct finding *grown;
	*is_new = false;
	for (uint32_t i = 0; i < tell.findings_n; i++) {
		struct finding *f = &tell.findings[i];
		if (f->kind == r->kind && f->image == place[0].image && f->offset[0] == place[0].offset &&
		    f->offset[1] == place[1].offset)
			return f;
	}
	if (tell.findings_n == FINDINGS_MAX)
		return NULL;
	grown = realloc(tell.findings, (tell.findings_n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tell.findings = grown;
	grown[tell.findings_n] = (struct finding){ .kind = r->kind,
						   .image = place[0].image,
						   .offset = { place[0].offset, place[1].offset } };
	*is_new = true;
	return &grown[tell.findings_n++];
}

void pl_cu_check_drain(void)
{
	struct pl_isa_check_record record;
	if (!pl_cu_check_wants(UINT32_MAX))
		return;
	while (pl_cu_check_take(&record)) {
		struct place place[2] = { place_of(record.pc[0]) };
		struct finding *finding;
		bool is_new;
		if (record.kind >= PL_ISA_FOUND_KINDS)
			continue;
		if (record.others)
			place[1] = place_of(record.pc[1]);
		pthread_mutex_lock(&tell.lock);
		finding = finding_of(&record, place, &is_new);
		if (finding)
			finding->count += record.count;
		else
			tell.untold += record.count;
		if (is_new) {
			finding->told = record.count;
			if (!pl_cu_check_quiet())
				record_print(&record, place);
			record_line(&record, place, tell.findings_n);
		}
		pthread_mutex_unlock(&tell.lock);
	}
}

void pl_cu_check_begin(void)
{
	struct line line;
	if (line_begin(&line, "begin", ""))
		line_end(&line);
}

/* -- the rest -------------------------------------------------------------------------------------------------------
 */

void pl_cu_check_fault(const char *report)
{
	struct line line;
	pl_cu_check_drain();
	if (!pl_cu_check_wants(UINT32_MAX) || !line_begin(&line, "fault", "memcheck"))
		return;
	line_string(&line, "text", report);
	line_end(&line);
}

void pl_cu_check_call(CUresult result, const char *format, ...)
{
	void *frames[PL_CU_CHECK_FRAMES];
	const char *name = "?";
	char what[512];
	struct line line;
	va_list args;
	if (!result || !pl_cu_check_wants(PL_CU_CHECK_API))
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	name = pl_cuda_result_name(result);
	pl_cu_check_frames(frames);
	if (!pl_cu_check_quiet()) {
		fprintf(stderr, "plenum check: failed call: %s: %s", what, name ? name : "?");
		frames_print(frames);
		fputc('\n', stderr);
	}
	if (!line_begin(&line, "failed-call", "memcheck"))
		return;
	line_string(&line, "call", what);
	line_string(&line, "result", name);
	frames_line(&line, frames);
	line_end(&line);
}

static bool leak_tell(struct pl_cu_mem *mem, void *arg)
{
	const struct pl_cu_ctx *ctx = arg, *owner;
	struct line line;
	if (!mem->check || mem->kind == PL_CU_MEM_GRAPH || (ctx && mem->ctx != ctx->handle))
		return true;
	if (ctx && mem->kind == PL_CU_MEM_POOL)
		return true; /* pools outlive contexts */
	owner = pl_cu_ctx_of(mem->ctx);
	if (owner && pl_cu_ctx_error(owner))
		return true; /* nothing can be freed there any more */
	if (!pl_cu_check_quiet()) {
		fprintf(stderr, "plenum check: leak: %llu bytes of %s at 0x%llx, allocation %llu of the program",
			(unsigned long long)mem->bytes, pl_cu_mem_kind_name(mem), (unsigned long long)mem->va,
			(unsigned long long)mem->check->number);
		frames_print(mem->check->frames);
		fputc('\n', stderr);
	}
	if (!line_begin(&line, "leak", "leakcheck"))
		return true;
	fprintf(line.to, ",\"bytes\":%llu,\"address\":%llu,\"allocation\":%llu", (unsigned long long)mem->bytes,
		(unsigned long long)mem->va, (unsigned long long)mem->check->number);
	line_string(&line, "memory", pl_cu_mem_kind_name(mem));
	frames_line(&line, mem->check->frames);
	line_end(&line);
	return true;
}

void pl_cu_check_leaks(const struct pl_cu_ctx *ctx)
{
	if (pl_cu_check_wants(PL_CU_CHECK_LEAKS))
		pl_cu_mem_each(leak_tell, (void *)(uintptr_t)ctx);
}

/* How often each was seen in the end, and what had no room. */
static void counts_tell(void)
{
	uint64_t dropped = pl_cu_check_dropped() + tell.untold;
	struct line line;
	for (uint32_t i = 0; i < tell.findings_n; i++) {
		const struct finding *f = &tell.findings[i];
		if (f->count == f->told || !line_begin(&line, "count", kinds[f->kind].tool))
			continue;
		fprintf(line.to, ",\"number\":%u,\"count\":%llu", i + 1, (unsigned long long)f->count);
		line_end(&line);
	}
	if (!dropped || pl_cu_check_quiet())
		return;
	fprintf(stderr, "plenum check: %llu more were found than there was room for\n", (unsigned long long)dropped);
}

__attribute__((destructor)) static void program_ends(void)
{
	if (!pl_cu_check_wants(UINT32_MAX))
		return;
	pl_cu_check_drain();
	pl_cu_check_leaks(NULL);
	pthread_mutex_lock(&tell.lock);
	counts_tell();
	pthread_mutex_unlock(&tell.lock);
}
