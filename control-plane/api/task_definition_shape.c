/* SPDX-License-Identifier: Apache-2.0 */
/* The input of RegisterTaskDefinition. What is not in these tables is dropped. */
#include "control-plane/api/task_definition.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL                                                                      \
	}

static const struct api_member name_value[] = {
	{ "name", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	END,
};

static const struct api_member secret[] = {
	{ "name", API_STRING, NULL },
	{ "valueFrom", API_STRING, NULL },
	END,
};

static const struct api_member credentials_parameter[] = {
	{ "credentialsParameter", API_STRING, NULL },
	END,
};

static const struct api_member port_mapping[] = {
	{ "containerPort", API_INTEGER, NULL },
	{ "hostPort", API_INTEGER, NULL },
	{ "protocol", API_STRING, NULL },
	{ "name", API_STRING, NULL },
	{ "appProtocol", API_STRING, NULL },
	{ "containerPortRange", API_STRING, NULL },
	END,
};

static const struct api_member restart_policy[] = {
	{ "enabled", API_BOOLEAN, NULL },
	{ "ignoredExitCodes", API_INTEGERS, NULL },
	{ "restartAttemptPeriod", API_INTEGER, NULL },
	END,
};

static const struct api_member environment_file[] = {
	{ "value", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	END,
};

static const struct api_member mount_point[] = {
	{ "sourceVolume", API_STRING, NULL },
	{ "containerPath", API_STRING, NULL },
	{ "readOnly", API_BOOLEAN, NULL },
	END,
};

static const struct api_member volume_from[] = {
	{ "sourceContainer", API_STRING, NULL },
	{ "readOnly", API_BOOLEAN, NULL },
	END,
};

static const struct api_member kernel_capabilities[] = {
	{ "add", API_STRINGS, NULL },
	{ "drop", API_STRINGS, NULL },
	END,
};

static const struct api_member device[] = {
	{ "hostPath", API_STRING, NULL },
	{ "containerPath", API_STRING, NULL },
	{ "permissions", API_STRINGS, NULL },
	END,
};

static const struct api_member tmpfs[] = {
	{ "containerPath", API_STRING, NULL },
	{ "size", API_INTEGER, NULL },
	{ "mountOptions", API_STRINGS, NULL },
	END,
};

static const struct api_member linux_parameters[] = {
	{ "capabilities", API_STRUCT, kernel_capabilities },
	{ "devices", API_STRUCTS, device },
	{ "initProcessEnabled", API_BOOLEAN, NULL },
	{ "sharedMemorySize", API_INTEGER, NULL },
	{ "tmpfs", API_STRUCTS, tmpfs },
	{ "maxSwap", API_INTEGER, NULL },
	{ "swappiness", API_INTEGER, NULL },
	END,
};

static const struct api_member dependency[] = {
	{ "containerName", API_STRING, NULL },
	{ "condition", API_STRING, NULL },
	END,
};

static const struct api_member host_entry[] = {
	{ "hostname", API_STRING, NULL },
	{ "ipAddress", API_STRING, NULL },
	END,
};

static const struct api_member ulimit[] = {
	{ "name", API_STRING, NULL },
	{ "softLimit", API_INTEGER, NULL },
	{ "hardLimit", API_INTEGER, NULL },
	END,
};

static const struct api_member log_configuration[] = {
	{ "logDriver", API_STRING, NULL },
	{ "options", API_STRING_MAP, NULL },
	{ "secretOptions", API_STRUCTS, secret },
	END,
};

static const struct api_member health_check[] = {
	{ "command", API_STRINGS, NULL },     { "interval", API_INTEGER, NULL },
	{ "timeout", API_INTEGER, NULL },     { "retries", API_INTEGER, NULL },
	{ "startPeriod", API_INTEGER, NULL }, END,
};

static const struct api_member system_control[] = {
	{ "namespace", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	END,
};

static const struct api_member resource_requirement[] = {
	{ "value", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	END,
};

static const struct api_member firelens[] = {
	{ "type", API_STRING, NULL },
	{ "options", API_STRING_MAP, NULL },
	END,
};

static const struct api_member container[] = {
	{ "name", API_STRING, NULL },
	{ "image", API_STRING, NULL },
	{ "repositoryCredentials", API_STRUCT, credentials_parameter },
	{ "cpu", API_INTEGER, NULL },
	{ "memory", API_INTEGER, NULL },
	{ "memoryReservation", API_INTEGER, NULL },
	{ "links", API_STRINGS, NULL },
	{ "portMappings", API_STRUCTS, port_mapping },
	{ "essential", API_BOOLEAN, NULL },
	{ "restartPolicy", API_STRUCT, restart_policy },
	{ "entryPoint", API_STRINGS, NULL },
	{ "command", API_STRINGS, NULL },
	{ "environment", API_STRUCTS, name_value },
	{ "environmentFiles", API_STRUCTS, environment_file },
	{ "mountPoints", API_STRUCTS, mount_point },
	{ "volumesFrom", API_STRUCTS, volume_from },
	{ "linuxParameters", API_STRUCT, linux_parameters },
	{ "secrets", API_STRUCTS, secret },
	{ "dependsOn", API_STRUCTS, dependency },
	{ "startTimeout", API_INTEGER, NULL },
	{ "stopTimeout", API_INTEGER, NULL },
	{ "versionConsistency", API_STRING, NULL },
	{ "hostname", API_STRING, NULL },
	{ "user", API_STRING, NULL },
	{ "workingDirectory", API_STRING, NULL },
	{ "disableNetworking", API_BOOLEAN, NULL },
	{ "privileged", API_BOOLEAN, NULL },
	{ "readonlyRootFilesystem", API_BOOLEAN, NULL },
	{ "dnsServers", API_STRINGS, NULL },
	{ "dnsSearchDomains", API_STRINGS, NULL },
	{ "extraHosts", API_STRUCTS, host_entry },
	{ "dockerSecurityOptions", API_STRINGS, NULL },
	{ "interactive", API_BOOLEAN, NULL },
	{ "pseudoTerminal", API_BOOLEAN, NULL },
	{ "dockerLabels", API_STRING_MAP, NULL },
	{ "ulimits", API_STRUCTS, ulimit },
	{ "logConfiguration", API_STRUCT, log_configuration },
	{ "healthCheck", API_STRUCT, health_check },
	{ "systemControls", API_STRUCTS, system_control },
	{ "resourceRequirements", API_STRUCTS, resource_requirement },
	{ "firelensConfiguration", API_STRUCT, firelens },
	{ "credentialSpecs", API_STRINGS, NULL },
	END,
};

static const struct api_member host_volume[] = {
	{ "sourcePath", API_STRING, NULL },
	END,
};

static const struct api_member docker_volume[] = {
	{ "scope", API_STRING, NULL },      { "autoprovision", API_BOOLEAN, NULL },
	{ "driver", API_STRING, NULL },     { "driverOpts", API_STRING_MAP, NULL },
	{ "labels", API_STRING_MAP, NULL }, END,
};

static const struct api_member efs_authorization[] = {
	{ "accessPointId", API_STRING, NULL },
	{ "iam", API_STRING, NULL },
	END,
};

static const struct api_member efs_volume[] = {
	{ "fileSystemId", API_STRING, NULL },
	{ "rootDirectory", API_STRING, NULL },
	{ "transitEncryption", API_STRING, NULL },
	{ "transitEncryptionPort", API_INTEGER, NULL },
	{ "authorizationConfig", API_STRUCT, efs_authorization },
	END,
};

static const struct api_member fsx_authorization[] = {
	{ "credentialsParameter", API_STRING, NULL },
	{ "domain", API_STRING, NULL },
	END,
};

static const struct api_member fsx_volume[] = {
	{ "fileSystemId", API_STRING, NULL },
	{ "rootDirectory", API_STRING, NULL },
	{ "authorizationConfig", API_STRUCT, fsx_authorization },
	END,
};

static const struct api_member volume[] = {
	{ "name", API_STRING, NULL },
	{ "host", API_STRUCT, host_volume },
	{ "dockerVolumeConfiguration", API_STRUCT, docker_volume },
	{ "efsVolumeConfiguration", API_STRUCT, efs_volume },
	{ "fsxWindowsFileServerVolumeConfiguration", API_STRUCT, fsx_volume },
	{ "configuredAtLaunch", API_BOOLEAN, NULL },
	END,
};

static const struct api_member constraint[] = {
	{ "type", API_STRING, NULL },
	{ "expression", API_STRING, NULL },
	END,
};

static const struct api_member proxy[] = {
	{ "type", API_STRING, NULL },
	{ "containerName", API_STRING, NULL },
	{ "properties", API_STRUCTS, name_value },
	END,
};

static const struct api_member accelerator[] = {
	{ "deviceName", API_STRING, NULL },
	{ "deviceType", API_STRING, NULL },
	END,
};

static const struct api_member ephemeral_storage[] = {
	{ "sizeInGiB", API_INTEGER, NULL },
	END,
};

static const struct api_member runtime_platform[] = {
	{ "cpuArchitecture", API_STRING, NULL },
	{ "operatingSystemFamily", API_STRING, NULL },
	END,
};

const struct api_member task_definition_members[] = {
	{ "family", API_STRING, NULL },
	{ "taskRoleArn", API_STRING, NULL },
	{ "executionRoleArn", API_STRING, NULL },
	{ "networkMode", API_STRING, NULL },
	{ "containerDefinitions", API_STRUCTS, container },
	{ "volumes", API_STRUCTS, volume },
	{ "placementConstraints", API_STRUCTS, constraint },
	{ "requiresCompatibilities", API_STRINGS, NULL },
	{ "cpu", API_STRING, NULL },
	{ "memory", API_STRING, NULL },
	{ "tags", API_STRUCTS, api_tag_members },
	{ "pidMode", API_STRING, NULL },
	{ "ipcMode", API_STRING, NULL },
	{ "proxyConfiguration", API_STRUCT, proxy },
	{ "inferenceAccelerators", API_STRUCTS, accelerator },
	{ "ephemeralStorage", API_STRUCT, ephemeral_storage },
	{ "runtimePlatform", API_STRUCT, runtime_platform },
	{ "enableFaultInjection", API_BOOLEAN, NULL },
	END,
};
