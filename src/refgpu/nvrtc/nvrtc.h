/*
 * libnvrtc.so.N for programs on the reference GPU: `plenum refgpu run` and `plenum run` put it in front of NVIDIA's,
 * which it looks for in the rest of the path and hands every call to.  A program that asks for the machine code of the
 * GPU it found (sm_90) gets PTX of it (compute_90) instead, which is what the reference GPU takes, unless all devices
 * that the program sees are hardware.  Any thread.
 */
#ifndef PL_REFGPU_NVRTC_NVRTC_H
#define PL_REFGPU_NVRTC_NVRTC_H

#include <stdbool.h>
#include <stddef.h>

#define PL_RTC_OPTIONS_MAX 4096              /* of one compilation */
#define PL_RTC_MARK        "nvrtcPlenumMark" /* a symbol that only this library has */

/* The values of nvrtcResult that are answered here. */
enum {
	PL_RTC_SUCCESS = 0,
	PL_RTC_ERROR_OUT_OF_MEMORY = 1,
	PL_RTC_ERROR_INVALID_INPUT = 3,
	PL_RTC_ERROR_INTERNAL = 11,
};

struct pl_rtc_options {
	const char **list; /* as many as were given; what was rewritten lies in `made` */
	char **made;
	int n, made_n;
};

/** pl_rtc_options_rewrite() - sm_NN becomes compute_NN, wherever an architecture is named
 * @newest: the newest that the compiler knows: what asks for a newer one gets this; 0 = not known
 * @out: set on success; release with pl_rtc_options_fini(); made_n says whether anything was rewritten
 * Return: 0, or fatal -EINVAL (a negative count, or one beyond PL_RTC_OPTIONS_MAX), -ENOMEM. */
int pl_rtc_options_rewrite(struct pl_rtc_options *out, int n, const char *const *options, int newest);
void pl_rtc_options_fini(struct pl_rtc_options *options);

/* The program sees devices and none is a reference GPU.  Asks the CUDA driver, once, and initialises it. */
bool pl_rtc_hardware_alone(void);

/* Which programs were compiled for another architecture than was asked for.  false: no memory. */
bool pl_rtc_program_note(const void *program, bool rewritten);
bool pl_rtc_program_rewritten(const void *program);

/* A function of NVIDIA's library; NULL: it has none, or is not there, which is said on stderr once. */
void *pl_rtc_symbol(const char *name);

/** pl_rtc_find() - a library of this name that is not this one
 * @name:     "libnvrtc.so.13"
 * @told:     a file or folder to be taken before all others, or NULL
 * @path_out: PATH_MAX bytes
 * Return: false = there is none */
bool pl_rtc_find(const char *name, const char *told, char *path_out);

#endif
