/* Data on every path, checked against a plain copy kept beside it: buffers of every host-pointer kind, sub-buffers,
 * rects, images, maps, fills and copies; blocking or not; queues in order, out of order, with profiling.  Random, but
 * the same on each run.  Prints a checksum for each part. */
#include "ocl.h"

#include <time.h>

#define BYTES 300000u

static unsigned seed = 5;

static unsigned next(unsigned below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static unsigned long sum(const void *data, size_t bytes)
{
	const unsigned char *at = data;
	unsigned long h = 1469598103934665603ul;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ at[i]) * 1099511628211ul;
	return h;
}

static void fill_random(unsigned char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)next(256);
}

static int wrong;

static void same(const char *what, const void *got, const void *want, size_t bytes)
{
	if (memcmp(got, want, bytes)) {
		if (wrong++ < 10)
			printf("WRONG: %s\n", what);
	}
}

/* One buffer, random commands; `model` is what it must hold. */
static void buffer_commands(struct ocl *o, const char *name, cl_mem_flags flags)
{
	static unsigned char host[BYTES] __attribute__((aligned(4096)));
	static unsigned char model[BYTES], got[BYTES], data[BYTES];
	cl_event last = NULL;
	cl_mem mem;

	fill_random(host, BYTES);
	memcpy(model, host, BYTES);
	mem = ocl_buffer(o, flags, BYTES, flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR) ? host : NULL);
	if (!(flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
		CK(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 0, BYTES, host, 0, NULL, NULL));
	for (int step = 0; step < 150; step++) {
		unsigned offset = next(BYTES - 1), bytes = 1 + next(next(3) ? 2000 : BYTES - offset);
		cl_uint waits = last ? 1 : 0;
		cl_event event = NULL, *wanted = next(2) ? &event : NULL;
		cl_event *list = last ? &last : NULL;

		if (bytes > BYTES - offset)
			bytes = BYTES - offset;
		switch (next(7)) {
		case 0: /* blocking write */
			fill_random(data, bytes);
			CK(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, offset, bytes, data, waits, list, wanted));
			memcpy(model + offset, data, bytes);
			break;
		case 1: /* non-blocking write: the memory must not change before it has ended */
			fill_random(data, bytes);
			CK(clEnqueueWriteBuffer(o->queue, mem, CL_FALSE, offset, bytes, data, waits, list, wanted));
			memcpy(model + offset, data, bytes);
			CK(clFinish(o->queue));
			break;
		case 2:
			CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, offset, bytes, got, waits, list, wanted));
			same("blocking read", got, model + offset, bytes);
			break;
		case 3: /* two non-blocking reads, seen after an event and after finish */
			memset(got, 0, bytes);
			CK(clEnqueueReadBuffer(o->queue, mem, CL_FALSE, offset, bytes, got, waits, list, &event));
			if (next(2))
				CK(clWaitForEvents(1, &event));
			else
				CK(clFinish(o->queue));
			same("non-blocking read", got, model + offset, bytes);
			break;
		case 4: {
			unsigned char pattern[4];
			unsigned at = offset & ~3u, n = (bytes & ~3u) ? (bytes & ~3u) : 4;
			if (at + n > BYTES)
				break;
			fill_random(pattern, 4);
			CK(clEnqueueFillBuffer(o->queue, mem, pattern, 4, at, n, waits, list, wanted));
			for (unsigned i = 0; i < n; i++)
				model[at + i] = pattern[i % 4];
			break;
		}
		case 5: {
			cl_int code;
			cl_map_flags how = next(2) ? CL_MAP_READ | CL_MAP_WRITE : CL_MAP_WRITE_INVALIDATE_REGION;
			unsigned char *at = clEnqueueMapBuffer(o->queue, mem, CL_TRUE, how, offset, bytes, waits, list,
							       NULL, &code);
			CK(code);
			if (flags & CL_MEM_USE_HOST_PTR && at != host + offset)
				puts("WRONG: a map of USE_HOST_PTR is not host_ptr + offset");
			if (how & CL_MAP_READ)
				same("map", at, model + offset, bytes);
			fill_random(data, bytes);
			memcpy(at, data, bytes);
			memcpy(model + offset, data, bytes);
			CK(clEnqueueUnmapMemObject(o->queue, mem, at, 0, NULL, wanted));
			break;
		}
		default: {
			cl_mem other = ocl_buffer(o, CL_MEM_READ_WRITE, bytes, NULL);
			CK(clEnqueueCopyBuffer(o->queue, mem, other, offset, 0, bytes, waits, list, &event));
			CK(clEnqueueReadBuffer(o->queue, other, CL_TRUE, 0, bytes, got, 1, &event, NULL));
			same("copy", got, model + offset, bytes);
			CK(clReleaseMemObject(other));
		}
		}
		if (last)
			CK(clReleaseEvent(last));
		last = event;
		if (!event)
			CK(clFinish(o->queue)); /* out-of-order queues have no other order */
	}
	if (last)
		CK(clReleaseEvent(last));
	CK(clFinish(o->queue));
	CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, BYTES, got, 0, NULL, NULL));
	same("at the end", got, model, BYTES);
	printf("buffer %-24s %016lx\n", name, sum(got, BYTES));
	CK(clReleaseMemObject(mem));
}

