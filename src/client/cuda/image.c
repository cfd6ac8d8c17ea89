#include "client/cuda/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/servers.h"
#include "cuda/image.h"

struct sent {
	struct sent *next;
	const struct pl_session *session;
	uint64_t hash, bytes;
};

static pthread_mutex_t sent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sent *sent; /* under sent_lock: images that servers keep */

static bool is_done(const struct pl_cuda_sending *sending, const struct pl_session *session)
{
	struct sent *at;

	pthread_mutex_lock(&sent_lock);
	for (at = sent; at; at = at->next)
		if (at->hash == sending->hash && at->bytes == sending->bytes && at->session == session)
			break;
	pthread_mutex_unlock(&sent_lock);
	return at != NULL;
}

/* Sessions, a bit each, whose servers keep nothing for others. */
static _Atomic uint64_t keep_nothing;

static_assert(PL_CLIENT_SERVERS_MAX <= 64, "a bit for each session");

static uint64_t session_bit(const struct pl_session *session)
{
	return 1ull << pl_cuda_session_index(session);
}

/* Over shared memory sending takes no longer than two digests.  Return: the question is on its way. */
static bool find(struct pl_cuda_sending *sending, struct pl_session *session)
{
	struct pl_cuda_plImageFind_args args = { .image_hash = sending->hash, .image_bytes = sending->bytes };

	if (session->shares_memory || sending->bytes < PL_CUDA_KEPT_BYTES_MIN ||
	    atomic_load(&keep_nothing) & session_bit(session))
		return false;
	if (!sending->digested)
		pl_digest(sending->packed, sending->bytes, sending->digest);
	sending->digested = true;
	args.digest = (struct pl_bytes){ sending->digest, sizeof(sending->digest) };
	if (!PL_CUDA_POST(session, plImageFind, &args))
		return true;
	pl_cuda_sending_wanted(session, PL_CUDA_WANTED_NO_MORE); /* a server of an older release */
	return false;
}

bool pl_cuda_sending_goes(struct pl_cuda_sending *sending, struct pl_session *session)
{
	return !is_done(sending, session) && !find(sending, session);
}

void pl_cuda_sending_wanted(struct pl_session *session, uint32_t wanted)
{
	if (wanted == PL_CUDA_WANTED_NO_MORE)
		atomic_fetch_or(&keep_nothing, session_bit(session));
}

void pl_cuda_sending_done(const struct pl_cuda_sending *sending, const struct pl_session *session)
{
	struct sent *entry = is_done(sending, session) ? NULL : malloc(sizeof(*entry));

	if (!entry)
		return;
	pthread_mutex_lock(&sent_lock);
	*entry = (struct sent){ sent, session, sending->hash, sending->bytes };
	sent = entry;
	pthread_mutex_unlock(&sent_lock);
}

void *pl_cuda_file_map(const char *path, size_t *bytes_out)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return NULL;
	*bytes_out = (size_t)st.st_size;
	data = mmap(NULL, *bytes_out, PROT_READ, MAP_PRIVATE, fd, 0);
	return data == MAP_FAILED ? NULL : data;
}

static int file_pack(const char *path, struct pl_cuda_sending *sending)
{
	size_t bytes;
	void *data = pl_cuda_file_map(path, &bytes);
	int r;

	if (!data)
		return -ENOENT;
	r = pl_cuda_image_pack_bytes(data, bytes, &sending->packed, &sending->bytes);
	munmap(data, bytes);
	return r;
}

CUresult pl_cuda_sending_open(struct pl_cuda_sending *sending, const void *image, const char *path)
{
	int r;

	*sending = (struct pl_cuda_sending){ 0 };
	r = path ? file_pack(path, sending) : pl_cuda_image_pack(image, &sending->packed, &sending->bytes);
	switch (r) {
	case 0:
		break;
	case -ENOENT:
		return CUDA_ERROR_FILE_NOT_FOUND;
	case -ENOMEM:
		return CUDA_ERROR_OUT_OF_MEMORY;
	default:
		return CUDA_ERROR_INVALID_IMAGE;
	}
	sending->hash = pl_cuda_image_hash(sending->packed, sending->bytes);
	return CUDA_SUCCESS;
}

void pl_cuda_sending_fini(struct pl_cuda_sending *sending)
{
	free(sending->packed);
	sending->packed = NULL;
}

static uint64_t size_option(const struct pl_cuda_jit_options *options, CUjit_option which)
{
	for (unsigned int i = 0; i < options->count; i++)
		if (options->option[i] == which)
			return (uint32_t)(uintptr_t)options->value[i];
	return 0;
}

static void log_back(char *to, uint64_t room, struct pl_bytes log)
{
	uint64_t bytes = log.bytes < room ? log.bytes : room - 1;

	if (!to || !room)
		return;
	if (bytes)
		memcpy(to, log.at, bytes);
	to[bytes] = '\0';
}

void pl_cuda_jit_back(const struct pl_cuda_jit_options *options, struct pl_u64s values, struct pl_bytes info,
		      struct pl_bytes error)
{
	uint64_t info_room = size_option(options, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
	uint64_t error_room = size_option(options, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);

	for (unsigned int i = 0; i < options->count && i < values.count; i++) {
		switch (options->option[i]) {
		case CU_JIT_INFO_LOG_BUFFER:
			log_back(options->value[i], info_room, info);
			break;
		case CU_JIT_ERROR_LOG_BUFFER:
			log_back(options->value[i], error_room, error);
			break;
		default:
			options->value[i] = (void *)(uintptr_t)values.at[i];
			break;
		}
	}
}
