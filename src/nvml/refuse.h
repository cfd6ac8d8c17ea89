/*
 * nvml-refused.c, made from spec/nvml.api, defines the functions of NVML that are not carried; each calls this.  The
 * library that links it defines it, once.
 */
#ifndef PL_NVML_REFUSE_H
#define PL_NVML_REFUSE_H

#include "nvml/base.h"

/** pl_nvml_refuse() - a program called a function that is refused
 * @function: its exported name
 * @code:     what is documented for it
 * @why:      for the log
 * Return: @code, or what is said of every function first (the library is not initialised). */
nvmlReturn_t pl_nvml_refuse(const char *function, nvmlReturn_t code, const char *why);

#endif
