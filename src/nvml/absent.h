/*
 * nvml-absent.c, made from spec/nvml.api, has a weak definition of every function that asks a device.  A library whose
 * device lacks something leaves that function out; the weak one calls this, which the library defines once.
 */
#ifndef PL_NVML_ABSENT_H
#define PL_NVML_ABSENT_H

#include "nvml/base.h"

/** pl_nvml_absent() - the device does not have what a function asks for
 * @code:    success, or what is wrong with the arguments
 * @handles: how many of @first and @second the function was given
 * Return: not initialised, else @code, else that a handle is none, else not supported. */
nvmlReturn_t pl_nvml_absent(const char *function, int code, unsigned handles, const void *first, const void *second);

#endif
