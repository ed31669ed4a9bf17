/* SPDX-License-Identifier: Apache-2.0 */
/* state.json and exit.json of a container, as a monitor left them, perhaps cut off by a full disk.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/container_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct container_state_record state = { .pid = 0 };
	struct container_exit end = { .exit_code = 0 };

	/* A pid that is taken for a process must be one: kill() of 0 or -1 reaches everybody. */
	if (container_state_parse(text, size, &state, NULL) == 0 &&
	    (state.pid <= 0 || state.monitor <= 0 ||
	     !memchr(state.boot_id, '\0', sizeof(state.boot_id))))
		abort();
	if (container_exit_parse(text, size, &end, NULL) == 0 &&
	    (end.exit_code < 0 || end.exit_code > 255 || end.signal < 0 || end.signal > 127))
		abort();
	return 0;
}
