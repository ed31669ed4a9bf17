/* SPDX-License-Identifier: Apache-2.0 */
/* One container of a task definition, but for its network, Linux and log settings. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

#define NAME_LENGTH_MAX      255
#define IMAGE_LENGTH_MAX     255
#define ENVIRONMENT_FILE_MAX 10
#define EXIT_CODES_MAX       50

static int out_of_range(struct api_call *call, const char *setting, const char *container,
			int64_t min, int64_t max)
{
	return api_error(call, API_CLIENT,
			 "Invalid '%s' setting for container '%s': it must be between %" PRId64
			 " and %" PRId64 ".",
			 setting, container, min, max);
}

static int check_identity(struct api_call *call, const json_t *container)
{
	const char *name = member_string(container, "name");
	const char *image = member_string(container, "image");

	if (str_is_empty(name))
		return api_error(call, API_CLIENT, "Container.name should not be null or empty.");
	if (!api_is_name(name, NAME_LENGTH_MAX))
		return api_error(call, API_CLIENT,
				 "Container.name contains invalid characters: '%s'. Up to %d "
				 "letters, numbers, hyphens and underscores are allowed.",
				 name, NAME_LENGTH_MAX);
	if (str_is_empty(image))
		return api_error(call, API_CLIENT, "Container.image should not be null or empty.");
	if (strcspn(image, "@") > IMAGE_LENGTH_MAX || strpbrk(image, " \t\r\n"))
		return api_error(call, API_CLIENT,
				 "Container.image '%s' is not a valid image reference: up to %d "
				 "characters without spaces are allowed.",
				 image, IMAGE_LENGTH_MAX);
	return 0;
}

int container_environment_check(struct api_call *call, const json_t *container)
{
	const char *name = member_string(container, "name");
	const json_t *files = member_list(container, "environmentFiles");
	size_t i;
	json_t *item;

	json_array_foreach (member_list(container, "environment"), i, item)
		if (str_is_empty(member_string(item, "name")))
			return api_error(call, API_CLIENT,
					 "Container '%s': the name of an environment variable can "
					 "not be blank.",
					 name);
	if (json_array_size(files) > ENVIRONMENT_FILE_MAX)
		return api_error(call, API_CLIENT, "environmentFiles can have at most %d items.",
				 ENVIRONMENT_FILE_MAX);
	json_array_foreach (files, i, item) {
		static const char *const types[] = { "s3", NULL };
		const char *type = member_string(item, "type");
		const char *value = member_string(item, "value");

		if (api_check_enum(call, API_CLIENT, "environmentFiles.type", type, types) < 0)
			return -EINVAL;
		if (!value || !arn_looks_like(value) || !str_ends_with(value, ".env"))
			return api_error(
				call, API_CLIENT,
				"Container '%s': an environment file must be the ARN of an "
				"S3 object that ends with .env.",
				name);
	}
	return 0;
}

static bool in_environment(const json_t *container, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (member_list(container, "environment"), i, item)
		if (str_eq(member_string(item, "name"), name))
			return true;
	return false;
}

int container_secrets_check(struct api_call *call, const json_t *definition,
			    const json_t *container)
{
	const json_t *secrets = member_list(container, "secrets");
	size_t i;
	json_t *secret;

	/* An empty list is enough to ask for the role. */
	if (secrets && str_is_empty(member_string(definition, "executionRoleArn")))
		return api_error(call, API_CLIENT,
				 "When you are specifying container secrets, you must also specify "
				 "a value for 'executionRoleArn'.");
	json_array_foreach (secrets, i, secret) {
		const char *name = member_string(secret, "name");
		bool taken;

		if (str_is_empty(name) || str_is_empty(member_string(secret, "valueFrom")))
			return api_error(
				call, API_CLIENT,
				"Container '%s': name and valueFrom of a secret can not be "
				"blank.",
				member_string(container, "name"));
		taken = in_environment(container, name);
		for (size_t before = 0; before < i; before++)
			taken = taken ||
				str_eq(member_string(json_array_get(secrets, before), "name"),
				       name);
		if (taken)
			return api_error(call, API_CLIENT,
					 "The secret name must be unique and not shared with any "
					 "new or existing environment variables set on the "
					 "container, such as '%s'.",
					 name);
	}
	return 0;
}

static int check_repository(struct api_call *call, const json_t *definition,
			    const json_t *container)
{
	const json_t *credentials = json_object_get(container, "repositoryCredentials");

	if (!credentials)
		return 0;
	if (str_is_empty(member_string(definition, "executionRoleArn")))
		return api_error(call, API_CLIENT,
				 "Private repository authentication requires that the task "
				 "definition specify a value for executionRoleArn.");
	if (str_is_empty(member_string(credentials, "credentialsParameter")))
		return api_error(call, API_CLIENT,
				 "repositoryCredentials.credentialsParameter can not be blank.");
	return 0;
}