static void rects(struct ocl *o)
{
	enum { W = 64, H = 32, D = 8 };
	static unsigned char model[W * H * D], got[W * H * D], data[W * H * D];
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, sizeof(model), NULL);

	fill_random(model, sizeof(model));
	CK(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 0, sizeof(model), model, 0, NULL, NULL));
	for (int step = 0; step < 60; step++) {
		size_t at[3] = { next(W), next(H), next(D) }, host_at[3] = { next(4), next(3), next(2) };
		size_t region[3] = { 1 + next(W - (unsigned)at[0]), 1 + next(H - (unsigned)at[1]),
				     1 + next(D - (unsigned)at[2]) };
		size_t row = host_at[0] + region[0] + next(9), slice = row * (host_at[1] + region[1] + next(3));
		size_t whole = slice * (host_at[2] + region[2]);
		cl_bool blocking = next(2);

		if (whole > sizeof(data))
			continue;
		if (next(2)) {
			fill_random(data, whole);
			CK(clEnqueueWriteBufferRect(o->queue, mem, blocking, at, host_at, region, W, W * H, row, slice,
						    data, 0, NULL, NULL));
			for (size_t z = 0; z < region[2]; z++)
				for (size_t y = 0; y < region[1]; y++)
					memcpy(model + (at[2] + z) * W * H + (at[1] + y) * W + at[0],
					       data + (host_at[2] + z) * slice + (host_at[1] + y) * row + host_at[0],
					       region[0]);
		} else {
			memset(got, 0xee, whole);
			CK(clEnqueueReadBufferRect(o->queue, mem, blocking, at, host_at, region, W, W * H, row, slice,
						   got, 0, NULL, NULL));
			CK(clFinish(o->queue));
			for (size_t z = 0; z < region[2]; z++)
				for (size_t y = 0; y < region[1]; y++)
					same("rect row",
					     got + (host_at[2] + z) * slice + (host_at[1] + y) * row + host_at[0],
					     model + (at[2] + z) * W * H + (at[1] + y) * W + at[0], region[0]);
			if (host_at[0] && got[host_at[2] * slice + host_at[1] * row + host_at[0] - 1] != 0xee)
				puts("WRONG: a rect read wrote outside of its rows");
		}
		CK(clFinish(o->queue));
	}
	CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	same("rects at the end", got, model, sizeof(got));
	printf("rects %016lx\n", sum(got, sizeof(got)));
	CK(clReleaseMemObject(mem));
}

static void sub_buffers(struct ocl *o)
{
	static unsigned char model[65536], got[65536];
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE, sizeof(model), NULL), sub;
	cl_buffer_region region = { 4096, 8192 };
	size_t offset;
	cl_mem parent;
	cl_int code;

	fill_random(model, sizeof(model));
	CK(clEnqueueWriteBuffer(o->queue, mem, CL_TRUE, 0, sizeof(model), model, 0, NULL, NULL));
	sub = clCreateSubBuffer(mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
	CK(code);
	CK(clGetMemObjectInfo(sub, CL_MEM_OFFSET, sizeof(offset), &offset, NULL));
	CK(clGetMemObjectInfo(sub, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof(parent), &parent, NULL));
	printf("sub-buffer offset %zu, parent %s\n", offset, parent == mem ? "right" : "wrong");
	CK(clReleaseMemObject(mem)); /* the sub-buffer holds it */
	CK(clEnqueueReadBuffer(o->queue, sub, CL_TRUE, 0, 8192, got, 0, NULL, NULL));
	same("sub-buffer read", got, model + 4096, 8192);
	CK(clEnqueueFillBuffer(o->queue, sub, "\7", 1, 100, 200, 0, NULL, NULL));
	memset(model + 4196, 7, 200);
	unsigned char *at = clEnqueueMapBuffer(o->queue, sub, CL_TRUE, CL_MAP_READ, 0, 8192, 0, NULL, NULL, &code);
	CK(code);
	same("sub-buffer map", at, model + 4096, 8192);
	CK(clEnqueueUnmapMemObject(o->queue, sub, at, 0, NULL, NULL));
	CK(clFinish(o->queue));
	CK(clReleaseMemObject(sub));
}

