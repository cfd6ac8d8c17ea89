/*
 * What the reference GPU's driver has beside CUDA's API, for a server that runs it: found by name (dlsym()), as other
 * drivers lack it.
 */
#ifndef PL_CUDA_SHARE_H
#define PL_CUDA_SHARE_H

#include "cuda/api.h"

/** plRefgpuMemoryBack() - the bytes of an allocation lie in memory of the caller's from now on
 * @address: what cuMemAlloc() has just given; what is in it is lost
 * @host: of whole pages; stays there until the allocation is freed
 * Return: CUDA_SUCCESS; else nothing has changed (another kind of memory, check mode, no room for page tables). */
__attribute__((visibility("default"))) CUresult plRefgpuMemoryBack(CUdeviceptr address, void *host, size_t bytes);

/** plRefgpuManagedBack() - the pages of a module's managed variables become the caller's, at the address that they have
 * @address: where they begin; what is in them goes along
 * @host: of a mapping that is shared, of whole pages
 * Nothing may be under way on the device.
 * Return: CUDA_SUCCESS; else nothing has changed (other memory, check mode). */
__attribute__((visibility("default"))) CUresult plRefgpuManagedBack(CUdeviceptr address, void *host, size_t bytes);

/** plRefgpuPlaceBegin() - a copy that the caller makes, into an allocation or out of it, without memory in between
 * @stream: whose next work waits until plRefgpuPlaceEnd(), as behind a copy; nothing of it, or that it follows, is
 * under way.  It is not captured.
 * @address: of memory of cuMemAlloc()'s, in the stream's context
 * @place_out: to be ended, by this thread; the allocation is not freed or moved before, nor does its context end
 * Return: CUDA_SUCCESS; CUDA_ERROR_NOT_READY where something is under way; else it has to be copied in another way. */
struct plRefgpuPlace;
__attribute__((visibility("default"))) CUresult plRefgpuPlaceBegin(CUstream stream, CUdeviceptr address, size_t bytes,
								   struct plRefgpuPlace **place_out);
/* Where its byte `offset` is; *bytes_out: so many follow in one piece, 1 or more, for an offset within it. */
__attribute__((visibility("default"))) void *plRefgpuPlaceAt(const struct plRefgpuPlace *place, size_t offset,
							     size_t *bytes_out);
/* The copy is made, or was given up. */
__attribute__((visibility("default"))) void plRefgpuPlaceEnd(struct plRefgpuPlace *place);

/** plRefgpuIpcFile() - the descriptor that a handle of this process' stands for
 * @handle: 64 bytes of cuIpcGetMemHandle() or cuIpcGetEventHandle()
 * Return: borrowed; -1: it stands for none. */
__attribute__((visibility("default"))) int plRefgpuIpcFile(const void *handle);
/* Changes a handle of another process' so that opening it here takes this descriptor, which stays the caller's. */
__attribute__((visibility("default"))) void plRefgpuIpcGive(void *handle, int fd);

/* All that was put into streams of the current context has ended, and the context has not failed. */
__attribute__((visibility("default"))) int plRefgpuIdle(void);
/* A kernel of the current context has printed what is not out yet: whoever waits for its stream has it printed. */
__attribute__((visibility("default"))) int plRefgpuPrints(void);

/* From now on an address that a copy does not call the host's is none of the host's that the driver does not know: what
 * it knew when the server looked may have ended since. */
__attribute__((visibility("default"))) void plRefgpuKnownOnly(void);

#endif
