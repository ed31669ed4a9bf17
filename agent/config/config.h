/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_CONFIG_CONFIG_H
#define BERTH_AGENT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/strbuf.h"

/*
 * What the agent can be told, as values of the right type within their bounds. The table of all
 * settings is settings.c and those beside it; the reference for people is printed from it.
 *
 * Sources, the highest first: command line; environment, then the env file (/etc/ecs/ecs.config)
 * and the vendor's; JSON file; EC2 user data; instance metadata (the region); defaults. A value
 * that is absent gives way to the source below: nothing, a list without items, a duration of 0, and
 * what is not allowed. What is wrong is gathered whole: `mistakes` stop the agent, `warnings` name
 * the value that is used instead.
 */

struct config_pair {
	char *name;
	char *value;
};

struct config_map {
	struct config_pair *items; /* each name once, in the order given */
	size_t count;
};

const char *config_map_get(const struct config_map *map, const char *name);
void config_map_set(struct config_map *map, const char *name, const char *value);
void config_map_free(struct config_map *map);

struct config_ports {
	uint16_t *items;
	size_t count;
};

enum config_pull_behavior {
	CONFIG_PULL_DEFAULT,      /* pull; when that fails, use what is there */
	CONFIG_PULL_ALWAYS,       /* pull, and fail when that fails */
	CONFIG_PULL_ONCE,         /* pull only an image that no earlier task pulled */
	CONFIG_PULL_PREFER_CACHED /* pull only an image that is not there */
};

enum config_eni_driver {
	CONFIG_ENI_VETH,  /* a pair whose host end is routed: works everywhere */
	CONFIG_ENI_DEVICE /* the network device with the ENI's MAC is moved into the task, as on EC2
			   */
};

#define CONFIG_MAX_LOCAL_ROUTES 32

enum config_instance_metadata {
	CONFIG_METADATA_AUTO, /* where the host says that it is one of EC2's, or an endpoint is
				 given */
	CONFIG_METADATA_ALWAYS,
	CONFIG_METADATA_NEVER
};

enum config_tag_source { CONFIG_TAGS_CONFIGURED, CONFIG_TAGS_OF_EC2 };

enum config_network_shape {
	CONFIG_SHAPE_BERTH, /* the metadata endpoint is within the task */
	CONFIG_SHAPE_EC2    /* ecs-eth0 leads to it, as with Amazon's agent */
};

/* Of CONFIG_SHAPE_EC2: from where tasks ask. */
#define CONFIG_EC2_SUBNET "169.254.172.0/22"

enum config_log_format { CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON };

enum config_log_level {
	CONFIG_LEVEL_UNSET, /* ECS_LOGLEVEL_ON_INSTANCE only: as ECS_LOGLEVEL */
	CONFIG_LEVEL_DEBUG,
	CONFIG_LEVEL_INFO,
	CONFIG_LEVEL_WARN,
	CONFIG_LEVEL_ERROR,
	CONFIG_LEVEL_CRITICAL,
	CONFIG_LEVEL_NONE
};

enum config_engine_auth_type { CONFIG_AUTH_NONE, CONFIG_AUTH_DOCKER, CONFIG_AUTH_DOCKERCFG };

enum config_log_rollover { CONFIG_ROLLOVER_SIZE, CONFIG_ROLLOVER_NONE, CONFIG_ROLLOVER_HOURLY };

enum config_ip_compatibility { CONFIG_IP_DETECT, CONFIG_IP_IPV4, CONFIG_IP_IPV6 };

/* Strings are never NULL ("" when unset) unless said otherwise. Durations are milliseconds. Freed
 * by config_free(). */
struct agent_config {
	/* who and where */
	char *cluster; /* "" = the default cluster, made when it is missing */
	char *region;
	char *backend_host; /* as given; config_endpoint() makes the URL */
	char *access_key_id;
	char *secret_access_key; /* secret */
	char *session_token;     /* secret */
	enum config_instance_metadata instance_metadata;
	char *enroll_token; /* secret; "" = none */
	char *enroll_token_file;
	bool external; /* outside EC2, by an activation (ECS Anywhere) */
	char *activation_credentials_file;
	char *activation_credentials_profile;
	bool accept_insecure_certs;
	char *ca_file; /* "" = the system's */
	char *detailed_os_family;
	enum config_tag_source tag_source; /* beside instance_tags */
	bool no_identity_document;
	bool warm_pools_check;
	bool spot_draining;

