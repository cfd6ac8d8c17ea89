/* What the two halves of test-backend share: one session, objects with fixed ids. */
#ifndef PL_TEST_OPENCL_BACKEND_CASES_H
#define PL_TEST_OPENCL_BACKEND_CASES_H

#include "backend-peer.h"

#define NONE     UINT64_MAX
#define IDS(...) ((struct pl_u64s){ (uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8 })

enum { CTX = 100, QUEUE, BUFFER, DIRECT, PROGRAM, KERNEL, BIG, IMAGE, QUEUE2, EVENT_FIRST = 1000 };

extern struct peer peer;
extern struct peer_lane lane;
extern uint64_t platform, device, next_event;
extern bool arena;

/* Value of a query. */
void info_text(uint32_t function, uint64_t object, uint32_t param, char *text, size_t room);
/* Blocking read. */
void read_back(uint64_t queue, uint64_t mem, uint64_t offset, void *to, uint64_t size);

/* backend-programs.c, in the order in which they run */
void program_build(void);
void test_kernels_are_described(void);
void test_launch(void);
void test_handles_of_the_wrong_kind_stay_out_of_the_driver(void);
void test_described_parameters_are_our_secret(void);
void test_printed_text_comes_before_the_reply(void);
void test_include_files(void);
void test_binaries(void);
void test_shared_virtual_memory(void);

/* backend-follow.c: posts whose payload follows them */
void test_posted_write_takes_what_follows(uint64_t queue);
void test_other_lanes_see_the_order_of_the_calls(void);
void test_payload_of_a_command_that_waits_is_taken(void);
void test_unmap_takes_what_follows(void);
void test_storage_of_an_idle_queue(void);
void test_payload_that_never_comes_stops_nobody_else(void);

#endif
