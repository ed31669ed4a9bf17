/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_SETTINGS_H
#define BERTH_CLI_SETTINGS_H

#include "base/error.h"

#define CLI_CONFIG_FILE "/etc/ecs/ecs.config"

/* Where the agent and what it needs are: as the agent itself finds it. */
struct cli_settings {
	char *url; /* of the introspection API, without a slash at the end */
	char *data_dir;
	char *containerd_address;
	char *ctr;
	char *runtime;
	char *libexec_dir;
	char *cni_plugins_path; /* directories with colons between them */
	char *cni_config_dir;   /* "": none */
	/* As they are written: what is not allowed stops the agent, or counts as the default. */
	char *task_eni, *high_density_eni, *eni_driver, *network_shape;
};

/*
 * `get` (getenv, or a test's), then `file` (NULL or "": none; one that is not there or not readable
 * to us is an empty one), then the default. An empty value counts as absent. -EINVAL for a port
 * that is none.
 */
int cli_settings_read(const char *(*get)(const char *name), const char *file,
		      struct cli_settings *ret, struct error *err);
void cli_settings_free(struct cli_settings *settings);

#define _cleanup_cli_settings_ __attribute__((cleanup(cli_settings_free)))

/* The last value of NAME in a text of NAME=value lines, or NULL; the caller frees. Pure. */
char *env_file_value(const char *text, const char *name);

/* getenv(), with const. */
const char *cli_environment(const char *name);

#endif
