/* Verbs of `plenum refgpu` that have a file of their own.  Each returns the exit status. */
#ifndef PL_TOOLS_REFGPU_H
#define PL_TOOLS_REFGPU_H

#include <stdbool.h>

struct refgpu_arguments {
	const char *verb;
	bool json;
	const char *tools;  /* check: --tool; NULL: all */
	const char *output; /* check: where the report goes; NULL: stderr, or stdout as JSON */
	const char *kernel; /* disasm: only this; NULL: all */
	int error_status;   /* check: --error-exitcode; -1: the program's own */
	char **program;     /* and its arguments; ends with NULL */
};

/* LD_LIBRARY_PATH begins with `folder` from here on.  Return: false, said on stderr. */
bool refgpu_path_set(const char *folder);

/* folder: of the driver's library. */
int refgpu_check(const struct refgpu_arguments *arguments, const char *folder);
int refgpu_disasm(const struct refgpu_arguments *arguments);

#endif
