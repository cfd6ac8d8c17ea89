/*
 * Which compute capability a reference GPU claims where nobody says: ADR 0026.
 *
 * It takes PTX alone, and cuBLAS and cuDNN have PTX for the devices that they do not know: a process in which they are
 * loaded is told a capability that is newer than all.  Others are told the newest that compilers at run time know.
 */
#ifndef PL_CUDA_CLAIM_H
#define PL_CUDA_CLAIM_H

#define PL_CUDA_REFERENCE_NAME "Plenum reference GPU"
#define PL_CUDA_CLAIM          121 /* 10 * major + minor */
#define PL_CUDA_CLAIM_UNKNOWN  130

/** pl_cuda_claim() - any thread
 * Return: PL_CUDA_CLAIM_UNKNOWN where one of those libraries was loaded when this was first called, else PL_CUDA_CLAIM;
 * the same in all later calls. */
unsigned int pl_cuda_claim(void);

#endif
