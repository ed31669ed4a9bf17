/* SPDX-License-Identifier: Apache-2.0 */
/* Where all of base/random.h comes from: the kernel. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

void random_bytes(void *out, size_t size)
{
	unsigned char *bytes = out;

	while (size > 0) {
		ssize_t got = getrandom(bytes, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			log_critical("the kernel gives no random bytes");
			abort();
		}
		bytes += got;
		size -= (size_t)got;
	}
}
