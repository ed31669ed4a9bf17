/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_HASH_H
#define BERTH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * FNV-1a: the same number for the same bytes on every host and in every version, so names may be
 * made of it. No protection from whoever chooses the bytes: see map.h for a table of such.
 *
 * `from` is where a first part begins, or the hash of the parts before it.
 */
#define HASH64_START UINT64_C(0xcbf29ce484222325)
#define HASH32_START UINT32_C(0x811c9dc5)

uint64_t hash64(uint64_t from, const void *bytes, size_t size);
uint64_t hash64_text(uint64_t from, const char *text);
uint32_t hash32_text(uint32_t from, const char *text);

#endif
