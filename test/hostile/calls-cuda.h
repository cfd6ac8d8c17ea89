/* Whole calls of CUDA for cases that have one session, `peer`. */
#ifndef PL_TEST_HOSTILE_CALLS_CUDA_H
#define PL_TEST_HOSTILE_CALLS_CUDA_H

#include "cuda-wire.h"
#include "hostile.h"

#define CU_AS(op, layout, ...)                                                                                         \
	({                                                                                                             \
		_Alignas(8) uint8_t body_[CALL_MAX] = { 0 };                                                           \
		struct pl_cuda_##layout##_args args_ = { __VA_ARGS__ };                                                \
		uint64_t bytes_ = pl_cuda_##layout##_bytes(&args_);                                                    \
		struct pl_enc enc_ = { body_ };                                                                        \
		assert(bytes_ <= sizeof(body_));                                                                       \
		pl_cuda_##layout##_put(&enc_, &args_);                                                                 \
		ask_raw(&peer, PL_CUDA_OP_##op, body_, (uint32_t)bytes_);                                              \
		peer.body.status;                                                                                      \
	})
#define CU(f, ...) CU_AS(f, f, __VA_ARGS__)
/* A graph that is made ready to run under this id. */
#define CU_EXEC(of, id)                                                                                                \
	do {                                                                                                           \
		struct pl_cuda_cuGraphInstantiate_reply made_;                                                         \
		expect_is(CU(cuGraphInstantiate, .graph = (of), .exec = (id)), CUDA_SUCCESS);                          \
		pl_cuda_cuGraphInstantiate_reply_get(&peer.dec, &made_);                                               \
		assert(pl_dec_whole(&peer.dec));                                                                       \
		expect_is(made_.result, CUDA_SUCCESS);                                                                 \
	} while (0)

#endif
