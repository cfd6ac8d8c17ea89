/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the parts of a program, and of the processes of a server. */
#ifndef PL_BENCH_PARTS_H
#define PL_BENCH_PARTS_H

#include "harness.h"

#define PL_BENCH_BLOCK_VARIABLE "PLENUM_BLOCK_BYTES" /* block size of pageable copies, read by Plenum's client */

/** pl_bench_part_value() - a key of parts.c out of what a program said
 * @server_s: processor seconds of the server meanwhile, or -1
 * Return: false when it cannot be told. */
bool pl_bench_part_value(const struct pl_bench_answer *answer, double server_s, const char *key, double *value_out);

/** pl_bench_tree_seconds() - processor seconds of a process, of its living descendants, and of those they waited for
 * Return: -1 when there is no such process. */
double pl_bench_tree_seconds(pid_t root);

#endif
