/* What the servers of these tests serve. */
#ifndef PL_TEST_NVML_OPTIONS_H
#define PL_TEST_NVML_OPTIONS_H

#include "backend/nvml/backend.h"
#include "lib/null-backend.h"
#include "server/daemon.h"

/* A server of an NVML alone. */
static inline void nvml_serve(struct pl_daemon_options *options, const char *library)
{
	pl_daemon_options_init(options);
	options->apis[0].backend = &pl_backend_nvml;
	options->apis[0].library = library;
}

/* One that has none. */
static inline void nvml_serve_not(struct pl_daemon_options *options)
{
	pl_daemon_options_init(options);
	options->apis[0].backend = &pl_backend_null;
}

#endif
