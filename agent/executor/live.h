/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_EXECUTOR_LIVE_H
#define BERTH_AGENT_EXECUTOR_LIVE_H

#include "agent/executor/cni.h"
#include "agent/executor/executor.h"
#include "agent/executor/operation.h"
#include "agent/executor/ports.h"
#include "base/map.h"
#include "runtime/bundle.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/image.h"
#include "runtime/pause.h"

/* What the executor holds of the tasks of this host while it runs. Nothing here needs to survive:
 * it is found again. */

struct live_container {
	struct live_task *task;
	size_t index;     /* in task->spec->containers */
	char *runtime_id; /* NULL: not bound to an attempt */
	char *run_id;     /* of this attempt, for the OCI runtime and its monitor */
	char *cgroup;
	uint32_t attempt;
	struct image *image;        /* NULL: not known (adopted, or not pulled yet) */
	struct stats_source *stats; /* NULL: not opened yet */
	bool stopping;              /* a STOP effect waits for the end */
	int64_t stop_begun_ns;
	struct loop_timer *grace; /* then SIGKILL */
	int64_t grace_ms;
	bool killed;
	struct probe *probe; /* under way */
	struct held_ports ports;
};

struct live_task {
	struct executor *executor;
	struct task_spec *spec; /* a reference of its own */
	char *id;
	struct pause_process pause; /* pid 0: none */
	struct pause_watch *watch;
	bool namespace_open; /* namespace_opened() was called */
	bool closing;        /* being torn down: the end of the pause process is expected */
	struct live_container *containers;
};

struct executor {
	struct executor_config config;
	struct cgroup_host cgroups;
	struct container_runtime *runtime;
	struct image_store *images;
	struct image_cleanup *image_cleanup;
	struct cni_runtime *cni;
	struct ports *ports;
	struct map *tasks;      /* id -> struct live_task */
	struct map *containers; /* run id -> struct live_container */
	/* Creations wait for their turn: more runtimes at once than the machine can run only delay
	 * each other. */
	struct creation *creations_first, **creations_last;
	unsigned creations_running, creations_max;
	struct ping *pings; /* under way */
	struct operations *operations;
};

/* The task, made when it is not there yet. */
struct live_task *live_task_get(struct executor *executor, const struct task_spec *spec);
struct live_task *live_task_find(struct executor *executor, const char *task_id);
void live_task_free(struct live_task *task);
/* Follows the container's attempt. */
struct live_container *live_container_get(struct executor *executor, const struct task_spec *spec,
					  size_t index);
/* Binds it to the attempt that `state` names. */
void live_container_bind(struct live_container *container, const struct container_state *state);
/* The state directory of its attempt; the caller frees. */
char *live_container_state_path(const struct live_container *container);
void live_container_forget(struct live_container *container);
const struct container_spec *live_container_spec(const struct live_container *container);

/* The engine's state of the container; NULL when the engine has forgotten it. */
const struct container_state *live_container_state(const struct live_container *container);

/* Whom an answer is for: a copy of what names an effect. */
struct address {
	char *task_id;
	char *container; /* NULL: the task */
	uint32_t attempt;
	enum engine_effect_type type;
	int64_t begun_ns; /* monotonic: how long it took is in the log */
};
struct address address_of(const struct engine_effect *effect);
void address_free(struct address *address);

/* Post EVENT_EFFECT_DONE. */
void answer(struct executor *executor, const struct address *address, struct engine_done done);
void answer_ok(struct executor *executor, const struct address *address);
/*
 * `err` NULL: no more is known. A text that begins with an error name ("HostConfigError: ...")
 * keeps it; otherwise `name` (NULL: the one that fits the effect) is the name.
 */
void answer_failed(struct executor *executor, const struct address *address, const char *name,
		   const struct error *err);

/* "Could not transition to <what>; timed out after waiting <how long>": to go with the name
 * DockerTimeoutError. */
