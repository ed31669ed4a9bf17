/* SPDX-License-Identifier: Apache-2.0 */
/* The agent itself; and the one table of all settings, which has a file for each of its parts. */
#include "agent/config/settings_table.h"

#include "base/str.h"

/* Order: that of the enumerations in config.h. */
static const char *const metadata_uses[] = { "auto", "always", "never", NULL };
static const char *const tag_sources[] = { "none", "ec2_instance", NULL };
static const char *const log_formats[] = { "logfmt", "json", NULL };
static const char *const log_levels[] = {
	"", "debug", "info", "warn", "error", "crit", "none", NULL
};
static const char *const log_rollovers[] = { "size", "none", "hourly", NULL };

#define IDENTITY "Identity and control plane"
#define STATE    "State and logs"

static const struct setting settings[] = {
	{ .group = IDENTITY,
	  .name = "ECS_CLUSTER",
	  .json = "Cluster",
	  .json_other = "ClusterArn",
	  .type = SETTING_TRIMMED,
	  .offset = AT(cluster),
	  .fallback = "",
	  .used_by = "registration, both sessions, labels",
	  .doc = "Name or ARN of the cluster to join. When it is not set, the cluster `default` is "
		 "joined, and made when it "
		 "is missing." },
	{ .group = IDENTITY,
	  .name = "AWS_DEFAULT_REGION",
	  .json = "AWSRegion",
	  .other_name = "AWS_REGION",
	  .type = SETTING_TRIMMED,
	  .offset = AT(region),
	  .fallback = "",
	  .required = true,
	  .used_by = "signatures, endpoint selection",
	  .doc = "Region, such as `eu-central-1`. Required, unless instance metadata tells it. An "
		 "external instance must have it in its environment. `AWS_REGION` is read when it "
		 "is not set." },
	{ .group = IDENTITY,
	  .name = "ECS_BACKEND_HOST",
	  .json = "APIEndpoint",
	  .type = SETTING_TRIMMED,
	  .offset = AT(backend_host),
	  .fallback = "",
	  .used_by = "ECS API",
	  .doc = "Control plane to use in place of the region's. `https://` is put in front when "
		 "it names no scheme; give "
		 "`http://127.0.0.1:4510` for a local `berth-control`." },
	{ .group = IDENTITY,
	  .name = "AWS_ACCESS_KEY_ID",
	  .other_name = "AWS_ACCESS_KEY",
	  .type = SETTING_TRIMMED,
	  .offset = AT(access_key_id),
	  .fallback = "",
	  .used_by = "signatures",
	  .doc = "Access key of the agent itself. Without it keys are looked for, as AWS's own "
		 "tools "
		 "do, in a web identity (`AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`), the "
		 "shared "
		 "files (`AWS_PROFILE`; a role there is assumed), the endpoint of a container, the "
		 "role "
		 "of the instance, and the file of an activation." },
	{ .group = IDENTITY,
	  .name = "AWS_SECRET_ACCESS_KEY",
	  .other_name = "AWS_SECRET_KEY",
	  .type = SETTING_TRIMMED,
	  .offset = AT(secret_access_key),
	  .fallback = "",
	  .secret = true,
	  .used_by = "signatures",
	  .doc = "Secret of the access key." },
	{ .group = IDENTITY,
	  .name = "AWS_SESSION_TOKEN",
	  .type = SETTING_TRIMMED,
	  .offset = AT(session_token),
	  .fallback = "",
	  .secret = true,
	  .used_by = "signatures",
	  .doc = "Session token, with temporary keys only." },
	{ .group = IDENTITY,
	  .name = "BERTH_INSTANCE_METADATA",
	  .type = SETTING_CHOICE,
	  .offset = AT(instance_metadata),
	  .choices = metadata_uses,
	  .fallback = "auto",
	  .used_by = "credentials, registration",
	  .doc = "Whether the instance metadata service of EC2 is asked. `auto`: where the host's "
		 "firmware says that it is an instance of EC2, or "
		 "`AWS_EC2_METADATA_SERVICE_ENDPOINT` is set. `AWS_EC2_METADATA_DISABLED=true` is "
		 "the same as `never`." },
	{ .group = IDENTITY,
	  .name = "ECS_EXTERNAL",
	  .json = "External",
	  .type = SETTING_BOOL,
	  .offset = AT(external),
	  .fallback = "false",
	  .used_by = "credentials, registration",
	  .doc = "This host is outside EC2 and was activated for the control plane (ECS "
		 "Anywhere): no instance metadata is asked for, and its keys are those that the "
		 "activation keeps." },
	{ .group = IDENTITY,
	  .name = "BERTH_ACTIVATION_CREDENTIALS_FILE",
	  .type = SETTING_TRIMMED,
	  .offset = AT(activation_credentials_file),
	  .fallback = "/root/.aws/credentials",
	  .used_by = "signatures",
	  .doc = "Where the activation of an external instance keeps its keys, which it replaces "
		 "from time to time." },
	{ .group = IDENTITY,
	  .name = "ECS_ALTERNATE_CREDENTIAL_PROFILE",
	  .type = SETTING_TRIMMED,
	  .offset = AT(activation_credentials_profile),
	  .fallback = "default",
	  .used_by = "signatures",
	  .doc = "Profile in that file." },
	{ .group = IDENTITY,
	  .name = "BERTH_ENROLL_TOKEN",
	  .type = SETTING_TRIMMED,
	  .offset = AT(enroll_token),
	  .fallback = "",
	  .secret = true,
	  .used_by = "identity",
	  .doc = "Token of `berth-control token create`, with which this host gets an identity of "
		 "its own: a key, and a certificate that it shows from then on instead of signing. "
		 "It is used once; afterwards the setting does nothing. `ECS_BACKEND_HOST` must be "
		 "`https://`." },
	{ .group = IDENTITY,
	  .name = "BERTH_ENROLL_TOKEN_FILE",
	  .type = SETTING_TRIMMED,
	  .offset = AT(enroll_token_file),
	  .fallback = "",
	  .used_by = "identity",
	  .doc = "File that holds such a token, in place of the setting." },
	{ .group = IDENTITY,
	  .name = "ECS_ACCEPT_INSECURE_CERTS",
	  .type = SETTING_BOOL,
	  .offset = AT(accept_insecure_certs),
	  .fallback = "false",
	  .used_by = "ECS API, both sessions",
	  .doc = "Do not verify the control plane's certificate. For tests only." },
	{ .group = IDENTITY,
	  .name = "BERTH_CA_FILE",
	  .type = SETTING_TRIMMED,
	  .offset = AT(ca_file),
	  .fallback = "",
	  .used_by = "ECS API, both sessions",
	  .doc = "File of PEM certificates that the control plane's certificate is verified "
		 "against, in place of the "
		 "system's." },
	{ .group = IDENTITY,
	  .name = "ECS_DETAILED_OS_FAMILY",
	  .empty_counts = true,
	  .type = SETTING_TRIMMED,
	  .offset = AT(detailed_os_family),
	  .fallback = "LINUX",
	  .used_by = "registration, User-Agent",
	  .doc = "Value of the attribute `ecs.os-type-detailed`, such as `debian_12`. Set to "
		 "nothing, there is none." },
	{ .group = IDENTITY,
	  .name = "BERTH_NO_IDENTITY_DOCUMENT",
	  .json = "NoIID",
	  .type = SETTING_BOOL,
	  .offset = AT(no_identity_document),
	  .fallback = "false",
	  .used_by = "registration",
	  .doc = "Register without the identity document of the EC2 instance and its signature." },
	{ .group = IDENTITY,
	  .name = "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM",
	  .json = "ContainerInstancePropagateTagsFrom",
	  .type = SETTING_CHOICE,
	  .offset = AT(tag_source),
	  .choices = tag_sources,
	  .fallback = "none",
	  .used_by = "registration",
	  .doc = "`ec2_instance`: the container instance has the tags of its EC2 instance, too "
		 "(`ec2:DescribeTags` must be allowed). Those of `ECS_CONTAINER_INSTANCE_TAGS` "
		 "win." },
	{ .group = IDENTITY,
	  .name = "ECS_WARM_POOLS_CHECK",
	  .json = "WarmPoolsSupport",
	  .type = SETTING_BOOL,
	  .offset = AT(warm_pools_check),
	  .fallback = "false",
	  .used_by = "registration",
	  .doc = "Register only when the instance has left the warm pool of its auto scaling "
		 "group." },
	{ .group = IDENTITY,
	  .name = "ECS_ENABLE_SPOT_INSTANCE_DRAINING",
	  .json = "SpotInstanceDrainingEnabled",
	  .type = SETTING_BOOL,
	  .offset = AT(spot_draining),
	  .fallback = "false",
	  .used_by = "instance state",
	  .doc = "Drain the container instance when EC2 announces that it takes a spot instance "
		 "away. The instance metadata service is asked once a second." },

	{ .group = STATE,
	  .name = "ECS_DATADIR",
	  .json = "DataDir",
	  .type = SETTING_STRING,
	  .offset = AT(data_dir),
	  .fallback = "/var/lib/ecs/data",
	  .used_by = "store, task files",
	  .doc = "Directory of the durable state. Only one agent may use it at a time." },
	{ .group = STATE,
	  .name = "ECS_CHECKPOINT",
	  .json = "Checkpoint",
	  .type = SETTING_BOOL,
	  .offset = AT(checkpoint),
	  .fallback = "true",
	  .used_by = "store",
	  .doc = "Keep state across restarts. When false, each start registers a new container "
		 "instance and forgets the "
		 "tasks of the last." },
	{ .group = STATE,
	  .name = "ECS_AGENT_CONFIG_FILE_PATH",
	  .type = SETTING_STRING,
	  .offset = AT(json_file),
	  .fallback = "/etc/ecs/ecs.config.json",
	  .used_by = "configuration",
	  .doc = "The JSON file of settings, below the environment and its files. One that is "
		 "not there is as good as an empty one; one that is no JSON stops the agent." },
	{ .group = STATE,
	  .name = "ECS_LOGLEVEL",
	  .reloads = true,
	  .type = SETTING_CHOICE,
	  .offset = AT(log_level),
	  .fallback = "info",
	  .choices = log_levels,
	  .any_case = true,
	  .used_by = "log",
	  .doc = "Level of what is written to standard error." },
	{ .group = STATE,
	  .name = "ECS_LOGLEVEL_ON_INSTANCE",
	  .reloads = true,
	  .type = SETTING_CHOICE,
	  .offset = AT(log_level_on_instance),
	  .fallback = "",
	  .choices = log_levels,
	  .any_case = true,
	  .used_by = "log",
	  .doc = "Level of what is written to the log file. When it is not set: nothing where "
		 "`ECS_LOG_DRIVER` is set, else as `ECS_LOGLEVEL`." },
	{ .group = STATE,
	  .name = "ECS_LOG_DRIVER",
	  .reloads = true,
	  .type = SETTING_STRING,
	  .offset = AT(log_driver),
	  .fallback = "",
	  .used_by = "log",
	  .doc = "That somebody else takes the log: the log file then stays empty unless "
		 "`ECS_LOGLEVEL_ON_INSTANCE` is set. Berth has no log driver of its own; systemd "
		 "has the journal." },
	{ .group = STATE,
	  .name = "ECS_LOGFILE",
	  .reloads = true,
	  .type = SETTING_STRING,
	  .offset = AT(log_file),
	  .fallback = "",
	  .used_by = "log",
	  .doc = "Log file, written beside standard error." },
	{ .group = STATE,
	  .name = "ECS_LOG_OUTPUT_FORMAT",
	  .reloads = true,
	  .type = SETTING_CHOICE,
	  .offset = AT(log_format),
	  .fallback = "logfmt",
	  .choices = log_formats,
	  .used_by = "log",
	  .doc = "Shape of a record." },
	{ .group = STATE,
	  .name = "ECS_LOG_ROLLOVER_TYPE",
	  .reloads = true,
	  .type = SETTING_CHOICE,
	  .offset = AT(log_rollover),
	  .fallback = "size",
	  .choices = log_rollovers,
	  .used_by = "log",
	  .doc = "When the log file is put aside for a new one." },
	{ .group = STATE,
	  .name = "ECS_LOG_MAX_FILE_SIZE_MB",
	  .reloads = true,
	  .type = SETTING_NUMBER,
	  .offset = AT(log_max_file_size_mb),
	  .fallback = "5",
	  .min = 0,
	  .max = 1000000,
	  .used_by = "log",
	  .doc = "Size in megabytes (of 1,000,000 bytes) at which the log file is put aside." },
	{ .group = STATE,
	  .name = "ECS_LOG_MAX_ROLL_COUNT",
	  .reloads = true,
	  .type = SETTING_INTEGER,
	  .offset = AT(log_max_roll_count),
	  .fallback = "24",
	  .min = -1,
	  .max = 1000000,
	  .used_by = "log",
	  .doc = "How many old log files are kept; 0 or less keeps all." },
};

static const struct setting_table own = SETTING_TABLE(settings);

/* In the order of the reference. */
static const struct setting_table *const tables[] = {
	&own,
	&config_settings_of_tasks,
	&config_settings_of_endpoints,
	&config_settings_of_network,
	&config_settings_of_house,
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

size_t config_setting_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < TABLES; i++)
		count += tables[i]->count;
	return count;
}

const struct setting *config_setting_at(size_t index)
{
	size_t i = 0;

	for (; index >= tables[i]->count; i++)
		index -= tables[i]->count;
	return &tables[i]->settings[index];
}

const struct setting *config_setting_find(const char *name)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		if (str_eq(setting->name, name) || str_eq(setting->other_name, name))
			return setting;
	}
	return NULL;
}
