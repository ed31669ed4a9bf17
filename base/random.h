/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness from the kernel, good for keys and identifiers. Cannot fail (the process ends if it
 * does). */
#ifndef BERTH_BASE_RANDOM_H
#define BERTH_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define UUID_SIZE 37

void random_bytes(void *out, size_t size);
/* Uniform in [0, 1). */
double random_unit(void);
uint64_t random_u64(void);
/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(uint64_t bound);
/* "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx" and NUL. */
void uuid4(char out[UUID_SIZE]);
/* 2 * size lower-case hex digits and NUL. */
void random_hex(char *out, size_t size);

#endif
