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

#endif
