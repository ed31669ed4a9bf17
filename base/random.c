/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

double random_unit(void)
{
	return (double)(random_u64() >> 11) * 0x1p-53;
}

uint64_t random_below(uint64_t bound)
{
	uint64_t reject, value;

	assert(bound > 0);
	/* the lowest 2^64 mod bound values would make some results likelier than others */
	reject = -bound % bound;
	do
		value = random_u64();
	while (value < reject);
	return value % bound;
}

void random_hex(char *out, size_t size)
{
	unsigned char *bytes = xmalloc(size);

	random_bytes(bytes, size);
	hex_encode(bytes, size, out);
	free(bytes);
}

void uuid4(char out[UUID_SIZE])
{
	unsigned char bytes[16];
	char hex[33];
	char *to = out;

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
	hex_encode(bytes, sizeof(bytes), hex);
	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = hex[i];
	}
	*to = '\0';
}
