/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what monitors write: see monitor/record.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/container_record.h"
#include "runtime/pause.h"

#define RECORD_LIMIT 4096

const char *container_phase_name(enum container_phase state)
{
	switch (state) {
	case CONTAINER_NONE:
		return "none";
	case CONTAINER_CREATING:
		return "creating";
	case CONTAINER_CREATED:
		return "created";
	case CONTAINER_RUNNING:
		return "running";
	case CONTAINER_EXITED:
		return "exited";
	case CONTAINER_LOST:
		return "lost";
	}
	return "?";
}

int container_exit_from_json(const struct json_at *at, struct container_exit *ret,
			     struct error *err)
{
	struct container_exit exit = { .known = true };
	int64_t code = -1, signal = 0, lost = 0;
	int result = json_get_i64(at, "exit_code", JSON_REQUIRED, 0, 255, &code, err);

	if (result == 0)
		result = json_get_i64(at, "signal", JSON_REQUIRED, 0, 127, &signal, err);
	if (result == 0)
		result = json_get_bool(at, "oom_killed", JSON_REQUIRED, &exit.oom_killed, err);
	if (result == 0)
		result = json_get_i64(at, "started_ms", JSON_REQUIRED, 0, INT64_MAX,
				      &exit.started_ms, err);
	if (result == 0)
		result = json_get_i64(at, "finished_ms", JSON_REQUIRED, 0, INT64_MAX,
				      &exit.finished_ms, err);
	if (result == 0)
		result =
			json_get_i64(at, "log_bytes_lost", JSON_OPTIONAL, 0, INT64_MAX, &lost, err);
	if (result < 0)
		return result;
	exit.exit_code = (int)code;
	exit.signal = (int)signal;
	exit.log_bytes_lost = (uint64_t)lost;
	*ret = exit;
	return 0;
}

int container_exit_parse(const char *text, size_t size, struct container_exit *ret,
			 struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	int result = json_parse(text, size, NULL, &value, err);

	if (result == 0) {
		root = json_root(value);
		result = json_expect_object(&root, err);
	}
	if (result == 0)
		result = container_exit_from_json(&root, ret, err);
	if (result < 0)
		error_prefix(err, "exit record");
	return result;
}

int container_state_parse(const char *text, size_t size, struct container_state_record *ret,
			  struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct container_state_record record = { 0 };
	int64_t monitor = 0, pid = 0, monitor_start = 0, pid_start = 0;
	const char *boot = "";
	struct json_at root;
	int result = json_parse(text, size, NULL, &value, err);

	if (result == 0) {
		root = json_root(value);
		result = json_get_string(&root, "boot", JSON_REQUIRED, &boot, err);
	}
	if (result == 0)
		result = json_get_i64(&root, "monitor", JSON_REQUIRED, 1, INT_MAX, &monitor, err);
	if (result == 0)
		result = json_get_i64(&root, "monitor_start", JSON_REQUIRED, 0, INT64_MAX,
				      &monitor_start, err);
	if (result == 0)
		result = json_get_i64(&root, "pid", JSON_REQUIRED, 1, INT_MAX, &pid, err);
	if (result == 0)
		result = json_get_i64(&root, "pid_start", JSON_REQUIRED, 0, INT64_MAX, &pid_start,
				      err);
	if (result == 0)
		result = json_get_i64(&root, "created_ms", JSON_REQUIRED, 0, INT64_MAX,
				      &record.created_ms, err);
	if (result == 0)
		result = json_get_i64(&root, "started_ms", JSON_REQUIRED, 0, INT64_MAX,
				      &record.started_ms, err);
	if (result < 0) {
		error_prefix(err, "state record");
		return result;
	}
	record.monitor = (pid_t)monitor;
	record.monitor_start = (uint64_t)monitor_start;
	record.pid = (pid_t)pid;
	record.pid_start = (uint64_t)pid_start;
	strncpy(record.boot_id, boot, sizeof(record.boot_id) - 1);
	*ret = record;
	return 0;
}

static bool is_this_boot(const char *boot_id)
{
	_cleanup_free_ char *text = NULL;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return str_eq(text, boot_id);
}

static bool lives(pid_t pid, uint64_t start)
{
	uint64_t now;

	return process_start_time(pid, &now, NULL) == 0 && now == start;
}

/* A monitor holds the lock from before it creates anything until it ends. */
static bool has_monitor(int dir_fd)
{
	_cleanup_close_ int lock = openat(dir_fd, "lock", O_RDWR | O_CLOEXEC);

	return lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int read_exit(int dir_fd, struct container_exit *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int result = file_read(dir_fd, "exit.json", RECORD_LIMIT, &text, &size, err);

	return result < 0 ? result : container_exit_parse(text, size, ret, err);
}

/*
 * What state.json says, held against /proc. The exit is looked for last: a container that ends
 * while we look has either lived when we looked at its process, or its record is there when we look
 * for that.
 */
int container_observe_at(int dir_fd, struct container_observation *ret,
			 struct container_state_record *ret_record, struct error *err)
{
	struct container_observation seen = { .exit = { .exit_code = -1 } };
	struct container_state_record record = { 0 };
	_cleanup_free_ char *text = NULL;
	bool pid_lives = false, has_state;
	size_t size;
	int result = file_read(dir_fd, "state.json", RECORD_LIMIT, &text, &size, NULL);

	if (result < 0 && result != -ENOENT)
		return error_set(err, -result, "read state.json");
	has_state = result == 0 && container_state_parse(text, size, &record, NULL) == 0;
	if (has_state && is_this_boot(record.boot_id)) {
		pid_lives = lives(record.pid, record.pid_start);
		seen.monitor_lives = lives(record.monitor, record.monitor_start);
	}
	result = read_exit(dir_fd, &seen.exit, NULL);
	if (result < 0 && has_state && !pid_lives && seen.monitor_lives) {
		/* Just now: the monitor is about to write it. */
		pid_lives = true;
	}

	seen.created_ms = record.created_ms;
	seen.started_ms = record.started_ms;
	if (result == 0) {
		seen.state = CONTAINER_EXITED;
		seen.started_ms = seen.exit.started_ms;
	} else if (has_state && pid_lives) {
		seen.state = record.started_ms ? CONTAINER_RUNNING : CONTAINER_CREATED;
		seen.pid = record.pid;
	} else if (has_state) {
		seen.state = CONTAINER_LOST;
		seen.exit =
			(struct container_exit){ .exit_code = -1, .started_ms = record.started_ms };
	} else if (has_monitor(dir_fd)) {
		seen.state = CONTAINER_CREATING;
		seen.monitor_lives = true;
	} else {
		seen.state = CONTAINER_NONE;
	}
	*ret = seen;
	if (ret_record)
		*ret_record = record;
	return 0;
}

int container_observe(const char *state_dir, struct container_observation *ret, struct error *err)
{
	_cleanup_close_ int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (dir_fd < 0 && errno != ENOENT)
		return error_set(err, errno, "open the state directory %s", state_dir);
	if (dir_fd < 0) {
		*ret = (struct container_observation){ .state = CONTAINER_NONE };
		return 0;
	}
	result = container_observe_at(dir_fd, ret, NULL, err);
	if (result < 0)
		error_prefix(err, "%s", state_dir);
	return result;
}
