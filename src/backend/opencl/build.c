/* Building, compiling and linking.  A compiler takes its time: the turn is given up before it starts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/files.h"
#include "backend/opencl/print.h"
#include "backend/opencl/program.h"
#include "backend/opencl/resolve.h"
#include "base/cleanup.h"
#include "base/err.h"

/* A list with its count as the program gave them: there may be a count and no list. */
static bool list_take(struct pl_serve *serve, bool given, struct pl_u64s ids, enum pl_cl_object_kind kind,
		      struct pl_cl_list *list, int32_t *status)
{
	if (given)
		return pl_cl_list_take(serve, ids, kind, list, status);
	*list = (struct pl_cl_list){ .count = (uint32_t)ids.count };
	return true;
}

static void programs_refs(const struct pl_cl_list *programs, cl_int(CL_API_CALL *change)(cl_program))
{
	for (uint32_t i = 0; programs->at && i < programs->count; i++)
		change(programs->at[i]);
}

/* What a build needs once the turn is gone. */
struct work {
	cl_program program;        /* retained; NULL when linking */
	struct pl_cl_list devices; /* retained */
	bool has_devices, has_options;
	char *options; /* ours; NULL = the caller's own */
	const char *options_given;
	struct pl_cl_view files;
	uint64_t files_charged;
	/* of the program's note */
	uint64_t id;
	struct pl_cl_program_note before; /* as it was; ours */
};

static void devices_refs(const struct work *work, cl_int(CL_API_CALL *change)(cl_device_id))
{
	for (uint32_t i = 0; work->devices.at && i < work->devices.count && change; i++)
		change(work->devices.at[i]);
}

static const cl_device_id *work_devices(const struct work *work)
{
	static cl_device_id none[1]; /* a list of no devices is not the same as no list */

	return !work->has_devices ? NULL : work->devices.count ? (const cl_device_id *)work->devices.at : none;
}

static const char *work_options(const struct work *work)
{
	return !work->has_options ? NULL : work->options ? work->options : work->options_given;
}

static void work_fini(struct pl_serve *serve, struct work *work)
{
	pl_cl_list_fini(&work->devices);
	pl_cl_view_fini(&work->files);
	if (work->files_charged)
		pl_quota_return(&serve->session->quota, PL_QUOTA_HOST, work->files_charged);
	free(work->options);
	free(work->before.options);
	free(work->before.strip);
}

/* Shipped files, and the options that lead to them.  Return: CL_SUCCESS or a code. */
static int32_t work_files(struct pl_serve *serve, struct work *work, const struct pl_bulk *files,
			  struct pl_cl_program_note *note)
{
	char *strip = NULL;
	int32_t status;
	int r;

	if (!pl_quota_charge(&serve->session->quota, PL_QUOTA_HOST, files->bytes))
		return CL_OUT_OF_RESOURCES;
	work->files_charged = files->bytes;
	status = pl_cl_view_take(serve, files, true, &work->files);
	if (status)
		return status;
	if (files->bytes)
		pl_cl_print_expect(pl_cl_session_of(serve), NULL, 0);
	r = pl_cl_files_options(work->files.data, work->files.bytes, work->has_options ? work->options_given : "",
				&work->options, &strip);
	if (r)
		return r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_BUILD_OPTIONS;
	if (note) {
		pthread_mutex_lock(&pl_cl_programs_lock);
		work->before = *note;
		note->options = work->options ? strdup(work->options_given) : NULL;
		note->strip = pl_steal(strip);
		note->hides_params = false;
		pthread_mutex_unlock(&pl_cl_programs_lock);
	}
	free(strip);
	return CL_SUCCESS;
}

/* Adds PL_CL_PARAMS_OPTION where the driver takes it and the program did not ask for it itself. */
static int32_t work_params(struct work *work, struct pl_cl_program_note *note)
{
	const char *options = work_options(work);
	cl_context context = NULL;
	char *longer;

	if (!note || !note->from_source || (options && strstr(options, PL_CL_PARAMS_OPTION)) ||
	    pl_cl.clGetProgramInfo(work->program, CL_PROGRAM_CONTEXT, sizeof(context), &context, NULL) ||
	    !pl_cl_params_take_option(context))
		return CL_SUCCESS;
	/* In front: what the program gave may end in the middle of an option. */
	if (asprintf(&longer, "%s%s%s", PL_CL_PARAMS_OPTION, options && *options ? " " : "", options ? options : "") <
	    0)
		return CL_OUT_OF_HOST_MEMORY;
	free(work->options);
	work->options = longer;
	work->has_options = true;
	pthread_mutex_lock(&pl_cl_programs_lock);
	note->hides_params = true;
	pthread_mutex_unlock(&pl_cl_programs_lock);
	return CL_SUCCESS;
}

