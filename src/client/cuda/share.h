/* Memory that other processes may have. */
#ifndef PL_CLIENT_CUDA_SHARE_H
#define PL_CLIENT_CUDA_SHARE_H

/* In the flags of device memory: there is a handle for it.  When it is freed it goes back to the driver at once. */
#define PL_CUDA_MEMORY_EXPORTED 1u

#endif
