/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/container.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "wire/container_lists.h"
#include "wire/reader.h"

#define CONTAINER_NAME_LIMIT 255
#define CPU_SHARES_MIN       2
#define CPU_SHARES_MAX       262144
#define MIB                  (INT64_C(1024) * 1024)
#define MEMORY_MIN_BYTES     (4 * MIB)

const char *container_spec_image(const struct container_spec *container)
{
	if (container->docker.image)
		return container->docker.image;
	return container->image ? container->image : "";
}

int64_t container_spec_cpu_shares(const struct container_spec *container)
{
	int64_t shares =
		container->docker.has_cpu_shares ? container->docker.cpu_shares : container->cpu;

	if (shares < CPU_SHARES_MIN)
		return CPU_SHARES_MIN;
	return shares > CPU_SHARES_MAX ? CPU_SHARES_MAX : shares;
}

int64_t container_spec_memory_bytes(const struct container_spec *container)
{
	int64_t bytes = container->docker.has_memory ? container->docker.memory_bytes
						     : container->memory_mib * MIB;

	return bytes > 0 && bytes < MEMORY_MIN_BYTES ? MEMORY_MIN_BYTES : bytes;
}

/* A string that holds JSON, or the object itself; it may replace the command and nothing else. */
static int read_overrides(const struct json_at *at, struct arena *arena,
			  struct container_spec *container, struct error *err)
{
	struct json_at member = json_member(at, "overrides", JSON_ANY_CASE);
	_cleanup_json_ json_t *parsed = NULL;
	struct json_at overrides = member;
	const char *key;
	json_t *value;
	bool given = false;
	int result;

	if (!json_present(&member))
		return 0;
	if (json_is_string(member.value)) {
		result = json_parse(json_string_value(member.value),
				    json_string_length(member.value), NULL, &parsed, err);
		if (result < 0) {
			error_prefix(err, "%s", member.key);
			return result;
		}
		if (json_is_null(parsed))
			return 0;
		overrides.value = parsed;
	}
	result = read_is_object(&overrides, err);
	if (result < 0)
		return result;
	json_object_foreach (overrides.value, key, value) {
		if (!str_eq_nocase(key, "command"))
			return json_fail(&overrides, err,
					 "unknown field \"%s\": only \"command\" can be overridden",
					 key);
	}
	result = read_texts(&overrides, "command", arena, &container->command, &given, err);
	if (result == 0 && given)
		container->has_command = container->command.count > 0;
	return result;
}

static int read_registry_auth(const struct json_at *at, struct arena *arena,
			      struct registry_auth *auth, struct error *err)
{
	struct json_at registry = { .value = NULL };
	struct json_at data = { .value = NULL };
	const char *type = NULL;
	int result = read_object(at, "registryAuthentication", &registry, err);

	if (result < 0 || !json_present(&registry))
		return result;
	result = read_text(&registry, "type", arena, &type, err);
	if (result < 0 || !type)
		return result;
	if (strcmp(type, "ecr") == 0) {
		auth->type = REGISTRY_AUTH_ECR;
		result = read_object(&registry, "ecrAuthData", &data, err);
		if (result < 0 || !json_present(&data))
			return result;
		result = read_text(&data, "registryId", arena, &auth->registry_id, err);
		if (result == 0)
			result = read_text(&data, "region", arena, &auth->region, err);
		if (result == 0)
			result = read_text(&data, "endpointOverride", arena,
					   &auth->endpoint_override, err);
		if (result == 0)
			result = read_bool(&data, "useExecutionRole", &auth->use_execution_role,
					   err);
	} else if (strcmp(type, "asm") == 0) {
		auth->type = REGISTRY_AUTH_ASM;
		result = read_object(&registry, "asmAuthData", &data, err);
		if (result < 0 || !json_present(&data))
			return result;
		result = read_text(&data, "credentialsParameter", arena,
				   &auth->credentials_parameter, err);
		if (result == 0)
			result = read_text(&data, "region", arena, &auth->region, err);
	}
	return result;
}

static int read_restart_policy(const struct json_at *at, struct arena *arena,
			       struct restart_policy *policy, struct error *err)
{
	struct json_at object = { .value = NULL };
	struct json_at list = { .value = NULL };
	int64_t *codes;
	int result = read_object(at, "restartPolicy", &object, err);

	if (result < 0 || !json_present(&object))
		return result;
	result = read_bool(&object, "enabled", &policy->enabled, err);
	if (result == 0)
		result = read_i64(&object, "restartAttemptPeriod", 0, INT32_MAX,
				  &policy->restart_attempt_period_s, err);
	if (result == 0)
		result = read_list(&object, "ignoredExitCodes", 256, &list, err);
	if (result < 0)
		return result;
	codes = arena_calloc(arena, json_count(&list), sizeof(*codes));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		if (json_as_i64(&item, INT32_MIN, INT32_MAX, &codes[i], err) < 0)
			return -EINVAL;
	}
	policy->ignored_exit_codes = codes;
	policy->ignored_exit_code_count = json_count(&list);
	return 0;
}

