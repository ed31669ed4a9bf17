/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime object, its notification socket, and creating. */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/cgroup.h"
#include "runtime/container_error.h"
#include "runtime/container_internal.h"
#include "runtime/container_record.h"

#define MESSAGE_MAX       4096
#define CREATE_TIMEOUT_MS 240000
#define START_TIMEOUT_MS  180000
/* What the monitor may take beyond the runtime itself. */
#define MONITOR_GRACE_MS 5000

const char *const container_environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
};

void container_job_add(struct container_runtime *runtime, struct container_job *job,
		       void (*abandon)(struct container_job *job))
{
	*job = (struct container_job){ .next = runtime->jobs,
				       .runtime = runtime,
				       .abandon = abandon };
	runtime->jobs = job;
}

void container_job_remove(struct container_job *job)
{
	struct container_job **at = &job->runtime->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
}

void container_runtime_command(const struct container_runtime *runtime, struct str_list *argv)
{
	if (runtime->without_unified) {
		str_list_add(argv, runtime->monitor_path);
		str_list_add(argv, "without-unified");
	}
	str_list_add(argv, runtime->runtime_path);
	str_list_add(argv, "--root");
	str_list_add(argv, runtime->runtime_root);
}

/* ---- messages of the monitors */

static void handle_message(struct container_runtime *runtime, const char *text, size_t size)
{
	_cleanup_json_ json_t *value = NULL;
	struct container_start_job *start;
	struct container_watch *watch;
	const char *id = "", *event = "", *failure = NULL;
	struct container_exit exit;
	struct error err = ERROR_INIT;
	int64_t started_ms = 0;
	struct json_at root;
	int result = json_parse(text, size, NULL, &value, &err);

	if (result == 0) {
		root = json_root(value);
		result = json_get_string(&root, "id", JSON_REQUIRED, &id, &err);
	}
	if (result == 0)
		result = json_get_string(&root, "event", JSON_REQUIRED, &event, &err);
	if (result == 0 && str_eq(event, "exited"))
		result = container_exit_from_json(&root, &exit, &err);
	if (result == 0)
		result = json_get_i64(&root, "started_ms", JSON_OPTIONAL, 0, INT64_MAX, &started_ms,
				      &err);
	if (result == 0)
		result = json_get_string(&root, "error", JSON_OPTIONAL, &failure, &err);
	if (result < 0) {
		log_warn("a message of a monitor was not understood", "error", err.text);
		return;
	}

	if (str_eq(event, "exited")) {
		watch = container_find_watch(runtime, id);
		if (watch)
			container_watch_exited(watch, &exit);
		return;
	}
	for (start = runtime->starts; start; start = start->next) {
		if (str_eq(start->id, id)) {
			container_start_answered(start, started_ms,
						 str_eq(event, "started") ? NULL
						 : failure                ? failure
									  : "no reason was given");
			return;
		}
	}
}

static void socket_ready(void *data, int events)
{
	struct container_runtime *runtime = data;

	(void)events;
	/* A bounded number per turn: the rest of the loop wants its turn too, and we are called
	 * again. */
	for (int count = 0; count < 64; count++) {
		char text[MESSAGE_MAX];
		ssize_t got = recv(runtime->socket, text, sizeof(text), MSG_TRUNC | MSG_DONTWAIT);

		if (got < 0)
			return;
		if ((size_t)got <= sizeof(text))
			handle_message(runtime, text, (size_t)got);
	}
}

static int bind_socket(struct container_runtime *runtime, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(runtime->socket_path) >= sizeof(address.sun_path))
		return error_say(err, ENAMETOOLONG,
				 "the socket %s: a path of at most %zu characters is possible; "
				 "choose a shorter run "
				 "directory",
				 runtime->socket_path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, runtime->socket_path, strlen(runtime->socket_path));
	runtime->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (runtime->socket < 0)
		return error_set(err, errno, "make the monitors' socket");
	if (unlink(runtime->socket_path) < 0 && errno != ENOENT)
		return error_set(err, errno, "remove the old socket %s", runtime->socket_path);
	if (bind(runtime->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, errno, "bind %s", runtime->socket_path);
	return loop_fd_new(runtime->loop, runtime->socket, LOOP_READ, socket_ready, runtime,
			   &runtime->socket_ready, err);
}

/* crun 1.8 refuses the hybrid layout. */
static bool needs_without_unified(const char *runtime_path)
{
	_cleanup_free_ char *real = realpath(runtime_path, NULL);
	const char *name = real ? strrchr(real, '/') : NULL;
	struct cgroup_host host;
	bool hybrid;

	if (!name || !str_starts_with(name + 1, "crun") || cgroup_host_detect(&host, NULL) < 0)
		return false;
	hybrid = host.hybrid;
	cgroup_host_free(&host);
	return hybrid;
}

