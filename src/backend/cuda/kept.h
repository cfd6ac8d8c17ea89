/* What the session keeps so that it can be written down (checkpoint.h), and the tables of objects tell of it.  All of
 * this is under the turn, or while nobody is inside. */
#ifndef PL_BACKEND_CUDA_KEPT_H
#define PL_BACKEND_CUDA_KEPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda-wire.h"
#include "server/handles.h"
#include "server/journal.h"

struct pl_cuda_session;

struct pl_cuda_kept {
	const struct pl_journal_record *again; /* the call that is said again; NULL: the client's own are made */
	_Atomic bool loads;                    /* they are said again: nobody is told of anything */
	struct pl_handles promised;            /* by address: memory that such calls have been given */
	struct pl_handles sources;             /* by the id of a module or library: its image */
	struct pl_handles groups;              /* by the id of a graph or a node: checkpoint-group.c */
	_Atomic uint64_t groups_made;
	uint64_t capture;        /* group of what is captured */
	uint64_t host_next;      /* where host memory for the device is put next: host.c */
	_Atomic bool exchanges;  /* something was given to other programs, or taken from them */
	_Atomic bool of_threads; /* attributes were set of a stream that is its thread's own */
};

/* ---- image.c, with the turn held: what modules and libraries were loaded from ---- */

void pl_cuda_source_note(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind,
			 const void *image);
void pl_cuda_source_gone(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind);

/* ---- variable.c, with the turn held: libraries' variables have their places in each context from the start ---- */

void pl_cuda_library_place(struct pl_cuda_session *session, uint64_t library);
void pl_cuda_context_fill(struct pl_cuda_session *session, uint64_t context);

/* ---- checkpoint-group.c ---- */

/* A graph or a node got this id, or lost it. */
void pl_cuda_grouped(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind);
void pl_cuda_ungrouped(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind);
/* A capture has begun while there was none. */
void pl_cuda_group_captures(struct pl_cuda_session *session);

#endif
