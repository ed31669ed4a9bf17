/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of a task definition. */
#include <errno.h>

#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

#define VOLUME_NAME_MAX 255

static const char *const kinds[] = {
	"host",
	"dockerVolumeConfiguration",
	"efsVolumeConfiguration",
	"fsxWindowsFileServerVolumeConfiguration",
};

static int check_docker_volume(struct api_call *call, const char *name, const json_t *docker)
{
	static const char *const scopes[] = { "task", "shared", NULL };
	const char *scope = member_string(docker, "scope");

	if (scope &&
	    api_check_enum(call, API_CLIENT, "dockerVolumeConfiguration.scope", scope, scopes) < 0)
		return -EINVAL;
	if (member_bool(docker, "autoprovision", false) && !str_eq(scope, "shared"))
		return api_error(
			call, API_CLIENT,
			"Volume '%s': autoprovision is only supported with scope 'shared'.", name);
	return 0;
}

static int check_efs_volume(struct api_call *call, const char *name, const json_t *efs)
{
	static const char *const switches[] = { "ENABLED", "DISABLED", NULL };
	const json_t *authorization = json_object_get(efs, "authorizationConfig");
	const char *encryption = member_string(efs, "transitEncryption");
	const char *root = member_string(efs, "rootDirectory");
	const char *iam = member_string(authorization, "iam");
	int64_t port = member_integer(efs, "transitEncryptionPort", 1);

	if (str_is_empty(member_string(efs, "fileSystemId")))
		return api_error(
			call, API_CLIENT,
			"Volume '%s': efsVolumeConfiguration.fileSystemId can not be blank.", name);
	if (encryption &&
	    api_check_enum(call, API_CLIENT, "transitEncryption", encryption, switches) < 0)
		return -EINVAL;
	if (iam && api_check_enum(call, API_CLIENT, "iam", iam, switches) < 0)
		return -EINVAL;
	if (port < 1 || port > 65535)
		return api_error(call, API_CLIENT,
				 "Volume '%s': transitEncryptionPort must be between 1 and 65535.",
				 name);
	if ((member_has(authorization, "accessPointId") || str_eq(iam, "ENABLED")) &&
	    !str_eq(encryption, "ENABLED"))
		return api_error(call, API_CLIENT,
				 "Volume '%s': transitEncryption must be ENABLED when an access "
				 "point or IAM authorization is used.",
				 name);
	if (member_has(authorization, "accessPointId") && root && !str_eq(root, "/"))
		return api_error(call, API_CLIENT,
				 "Volume '%s': rootDirectory must be omitted or '/' when an access "
				 "point is used.",
				 name);
	return 0;
}

static int check_fsx_volume(struct api_call *call, const char *name, const json_t *fsx)
{
	const json_t *authorization = json_object_get(fsx, "authorizationConfig");

	if (str_is_empty(member_string(fsx, "fileSystemId")) ||
	    str_is_empty(member_string(fsx, "rootDirectory")) ||
	    str_is_empty(member_string(authorization, "credentialsParameter")) ||
	    str_is_empty(member_string(authorization, "domain")))
		return api_error(call, API_CLIENT,
				 "Volume '%s': fsxWindowsFileServerVolumeConfiguration needs "
				 "fileSystemId, rootDirectory and authorizationConfig with "
				 "credentialsParameter and domain.",
				 name);
	return 0;
}

static int check_volume(struct api_call *call, const json_t *volume)
{
	const char *name = member_string(volume, "name");
	const json_t *host = json_object_get(volume, "host");
	size_t configurations = member_bool(volume, "configuredAtLaunch", false);

	if (str_is_empty(name))
		return api_error(call, API_CLIENT, "Volume.name should not be null or empty.");
	if (!api_is_name(name, VOLUME_NAME_MAX))
		return api_error(call, API_CLIENT,
				 "Volume name '%s' contains invalid characters: up to %d letters, "
				 "numbers, hyphens and underscores are allowed.",
				 name, VOLUME_NAME_MAX);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		configurations += member_has(volume, kinds[i]);
	if (configurations > 1)
		return api_error(
			call, API_CLIENT,
			"Volume '%s' can have only one of host, dockerVolumeConfiguration, "
			"efsVolumeConfiguration, fsxWindowsFileServerVolumeConfiguration "
			"and configuredAtLaunch.",
			name);
	if (member_has(host, "sourcePath") && str_is_empty(member_string(host, "sourcePath")))
		return api_error(call, API_CLIENT, "host.sourcePath should not be blank.");
	if (member_has(volume, kinds[1]) &&
	    check_docker_volume(call, name, json_object_get(volume, kinds[1])) < 0)
		return -EINVAL;
	if (member_has(volume, kinds[2]) &&
	    check_efs_volume(call, name, json_object_get(volume, kinds[2])) < 0)
		return -EINVAL;
	if (member_has(volume, kinds[3]) &&
	    check_fsx_volume(call, name, json_object_get(volume, kinds[3])) < 0)
		return -EINVAL;
	return 0;
}

int volumes_check(struct api_call *call, const json_t *definition)
{
	const json_t *volumes = member_list(definition, "volumes");
	size_t at_launch = 0;
	size_t i;
	json_t *volume;

	json_array_foreach (volumes, i, volume) {
		const char *name = member_string(volume, "name");

		if (check_volume(call, volume) < 0)
			return -EINVAL;
		for (size_t before = 0; before < i; before++)
			if (str_eq(member_string(json_array_get(volumes, before), "name"), name))
				return api_error(call, API_CLIENT,
						 "Volume.name contains duplicate value '%s'.",
						 name);
		at_launch += member_bool(volume, "configuredAtLaunch", false);
	}
	if (at_launch > 1)
		return api_error(call, API_CLIENT,
				 "Only one volume of a task definition can be configuredAtLaunch.");
	return 0;
}
