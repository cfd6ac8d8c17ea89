/* The objects of each kind.  What is not said to be under a lock is set at creation and does not change. */
#ifndef PL_CL_TYPES_H
#define PL_CL_TYPES_H

#include "client/opencl/object.h"
#include "client/opencl/table.h"

struct pl_cl_queue;

/* One server of $PLENUM, with what belongs to the session with it. */
struct pl_cl_server {
	char address[PL_LINK_ADDRESS_MAX];
	struct pl_session *session; /* NULL until first reached */
	struct pl_lock lock;
	struct pl_cl_platform **platforms; /* under lock until listed */
	uint32_t platforms_count;
	bool listed;
	struct pl_cl_table tokens;  /* what the reverse lane's tokens and watched events mean */
	struct pl_cl_table handles; /* addresses of live objects that can be kernel arguments */
	struct pl_lock queues_lock;
	struct pl_cl_queue *queues;    /* under queues_lock */
	_Atomic uint64_t memory_bytes; /* of all buffers, as far as this client knows */
	_Atomic uint32_t state_epoch;  /* epoch that tokens and queues belong to */
	_Atomic uint64_t confirmed;    /* ticket up to which the server is known to have come */
	_Atomic uint64_t ended;	       /* newest id of which an end was heard: what it waited for has ended too */
	_Atomic bool doubt;	       /* a command failed in this session: "the queue is finished" no longer tells
					     * the status of its events */
};

struct pl_cl_platform {
	struct pl_cl_object object;
	uint32_t index;
	struct pl_cl_device **devices; /* all root devices, in the driver's order; under object.lock until listed */
	uint32_t devices_count;
	bool listed;
};

/* What the checks of commands need to know of a device. */
struct pl_cl_device_facts {
	bool known;
	uint64_t alloc_bytes_max, local_bytes, base_align_bytes, group_items_max;
	uint64_t item_sizes_max[3];
	uint32_t dims_max;
	bool images;
};

struct pl_cl_device {
	struct pl_cl_object object;
	struct pl_cl_platform *platform;
	struct pl_cl_device *parent; /* held; NULL = root */
	cl_device_type type;
	bool preloaded;			 /* under object.lock */
	struct pl_cl_device_facts facts; /* under object.lock until known */
	_Atomic int svm;		 /* enum pl_cl_svm_how + 1; 0 = not found out yet */
};

enum pl_cl_direct { PL_CL_DIRECT_UNKNOWN, PL_CL_DIRECT_NO, PL_CL_DIRECT_YES };

struct pl_cl_formats;
struct pl_cl_svm;

struct pl_cl_context {
	struct pl_cl_object object;
	struct pl_cl_platform *platform; /* NULL = unknown */
	struct pl_cl_device **devices;	 /* held */
	uint32_t devices_count;
	cl_context_properties *properties; /* as given, with the closing 0; NULL = none */
	uint32_t properties_count;
	void (*notify)(const char *, const void *, size_t, void *);
	void *notify_data;
	struct pl_cl_callback *destroyed;	    /* under object.lock */
	_Atomic int direct;			    /* enum pl_cl_direct: buffers can lie in the arena */
	uint64_t alloc_bytes_max, base_align_bytes; /* of all devices; 0 = not asked yet */
	struct pl_cl_formats *formats;		    /* under object.lock */
	struct pl_cl_svm *_Atomic svm;		    /* under object.lock; shared virtual memory */
};

struct pl_cl_queue {
	struct pl_cl_object object;
	struct pl_cl_context *context; /* held */
	struct pl_cl_device *device;   /* held */
	_Atomic cl_command_queue_properties properties;
	_Atomic uint64_t posted;	  /* commands sent */
	_Atomic uint64_t done;		  /* of those, how many have surely ended */
	struct pl_cl_queue *next, **link; /* server->queues */
};

struct pl_cl_map;

