/*
 * Include files from the client's disk.  The compiler finds them in a private copy of the part of the client's file
 * tree that it needs, in a temporary folder that lives as long as the build.  Paths in the copy are the client's own
 * below the folder "root"; the compiler runs in the copy of the client's current folder, so that what it is told (and
 * what a driver's cache looks at) does not change from session to session.
 *
 * The blob: repeated {u64 path length, path, u64 content length, content}, path and content padded to 8.  The first
 * path is ".", its content the client's current folder.
 */
#ifndef PL_BACKEND_OPENCL_FILES_H
#define PL_BACKEND_OPENCL_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define PL_CL_FILES_MAX       1024u /* limit: files of one build */
#define PL_CL_FILES_DEPTH_MAX 48u   /* limit: folders above a file */
#define PL_CL_FILES_PATH_MAX  4096u /* limit: bytes of a path */

/** pl_cl_files_options() - the options with every -I folder as it is called in the copy
 * @blob:        may be empty: then the folders lead nowhere
 * @options_out: set when something was rewritten; free() it
 * @strip_out:   what stands for the client's "/" in paths that the compiler prints; set and freed with options_out
 * Return: 0; -EINVAL: no such blob or options; -ENOMEM. */
int pl_cl_files_options(const void *blob, uint64_t bytes, const char *options, char **options_out, char **strip_out);

/* A copy that exists.  Only one at a time: it is the process's current folder. */
struct pl_cl_files {
	bool entered;
	int back_fd; /* the folder to return to */
	char folder[128];
};

/** pl_cl_files_enter() - makes the copy and goes into it; waits while another build has one
 * Return: 0, to be followed by pl_cl_files_leave(); -EINVAL: no such blob; other -errno. */
int pl_cl_files_enter(struct pl_cl_files *files, const void *blob, uint64_t bytes);
/* Goes back and removes the copy.  NULL-safe for zeroed files. */
void pl_cl_files_leave(struct pl_cl_files *files);

#endif
