/* SPDX-License-Identifier: Apache-2.0 */
/* Which libcuda.so.1 a program finds: the system's, the reference GPU's, or Plenum's client. */
#include "modes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NVIDIA_CONTROL "/dev/nvidiactl" /* exists where NVIDIA's driver runs */

/* Native: the driver named with --driver, else that of the hardware, else the reference GPU. */
int pl_bench_cuda_native(const struct pl_bench_run *run, struct pl_bench_env *env)
{
	const struct pl_bench_config *config = run->config;

	if (config->driver)
		return pl_bench_env_set(env, "LD_LIBRARY_PATH", config->driver);
	if (!access(NVIDIA_CONTROL, F_OK))
		return 0;
	return config->refgpu_dir[0] ? pl_bench_env_set(env, "LD_LIBRARY_PATH", config->refgpu_dir) : -ENOENT;
}

int pl_bench_cuda_client(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	if (run->config->cuda_client_dir[0])
		return pl_bench_env_set(&mode->env, "LD_LIBRARY_PATH", run->config->cuda_client_dir);
	pl_bench_mode_why(run, mode, "Plenum's libcuda.so.1 was not found: build it");
	return -ENOENT;
}

static int native_reach(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	int r = pl_bench_cuda_native(run, &mode->env);

	if (r == -ENOENT)
		pl_bench_mode_why(run, mode,
				  "there is neither NVIDIA's driver nor the reference GPU's libcuda.so.1: "
				  "build it, or name a folder with --driver DIR");
	return r;
}

int pl_bench_cuda_reach(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	if (mode->kind == PL_BENCH_RAW_MODE)
		return 0;
	if (!run->config->cuda_worker_path[0]) {
		pl_bench_mode_why(run, mode, "plenum-bench-cuda was not found beside this program or in $PATH");
		return -ENOENT;
	}
	switch (mode->kind) {
	case PL_BENCH_NATIVE:
		return native_reach(run, mode);
	case PL_BENCH_SHM:
	case PL_BENCH_TCP:
	case PL_BENCH_MTU:
		return pl_bench_server_start(run, mode);
	case PL_BENCH_VM:
		return native_reach(run, mode); /* what the guest's private server uses */
	case PL_BENCH_CUDA_MODE:
		return 0;
	case PL_BENCH_ICD:
		return pl_bench_env_set(&mode->env, "LD_LIBRARY_PATH", mode->icd) ? -ENOMEM : 0;
	case PL_BENCH_REFGPU:
		if (!strcmp(mode->name, "refgpu-1") && pl_bench_env_set(&mode->env, "PLENUM_REFGPU_THREADS", "1"))
			return -ENOMEM;
		if (run->config->refgpu_dir[0])
			return pl_bench_env_set(&mode->env, "LD_LIBRARY_PATH", run->config->refgpu_dir);
		pl_bench_mode_why(run, mode, "the reference GPU's libcuda.so.1 was not found: build it");
		return -ENOENT;
	default:
		pl_bench_mode_why(run, mode, "this mode knows no CUDA");
		return -ENOTSUP;
	}
}

bool pl_bench_is_cuda(const struct pl_bench_run *run)
{
	return run->config->suites & (PL_BENCH_CUDA | PL_BENCH_VMCUDA);
}