static int check_program(const char *path, const char *what, struct error *err)
{
	if (!path || path[0] != '/')
		return error_say(err, EINVAL, "%s: give its absolute path", what);
	if (access(path, X_OK) < 0)
		return error_set(err, errno, "%s %s cannot be executed", what, path);
	return 0;
}

int container_runtime_new(struct loop *loop, const struct container_runtime_config *config,
			  struct container_runtime **ret, struct error *err)
{
	struct container_runtime *runtime;
	int result = check_program(config->monitor_path, "the monitor", err);

	if (result == 0)
		result = check_program(config->runtime_path, "the OCI runtime", err);
	if (result == 0)
		result = file_mkdirs(config->run_dir, 0700, err);
	if (result == 0)
		result = file_mkdirs(config->runtime_root, 0700, err);
	if (result < 0)
		return result;
	runtime = xcalloc(1, sizeof(*runtime));
	runtime->loop = loop;
	runtime->socket = -1;
	runtime->monitor_path = xstrdup(config->monitor_path);
	runtime->runtime_path = xstrdup(config->runtime_path);
	runtime->runtime_root = xstrdup(config->runtime_root);
	runtime->socket_path = xasprintf("%s/monitors.sock", config->run_dir);
	container_runtime_set_timeouts(runtime, config->create_timeout_ms,
				       config->start_timeout_ms);
	runtime->without_unified = needs_without_unified(config->runtime_path);
	runtime->on_exit = config->on_exit;
	runtime->data = config->data;
	result = bind_socket(runtime, err);
	if (result < 0) {
		container_runtime_free(runtime);
		return result;
	}
	*ret = runtime;
	return 0;
}

void container_runtime_set_timeouts(struct container_runtime *runtime, int64_t create_timeout_ms,
				    int64_t start_timeout_ms)
{
	runtime->create_timeout_ms = create_timeout_ms > 0 ? create_timeout_ms : CREATE_TIMEOUT_MS;
	runtime->start_timeout_ms = start_timeout_ms > 0 ? start_timeout_ms : START_TIMEOUT_MS;
}

void container_runtime_free(struct container_runtime *runtime)
{
	if (!runtime)
		return;
	while (runtime->jobs) {
		struct container_job *job = runtime->jobs;

		container_job_remove(job);
		job->abandon(job);
	}
	while (runtime->starts)
		container_start_free(runtime->starts);
	while (runtime->watches)
		container_watch_free(runtime->watches);
	if (runtime->socket_ready)
		loop_fd_free(runtime->socket_ready);
	if (runtime->socket >= 0) {
		close(runtime->socket);
		/* Monitors that see no socket end when their record is written; the next one to
		 * start looks there. */
		unlink(runtime->socket_path);
	}
	free(runtime->monitor_path);
	free(runtime->runtime_path);
	free(runtime->runtime_root);
	free(runtime->socket_path);
	free(runtime);
}

int container_tell_monitor(const char *state_dir, const char *command)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int dir_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (dir_fd < 0 || fd < 0)
		return -errno;
	/* The directory's own path may be longer than an address can be. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control", dir_fd);
	if (sendto(fd, command, strlen(command), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof(address)) < 0)
		return -errno;
	return 0;
}

/* ---- create */

struct create_job {
	struct container_job job;
	char *id;
	char *state_dir;
	struct str_list argv;
	struct process *process; /* the clean-up, or the monitor */
	container_created *on_done;
	void *data;
};

static void create_free(struct create_job *create)
{
	free(create->id);
	free(create->state_dir);
	str_list_free(&create->argv);
	free(create);
}

static void create_abandon(struct container_job *job)
{
	struct create_job *create = (struct create_job *)job;

	/* The monitor is in a session of its own and goes on: whoever comes next finds its result.
	 */
	if (create->process)
		process_cancel(create->process);
	create_free(create);
}

static void create_finish(struct create_job *create, pid_t pid, const struct error *err)
{
	container_job_remove(&create->job);
	create->on_done(create->data, pid, err);
	create_free(create);
}

static void create_done(void *data, const struct process_result *result)
{
	struct create_job *create = data;
	struct error err = ERROR_INIT;
	long pid = 0;

	create->process = NULL;
	if (result->timed_out) {
		error_say(&err, ETIMEDOUT, "create container %s: the runtime did not end in time",
			  create->id);
	} else if (str_starts_with(result->out, "created ")) {
		pid = strtol(result->out + strlen("created "), NULL, 10);
		if (container_watch(create->job.runtime, create->id, create->state_dir, &err) < 0)
			pid = 0;
	} else if (str_starts_with(result->out, "failed ")) {
		int code = (int)strtol(result->out + strlen("failed "), NULL, 10);
		const char *reason = strchr(result->out, '\n');

		reason = reason ? reason + 1 : "";
		/* EIO: the runtime itself refused, and the reason is its log. */
		if (code == EIO)
			container_error_from_log("create", reason, &err);
		else
			error_set(&err, code > 0 ? code : EIO, "create container %s: %s",
				  create->id, reason);
	} else {
		process_result_check(result, "berth-monitor", &err);
		if (!err.code)
			error_say(&err, EIO, "berth-monitor gave no result");
		error_prefix(&err, "create container %s", create->id);
	}
	create_finish(create,
		      pid > 0    ? (pid_t)pid
		      : err.code ? -err.code
				 : -EIO,
		      pid > 0 ? NULL : &err);
}