/* Takes program and devices.  Return: CL_SUCCESS: the caller retains, gives up the turn, and ends with work_fini(). */
static int32_t work_init(struct pl_serve *serve, struct work *work, uint64_t program, struct pl_u64s devices,
			 const struct pl_bulk *files)
{
	int32_t status = CL_SUCCESS;
	void *object, *note;

	if (!pl_cl_take_note(serve, program, PL_CL_KIND_program, &object, &note, &status))
		return status;
	if (!object)
		return CL_INVALID_PROGRAM;
	work->program = object;
	if (!list_take(serve, work->has_devices, devices, PL_CL_KIND_device, &work->devices, &status))
		return status;
	work->id = program;
	status = work_files(serve, work, files, note);
	return status ? status : work_params(work, note);
}

static void work_begin(struct pl_serve *serve, struct work *work)
{
	if (work->program)
		pl_cl.clRetainProgram(work->program);
	devices_refs(work, pl_cl.clRetainDevice);
	pl_serve_give_turn(serve);
}

/* A build that was not begun leaves the program as the one before made it. */
static void work_end(struct pl_serve *serve, struct work *work, int32_t status)
{
	struct pl_handle handle;

	if (work->id && (status == CL_INVALID_OPERATION || status == CL_INVALID_VALUE || status == CL_INVALID_DEVICE)) {
		pthread_mutex_lock(&pl_cl_programs_lock);
		if (pl_handles_get(&serve->session->handles, work->id, PL_CL_KIND_program, &handle) &&
		    handle.object == work->program && handle.extra) {
			struct pl_cl_program_note *note = handle.extra, made = *note;

			note->options = work->before.options;
			note->strip = work->before.strip;
			note->hides_params = work->before.hides_params;
			work->before = made;
		}
		pthread_mutex_unlock(&pl_cl_programs_lock);
	}
	devices_refs(work, pl_cl.clReleaseDevice);
	if (work->program)
		pl_cl.clReleaseProgram(work->program);
}

void pl_cl_serve_clBuildProgram(struct pl_serve *serve, const struct pl_cl_clBuildProgram_args *args)
{
	struct work work = {
		.has_devices = args->has_devices,
		.has_options = args->has_options,
		.options_given = args->options,
	};
	struct pl_cl_files files;
	int32_t status = work_init(serve, &work, args->program, args->devices, &args->files);

	if (!status) {
		work_begin(serve, &work);
		status = CL_OUT_OF_RESOURCES;
		if (!pl_cl_files_enter(&files, work.files.data, work.files.bytes)) {
			status = pl_cl.clBuildProgram(work.program, work.devices.count, work_devices(&work),
						      work_options(&work), NULL, NULL);
			pl_cl_files_leave(&files);
		}
		work_end(serve, &work, status);
	}
	pl_serve_reply(serve, status);
	work_fini(serve, &work);
}

/* ---- compile ---- */

/* Pointers to the names, which lie one behind the other.  Return: there are as many as headers. */
static bool names_place(struct pl_bytes names, uint64_t count, const char **names_out)
{
	const char *at = names.at, *end = at + names.bytes;

	for (uint64_t i = 0; i < count; i++) {
		const char *nul = at && at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

		if (!nul)
			return false;
		names_out[i] = at;
		at = nul + 1;
	}
	return at == end || !count;
}

static int32_t compile_run(struct pl_serve *serve, struct work *work, const struct pl_cl_clCompileProgram_args *args,
			   const struct pl_cl_list *headers, const char **names)
{
	struct pl_cl_files files;
	int32_t status = CL_OUT_OF_RESOURCES;

	programs_refs(headers, pl_cl.clRetainProgram);
	work_begin(serve, work);
	if (!pl_cl_files_enter(&files, work->files.data, work->files.bytes)) {
		status = pl_cl.clCompileProgram(work->program, work->devices.count, work_devices(work),
						work_options(work), headers->count,
						args->has_headers ? (const cl_program *)headers->at : NULL,
						args->has_headers && headers->count ? names : NULL, NULL, NULL);
		pl_cl_files_leave(&files);
	}
	work_end(serve, work, status);
	programs_refs(headers, pl_cl.clReleaseProgram);
	return status;
}

