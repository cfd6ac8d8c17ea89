/* Images of device code: kept by what they contain for as long as the session lives, and large ones that
 * did not come through shared memory for later sessions, too (server/kept.h). */
#include "backend/cuda/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda/checkpoint.h"
#include "base/err.h"
#include "cuda/image.h"
#include "server/kept.h"

#define TABLE_BYTES_KEPT_MAX (64u << 10) /* of one image's functions */

static_assert(PL_KEPT_ROOM_BYTES >= 8, "room behind a packed image, for its unpacking");

struct pl_cuda_image {
	struct pl_cuda_image *next;
	uint64_t hash, bytes;
	const void *image; /* as the driver takes it; it may go on reading it */
	const void *packed;
	bool looked_into, uses_heap; /* by who asks for hindrances, while nobody is inside */
	struct pl_cuda_table table;  /* of its functions on the device; under the turn, both */
	CUdevice device;
};

/* What this lane's client has asked for by its digest and is going to send. */
static _Thread_local struct {
	bool is;
	uint64_t hash, bytes;
	uint8_t digest[PL_DIGEST_BYTES];
} awaited;

static const struct pl_cuda_image *image_known(struct pl_cuda_session *session, uint64_t hash, uint64_t bytes)
{
	struct pl_cuda_image *image;

	pthread_mutex_lock(&session->images_lock);
	for (image = session->images; image && (image->hash != hash || image->bytes != bytes); image = image->next)
		;
	pthread_mutex_unlock(&session->images_lock);
	return image;
}

/* Its bytes are charged by the caller, for as long as the session lives.  packed stays the caller's where it fails. */
static int32_t image_enter(struct pl_cuda_session *session, void *packed, uint64_t bytes, uint64_t hash,
			   const struct pl_cuda_image **image_out)
{
	struct pl_cuda_image *image = malloc(sizeof(*image));

	if (!image)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*image = (struct pl_cuda_image){ .hash = hash, .bytes = bytes, .packed = packed };
	if (pl_cuda_image_unpack(packed, bytes, &image->image)) {
		free(image);
		return CUDA_ERROR_INVALID_IMAGE;
	}
	pthread_mutex_lock(&session->images_lock);
	image->next = session->images;
	session->images = image;
	pthread_mutex_unlock(&session->images_lock);
	*image_out = image;
	return CUDA_SUCCESS;
}

/* ---- what its functions are like ---- */

static struct pl_cuda_image *image_of(struct pl_cuda_session *session, const void *image)
{
	struct pl_cuda_image *at;

	pthread_mutex_lock(&session->images_lock);
	for (at = session->images; at && at->image != image; at = at->next)
		;
	pthread_mutex_unlock(&session->images_lock);
	return at;
}

const struct pl_cuda_table *pl_cuda_image_table(struct pl_cuda_session *session, const void *image, CUdevice device)
{
	const struct pl_cuda_image *of = image_of(session, image);

	return of && of->table.words && of->device == device ? &of->table : NULL;
}

void pl_cuda_image_table_keep(struct pl_cuda_session *session, const void *image, CUdevice device,
			      const struct pl_cuda_table *table)
{
	struct pl_cuda_image *of = image_of(session, image);
	uint64_t bytes = table->count * sizeof(*table->words);

	if (!of || of->table.words || bytes > TABLE_BYTES_KEPT_MAX)
		return;
	of->table.words = malloc(bytes);
	if (!of->table.words)
		return;
	memcpy(of->table.words, table->words, bytes);
	of->table.count = table->count;
	of->device = device;
}

/* ---- what the client sends ---- */

/* The bytes of a bulk field.  Return: whole; false = the lane broke. */
static bool bulk_take(struct pl_serve *serve, const struct pl_bulk *bulk, void *to)
{
	if (!bulk->data)
		return !pl_serve_take_bulk(serve, to, bulk->bytes);
	memcpy(to, bulk->data, bulk->bytes);
	return true;
}

static int32_t taken_plainly(struct pl_serve *serve, const struct pl_bulk *bulk, const struct pl_cuda_image **image_out)
{
	void *packed = malloc(bulk->bytes + PL_KEPT_ROOM_BYTES);
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;

	if (packed && bulk_take(serve, bulk, packed))
		status = image_enter(pl_cuda_session_of(serve), packed, bulk->bytes,
				     pl_cuda_image_hash(packed, bulk->bytes), image_out);
	if (status)
		free(packed);
	return status;
}

/* Into a file that later sessions may have, if it is what the client said. */
static int32_t taken_and_kept(struct pl_serve *serve, const struct pl_bulk *bulk,
			      const struct pl_cuda_image **image_out)
{
	uint8_t digest[PL_DIGEST_BYTES], *packed;
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	bool whole, good;
	int fd;

	awaited.is = false;
	if (pl_kept_make(bulk->bytes, &packed, &fd))
		return taken_plainly(serve, bulk, image_out);
	whole = bulk_take(serve, bulk, packed);
	packed = pl_kept_seal(packed, bulk->bytes, fd);
	if (whole && packed) {
		pl_digest(packed, bulk->bytes, digest);
		good = !memcmp(digest, awaited.digest, sizeof(digest));
		status = image_enter(pl_cuda_session_of(serve), packed, bulk->bytes,
				     pl_cuda_image_hash(packed, bulk->bytes), image_out);
		if (good && !status)
			pl_kept_give(serve->session, digest, bulk->bytes, fd);
	}
	if (status && packed)
		pl_kept_unmap(packed, bulk->bytes);
	close(fd);
	return status;
}

