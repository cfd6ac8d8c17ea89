/*
 * Memory objects: their notes, the storage that some of them share with the client, and maps.
 *
 * A note lives until the driver has let go of its object (the driver's own destructor callback says so): a call that
 * has retained the object may use the note's constant fields without the turn.
 */
#ifndef PL_BACKEND_OPENCL_MEM_H
#define PL_BACKEND_OPENCL_MEM_H

#include "backend/opencl/session.h"

struct pl_cl_mem_note {
	struct pl_cl_job gone; /* first; plMemGone, and the end of the note */
	struct pl_cl_session *session;
	uint64_t id;              /* constant from here ... */
	uint64_t charged_bytes;   /* of PL_QUOTA_MEMORY */
	uint64_t bytes;           /* of a buffer */
	uint64_t element_bytes;   /* of an image; 0 = a buffer or pipe */
	uint32_t type;            /* of an image: cl_mem_object_type */
	uint64_t extent[3];       /* of an image, as regions are counted */
	uint8_t *store;           /* host memory that the object uses in place, or NULL */
	struct pl_cl_svm_block *svm; /* a reference: the shared virtual memory that it lies in, or NULL */
	uint64_t store_own_bytes; /* != 0: `store` is ours, to be unmapped */
	bool store_shared;        /* ... to here: `store` lies in the arena */
	_Atomic bool watched;     /* the client wants plMemGone */
	struct pl_cl_map *maps;   /* under map.c's lock */
};

/* A map command, until its unmap. */
struct pl_cl_map {
	_Atomic uint32_t refs; /* the object's list, calls and pending reads */
	struct pl_cl_map *next;
	uint64_t number;          /* that the client gave it */
	cl_event event;           /* of the map command; retained */
	uint8_t *at;              /* where the driver mapped it */
	bool busy;                /* a call sends from it: unmap waits; under map.c's lock */
	bool moves_out, moves_in; /* contents go to the client when mapped, come back when unmapped */
	/* Layout: rows of row_bytes, at two pairs of pitches.  A buffer is one row. */
	uint64_t row_bytes, rows, slices;
	uint64_t driver_row, driver_slice;
	uint64_t client_row, client_slice;
	uint64_t client_bytes; /* of the whole in the client's layout */
};

void pl_cl_map_unref(struct pl_cl_session *session, struct pl_cl_map *map); /* NULL is fine */
/* Copies between the driver's mapping and the client's layout. */
void pl_cl_map_out(const struct pl_cl_map *map, uint8_t *client);
void pl_cl_map_in(const struct pl_cl_map *map, const uint8_t *client);

/* Whether the region lies in the image.  Drivers have been seen to miss sums that overflow. */
bool pl_cl_image_holds(const struct pl_cl_mem_note *note, const uint64_t *origin, const uint64_t *region);

/* Bytes of one element of an image format; 0 = not known. */
uint64_t pl_cl_element_bytes(uint32_t channel_order, uint32_t channel_type);

/** pl_cl_mem_enter() - a new memory object into the table; takes note and object over in any case
 * Return: CL_SUCCESS or the code to answer with. */
int32_t pl_cl_mem_enter(struct pl_cl_mem_note *note, cl_mem mem);
/* Return: NULL = no memory. */
struct pl_cl_mem_note *pl_cl_mem_note_new(struct pl_cl_session *session, uint64_t id);
/* Ends a note that no object got. */
void pl_cl_mem_note_drop(struct pl_cl_mem_note *note);

/* Multiplication and addition that stick at UINT64_MAX. */
static inline uint64_t pl_cl_times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static inline uint64_t pl_cl_plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

#endif