struct pl_cl_mem {
	struct pl_cl_object object;
	struct pl_cl_context *context; /* held */
	struct pl_cl_mem *parent;      /* held: of a sub-buffer, source of an image; NULL = none */
	struct pl_cl_mem *root;	       /* of a sub-buffer: the buffer; else itself */
	cl_mem_object_type type;
	cl_mem_flags flags; /* as clGetMemObjectInfo tells them */
	size_t size;
	uint64_t counted_bytes; /* in server->memory_bytes */
	size_t origin;		/* in root, bytes */
	void *host_ptr;		/* CL_MEM_USE_HOST_PTR: the application's memory */
	struct pl_cl_adopted *adopted; /* of a root: host_ptr's pages are the store's; NULL = they are not */
	bool svm;		/* host_ptr is shared virtual memory; the store belongs to it */
	uint64_t ticket;	/* the session's when its creation had been sent */
	_Atomic cl_int failed;	/* the server could not make it after all */
	uint64_t store;		/* offset in the arena of contents that the device uses in place, or ~0 */
	cl_image_format format; /* images */
	cl_image_desc desc;
	size_t pixel_bytes;
	/* below: under object.lock of root */
	uint8_t *shadow;	/* where maps lie when there is no store */
	uint64_t shadow_offset; /* in the arena, or ~0 = malloc()ed */
	size_t shadow_bytes;
	struct pl_cl_map *maps; /* of this object (under root's lock) */
	uint32_t maps_count;
	struct pl_cl_callback *destroyed; /* under object.lock */
};

struct pl_cl_sampler {
	struct pl_cl_object object;
	struct pl_cl_context *context; /* held */
};

struct pl_cl_kernels;
struct pl_cl_desc;

struct pl_cl_program {
	struct pl_cl_object object;
	struct pl_cl_context *context; /* held */
	struct pl_cl_device **devices; /* held */
	uint32_t devices_count;
	char *source; /* kept only where it includes other files */
	size_t source_bytes;
	struct pl_cl_kernels *kernels;	 /* under object.lock; NULL = not known (yet) */
	struct pl_cl_callback *released; /* under object.lock */
};

struct pl_cl_arg {
	uint32_t turn; /* kernel->turn when its record was written */
	uint32_t at;   /* of the record in kernel->pending; valid while `turn` is the kernel's */
	uint32_t record_bytes;
	bool set;
};

/* A shape of launch that the driver accepted when it was asked. */
struct pl_cl_shape {
	struct pl_cl_device *device;
	uint32_t dims;
	bool has_local;
	size_t global[3], local[3];
};
#define PL_CL_SHAPES 4

struct pl_cl_kernel {
	struct pl_cl_object object;    /* its lock: pending and what follows, while a launch takes them */
	struct pl_cl_program *program; /* held */
	struct pl_cl_kernels *kernels; /* held; NULL = nothing known, everything is asked */
	struct pl_cl_desc *desc;
	struct pl_cl_arg *args; /* desc->args_count */
	uint32_t unset_count;
	uint32_t turn;	  /* changes with each launch */
	uint8_t *pending; /* records of the arguments set since the last launch */
	uint32_t pending_bytes, pending_room;
	struct pl_cl_shape shapes[PL_CL_SHAPES];
	uint32_t shapes_next;
	struct pl_cl_shape plain; /* of the last launch that was posted; one thread uses a kernel at a time */
};

#define PL_CL_TIMES 5

struct pl_cl_event_callback;

struct pl_cl_event {
	struct pl_cl_object object;
	struct pl_cl_context *context; /* held where there is no queue (user events); else the queue's */
	struct pl_cl_queue *queue;     /* held; NULL = user event */
	cl_command_type type;
	_Atomic cl_int status;	     /* what is known; CL_COMPLETE or negative is final */
	_Atomic uint64_t sequence;   /* in queue->posted; 0 = not sent yet */
	_Atomic uint64_t asked;	     /* server->ended when its status was last asked */
	bool watched, timed;	     /* under object.lock */
	bool last;		     /* of its queue */
	uint64_t times[PL_CL_TIMES]; /* under object.lock; valid when timed */
};

#include "client/opencl/parts.h"

#endif