int pl_cuda_image_get(struct pl_serve *serve, uint64_t hash, uint64_t bytes, const struct pl_bulk *bulk,
		      const void **image_out)
{
	const struct pl_cuda_image *image = image_known(pl_cuda_session_of(serve), hash, bytes);
	int32_t status = CUDA_SUCCESS;

	if (!image && !bulk->bytes)
		return serve->session->keeps ? PL_CUDA_WANTED : PL_CUDA_WANTED_NO_MORE;
	if (!image) {
		bool keep = awaited.is && awaited.hash == hash && awaited.bytes == bulk->bytes;

		status = keep ? taken_and_kept(serve, bulk, &image) : taken_plainly(serve, bulk, &image);
		if (status)
			return -status - 1;
		pl_cuda_charge_keep();
	}
	*image_out = image->image;
	return 0;
}

/* ---- what another session was sent ---- */

/* Return: the session has it. */
static bool image_found(struct pl_serve *serve, const struct pl_cuda_plImageFind_args *args)
{
	struct pl_session_worker *worker = serve->session;
	const struct pl_cuda_image *image;
	uint8_t *packed = NULL;

	if (!pl_quota_charge(&worker->quota, PL_QUOTA_HOST, args->image_bytes))
		return false; /* the load will say so */
	packed = pl_kept_find(worker, args->digest.at, args->image_bytes);
	if (packed && !image_enter(pl_cuda_session_of(serve), packed, args->image_bytes, args->image_hash, &image))
		return true;
	if (packed)
		pl_kept_unmap(packed, args->image_bytes);
	pl_quota_return(&worker->quota, PL_QUOTA_HOST, args->image_bytes);
	return false;
}

void pl_cuda_serve_plImageFind(struct pl_serve *serve, const struct pl_cuda_plImageFind_args *args)
{
	awaited.is = false;
	if (args->digest.bytes != PL_DIGEST_BYTES || args->image_bytes < PL_CUDA_KEPT_BYTES_MIN ||
	    args->image_bytes > PL_CUDA_IMAGE_BYTES_MAX) {
		pl_serve_reply(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (serve->session->keeps && !image_known(pl_cuda_session_of(serve), args->image_hash, args->image_bytes))
		awaited.is = !image_found(serve, args);
	awaited.hash = args->image_hash;
	awaited.bytes = args->image_bytes;
	memcpy(awaited.digest, args->digest.at, sizeof(awaited.digest));
	pl_serve_reply(serve, CUDA_SUCCESS);
}

/* ---- which image something was loaded from ---- */

void pl_cuda_source_note(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind, const void *image)
{
	struct pl_handle was;

	if (!session->worker->checkpoint)
		return;
	(void)pl_handles_take(&session->kept.sources, id, kind, &was);
	if (pl_handles_put(&session->kept.sources, id, kind, (void *)(uintptr_t)image, 0, NULL))
		pl_checkpoint_missed(); /* nobody would find its variables */
}

void pl_cuda_source_gone(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind)
{
	struct pl_handle was;

	if (kind == PL_CUDA_KIND_module || kind == PL_CUDA_KIND_library)
		(void)pl_handles_take(&session->kept.sources, id, kind, &was);
}

static bool image_uses_heap(struct pl_cuda_image *image)
{
	struct pl_cuda_names names;

	if (image->looked_into)
		return image->uses_heap;
	if (pl_cuda_image_names(image->image, &names))
		return true;
	image->uses_heap = names.heap;
	image->looked_into = true;
	pl_cuda_names_fini(&names);
	return image->uses_heap;
}

bool pl_cuda_images_use_heap(struct pl_cuda_session *session)
{
	bool any = false;

	for (struct pl_cuda_image *image = session->images; image && !any; image = image->next)
		any = image_uses_heap(image);
	return any;
}

/* ---- in a file: all that the session was sent, as none of it is sent again ---- */

int pl_cuda_images_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint64_t count = 0;
	int r;

	for (const struct pl_cuda_image *image = session->images; image; image = image->next)
		count++;
	r = pl_checkpoint_put_u64(file, count);
	for (const struct pl_cuda_image *image = session->images; image && !r; image = image->next) {
		r = pl_checkpoint_put_u64(file, image->hash);
		if (!r)
			r = pl_checkpoint_put_u64(file, image->bytes);
		if (!r)
			r = pl_checkpoint_put(file, image->packed, image->bytes);
	}
	return pl_trace(r);
}

static int image_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct pl_quota *quota = &session->worker->quota;
	const struct pl_cuda_image *image;
	uint64_t hash, bytes;
	void *packed;
	int r = pl_checkpoint_get_u64(file, UINT64_MAX, &hash);

	if (!r)
		r = pl_checkpoint_get_u64(file, PL_CUDA_IMAGE_BYTES_MAX, &bytes);
	if (r)
		return pl_trace(r);
	if (!pl_quota_charge(quota, PL_QUOTA_HOST, bytes))
		return pl_err(-ENOMEM);
	packed = malloc(bytes + PL_KEPT_ROOM_BYTES);
	r = packed ? pl_checkpoint_get(file, packed, bytes) : pl_err(-ENOMEM);
	if (!r && image_enter(session, packed, bytes, hash, &image))
		r = pl_err(-EPROTO);
	if (r)
		free(packed);
	return pl_trace(r);
}

int pl_cuda_images_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint64_t count;
	int r = pl_checkpoint_get_u64(file, PL_HANDLES_MAX, &count);

	for (uint64_t i = 0; !r && i < count; i++)
		r = image_load(session, file);
	return pl_trace(r);
}
