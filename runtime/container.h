/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers, through an OCI runtime (runc, crun, or any of the same command line) and one
 * berth-monitor each. The monitor is the parent of the container's first process: it writes the
 * log, records the exit on disk, and outlives us. What is true of a container is in its state
 * directory and in /proc, so container_observe() needs no memory of ours.
 *
 * Order: bundle_create, container_create, container_start, container_kill, (on_exit),
 * container_delete, bundle_remove. Asynchronous on the loop; callbacks are never called from within
 * the function that was given them.
 */
#ifndef BERTH_RUNTIME_CONTAINER_H
#define BERTH_RUNTIME_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"

struct container_runtime;
struct container_exec;

/* The end of a container's first process, as its monitor recorded it. */
struct container_exit {
	int exit_code;           /* as a shell gives it: 128 + signal when killed; -1: not known */
	int signal;              /* 0: ended by itself */
	bool oom_killed;         /* the kernel killed a process of it for memory */
	bool known;              /* false: the monitor is gone, nobody knows the code */
	int64_t started_ms;      /* wall time; 0: never started */
	int64_t finished_ms;     /* wall time; 0: not known */
	uint64_t log_bytes_lost; /* output that could not be written (disk full) */
};

enum container_phase {
	CONTAINER_NONE,     /* nothing there */
	CONTAINER_CREATING, /* its monitor is at it: container_create() waits for it and takes its
			       result */
	CONTAINER_CREATED,  /* process there, program not started */
	CONTAINER_RUNNING,
	CONTAINER_EXITED, /* `exit` has the record */
	CONTAINER_LOST,   /* it was there, and is gone without a record (monitor killed, host
			     rebooted) */
};
const char *container_phase_name(enum container_phase state);

struct container_observation {
	enum container_phase state;
	pid_t pid; /* CREATED, RUNNING; verified by start time */
	int64_t created_ms;
	int64_t started_ms; /* wall time; 0: not yet */
	bool monitor_lives;
	struct container_exit exit; /* EXITED; LOST (known = false) */
};

struct container_runtime_config {
	const char *monitor_path;  /* berth-monitor */
	const char *runtime_path;  /* /usr/sbin/runc or crun */
	const char *runtime_root;  /* --root: its own state, on tmpfs: /run/berth/<instance>/runc */
	const char *run_dir;       /* our notification socket lives here; made 0700 */
	int64_t create_timeout_ms; /* 0: 4 minutes */
	int64_t start_timeout_ms;  /* 0: 3 minutes */
	/* Every exit of a watched container, once for each container_watch(). */
	void (*on_exit)(void *data, const char *id, const struct container_exit *exit);
	void *data;
};

/* Binds the notification socket. -EADDRINUSE cannot happen: a stale one is replaced (take a lock
 * before, see file_lock). */
int container_runtime_new(struct loop *loop, const struct container_runtime_config *config,
			  struct container_runtime **ret, struct error *err);
/* For what is begun from now on; 0 as above. */
void container_runtime_set_timeouts(struct container_runtime *runtime, int64_t create_timeout_ms,
				    int64_t start_timeout_ms);
/* Containers and their monitors live on. Pending callbacks are not called. */
void container_runtime_free(struct container_runtime *runtime);

struct container_create_spec {
	const char *id;
	const char *bundle_dir;
	const char *state_dir;  /* of this container (and attempt) alone; made 0700 when missing */
	const char *log_path;   /* json-file log; NULL: output is thrown away */
	int64_t log_max_bytes;  /* 0: no limit */
	unsigned log_max_files; /* 0: 1 */
	bool stdin_open;        /* keep standard input open (never any data); else /dev/null */
	const char
		*oom_events_path; /* cgroup_oom_events_path(); NULL: OOM kills are not recognised */
};

/* pid > 0, or pid < 0 (-errno) and err. -ENOENT: the command does not exist in the image. -EACCES:
 * it is not executable. -ETIMEDOUT, -EEXIST, -ENOSPC, -EIO: other. The text is the runtime's own
 * ("exec:
 * \"nope\": executable file not found in $PATH"). */
typedef void container_created(void *data, pid_t pid, const struct error *err);

/*
 * Creates (process there, program not started) and begins to watch: on_exit comes also when it dies
 * before its start. When an earlier call for the same state_dir was cut off by the end of our
 * process, takes over what it left.
 */
int container_create(struct container_runtime *runtime, const struct container_create_spec *spec,
		     container_created *on_done, void *data, struct error *err);

/* result 0 and the wall time of the start, or -errno. 0 also when it already runs. */
typedef void container_started(void *data, int result, int64_t started_ms, const struct error *err);
int container_start(struct container_runtime *runtime, const char *id, const char *state_dir,
		    container_started *on_done, void *data, struct error *err);

/*
 * Sends the signal to the first process, now. 0 also when it is dead already; -ESRCH when there
 * never was one. SIGKILL to the first process ends all of a container that has a pid namespace of
 * its own; for others cgroup_kill().
 */
int container_kill(struct container_runtime *runtime, const char *id, const char *state_dir,
		   int signal, struct error *err);

struct container_exec_spec {
	const char *id;
	const char *bundle_dir; /* user, environment, capabilities and directory are those of its
				   config.json */
	const char *state_dir;
	const char *const *args; /* NULL-terminated */
	int64_t timeout_ms;      /* then the process is killed */
	size_t output_limit;     /* of standard output and error together; 0: 4096 */
};

struct container_exec_result {
	int exit_code; /* -1: timed out, or could not be run (then err) */
	bool timed_out;
	const char *output; /* NUL-terminated, at most output_limit bytes */
	size_t output_size;
	const struct error *err; /* NULL, or why it could not be run */
};
/* One process more in a running container, e.g. a health probe. *ret is valid until on_done is
 * called. */
int container_exec(struct container_runtime *runtime, const struct container_exec_spec *spec,
		   void (*on_done)(void *data, const struct container_exec_result *result),
		   void *data, struct container_exec **ret, struct error *err);
/* Kills it; on_done is not called. */
void container_exec_cancel(struct container_exec *exec);

/*
 * Removes what the runtime keeps (state, cgroup) and the state directory. The container should have
 * exited: if it has not, it is killed first. 0 also when there is nothing. The watch ends.
 */
int container_delete(struct container_runtime *runtime, const char *id, const char *state_dir,
		     void (*on_done)(void *data, int result, const struct error *err), void *data,
		     struct error *err);

/* What is true now, from the state directory and /proc. Does not block on anything but small files.
 */
int container_observe(const char *state_dir, struct container_observation *ret, struct error *err);

/*
 * Calls on_exit of the runtime when the container ends, or soon when it has. For containers found
 * by container_observe() after a restart; container_create() watches by itself. Watching twice is
 * once.
 */
int container_watch(struct container_runtime *runtime, const char *id, const char *state_dir,
		    struct error *err);
void container_unwatch(struct container_runtime *runtime, const char *id);

/* The record of an exit as monitors write it (exit.json), parsed. Pure. -EINVAL. */
int container_exit_parse(const char *text, size_t size, struct container_exit *ret,
			 struct error *err);

#endif
