/*
 * The command line tool.  Every command is one function with main()'s arguments, argv[0] being the verb; it returns the
 * exit status: 0, 1 = it did not work (said on stderr), 2 = wrong usage.  Results go to stdout, all else to stderr.
 */
#ifndef PL_TOOLS_TOOL_H
#define PL_TOOLS_TOOL_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "link/link.h"

#ifndef PL_VERSION /* given by the build */
#define PL_VERSION "0.0.0"
#endif

#define PL_TOOL_SERVERS_MAX 16 /* limit: --server; the client's own list is no longer */

struct pl_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

extern const struct pl_command pl_commands[]; /* ends with name == NULL */

int pl_cmd_serve(int argc, char **argv);
int pl_cmd_run(int argc, char **argv);
int pl_cmd_devices(int argc, char **argv);
int pl_cmd_ps(int argc, char **argv);
int pl_cmd_stats(int argc, char **argv);
int pl_cmd_top(int argc, char **argv);
int pl_cmd_metrics(int argc, char **argv);
int pl_cmd_limit(int argc, char **argv);
int pl_cmd_suspend(int argc, char **argv);
int pl_cmd_checkpoint(int argc, char **argv);
int pl_cmd_restore(int argc, char **argv);
int pl_cmd_resume(int argc, char **argv);
int pl_cmd_drain(int argc, char **argv);
int pl_cmd_trace(int argc, char **argv);
int pl_cmd_doctor(int argc, char **argv);
int pl_cmd_vm(int argc, char **argv);
int pl_cmd_refgpu(int argc, char **argv);
int pl_cmd_bench(int argc, char **argv);
int pl_cmd_version(int argc, char **argv);

/* argp_parse() under the name "plenum VERB"; ends the process on wrong usage (2) and after --help (0). */
void pl_tool_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

/* For argp parsers: a number, or a size with K, M, G or T (powers of 1024); argp_error() when it is none. */
uint64_t pl_tool_number(struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max);
uint64_t pl_tool_size(struct argp_state *state, const char *option, const char *text);
/* 1536 -> "1.5K"; `room` has 16 bytes or more.  Return: room. */
const char *pl_tool_size_text(uint64_t bytes, char *room, size_t size);

/* ---- env.c: what makes a program use Plenum ---- */

struct pl_tool_servers {            /* --server, in order; borrowed */
	const char *at[PL_TOOL_SERVERS_MAX];
	uint32_t count;
};

void pl_tool_servers_add(struct argp_state *state, struct pl_tool_servers *servers, const char *address);
/** pl_tool_session_parse() - for a command's parser: `--server' (key 's') and the one SESSION that it is about
 * Ends the process on wrong usage.  Return: it was one of these keys. */
bool pl_tool_session_parse(int key, const char *text, struct argp_state *state, struct pl_tool_servers *servers,
		      uint64_t *session_io);

/* The unix socket of a server that is there, else where it would be. */
void pl_tool_server_default(char address_out[PL_LINK_ADDRESS_MAX]);
/* The first of --server, $PLENUM, the default. */
void pl_tool_server_first(const struct pl_tool_servers *servers, char address_out[PL_LINK_ADDRESS_MAX]);

/** pl_tool_icd_find() - plenum.icd: $PLENUM_ICD_DIR, beside this program (build tree, installation), compiled in
 * @path_out: PATH_MAX bytes
 * Return: 0, or -ENOENT. */
int pl_tool_icd_find(char *path_out);
/** pl_tool_icd_library() - what an .icd file names
 * @library_out: PATH_MAX bytes.  Return: 0, or -errno. */
int pl_tool_icd_library(const char *icd_path, char *library_out);
/** pl_tool_guest_find() - the folder of a guest's init: $PLENUM_GUEST_DIR, beside this program, compiled in
 * @path_out: PATH_MAX bytes.  Return: 0, or -ENOENT. */
int pl_tool_guest_find(char *path_out);

/** pl_tool_env_set() - PLENUM and OCL_ICD_VENDORS in our own environment
 * @keep_local: local drivers stay visible besides
 * Return: 0, or -errno, said on stderr. */
int pl_tool_env_set(const struct pl_tool_servers *servers, bool keep_local);

/* Runs the program; returns only when it can not: 126 or 127, said on stderr. */
int pl_tool_exec(char **argv);

/* ---- ask.c: talking to a daemon's control socket ---- */

struct json_object;

/** pl_tool_ask() - one request, one answer
 * @request:    JSON text
 * @answer_out: to be json_object_put()
 * @why_out:    512 bytes, set on failure
 * Return: 0 and an answer that says "ok"; -errno. */
int pl_tool_ask(const char *address, const char *request, struct json_object **answer_out, char *why_out);

/* ---- cuda.c: drivers of CUDA.  folder_out: PATH_MAX bytes.  Return: found. ---- */

bool pl_tool_refgpu_find(char *folder_out);      /* the folder of the reference GPU's driver */
bool pl_tool_cuda_client_find(char *folder_out); /* of the library that programs get */
/* What a server loads: what was told ("refgpu" names the reference GPU's), else hardware's, else the reference GPU's.
 * NULL: there is none. */
const char *pl_tool_cuda_driver(const char *told);
/* The same of NVML: where nothing is told, that of the CUDA driver (NULL: there is none). */
const char *pl_tool_nvml_library(const char *told, const char *cuda_driver);
/* What programs see of CUDA's devices, in their order: a list of objects, maybe empty (devices-cuda.c). */
struct json_object *pl_tool_cuda_devices(bool native);
/* The folders of the libraries that programs get come first in LD_LIBRARY_PATH.  Return: 0; -errno. */
int pl_tool_libraries_set(void);
/* The same as a variable for another environment than ours, to be freed; NULL: there are none. */
char *pl_tool_libraries_variable(void);
/* In front of them, or of a driver's own that is told as for pl_tool_cuda_driver(), comes the one that writes each call
 * down.  Return: 0; -errno. */
int pl_tool_libraries_trace(const char *driver);

/* ---- what the server serves ---- */

struct pl_backend_ops;
const struct pl_backend_ops *pl_tool_backend(void);      /* OpenCL */
const struct pl_backend_ops *pl_tool_backend_cuda(void);
const struct pl_backend_ops *pl_tool_backend_nvml(void);

#endif