static void images(struct ocl *o)
{
	enum { W = 33, H = 17 };
	cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = W, .image_height = H };
	static unsigned char model[W * H * 4], got[W * H * 4];
	size_t zero[3] = { 0 }, whole[3] = { W, H, 1 }, at[3] = { 5, 3, 0 }, part[3] = { 7, 9, 1 }, row, slice;
	unsigned color[4] = { 1, 2, 3, 4 };
	cl_mem image, buffer = ocl_buffer(o, CL_MEM_READ_WRITE, sizeof(model), NULL);
	cl_bool has = CL_FALSE;
	cl_int code;

	CK(clGetDeviceInfo(o->device, CL_DEVICE_IMAGE_SUPPORT, sizeof(has), &has, NULL));
	if (!has) {
		puts("no images");
		return;
	}
	fill_random(model, sizeof(model));
	image = clCreateImage(o->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, &format, &desc, model, &code);
	CK(code);
	CK(clEnqueueReadImage(o->queue, image, CL_TRUE, zero, whole, 0, 0, got, 0, NULL, NULL));
	same("image read", got, model, sizeof(model));
	CK(clEnqueueWriteImage(o->queue, image, CL_FALSE, at, part, 40, 0, model, 0, NULL, NULL));
	for (int y = 0; y < 9; y++) {
		unsigned char line[28];
		memcpy(line, model + y * 40, 28);
		memcpy(got + ((y + 3) * W + 5) * 4, line, 28);
	}
	memcpy(model, got, sizeof(model));
	CK(clFinish(o->queue));
	memset(got, 0, sizeof(got));
	CK(clEnqueueReadImage(o->queue, image, CL_FALSE, zero, whole, 0, 0, got, 0, NULL, NULL));
	CK(clFinish(o->queue));
	same("image part", got, model, sizeof(model));
	CK(clEnqueueCopyImageToBuffer(o->queue, image, buffer, zero, whole, 0, 0, NULL, NULL));
	CK(clEnqueueReadBuffer(o->queue, buffer, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	same("image to buffer", got, model, sizeof(model));
	unsigned char *map = clEnqueueMapImage(o->queue, image, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, at, part, &row,
					       &slice, 0, NULL, NULL, &code);
	CK(code);
	for (size_t y = 0; y < 9; y++) {
		same("image map", map + y * row, model + ((y + 3) * W + 5) * 4, 28);
		memset(map + y * row, (int)y, 28);
		memset(model + ((y + 3) * W + 5) * 4, (int)y, 28);
	}
	CK(clEnqueueUnmapMemObject(o->queue, image, map, 0, NULL, NULL));
	CK(clEnqueueFillImage(o->queue, image, color, zero, part, 0, NULL, NULL));
	for (int y = 0; y < 9; y++)
		for (int x = 0; x < 7; x++)
			for (int c = 0; c < 4; c++)
				model[(y * W + x) * 4 + c] = (unsigned char)color[c];
	CK(clEnqueueReadImage(o->queue, image, CL_TRUE, zero, whole, 0, 0, got, 0, NULL, NULL));
	same("image at the end", got, model, sizeof(model));
	printf("image %016lx\n", sum(got, sizeof(got)));
	CK(clReleaseMemObject(image));
	CK(clReleaseMemObject(buffer));
}

/* A long write behind an event that is late: on a queue out of order nothing of it may overtake. */
static void late_write(struct ocl *o)
{
	const size_t bytes = 48u << 20;
	unsigned char *data = malloc(bytes), *got = calloc(1, bytes);
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL);
	struct timespec nap = { .tv_nsec = 30000000 };
	cl_event late, written;
	cl_int code;

	if (!data || !got)
		exit(1);
	fill_random(data, bytes);
	late = clCreateUserEvent(o->context, &code);
	CK(code);
	CK(clEnqueueWriteBuffer(o->queue, mem, CL_FALSE, 0, bytes, data, 1, &late, &written));
	CK(clFlush(o->queue));
	nanosleep(&nap, NULL);
	CK(clSetUserEventStatus(late, CL_COMPLETE));
	CK(clWaitForEvents(1, &written));
	CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, bytes, got, 0, NULL, NULL));
	same("late write", got, data, bytes);
	printf("late write %016lx\n", sum(got, bytes));
	CK(clReleaseEvent(late));
	CK(clReleaseEvent(written));
	CK(clReleaseMemObject(mem));
	free(data);
	free(got);
}

int main(void)
{
	static const struct { const char *name; cl_mem_flags flags; } kinds[] = {
		{ "plain", CL_MEM_READ_WRITE },
		{ "COPY_HOST_PTR", CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR },
		{ "ALLOC_HOST_PTR", CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR },
		{ "ALLOC|COPY_HOST_PTR", CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR },
		{ "USE_HOST_PTR", CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR },
	};
	static const cl_command_queue_properties queues[] = { 0, CL_QUEUE_PROFILING_ENABLE,
							      CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct ocl o = ocl_open(queues[i]);
		printf("queue %u\n", (unsigned)queues[i]);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			buffer_commands(&o, kinds[k].name, kinds[k].flags);
		late_write(&o);
		if (!(queues[i] & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)) {
			rects(&o);
			sub_buffers(&o);
			images(&o);
		}
		ocl_close(&o);
	}
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