void say_timed_out(struct error *err, const char *what, int64_t waited_ms);

/* One for each effect. */
void act_create_resource(struct executor *executor, const struct engine_effect *effect);
void act_open_netns(struct executor *executor, const struct engine_effect *effect);
void act_attach_network(struct executor *executor, const struct engine_effect *effect);
void act_connect(struct executor *executor, const struct engine_effect *effect);
void act_disconnect(struct executor *executor, const struct engine_effect *effect);
void act_tear_down_network(struct executor *executor, const struct engine_effect *effect);
void act_pull(struct executor *executor, const struct engine_effect *effect);
void act_create(struct executor *executor, const struct engine_effect *effect);
void act_start(struct executor *executor, const struct engine_effect *effect);
void act_restart(struct executor *executor, const struct engine_effect *effect);
void act_stop(struct executor *executor, const struct engine_effect *effect);
void act_probe(struct executor *executor, const struct engine_effect *effect);
void act_remove(struct executor *executor, const struct engine_effect *effect);
void act_clean_up(struct executor *executor, const struct engine_effect *effect);

/* The record of an end, as the engine takes it. */
struct engine_exit container_exit_for_engine(const struct container_exit *exit);

/* Kills the health check's command; no answer comes. */
void probe_cancel(struct probe *probe);

/*
 * Makes the container ready to be started, when its turn comes; `again`: with what its runs before
 * have written. Then done, later: `err` NULL: it is; else `error_name` (NULL: the one that fits the
 * effect) is the name of what failed.
 */
typedef void container_made(void *data, const char *error_name, const struct error *err);
void make_container(struct executor *executor, const struct task_spec *spec, size_t index,
		    bool again, container_made *done, void *data);

/* The runtime says that a container's first process has ended. */
void containers_on_exit(void *data, const char *run_id, const struct container_exit *exit);
/* Watches a pause process and takes its pidfd. */
void network_adopt_pause(struct live_task *task, const struct pause_process *process);

/* "SIGQUIT", "QUIT", "3", "SIGRTMIN+3"; 0 when there is none or it is not known. Pure. */
int image_stop_signal(const char *text);

/*
 * Starts the task's pause process, or finds the one that an earlier attempt started. Later: done
 * with its pid, or 0 and why not.
 */
void network_hold(struct executor *executor, const struct task_spec *spec,
		  void (*done)(void *data, int pid, const struct error *err), void *data);

/* Where the agent answers, in the namespaces of tasks and of containers. */
#define NETWORK_ENDPOINT_ADDRESS "169.254.170.2"

/* The metadata endpoint's listening socket inside the namespace, or -errno; `redirect`: and the
 * rule that leads to it. Blocks. */
int network_listen(const char *netns_path, bool redirect, struct error *err);
/* Hands it out; `place`: the task's id, or the runtime id of the container that it is for.
 * listen_fd < 0: it could not be made, and err says why. */
void network_opened(struct live_task *task, const char *place, int listen_fd,
		    const struct error *err);
/* Adds the names of the host's ends of what an ADD has answered. */
void network_host_ends(const struct cni_result *result, struct str_list *names);

/*
 * Whose network it is: `name` is the id of a task, or the runtime id of a container (its index),
 * else SIZE_MAX. NULL: nobody's.
 */
const struct task_state *network_owner(struct executor *executor, const char *name,
				       size_t *ret_container);

/* Makes sure later that these links, the host's ends of interfaces whose namespace is gone, go too.
 * Takes the names over. */
void network_links_gone(struct executor *executor, struct str_list *names);
/* The same at the start, for those of tasks that have just been swept or whose network is gone. */
void network_links_sweep(struct executor *executor, const struct str_list *swept);

/* The limits of the task as a whole. Pure. */
struct cgroup_limits task_cgroup_limits(const struct agent_config *config,
					const struct task_spec *spec);

#endif
