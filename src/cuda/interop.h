/*
 * What the functions for OpenGL, EGL and VDPAU take.  They are exported because programs link them, and always refused:
 * a graphics context is of this machine and the device may be of another.
 */
#ifndef PL_CUDA_INTEROP_H
#define PL_CUDA_INTEROP_H

#include "cuda/base.h"
#include "cuda/texture.h"

typedef enum CUGLDeviceList {
	CU_GL_DEVICE_LIST_ALL = 1,
	CU_GL_DEVICE_LIST_CURRENT_FRAME = 2,
	CU_GL_DEVICE_LIST_NEXT_FRAME = 3,
} CUGLDeviceList;

typedef enum CUGLmap_flags {
	CU_GL_MAP_RESOURCE_FLAGS_NONE = 0,
	CU_GL_MAP_RESOURCE_FLAGS_READ_ONLY = 1,
	CU_GL_MAP_RESOURCE_FLAGS_WRITE_DISCARD = 2,
} CUGLmap_flags;

typedef struct CUeglStreamConnection_st *CUeglStreamConnection;

typedef enum CUeglFrameType {
	CU_EGL_FRAME_TYPE_ARRAY = 0,
	CU_EGL_FRAME_TYPE_PITCH = 1,
} CUeglFrameType;

/* The colour format is a number here: nothing of ours reads it. */
typedef struct CUeglFrame {
	union {
		CUarray pArray[3];
		void *pPitch[3];
	} frame;
	unsigned int width, height, depth, pitch, planeCount, numChannels;
	CUeglFrameType frameType;
	unsigned int eglColorFormat;
	CUarray_format cuFormat;
} CUeglFrame;

#endif
