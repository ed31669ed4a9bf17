/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>

#define PRIME64 UINT64_C(0x100000001b3)
#define PRIME32 UINT32_C(0x01000193)

uint64_t hash64(uint64_t from, const void *bytes, size_t size)
{
	for (const unsigned char *at = bytes; size > 0; at++, size--)
		from = (from ^ *at) * PRIME64;
	return from;
}

uint64_t hash64_text(uint64_t from, const char *text)
{
	return hash64(from, text, strlen(text));
}

uint32_t hash32_text(uint32_t from, const char *text)
{
	for (; *text; text++)
		from = (from ^ (unsigned char)*text) * PRIME32;
	return from;
}
