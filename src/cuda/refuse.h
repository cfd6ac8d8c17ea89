/*
 * cuda-refused.c, made from spec/cuda.api, defines the functions of the driver API that can never do their work here;
 * each calls this.  The library that links it defines it, once.
 */
#ifndef PL_CUDA_REFUSE_H
#define PL_CUDA_REFUSE_H

#include "cuda/result.h"

/** pl_cuda_refuse() - a program called a function that is refused
 * @function: its exported name, which is kept
 * @code:     what is documented for it
 * @why:      for the log, and the first time for the user
 * Return: @code, or what is said of every function first (the driver is not initialised). */
CUresult pl_cuda_refuse(const char *function, CUresult code, const char *why);

/* A program looked for a function that there is not, with cuGetProcAddress(); for the log. */
void pl_cuda_lacks(const char *function, int version);

#endif