static int check_mounts(struct api_call *call, const json_t *definition, const json_t *container)
{
	const char *name = member_string(container, "name");
	size_t i, j;
	json_t *mount, *volume, *from;

	json_array_foreach (member_list(container, "mountPoints"), i, mount) {
		const char *source = member_string(mount, "sourceVolume");
		bool known = false;

		json_array_foreach (member_list(definition, "volumes"), j, volume)
			known = known || str_eq(member_string(volume, "name"), source);
		if (!source || !known)
			return api_error(call, API_CLIENT, "Unknown volume '%s'.",
					 source ? source : "");
		if (str_is_empty(member_string(mount, "containerPath")))
			return api_error(call, API_CLIENT,
					 "Container '%s': containerPath of the mount point for "
					 "volume '%s' should not be null or empty.",
					 name, source);
	}
	json_array_foreach (member_list(container, "volumesFrom"), i, from) {
		const char *source = member_string(from, "sourceContainer");

		if (!source || !definition_container(definition, source) || str_eq(source, name))
			return api_error(call, API_CLIENT,
					 "Container '%s': volumesFrom names container '%s', which "
					 "is not another container of the task definition.",
					 name, source ? source : "");
	}
	return 0;
}

static int check_health(struct api_call *call, const json_t *container)
{
	static const struct {
		const char *name;
		int64_t min, max, fallback;
	} ranges[] = {
		{ "interval", 5, 300, 30 },
		{ "timeout", 2, 60, 5 },
		{ "retries", 1, 10, 3 },
		{ "startPeriod", 0, 300, 0 },
	};
	const char *name = member_string(container, "name");
	const json_t *health = json_object_get(container, "healthCheck");

	if (!health)
		return 0;
	if (json_array_size(member_list(health, "command")) == 0)
		return api_error(call, API_CLIENT,
				 "Container '%s': healthCheck.command should not be null or empty.",
				 name);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		int64_t value = member_integer(health, ranges[i].name, ranges[i].fallback);

		if (value < ranges[i].min || value > ranges[i].max)
			return api_error(call, API_CLIENT,
					 "Invalid 'healthCheck.%s' setting for container '%s': it "
					 "must be between %" PRId64 " and %" PRId64 ".",
					 ranges[i].name, name, ranges[i].min, ranges[i].max);
	}
	return 0;
}

static int check_restarts(struct api_call *call, const json_t *container)
{
	const char *name = member_string(container, "name");
	const json_t *policy = json_object_get(container, "restartPolicy");

	if (!policy)
		return 0;
	if (!member_has(policy, "enabled"))
		return api_error(call, API_CLIENT,
				 "Container '%s': restartPolicy.enabled must be specified.", name);
	if (member_integer(policy, "restartAttemptPeriod", 300) < 60 ||
	    member_integer(policy, "restartAttemptPeriod", 300) > 1800)
		return out_of_range(call, "restartPolicy.restartAttemptPeriod", name, 60, 1800);
	if (json_array_size(member_list(policy, "ignoredExitCodes")) > EXIT_CODES_MAX)
		return api_error(call, API_CLIENT,
				 "restartPolicy.ignoredExitCodes can have at most %d items.",
				 EXIT_CODES_MAX);
	return 0;
}

int container_resources_check(struct api_call *call, const json_t *definition,
			      const json_t *container)
{
	static const char *const types[] = { "GPU", "InferenceAccelerator", NULL };
	const char *name = member_string(container, "name");
	size_t i, j;
	json_t *requirement, *accelerator;

	json_array_foreach (member_list(container, "resourceRequirements"), i, requirement) {
		const char *type = member_string(requirement, "type");
		const char *value = member_string(requirement, "value");
		bool known = false;
		int64_t count;

		if (api_check_enum(call, API_CLIENT, "resourceRequirements.type", type, types) < 0)
			return -EINVAL;
		if (str_eq(type, "GPU")) {
			if (!value || number_parse_i64(value, 1, INT32_MAX, &count, NULL) < 0)
				return api_error(
					call, API_CLIENT,
					"Container '%s': the value of resource requirement "
					"GPU must be a positive integer.",
					name);
			continue;
		}
		json_array_foreach (member_list(definition, "inferenceAccelerators"), j,
				    accelerator)
			known = known || str_eq(member_string(accelerator, "deviceName"), value);
		if (!known)
			return api_error(
				call, API_CLIENT,
				"Container '%s' requires inference accelerator '%s', which "
				"the task definition does not have.",
				name, value ? value : "");
	}
	return 0;
}

static int check_rest(struct api_call *call, const json_t *container)
{
	static const char *const consistencies[] = { "enabled", "disabled", NULL };
	const char *name = member_string(container, "name");
	const char *consistency = member_string(container, "versionConsistency");

	if (member_integer(container, "startTimeout", 0) < 0)
		return api_error(call, API_CLIENT,
				 "Invalid 'startTimeout' setting for container '%s'.", name);
	if (member_integer(container, "stopTimeout", 0) < 0)
		return api_error(call, API_CLIENT,
				 "Invalid 'stopTimeout' setting for container '%s'.", name);
	if (json_array_size(member_list(container, "credentialSpecs")) > 1)
		return api_error(call, API_CLIENT, "credentialSpecs can have at most 1 items.");
	if (consistency)
		return api_check_enum(call, API_CLIENT, "versionConsistency", consistency,
				      consistencies);
	return 0;
}

int container_check(struct api_call *call, const json_t *definition, const json_t *container)
{
	if (check_identity(call, container) < 0 ||
	    container_environment_check(call, container) < 0 ||
	    container_secrets_check(call, definition, container) < 0 ||
	    check_repository(call, definition, container) < 0 ||
	    check_mounts(call, definition, container) < 0 || check_health(call, container) < 0 ||
	    check_restarts(call, container) < 0 ||
	    container_resources_check(call, definition, container) < 0 ||
	    check_rest(call, container) < 0)
		return -EINVAL;
	return 0;
}