	/* state and log */
	char *data_dir;
	bool checkpoint;
	char *json_file; /* that was looked for; "" = none */
	enum config_log_level log_level;
	enum config_log_level log_level_on_instance;
	char *log_file;   /* "" = none */
	char *log_driver; /* not "": the log file has nothing, unless it has a level of its own */
	enum config_log_format log_format;
	enum config_log_rollover log_rollover;
	double log_max_file_size_mb;
	int64_t log_max_roll_count;

	/* what the host offers */
	int64_t reserved_memory_mib;
	struct config_ports reserved_ports; /* with that of prometheus */
	struct config_ports reserved_ports_udp;
	bool prometheus;
	struct config_map instance_attributes;
	struct config_map instance_tags;
	int64_t host_cpu_units;  /* 0 = what the host has */
	int64_t host_memory_mib; /* 0 = what the host has */
	bool gpu_support;

	/* tasks and containers */
	int64_t container_stop_timeout_ms;
	int64_t container_start_timeout_ms;
	int64_t container_create_timeout_ms;
	int64_t image_pull_timeout_ms;
	int64_t image_pull_inactivity_timeout_ms;
	enum config_pull_behavior image_pull_behavior;
	bool pull_dependents_upfront;
	bool disable_image_cleanup;
	int64_t image_cleanup_interval_ms;
	int64_t image_minimum_age_ms;
	int64_t images_per_cleanup;
	struct str_list excluded_images; /* as written: "busybox", "host:5000/a:1" */
	int64_t image_disk_percent;      /* 0 = the disk does not matter */
	bool untracked_image_cleanup;
	int64_t untracked_image_minimum_age_ms;
	int64_t task_cleanup_wait_ms;
	int64_t task_cleanup_wait_jitter_ms;
	struct str_list logging_drivers;
	bool disable_privileged;
	bool disable_health_check;
	bool task_cpu_mem_limit;
	int64_t cgroup_cpu_period_ms;
	enum config_engine_auth_type engine_auth_type;
	char *engine_auth_data;  /* secret, JSON */
	int64_t task_pids_limit; /* 0 = none */

	/* metrics, metadata, credentials */
	bool disable_metrics;
	bool poll_metrics;
	int64_t polling_metrics_wait_ms;
	bool task_iam_role;
	bool task_iam_role_network_host;
	int64_t metadata_steady_rps;
	int64_t metadata_burst_rps; /* follows the other: one setting */
	bool disable_metadata_az;
	char *healthcheck_host; /* "": where the agent listens */
	char *introspection_address;
	int64_t introspection_port; /* 0 = any free port */
	char *metadata_address;
	int64_t metadata_port;

	/* task networking */
	bool task_eni;
	char *cni_plugins_path; /* "" in the settings = libexec_dir; filled in after loading */
	char *cni_config_dir;   /* "" = Berth makes the configuration */
	bool awsvpc_block_imds;
	char *network_address; /* "" = not told to the control plane */
	int64_t vxlan_port;
	enum config_eni_driver eni_driver;
	enum config_network_shape network_shape;
	struct str_list local_routes; /* IPv4 prefixes, valid */
	bool high_density_eni;
	struct str_list eni_link_kinds; /* "veth", "macvlan", ...: devices with the driver eni */
	char *bridge;                   /* of tasks of bridge mode */
	char *bridge_subnet;            /* "172.29.0.0/16" */
	char *bridge_subnet_ipv6;       /* "fd00:172:29::/64"; "": bridge mode has IPv4 only */
	enum config_ip_compatibility ip_compatibility;
	bool exclude_ipv6_port_bindings;
	int64_t dynamic_host_ports[2]; /* first and last; 0, 0 = the kernel's own range */

