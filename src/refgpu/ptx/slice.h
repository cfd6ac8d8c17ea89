/*
 * Parts of one PTX text.  Its functions are found without compiling them; then a text with some of them is made, in
 * which everything else (declarations, variables, the number of each line) is as it was.  So a module of hundreds of
 * kernels costs what those cost that are used.
 *
 * Pure computation, any thread.  Texts are hostile: what is not plainly cut is refused, and the whole has to be
 * compiled, which says what is wrong with it.
 */
#ifndef PL_REFGPU_PTX_SLICE_H
#define PL_REFGPU_PTX_SLICE_H

#include <stddef.h>
#include <stdint.h>

#include "ptx.h"

#define PL_PTX_SLICE_FUNCTIONS_MAX (1u << 20) /* of one text */

struct pl_ptx_slices;

/** pl_ptx_slices_create() - find the functions of a text
 * @source: read again, the same, when parts are made; not kept
 * Return: 0; PL_PTX_E_UNSUPPORTED: it cannot be cut (addresses of functions in variables, aliases, variables inside of
 *         functions, braces that do not match); or fatal -ENOMEM. */
int pl_ptx_slices_create(struct pl_ptx_slices **slices_out, const struct pl_ptx_source *source);
void pl_ptx_slices_destroy(struct pl_ptx_slices *slices); /* NULL is fine */

/** pl_ptx_slices_text() - the text with one kernel
 * @name:     a kernel, which comes with all functions that it names, and those name; NULL: all kernels with bodies that
 *            do nothing, which tells their parameters and where variables lie
 * @text_out: ends in 0; free()
 * Return: 0; PL_PTX_E_INVALID: no such kernel; or fatal -ENOMEM. */
int pl_ptx_slices_text(const struct pl_ptx_slices *slices, const struct pl_ptx_source *source, const char *name,
		       char **text_out, size_t *bytes_out);

#endif
