/* Sending images: each goes to the server once, whatever it is loaded as; or not at all, where the server has it from
 * another session. */
#ifndef PL_CLIENT_CUDA_IMAGE_H
#define PL_CLIENT_CUDA_IMAGE_H

#include "base/digest.h"
#include "client/cuda/state.h"

struct pl_cuda_sending {
	void *packed; /* owned */
	size_t bytes;
	uint64_t hash;
	bool digested;
	uint8_t digest[PL_DIGEST_BYTES]; /* once it is digested */
};

/* One of them is NULL.  Return: success, or what the API says of something that is no image. */
CUresult pl_cuda_sending_open(struct pl_cuda_sending *sending, const void *image, const char *path);
void pl_cuda_sending_fini(struct pl_cuda_sending *sending);
/* Right before its load, on the same thread.  Return: it goes along; false: the server has it, or has been asked
 * whether it has, and says with the load's answer whether it wants it. */
bool pl_cuda_sending_goes(struct pl_cuda_sending *sending, struct pl_session *session);
/* The load's answer: enum pl_cuda_wanted. */
void pl_cuda_sending_wanted(struct pl_session *session, uint32_t wanted);
/* The server has it from now on. */
void pl_cuda_sending_done(const struct pl_cuda_sending *sending, const struct pl_session *session);

/* A file, mapped; munmap() it.  NULL: it is not there, or empty. */
void *pl_cuda_file_map(const char *path, size_t *bytes_out);

/* Options of the JIT compiler. */
struct pl_cuda_jit_options {
	CUjit_option *option;
	void **value;
	unsigned int count;
};

/* Writes back what the server's compiler said. */
void pl_cuda_jit_back(const struct pl_cuda_jit_options *options, struct pl_u64s values, struct pl_bytes info,
		      struct pl_bytes error);

#endif
