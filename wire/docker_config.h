/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_DOCKER_CONFIG_H
#define BERTH_WIRE_DOCKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/text.h"

struct arena;
struct json_at;

/* Docker's Healthcheck. 0 in a duration or in retries: the default applies (see
 * health_check_*_DEFAULT). */
struct health_check {
	struct text_list
		test; /* ["NONE"], ["CMD", ...], ["CMD-SHELL", command]; empty: the image's own */
	int64_t interval_ms;
	int64_t timeout_ms;
	int64_t start_period_ms;
	int64_t retries;
};

#define HEALTH_CHECK_INTERVAL_DEFAULT_MS 30000
#define HEALTH_CHECK_TIMEOUT_DEFAULT_MS  30000
#define HEALTH_CHECK_RETRIES_DEFAULT     3

struct docker_ulimit {
	const char *name; /* "nofile" */
	int64_t soft;     /* -1: unlimited */
	int64_t hard;
};

struct docker_device {
	const char *host_path;
	const char *container_path;
	const char *permissions; /* some of "rwm" */
};

struct docker_port_binding {
	uint16_t container_port;
	const char *protocol; /* "tcp", "udp" */
	const char *host_ip;  /* "" = any */
	uint16_t host_port;   /* 0: dynamic */
};

/*
 * What the strings dockerConfig.config and dockerConfig.hostConfig of a container say: Docker's
 * Config and HostConfig. It is laid over what the agent computes: a scalar or list that is given
 * replaces, a map adds. Read only. A string that was not given is NULL; a list or map, empty; a
 * number, 0; unless said otherwise.
 */
struct docker_config {
	/* config */
	bool has_health_check;
	struct health_check health_check;
	const char *image; /* replaces the container's */
	const char *user;
	const char *working_dir;
	const char *hostname;
	const char *domainname;
	struct text_map labels;
	bool has_environment; /* replaces the container's environment: "NAME=value" each */
	struct text_list environment;
	bool has_command; /* replaces the container's command */
	struct text_list command;
	bool has_entry_point; /* replaces the container's entry point */
	struct text_list entry_point;
	bool tty;
	bool open_stdin;
	bool network_disabled;
	const char *stop_signal;

	/* hostConfig */
	const char *network_mode;
	const char *log_driver;      /* LogConfig.Type */
	struct text_map log_options; /* LogConfig.Config; max-buffer-size is set when non-blocking
					lacks it */
	bool has_memory;
	int64_t memory_bytes; /* replaces the container's memory when has_memory */
	int64_t memory_reservation_bytes;
	int64_t memory_swap_bytes; /* -1: unlimited; 0: not given */
	bool has_memory_swappiness;
	int64_t memory_swappiness; /* 0 to 100 */
	bool has_cpu_shares;
	int64_t cpu_shares; /* replaces the container's cpu when has_cpu_shares */
	int64_t cpu_period_us;
	int64_t cpu_quota_us;
	int64_t nano_cpus;
	const char *cpuset_cpus;
	const char *cpuset_mems;
	int64_t pids_limit; /* 0 or -1: unlimited */
	bool has_oom_score_adj;
	int64_t oom_score_adj;
	bool oom_kill_disable;
	const struct docker_ulimit *ulimits;
	size_t ulimit_count;
	struct text_list cap_add; /* as given: "NET_ADMIN", "CAP_NET_ADMIN" or "ALL" */
	struct text_list cap_drop;
	bool privileged;
	bool readonly_rootfs;
	bool init;
	const struct docker_device *devices;
	size_t device_count;
	int64_t shm_size_bytes; /* 0: the default, 64 MiB */
	struct text_map tmpfs;  /* path -> mount options */
	struct text_list binds; /* "source:path[:options]", besides the task's mount points */
	struct text_list dns;
	struct text_list dns_search;
	struct text_list dns_options;
	struct text_list extra_hosts; /* "host:address" */
	struct text_list security_opt;
	struct text_map sysctls;
	struct text_list group_add;
	const char *pid_mode;
	const char *ipc_mode;
	const char *uts_mode;
	const char *userns_mode;
	const char *cgroup_parent;
	const char *runtime;
	const struct docker_port_binding *port_bindings;
	size_t port_binding_count;
	/* A member of hostConfig that is given, would have an effect, and is not decoded; else NULL
	 */
	const char *unknown_member;
};

/*
 * Decodes the two strings (either may be NULL: nothing given) into *config, which the caller has
 * zeroed. -EINVAL: one cannot be decoded; the error is the text for the container's failure, with
 * its name in front: "DockerClientConfigError: Unable decode given docker config: <why>" or
 * "HostConfigError: Unable to decode given host config: <why>".
 */
int docker_config_decode(const char *config_text, const char *host_config_text, struct arena *arena,
			 struct docker_config *config, struct error *err);

#endif
