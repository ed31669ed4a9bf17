/* SPDX-License-Identifier: Apache-2.0 */
/* Running the OCI runtime's `create`, with the container's standard streams in our hands. */
#ifndef BERTH_RUNTIME_MONITOR_CREATE_H
#define BERTH_RUNTIME_MONITOR_CREATE_H

#include <sys/types.h>

#include "options.h"

/* Ends of the container's streams that we keep. */
struct streams {
	int out; /* read end of its stdout */
	int err;
	int in; /* write end of its stdin, -1: it reads /dev/null */
};

/* Unmounts the version 2 hierarchy of a hybrid host, for this process and its children alone. 0 or
 * -errno. */
int hide_unified(void);

/*
 * Runs `<runtime> create` to its end. 0 and the process (our child, as we are the subreaper), or
 * -errno and why, as the runtime's log says it, in `reason` (several lines of JSON perhaps, or
 * plain text).
 */
int create_container(const struct options *options, int state_fd, struct streams *streams,
		     pid_t *ret_pid, char *reason, size_t reason_size);

#endif
