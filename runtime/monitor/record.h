/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor writes into its container's state directory:
 *
 *	state.json	from creation on: who the processes are, when it was created and started
 *	exit.json	the end: written whole or not at all, and on the disk before anyone is told
 *
 * container_record.c reads them.
 */
#ifndef BERTH_RUNTIME_MONITOR_RECORD_H
#define BERTH_RUNTIME_MONITOR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text.h"

struct record_state {
	char boot_id[40];
	pid_t monitor;
	uint64_t monitor_start;
	pid_t pid;
	uint64_t pid_start;
	int64_t created_ms;
	int64_t started_ms; /* 0: not yet */
};

struct record_exit {
	int exit_code;
	int signal;
	bool oom_killed;
	int64_t started_ms;
	int64_t finished_ms;
	uint64_t log_bytes_lost;
};

/* Field 22 of /proc/<pid>/stat; 0 when there is no such process. */
uint64_t record_start_time(pid_t pid);
/* At most size - 1 bytes, terminated; their number, or -errno. */
ssize_t record_read_file(int dir_fd, const char *name, char *out, size_t size);

int record_write_state(int dir_fd, const struct record_state *state);
/*
 * Fills in the time of the start, in place: needs no new block, so it works on a full disk, and a
 * reader sees the file before or after.
 */
int record_write_started(int dir_fd, int64_t started_ms);

/* Members of the object, without braces. */
void record_add_exit(struct text_line *line, const struct record_exit *exit);
/* tmp, fdatasync, rename. */
int record_write_exit(int dir_fd, const struct record_exit *exit);

#endif