static int read_docker_config(const struct json_at *at, struct arena *arena,
			      struct container_spec *container, struct error *err)
{
	struct error why = ERROR_INIT;
	struct json_at docker = { .value = NULL };
	const char *config = NULL;
	const char *host_config = NULL;
	int result = read_object(at, "dockerConfig", &docker, err);

	if (result < 0)
		return result;
	if (json_present(&docker)) {
		result = read_text(&docker, "config", arena, &config, err);
		if (result == 0)
			result = read_text(&docker, "hostConfig", arena, &host_config, err);
		if (result < 0)
			return result;
	}
	/* Fails this container when it is created, not the payload. */
	if (docker_config_decode(config, host_config, arena, &container->docker, &why) < 0)
		container->docker_config_error = arena_strdup(arena, why.text);
	else if (container->health_check_docker && !container->docker.has_health_check)
		container->docker_config_error = "DockerClientConfigError: docker health check is "
						 "nil while container health "
						 "check type is DOCKER";
	return 0;
}

static int read_scalars(const struct json_at *at, struct arena *arena,
			struct container_spec *container, struct error *err)
{
	const char *health_check_type = NULL;
	const char *logs_auth = NULL;
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "name", &container->name },       { "containerArn", &container->arn },
		{ "image", &container->image },     { "healthCheckType", &health_check_type },
		{ "logsAuthStrategy", &logs_auth },
	};
	const struct {
		const char *name;
		int64_t max;
		int64_t *value;
	} numbers[] = {
		{ "cpu", INT32_MAX, &container->cpu },
		{ "memory", INT32_MAX, &container->memory_mib },
		{ "startTimeout", INT32_MAX, &container->start_timeout_s },
		{ "stopTimeout", INT32_MAX, &container->stop_timeout_s },
	};
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		result = read_text(at, texts[i].name, arena, texts[i].text, err);
	for (size_t i = 0; result == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		result = read_i64(at, numbers[i].name, 0, numbers[i].max, numbers[i].value, err);
	if (result == 0)
		result = read_bool(at, "essential", &container->essential, err);
	if (result < 0)
		return result;
	container->health_check_docker =
		health_check_type && strcmp(health_check_type, "docker") == 0;
	container->logs_use_execution_role = logs_auth && strcmp(logs_auth, "ExecutionRole") == 0;
	return 0;
}

static int read_firelens(const struct json_at *at, struct arena *arena,
			 struct container_spec *container, struct error *err)
{
	struct json_at firelens = { .value = NULL };
	int result = read_object(at, "firelensConfiguration", &firelens, err);

	if (result < 0 || !json_present(&firelens))
		return result;
	result = read_text(&firelens, "type", arena, &container->firelens_type, err);
	if (result == 0)
		result = read_map(&firelens, "options", arena, &container->firelens_options, err);
	return result;
}

static int read_commands(const struct json_at *at, struct arena *arena,
			 struct container_spec *container, struct error *err)
{
	int result = read_texts(at, "command", arena, &container->command, NULL, err);

	container->has_command = container->command.count > 0;
	if (result == 0)
		result = read_texts(at, "entryPoint", arena, &container->entry_point,
				    &container->has_entry_point, err);
	if (result == 0)
		result = read_map(at, "environment", arena, &container->environment, err);
	if (result == 0)
		result = read_texts(at, "links", arena, &container->links, NULL, err);
	if (result == 0)
		result = read_texts(at, "credentialSpecs", arena, &container->credential_specs,
				    NULL, err);
	if (result == 0)
		result = read_overrides(at, arena, container, err);
	return result;
}

int container_spec_decode(const struct json_at *at, struct arena *arena, struct container_spec *ret,
			  struct error *err)
{
	struct container_spec container = { .name = NULL };
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_scalars(at, arena, &container, err);
	if (result < 0)
		return result;
	if (!container.name)
		return json_fail(at, err, "name is missing");
	if (strlen(container.name) > CONTAINER_NAME_LIMIT)
		return json_fail(at, err, "name is longer than %d bytes", CONTAINER_NAME_LIMIT);
	result = read_commands(at, arena, &container, err);
	if (result == 0)
		result = container_lists_read(at, arena, &container, err);
	if (result == 0)
		result = read_registry_auth(at, arena, &container.registry_auth, err);
	if (result == 0)
		result = read_restart_policy(at, arena, &container.restart_policy, err);
	if (result == 0)
		result = read_firelens(at, arena, &container, err);
	if (result == 0)
		result = read_docker_config(at, arena, &container, err);
	if (result == 0)
		*ret = container;
	return result;
}