static int create_run(struct create_job *create, struct error *err)
{
	struct container_runtime *runtime = create->job.runtime;
	const struct process_spec spec = {
		.argv = (const char *const *)create->argv.items,
		.env = container_environment,
		.timeout_ms = runtime->create_timeout_ms + MONITOR_GRACE_MS,
		.output_limit = 16384,
	};

	return process_run(runtime->loop, &spec, create_done, create, &create->process, err);
}

/* An earlier attempt was cut off between the runtime and its monitor: nothing of it can be used. */
static void leftover_removed(void *data, const struct process_result *result)
{
	struct create_job *create = data;
	struct error err = ERROR_INIT;

	(void)result;
	create->process = NULL;
	if (create_run(create, &err) < 0)
		create_finish(create, -err.code, &err);
}

static int remove_leftover(struct create_job *create, struct error *err)
{
	struct container_runtime *runtime = create->job.runtime;
	_cleanup_str_list_ struct str_list argv = STR_LIST_INIT;
	struct process_spec spec = { .env = container_environment, .timeout_ms = 30000 };

	container_runtime_command(runtime, &argv);
	str_list_add(&argv, "delete");
	str_list_add(&argv, "--force");
	str_list_add(&argv, create->id);
	spec.argv = (const char *const *)argv.items;
	return process_run(runtime->loop, &spec, leftover_removed, create, &create->process, err);
}

static void add_option(struct str_list *argv, const char *name, const char *value)
{
	str_list_add(argv, name);
	str_list_add(argv, value);
}

static void add_number(struct str_list *argv, const char *name, int64_t value)
{
	str_list_add(argv, name);
	str_list_add_owned(argv, xasprintf("%" PRId64, value));
}

static void build_command(const struct container_runtime *runtime,
			  const struct container_create_spec *spec, struct str_list *argv)
{
	str_list_add(argv, runtime->monitor_path);
	str_list_add(argv, "create");
	add_option(argv, "--runtime", runtime->runtime_path);
	add_option(argv, "--root", runtime->runtime_root);
	add_option(argv, "--bundle", spec->bundle_dir);
	add_option(argv, "--id", spec->id);
	add_option(argv, "--state", spec->state_dir);
	add_option(argv, "--notify", runtime->socket_path);
	add_number(argv, "--timeout", runtime->create_timeout_ms);
	if (spec->log_path) {
		add_option(argv, "--log", spec->log_path);
		add_number(argv, "--log-max-bytes", spec->log_max_bytes);
		add_number(argv, "--log-max-files", spec->log_max_files ? spec->log_max_files : 1);
	}
	if (spec->oom_events_path)
		add_option(argv, "--oom-events", spec->oom_events_path);
	if (spec->stdin_open)
		str_list_add(argv, "--stdin-open");
	if (runtime->without_unified)
		str_list_add(argv, "--without-unified");
}

int container_create(struct container_runtime *runtime, const struct container_create_spec *spec,
		     container_created *on_done, void *data, struct error *err)
{
	_cleanup_free_ char *runtime_state = xasprintf("%s/%s", runtime->runtime_root, spec->id);
	struct container_observation seen = { .state = CONTAINER_NONE };
	struct create_job *create;
	int result = file_mkdirs(spec->state_dir, 0700, err);

	if (result == 0)
		result = container_observe(spec->state_dir, &seen, err);
	if (result < 0) {
		error_prefix(err, "create container %s", spec->id);
		return result;
	}
	if (seen.state == CONTAINER_EXITED)
		return error_say(err, EEXIST,
				 "create container %s: it has been created and has ended; its "
				 "record is in %s",
				 spec->id, spec->state_dir);

	create = xcalloc(1, sizeof(*create));
	container_job_add(runtime, &create->job, create_abandon);
	create->id = xstrdup(spec->id);
	create->state_dir = xstrdup(spec->state_dir);
	create->on_done = on_done;
	create->data = data;
	build_command(runtime, spec, &create->argv);
	if (!seen.monitor_lives && access(runtime_state, F_OK) == 0)
		result = remove_leftover(create, err);
	else
		result = create_run(create, err);
	if (result < 0) {
		error_prefix(err, "create container %s", spec->id);
		container_job_remove(&create->job);
		create_free(create);
	}
	return result;
}
