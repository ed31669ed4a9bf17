/* SPDX-License-Identifier: Apache-2.0 */
/* Names that operators of the reference agent know, and why they change nothing here. */
#include <string.h>

#include "agent/config/settings.h"
#include "base/str.h"

#define DOCKER "There is no Docker daemon: images are containerd's, containers the OCI runtime's."
#define UPDATES                                                                                    \
	"Programs are the business of the host's package manager; updates sent by the control "    \
	"plane are refused."
#define CLEANUP                                                                                    \
	"There are no foreign containers to clean up: those that Berth did not make are not its "  \
	"own to remove."
#define GMSA     "Domain credentials (gMSA) are not offered."
#define WINDOWS  "It is for Windows hosts."
#define PAUSE    "The pause container is a program of Berth's own, not an image."
#define VERSION  "Not in this version: "
#define ENV_ONLY "It can be set in the environment only, as "

const struct ignored_setting config_ignored_settings[] = {
	{ "DOCKER_HOST", "DockerEndpoint", DOCKER },
	{ "ECS_HOST_DATA_DIR", "DataDirOnHost",
	  "The agent runs on the host itself: its data directory has one name only." },
	{ "ECS_UPDATES_ENABLED", "UpdatesEnabled", UPDATES },
	{ "ECS_UPDATE_DOWNLOAD_DIR", "UpdateDownloadDir", UPDATES },
	{ "ECS_CGROUP_PATH", "CgroupPath",
	  "Where control groups are mounted is read from the kernel." },
	{ NULL, "CgroupCPUPeriod", ENV_ONLY "`ECS_CGROUP_CPU_PERIOD`." },
	{ NULL, "DynamicHostPortRange", ENV_ONLY "`ECS_DYNAMIC_HOST_PORT_RANGE`." },
	{ "ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2", "PropagateTaskMemoryLimitCgroupV2",
	  VERSION "a task's limit holds in its own control group and is not repeated below it." },
	{ "ECS_SHARED_VOLUME_MATCH_FULL_CONFIG", "SharedVolumeMatchFullConfig",
	  "There are no Docker volumes." },
	{ "ECS_MANIFEST_PULL_TIMEOUT", "ManifestPullTimeout",
	  "A pull is one operation with `ECS_IMAGE_PULL_TIMEOUT` and "
	  "`ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`." },
	{ "NONECS_NUM_CONTAINERS_DELETE_PER_CYCLE", "NumNonECSContainersToDeletePerCycle",
	  CLEANUP },
	{ "ECS_SELINUX_CAPABLE", "SELinuxCapable", "Labels of SELinux are not set on containers." },
	{ "ECS_APPARMOR_CAPABLE", "AppArmorCapable",
	  "Profiles of AppArmor are not set on containers." },
	{ "ECS_NVIDIA_RUNTIME", "NvidiaRuntime", "There is one OCI runtime, `BERTH_RUNTIME`." },
	{ "ECS_ENABLE_INF_SUPPORT", "InferentiaSupportEnabled",
	  "Devices of Inferentia are not offered." },
	{ "ECS_EBSTA_SUPPORTED", NULL, "Volumes of EBS are not attached." },
	{ NULL, "CSIDriverSocketPath", "Volumes of EBS are not attached." },
	{ NULL, "NodeStageTimeout", "Volumes of EBS are not attached." },
	{ NULL, "NodeUnstageTimeout", "Volumes of EBS are not attached." },
	{ "ECS_VOLUME_PLUGIN_CAPABILITIES", "VolumePluginCapabilities",
	  "There are no volume plugins." },
	{ "ECS_PAUSE_LABELS", NULL, PAUSE },
	{ NULL, "PauseContainerTarballPath", PAUSE },
	{ NULL, "PauseContainerImageName", PAUSE },
	{ NULL, "PauseContainerTag", PAUSE },
	{ NULL, "ENIPauseContainerCleanupDelaySeconds", PAUSE },
	{ "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE", "OverrideAWSLogsExecutionRole",
	  "The log driver `awslogs` is not offered." },
	{ "ECS_ENABLE_CONTAINER_METADATA", "ContainerMetadataEnabled",
	  VERSION "no metadata file is put into containers. The metadata endpoint says the same." },
	{ "ECS_AUDIT_LOGFILE", "CredentialsAuditLogFile",
	  VERSION "requests for credentials are not written to a file of their own." },
	{ "ECS_AUDIT_LOGFILE_DISABLED", "CredentialsAuditLogDisabled",
	  VERSION "requests for credentials are not written to a file of their own." },
	{ "ECS_ENABLE_RUNTIME_STATS", "EnableRuntimeStats",
	  "It is about the runtime of the Go language." },
	{ NULL, "RuntimeStatsLogFile", "It is about the runtime of the Go language." },
	{ "ECS_ENABLE_FIRELENS_ASYNC", "FirelensAsyncEnabled", "FireLens is not offered." },
	{ NULL, "OverrideAWSVPCLocalIPv4Address",
	  "What a task reaches by way of the host has addresses of Berth's own choice." },
	{ NULL, "InstanceENIDNSServerList",
	  "A task's DNS servers are those of its network interface." },
	{ "ECS_LOG_OPTS", NULL,
	  "The agent runs in no container whose log driver could have options." },
	{ "ECS_GMSA_SUPPORTED", NULL, GMSA },
	{ "CREDENTIALS_FETCHER_HOST", NULL, GMSA },
	{ "CREDENTIALS_FETCHER_HOST_DIR", NULL, GMSA },
	{ "CREDENTIALS_FETCHER_SECRET_NAME_FOR_DOMAINLESS_GMSA", NULL, GMSA },
	{ "ECS_DOMAIN_JOINED_LINUX_INSTANCE", NULL, GMSA },
	{ "ZZZ_SKIP_DOMAIN_JOIN_CHECK_NOT_SUPPORTED_IN_PRODUCTION", NULL, GMSA },
	{ "ZZZ_SKIP_DOMAIN_LESS_CHECK_NOT_SUPPORTED_IN_PRODUCTION", NULL, GMSA },
	{ "ZZZ_SKIP_CREDENTIALS_FETCHER_INVOCATION_CHECK_NOT_SUPPORTED_IN_PRODUCTION", NULL, GMSA },
	{ "ECS_FSX_WINDOWS_FILE_SERVER_SUPPORTED", NULL, WINDOWS },
	{ "ECS_ENABLE_CPU_UNBOUNDED_WINDOWS_WORKAROUND", NULL, WINDOWS },
	{ "ECS_ENABLE_MEMORY_UNBOUNDED_WINDOWS_WORKAROUND", NULL, WINDOWS },

	/* What berth-init reads from the same file. */
	{ "BERTH_AGENT", NULL, NULL },
	{ "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER", NULL, NULL },
	{ "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS", NULL, NULL },
};

const size_t config_ignored_setting_count =
	sizeof(config_ignored_settings) / sizeof(config_ignored_settings[0]);

const struct ignored_setting *config_ignored_setting_find(const char *name)
{
	for (size_t i = 0; i < config_ignored_setting_count; i++)
		if (str_eq(config_ignored_settings[i].name, name))
			return &config_ignored_settings[i];
	return NULL;
}
