/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * NVML's calls and messages as they travel.  For each record R: the structure, its encoded size
 * R_bytes(), the encoder R_put() (into room of exactly that size) and the decoder R_get()
 * (sticky-fatal; ask pl_dec_whole() afterwards; what it sets is borrowed from the record).
 */
#ifndef PL_NVML_WIRE_H
#define PL_NVML_WIRE_H

#include <stdint.h>
#include <string.h>

#include "wire/codec.h"
#include "wire/functions.h"

/* What the peers agree on: every function that travels, its number and its layout. */
#define PL_NVML_API_HASH 0xd40ac578dd7d23a6u
extern const struct pl_functions pl_nvml_functions;

#define PL_NVML_LIMIT_TEXT_MAX 4096u
#define PL_NVML_LIMIT_LIST_MAX 64u

enum pl_nvml_object_kind {
	PL_NVML_KIND_device = 1,
};

enum pl_nvml_op {
	PL_NVML_OP_nvmlInit_v2 = 1,
	PL_NVML_OP_nvmlSystemGetDriverVersion = 2,
	PL_NVML_OP_nvmlDeviceGetCount_v2 = 3,
	PL_NVML_OP_nvmlDeviceGetMemoryInfo_v2 = 4,
	PL_NVML_OP_nvmlDeviceGetComputeRunningProcesses_v3 = 5,
	PL_NVML_OP_nvmlDeviceSetPowerManagementLimit = 6,
	PL_NVML_OP_COUNT = 7, /* numbers in between may be unused */
};

/* Of an op; "?" for a number that the spec does not have. */
const char *pl_nvml_op_name(uint16_t op);
/* "local", "post", "mint", "ask", "info", "reverse", "absent" */
const char *pl_nvml_op_class(uint16_t op);
/* A moved session says it again: "makes": if it made or ended something; "record": if it succeeded, as it changes
 * something that is there; "none": never */
const char *pl_nvml_op_replays(uint16_t op);
/* The same: 0 = none, 1 = makes, 2 = record. */
int pl_nvml_op_records(uint16_t op);
/* Which word of a call's fields, from 1, names the stream that it goes into; 0 = none.  *per_thread_out: the same of
 * the flag that its default is the thread's own; 0 = it is not known. */
uint32_t pl_nvml_op_stream(uint16_t op, uint32_t *per_thread_out);
/* The op of a name, 0 = none. */
uint16_t pl_nvml_op_find(const char *name);

/* nvmlMemory_v2_t */
#define PL_NVML_WORDS_memory_v2 5u
struct pl_nvml_memory_v2_record {
	uint32_t version;
	uint64_t total;
	uint64_t reserved;
	uint64_t free;
	uint64_t used;
};

static inline void pl_nvml_memory_v2_record_put(struct pl_enc *to,
						const struct pl_nvml_memory_v2_record *from)
{
	pl_enc_u64(to, from->version);
	pl_enc_u64(to, from->total);
	pl_enc_u64(to, from->reserved);
	pl_enc_u64(to, from->free);
	pl_enc_u64(to, from->used);
}

static inline void pl_nvml_memory_v2_record_get(struct pl_dec *dec,
						struct pl_nvml_memory_v2_record *to)
{
	to->version = pl_dec_u32(dec);
	to->total = pl_dec_u64(dec);
	to->reserved = pl_dec_u64(dec);
	to->free = pl_dec_u64(dec);
	to->used = pl_dec_u64(dec);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_nvml_memory_v2_record_at(struct pl_u64s words, uint64_t i, struct pl_nvml_memory_v2_record *to)
{
	const uint64_t *at = words.at + i * PL_NVML_WORDS_memory_v2;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_NVML_WORDS_memory_v2) };

	pl_nvml_memory_v2_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* nvmlProcessInfo_t */
#define PL_NVML_WORDS_process 4u
struct pl_nvml_process_record {
	uint32_t pid;
	uint64_t usedGpuMemory;
	uint32_t gpuInstanceId;
	uint32_t computeInstanceId;
};

static inline void pl_nvml_process_record_put(struct pl_enc *to,
					      const struct pl_nvml_process_record *from)
{
	pl_enc_u64(to, from->pid);
	pl_enc_u64(to, from->usedGpuMemory);
	pl_enc_u64(to, from->gpuInstanceId);
	pl_enc_u64(to, from->computeInstanceId);
}

static inline void pl_nvml_process_record_get(struct pl_dec *dec, struct pl_nvml_process_record *to)
{
	to->pid = pl_dec_u32(dec);
	to->usedGpuMemory = pl_dec_u64(dec);
	to->gpuInstanceId = pl_dec_u32(dec);
	to->computeInstanceId = pl_dec_u32(dec);
}

/* The i-th of an array; false: a member of it breaks its type. */
static inline bool pl_nvml_process_record_at(struct pl_u64s words, uint64_t i, struct pl_nvml_process_record *to)
{
	const uint64_t *at = words.at + i * PL_NVML_WORDS_process;
	struct pl_dec dec = { .at = (const uint8_t *)at, .end = (const uint8_t *)(at + PL_NVML_WORDS_process) };

	pl_nvml_process_record_get(&dec, to);
	return pl_dec_whole(&dec);
}