void pl_cl_serve_clCompileProgram(struct pl_serve *serve, const struct pl_cl_clCompileProgram_args *args)
{
	struct work work = {
		.has_devices = args->has_devices,
		.has_options = args->has_options,
		.options_given = args->options,
	};
	pl_cleanup(pl_freep) const char **names = NULL;
	struct pl_cl_list headers = { 0 };
	int32_t status = CL_INVALID_OPERATION;

	if (pl_cl.clCompileProgram)
		status = work_init(serve, &work, args->program, args->devices, &args->files);
	if (!status)
		list_take(serve, args->has_headers, args->headers, PL_CL_KIND_program, &headers, &status);
	if (!status) {
		names = calloc(headers.count + 1, sizeof(*names));
		if (!names)
			status = CL_OUT_OF_HOST_MEMORY;
		else if (headers.at && !names_place(args->names, headers.count, names))
			status = CL_INVALID_VALUE;
	}
	if (!status)
		status = compile_run(serve, &work, args, &headers, names);
	pl_serve_reply(serve, status);
	pl_cl_list_fini(&headers);
	work_fini(serve, &work);
}

/* ---- link ---- */

/* Without the turn: everything is retained.  Return: the program, or NULL and *status. */
static cl_program link_run(struct pl_serve *serve, struct work *work, const struct pl_cl_clLinkProgram_args *args,
			   cl_context context, const struct pl_cl_list *programs, int32_t *status)
{
	cl_program linked;

	pl_cl.clRetainContext(context);
	programs_refs(programs, pl_cl.clRetainProgram);
	work_begin(serve, work);
	linked = pl_cl.clLinkProgram(context, work->devices.count, work_devices(work), work_options(work),
				     programs->count, args->has_programs ? (const cl_program *)programs->at : NULL,
				     NULL, NULL, status);
	work_end(serve, work, *status);
	programs_refs(programs, pl_cl.clReleaseProgram);
	pl_cl.clReleaseContext(context);
	return linked;
}

/* One of the parts was built with an option that its program must not see, and none with its own. */
static bool parts_hide(struct pl_serve *serve, struct pl_u64s ids)
{
	bool hides = false;

	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_handle handle;
		struct pl_cl_program_note *note;

		if (!pl_handles_get(&serve->session->handles, ids.at[i], PL_CL_KIND_program, &handle) || !handle.extra)
			continue;
		note = handle.extra;
		if (note->from_source && !pl_cl_program_hides(pl_cl_session_of(serve), ids.at[i]))
			return false;
		hides |= pl_cl_program_hides(pl_cl_session_of(serve), ids.at[i]);
	}
	return hides;
}

void pl_cl_serve_clLinkProgram(struct pl_serve *serve, const struct pl_cl_clLinkProgram_args *args)
{
	struct work work = {
		.has_devices = args->has_devices,
		.has_options = args->has_options,
		.options_given = args->options,
	};
	struct pl_cl_clLinkProgram_reply reply = { 0 };
	struct pl_cl_list programs = { 0 };
	int32_t status = CL_INVALID_OPERATION;
	cl_program linked = NULL;
	bool hides = false;
	void *context;

	if (pl_cl.clLinkProgram && pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status)) {
		status = context ? CL_SUCCESS : CL_INVALID_CONTEXT;
		hides = parts_hide(serve, args->programs);
		if (!status &&
		    list_take(serve, args->has_devices, args->devices, PL_CL_KIND_device, &work.devices, &status) &&
		    list_take(serve, args->has_programs, args->programs, PL_CL_KIND_program, &programs, &status))
			linked = link_run(serve, &work, args, context, &programs, &status);
	}
	if (linked) {
		int32_t entered = pl_cl_program_enter(serve, args->program, linked, 0, hides);

		reply.made = !entered;
		if (entered)
			status = entered;
	}
	pl_cl_list_fini(&programs);
	if (!pl_serve_reply_begin(serve, status, pl_cl_clLinkProgram_reply_bytes(&reply), 0)) {
		pl_cl_clLinkProgram_reply_put(&serve->reply_enc, &reply);
		pl_serve_reply_end(serve);
	}
	work_fini(serve, &work);
}
