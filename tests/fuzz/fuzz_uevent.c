/* SPDX-License-Identifier: Apache-2.0 */
/* What comes by a socket that any program may send to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netns/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uevent event;
	/* A copy of its very size, so that a byte too many is seen. */
	char *message = malloc(size ? size : 1);

	if (size)
		memcpy(message, data, size);
	uevent_read(message, size, &event);
	free(message);
	if (event.kind > UEVENT_ELSEWHERE ||
	    !memchr(event.interface, '\0', sizeof(event.interface)))
		abort();
	if ((event.kind == UEVENT_NONE) != (event.interface[0] == '\0') ||
	    strchr(event.interface, '/'))
		abort();
	return 0;
}
