/*
 * Sessions that are written to a file and go on in another worker (server/checkpoint.h).  The calls that made what a
 * session has are said again there, through the same handlers; what they would allocate with cuMemAlloc() is promised
 * to them instead, at the address that it had, and its content comes from the file (swap-save.h).  What no call brings
 * back is content, too: variables of modules, arrays, host memory of the driver's.
 */
#ifndef PL_BACKEND_CUDA_CHECKPOINT_H
#define PL_BACKEND_CUDA_CHECKPOINT_H

#include "backend/cuda/session.h"
#include "server/checkpoint-file.h"
#include "server/checkpoint.h"

extern const struct pl_checkpoint_ops pl_cuda_checkpoint_ops;

/* pl_backend_ops.call: where calls are noted, with all that no object's table tells of them. */
void pl_cuda_checkpoint_call(struct pl_serve *serve);

/*
 * What is no id gets a value of its own for the journal: a map begins where its reservation does, and textures are
 * numbers that may be any.
 */
#define PL_CUDA_VALUE_MAP     (6ull << 61) /* | address */
#define PL_CUDA_VALUE_ACCESS  (5ull << 61) /* to what begins at the address */
#define PL_CUDA_VALUE_TEXTURE (9ull << 60) /* | its lower bits; surfaces as well */
#define PL_CUDA_VALUE_BITS    ((1ull << 60) - 1)

/* ---- checkpoint-rules.c ---- */

enum pl_checkpoint_records pl_cuda_checkpoint_records(uint16_t op);
uint32_t pl_cuda_checkpoint_key(uint16_t op, const uint64_t *words, uint32_t count,
				uint64_t key_out[PL_JOURNAL_KEY_MAX]);
bool pl_cuda_checkpoint_payload(uint16_t op);
bool pl_cuda_checkpoint_changes(uint16_t op);
/* It looks at memory that its body names: something has to be there. */
bool pl_cuda_checkpoint_looks(uint16_t op);
/* The call at hand, which has succeeded, has made or ended what the tables of objects and memory do not tell. */
void pl_cuda_checkpoint_called(struct pl_serve *serve);

/* ---- checkpoint.c, for handlers whose call is said again ---- */

/* Memory of cuMemAlloc() is not made but promised, where it was.  Return: and answered for. */
bool pl_cuda_promised(struct pl_serve *serve);
/* Return: the address was promised to a call that is said again, and is not any more. */
bool pl_cuda_promise_ends(struct pl_cuda_session *session, uint64_t address);
/* The first word of the answer that the call had; 0: it is no such call. */
uint64_t pl_cuda_again_address(const struct pl_cuda_session *session);

/* ---- image.c, host.c, mark.c: their parts of the file ---- */

int pl_cuda_images_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_images_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
/* Some image that the session was ever sent has kernels that allocate memory, which outlives its module. */
bool pl_cuda_images_use_heap(struct pl_cuda_session *session);
int pl_cuda_hosts_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_hosts_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_marks_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_marks_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);

/* ---- checkpoint-group.c: a graph and all that is done to it are said again, or nothing of that ---- */

uint64_t pl_cuda_checkpoint_group(struct pl_session_worker *worker);
/* Around a call that is noted. */
void pl_cuda_group_begin(struct pl_serve *serve);
void pl_cuda_group_end(struct pl_serve *serve);
int pl_cuda_groups_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_groups_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);

/* ---- numbers.c: textures and surfaces get the numbers that they had ---- */

int pl_cuda_numbers_load(struct pl_journal *journal);
bool pl_cuda_numbered(uint16_t op);
/* Makes the call at hand, which is said again. */
void pl_cuda_number_again(struct pl_serve *serve);

/* ---- checkpoint-hindrance.c ---- */

const char *pl_cuda_checkpoint_hindrance(struct pl_session_worker *worker);

/* ---- checkpoint-state.c: what the tables say, for who looks whether all came back ---- */

int pl_cuda_state_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
/* Behind the calls. */
int pl_cuda_state_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);

/* ---- checkpoint-content.c: host memory, arrays, events ---- */

/* Why some array's content can not be saved; NULL: it can. */
const char *pl_cuda_arrays_why(struct pl_cuda_session *session);
int pl_cuda_content_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_content_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);

/* ---- variable.c: variables of modules and libraries ---- */

/* Return: all of them can be found. */
bool pl_cuda_variables_known(struct pl_cuda_session *session);
int pl_cuda_variables_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file);
int pl_cuda_variables_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file);

/* ---- image-names.c ---- */

struct pl_cuda_names {
	char **at; /* each once, sorted; owned */
	size_t count, room;
	bool unknown; /* some of the image's parts are of a kind that is not read here */
	bool heap;    /* its kernels may allocate memory themselves */
};

/* What may be the name of a variable.  Return: 0, or fatal -ENOMEM. */
int pl_cuda_image_names(const void *image, struct pl_cuda_names *names_out);
void pl_cuda_names_fini(struct pl_cuda_names *names);

/* ---- helpers ---- */

/* A context becomes the thread's; it is popped afterwards.  Return: it is there. */
bool pl_cuda_context_push(struct pl_cuda_session *session, uint64_t context);
void pl_cuda_context_pop(void);

#endif
