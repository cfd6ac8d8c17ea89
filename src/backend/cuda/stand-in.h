/* Addresses of memory whose content is not there yet, while a session comes out of a file.  One thread. */
#ifndef PL_BACKEND_CUDA_STAND_IN_H
#define PL_BACKEND_CUDA_STAND_IN_H

#include "backend/cuda/checkpoint.h"

/* All that the session has of movable memory. */
int pl_cuda_stand_ins_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
/* Nobody else gets those addresses.  Return: 0; -EADDRINUSE: somebody has; other fatal. */
int pl_cuda_stand_ins_load(struct pl_checkpoint_file *file);
/* Memory that was there once, of the current context's device: what names it may live longer. */
void pl_cuda_stand_in_add(uint64_t address, uint64_t bytes);
/* From now on there is something at all of these addresses, as far as the device has room for that. */
void pl_cuda_stand_ins_map(void);
/* All of it goes, so that the memory itself can come. */
void pl_cuda_stand_ins_end(void);

#endif
