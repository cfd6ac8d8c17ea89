/*
 * The two-sided error convention of the whole project: 0 is success, <0 is fatal and is forwarded unchanged,
 * >0 is a documented result that the caller handles.  A fatal error is logged once, where it is born.
 */
#ifndef PL_BASE_ERR_H
#define PL_BASE_ERR_H

#include <errno.h>

#include "base/log.h"

/* Birth of a fatal error: logs file, line and the errno's name at debug level and gives the code back. */
#define pl_err(code) pl_err_at((code), __FILE__, __LINE__)
/* A fatal error passes through: costs nothing, marks the place for the reader. */
#define pl_trace(code) (code)
/* A result >0 that the caller can not handle becomes fatal. */
#define pl_fold(code) ((code) > 0 ? pl_err(-EPROTO) : (code))

int pl_err_at(int code, const char *file, int line);

#endif
