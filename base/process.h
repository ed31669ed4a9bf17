/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes with a deadline and bounded output. No shell; the child gets exactly the
 * environment and descriptors given; signals are at their defaults and unblocked. The child leads
 * its own process group, which is killed as a whole at the deadline and by process_cancel().
 */
#ifndef BERTH_BASE_PROCESS_H
#define BERTH_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"

struct process;

struct process_fd {
	int from; /* ours; stays open here */
	int to;   /* the number in the child, >= 3 */
};

struct process_spec {
	const char *const *argv; /* argv[0]: a path, or a name that is looked for in our PATH */
	const char *const *env;  /* "NAME=value" ..., NULL; NULL pointer: empty environment */
	const char *cwd;         /* NULL: ours */
	const void *stdin_data;  /* written to its stdin, then closed; NULL: /dev/null (copied) */
	size_t stdin_size;
	size_t output_limit; /* bytes kept of each stdout and stderr; the rest is read and dropped;
				0: 64 KiB */
	int64_t timeout_ms;  /* SIGKILL to the group when it has not ended by then; 0: none */
	bool new_session;    /* setsid: survives our terminal and our process group */
	bool discard_output; /* stdout and stderr are /dev/null */
	bool share_stderr;   /* stderr is ours (only stdout is captured) */
	const struct process_fd *fds; /* extra descriptors */
	size_t fd_count;
	/* Each whole line as it comes (without its end; cut at 4096 bytes): for progress. May be
	 * NULL. */
	void (*on_line)(void *data, bool is_stderr, const char *line);
};

struct process_result {
	int exit_code; /* -1: ended by a signal */
	int signal;    /* 0: exited */
	bool timed_out;
	const char *out; /* NUL-terminated, never NULL; valid during the callback */
	size_t out_size;
	bool out_cut; /* more came than output_limit */
	const char *errors;
	size_t errors_size;
	bool errors_cut;
	int64_t duration_ms;
};

/*
 * Starts it; everything in `spec` is copied or used before this returns. The callback comes once,
 * on the loop, after the child has ended and was reaped and its output was read: output that
 * descendants hold open is waited for only a moment (100 ms). *ret (may be NULL) is valid until
 * then. -ENOENT, -EACCES and such when the program cannot be executed: the callback does not come
 * then.
 */
int process_run(struct loop *loop, const struct process_spec *spec,
		void (*callback)(void *data, const struct process_result *result), void *data,
		struct process **ret, struct error *err);

pid_t process_pid(const struct process *process);
/* Sends to the child only; nothing when it has ended. */
void process_signal(struct process *process, int signum);
/* SIGKILL to the group; it is reaped behind the scenes and the callback never comes. */
void process_cancel(struct process *process);

/*
 * 0 when it exited with 0, else -EIO (-ETIMEDOUT) and a sentence: "runc create: exit status 1:
 * <last line of its stderr>". `what` says what was being done.
 */
int process_result_check(const struct process_result *result, const char *what, struct error *err);

#endif