	/* parts of the house */
	char *run_dir;
	char *cgroup_parent; /* "/ecs" */
	char *libexec_dir;
	char *containerd_address;
	char *containerd_namespace;
	char *ctr;
	char *runtime; /* runc, crun or any of their command line; a path or a name looked for in
			  PATH */
	char *registry_ca_file;
	struct str_list insecure_registries; /* host[:port] reached over plain HTTP */
	bool seccomp_all_architectures;
	double time_scale; /* >= 1: divides every protocol timer above one second, for tests */

	unsigned char *origins; /* of each setting, for config_print() */
	char *files[3];         /* the two env files and the JSON file, likewise */
};

/* What was found, one sentence for each. Secrets never appear. */
struct config_report {
	struct str_list mistakes;
	struct str_list warnings;
	struct str_list ignored; /* settings that mean nothing here */
};

/* What the instance metadata service says; NULL: nothing. Both are freed by who asked. */
struct config_host_facts {
	char *user_data;
	char *region;
};

/* Asks it, if there is one: `config` is what the sources above say. `region`: it is missing. */
typedef void config_ask_host(void *data, const struct agent_config *config, bool region,
			     struct config_host_facts *ret, struct str_list *warnings);

struct config_sources {
	const struct config_map *flags; /* settings given as options; NULL: none */
	char *const *environment;       /* NULL-terminated "NAME=value", such as environ */
	const char *file;               /* of lines NAME=value; NULL or "": none */
	const char *vendor_file;        /* the same, below it */
	const char *json_file; /* where ECS_AGENT_CONFIG_FILE_PATH names none; NULL or "": none */
	config_ask_host *ask_host; /* NULL: there is nobody to ask */
	void *data;
};

/*
 * Reads all of them. Files that do not exist are empty ones. *ret is whole in any case, with
 * defaults in place of what is wrong, but good for nothing but printing when there are mistakes in
 * *ret_report (freed by config_report_free()).
 */
void config_read(const struct config_sources *sources, struct agent_config **ret,
		 struct config_report *ret_report);

/* The environment and one file only; -EINVAL when there is a mistake, with the first of them in
 * err. *ret_report (may be NULL: dropped) is written in both cases. */
int config_load(char *const *environment, const char *file, struct agent_config **ret,
		struct config_report *ret_report, struct error *err);

/*
 * `environment` without the variables whose values are those of the files: whoever started the
 * agent read the files (EnvironmentFile= of systemd), and when the files change these values are
 * old. The caller frees the array, not the strings.
 */
char **config_environment_own(char *const *environment, const char *file, const char *vendor_file);

/* Takes over from `from` what may change while the agent runs. */
struct config_changes {
	struct str_list applied; /* "ECS_LOGLEVEL: info -> debug" */
	struct str_list waiting; /* what else is different, and needs a start of the agent */
};
void config_reload(struct agent_config *config, struct agent_config *from,
		   struct config_changes *ret);
void config_changes_free(struct config_changes *changes);

void config_free(struct agent_config *config);
void config_report_free(struct config_report *report);
DEFINE_CLEANUP(struct agent_config, config_free);

/* The URL of the ECS API: ECS_BACKEND_HOST (https:// when it says no scheme), else the region's.
 * The caller frees it. */
char *config_endpoint(const struct agent_config *config);

/* A protocol timer of `ms` as it is waited for: divided by time_scale when above one second, but
 * never below 1 ms. */
int64_t config_scaled_ms(const struct agent_config *config, int64_t ms);

/* A duration as Go writes it: "1m30s", "350ms". */
void config_duration_format(int64_t ms, struct strbuf *out);

/* The registry credentials for `image` from ECS_ENGINE_AUTH_DATA, or false. Both are freed by the
 * caller. */
bool config_registry_auth(const struct agent_config *config, const char *image, char **ret_user,
			  char **ret_password);

/* Every setting as a Markdown table per group, for docs/configuration.md. */
void config_print_reference(FILE *out);

/* Every setting with its value and where it came from; secrets as "(set)". */
void config_print(const struct agent_config *config, FILE *out);
/* The same with the report, as one JSON object for programs. */
void config_print_json(const struct agent_config *config, const struct config_report *report,
		       FILE *out);

#endif