/* nvmlSystemGetDriverVersion (ask) */
struct pl_nvml_nvmlSystemGetDriverVersion_args {
	uint32_t room;
};

static inline uint64_t pl_nvml_nvmlSystemGetDriverVersion_bytes(
	const struct pl_nvml_nvmlSystemGetDriverVersion_args *from)
{
	(void)from;
	return 8;
}

static inline void pl_nvml_nvmlSystemGetDriverVersion_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlSystemGetDriverVersion_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->room);
	*enc = to;
}

void pl_nvml_nvmlSystemGetDriverVersion_get(struct pl_dec *dec,
					    struct pl_nvml_nvmlSystemGetDriverVersion_args *to);

struct pl_nvml_nvmlSystemGetDriverVersion_reply {
	struct pl_bytes version; /* at most TEXT_MAX */
};

static inline uint64_t pl_nvml_nvmlSystemGetDriverVersion_reply_bytes(
	const struct pl_nvml_nvmlSystemGetDriverVersion_reply *from)
{
	return pl_size_array(from->version.bytes, 1);
}

static inline void pl_nvml_nvmlSystemGetDriverVersion_reply_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlSystemGetDriverVersion_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_array(&to, from->version.at, from->version.bytes, 1);
	*enc = to;
}

void pl_nvml_nvmlSystemGetDriverVersion_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlSystemGetDriverVersion_reply *to);

/* nvmlDeviceGetCount_v2 (ask) */
struct pl_nvml_nvmlDeviceGetCount_v2_args {
	uint64_t nothing; /* has no fields and does not travel */
};

static inline uint64_t pl_nvml_nvmlDeviceGetCount_v2_bytes(
	const struct pl_nvml_nvmlDeviceGetCount_v2_args *from)
{
	(void)from;
	return 0;
}

static inline void pl_nvml_nvmlDeviceGetCount_v2_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlDeviceGetCount_v2_args *from)
{
	(void)enc;
	(void)from;
}

void pl_nvml_nvmlDeviceGetCount_v2_get(struct pl_dec *dec,
				       struct pl_nvml_nvmlDeviceGetCount_v2_args *to);

struct pl_nvml_nvmlDeviceGetCount_v2_reply {
	uint32_t count;
};

static inline uint64_t pl_nvml_nvmlDeviceGetCount_v2_reply_bytes(
	const struct pl_nvml_nvmlDeviceGetCount_v2_reply *from)
{
	(void)from;
	return 8;
}

static inline void pl_nvml_nvmlDeviceGetCount_v2_reply_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlDeviceGetCount_v2_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->count);
	*enc = to;
}

void pl_nvml_nvmlDeviceGetCount_v2_reply_get(struct pl_dec *dec,
					     struct pl_nvml_nvmlDeviceGetCount_v2_reply *to);

/* nvmlDeviceGetMemoryInfo_v2 (ask) */
struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args {
	uint64_t device; /* id, device */
	struct pl_nvml_memory_v2_record memory;
};

static inline uint64_t pl_nvml_nvmlDeviceGetMemoryInfo_v2_bytes(
	const struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args *from)
{
	(void)from;
	return 48;
}

static inline void pl_nvml_nvmlDeviceGetMemoryInfo_v2_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->device);
	pl_nvml_memory_v2_record_put(&to, &from->memory);
	*enc = to;
}

void pl_nvml_nvmlDeviceGetMemoryInfo_v2_get(struct pl_dec *dec,
					    struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args *to);

struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply {
	struct pl_nvml_memory_v2_record memory;
};

static inline uint64_t pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_bytes(
	const struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply *from)
{
	(void)from;
	return 40;
}

static inline void pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_nvml_memory_v2_record_put(&to, &from->memory);
	*enc = to;
}

void pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply *to);

/* nvmlDeviceGetComputeRunningProcesses_v3 (ask) */
struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args {
	uint64_t device; /* id, device */
	uint32_t count;
	uint32_t given;
};

static inline uint64_t pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_bytes(
	const struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args *from)
{
	(void)from;
	return 24;
}

static inline void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_put(
	struct pl_enc *enc, const struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->device);
	pl_enc_u64(&to, from->count);
	pl_enc_u64(&to, from->given);
	*enc = to;
}

void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args *to);

struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply {
	uint32_t count;
	struct pl_u64s infos; /* records, process; at most LIST_MAX */
};

static inline uint64_t pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_bytes(
	const struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply *from)
{
	return 8 + pl_size_array(from->infos.count, 8);
}

static inline void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_put(
	struct pl_enc *enc,
	const struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply *from)
{
	struct pl_enc to = *enc; /* stays in a register: nobody else can point at it */

	pl_enc_u64(&to, from->count);
	pl_enc_array(&to, from->infos.at, from->infos.count, 8);
	*enc = to;
}

void pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_get(
	struct pl_dec *dec, struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply *to);

#endif
