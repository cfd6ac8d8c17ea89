/*
 * The file of a checkpoint, as a stream of bytes with a digest at the end.  What has been read counts only once
 * pl_checkpoint_file_good() has said so: until then it may be anything, and whoever reads checks each length.
 * Numbers are little endian, as on the wire.  One thread.
 */
#ifndef PL_SERVER_CHECKPOINT_FILE_H
#define PL_SERVER_CHECKPOINT_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct pl_checkpoint_file;

/** pl_checkpoint_file_create() - over fd, from where that stands; fd stays the caller's */
struct pl_checkpoint_file *pl_checkpoint_file_create(int fd);
void pl_checkpoint_file_destroy(struct pl_checkpoint_file *file); /* NULL is fine */

/* Both with the signature that journals and tables are written and read with; arg: the file.
 * Return: 0; fatal -errno, -EPROTO: the file ends before that. */
int pl_checkpoint_put(void *arg, const void *data, uint64_t bytes);
int pl_checkpoint_get(void *arg, void *data, uint64_t bytes);

static inline int pl_checkpoint_put_u64(void *arg, uint64_t value)
{
	return pl_checkpoint_put(arg, &value, sizeof(value));
}

/* A number of at most `max`; more: -EPROTO. */
int pl_checkpoint_get_u64(void *arg, uint64_t max, uint64_t *value_out);

/** pl_checkpoint_file_end() - the digest, and all of it to the disk
 * Return: 0 or fatal -errno. */
int pl_checkpoint_file_end(struct pl_checkpoint_file *file);
/* All that was written has been read, and is as it was. */
bool pl_checkpoint_file_good(struct pl_checkpoint_file *file);

#endif
