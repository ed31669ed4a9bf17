/* SPDX-License-Identifier: Apache-2.0 */
/* dockerConfig.config: Docker's Config. HostConfig is in docker_host_config.c. */
#include "wire/docker_config.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "wire/docker_host_config.h"
#include "wire/reader.h"

#define NS_PER_MS INT64_C(1000000)

/* Nanoseconds to milliseconds, upwards. What Docker refuses at creation is refused here. */
static int read_duration(const struct json_at *at, const char *name, int64_t *ret_ms,
			 struct error *err)
{
	int64_t ns = 0;
	int result = read_i64(at, name, INT64_MIN, INT64_MAX, &ns, err);

	if (result < 0)
		return result;
	if (ns != 0 && ns < NS_PER_MS)
		return json_fail(at, err, "%s cannot be less than 1ms", name);
	*ret_ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return 0;
}

static int read_health_check(const struct json_at *at, struct arena *arena,
			     struct docker_config *config, struct error *err)
{
	struct health_check check = { .interval_ms = 0 };
	struct json_at object = { .value = NULL };
	int result = read_object(at, "Healthcheck", &object, err);

	if (result < 0 || !json_present(&object))
		return result;
	result = read_text_or_texts(&object, "Test", arena, &check.test, NULL, err);
	if (result == 0)
		result = read_duration(&object, "Interval", &check.interval_ms, err);
	if (result == 0)
		result = read_duration(&object, "Timeout", &check.timeout_ms, err);
	if (result == 0)
		result = read_duration(&object, "StartPeriod", &check.start_period_ms, err);
	if (result == 0)
		result = read_i64(&object, "Retries", 0, INT32_MAX, &check.retries, err);
	if (result < 0)
		return result;
	config->has_health_check = true;
	config->health_check = check;
	return 0;
}

static int read_config(const struct json_at *at, struct arena *arena, struct docker_config *config,
		       struct error *err)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "Image", &config->image },
		{ "User", &config->user },
		{ "WorkingDir", &config->working_dir },
		{ "Hostname", &config->hostname },
		{ "Domainname", &config->domainname },
		{ "StopSignal", &config->stop_signal },
	};
	const struct {
		const char *name;
		bool *value;
	} bools[] = {
		{ "Tty", &config->tty },
		{ "OpenStdin", &config->open_stdin },
		{ "NetworkDisabled", &config->network_disabled },
	};
	int result = read_is_object(at, err);

	for (size_t i = 0; result == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		result = read_text(at, texts[i].name, arena, texts[i].text, err);
	for (size_t i = 0; result == 0 && i < sizeof(bools) / sizeof(bools[0]); i++)
		result = read_bool(at, bools[i].name, bools[i].value, err);
	if (result == 0)
		result = read_map(at, "Labels", arena, &config->labels, err);
	if (result == 0)
		result = read_texts(at, "Env", arena, &config->environment,
				    &config->has_environment, err);
	if (result == 0)
		result = read_text_or_texts(at, "Cmd", arena, &config->command,
					    &config->has_command, err);
	if (result == 0)
		result = read_text_or_texts(at, "Entrypoint", arena, &config->entry_point,
					    &config->has_entry_point, err);
	if (result == 0)
		result = read_health_check(at, arena, config, err);
	return result;
}

typedef int read_function(const struct json_at *, struct arena *, struct docker_config *,
			  struct error *);

static int decode_text(const char *text, read_function *read, struct arena *arena,
		       struct docker_config *config, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root = { .value = NULL };

	if (json_parse(text, strlen(text), NULL, &value, err) < 0)
		return -EINVAL;
	root = json_root(value);
	if (json_is_null(value)) /* decodes to nothing, as an absent member does */
		return 0;
	return read(&root, arena, config, err) < 0 ? -EINVAL : 0;
}

int docker_config_decode(const char *config_text, const char *host_config_text, struct arena *arena,
			 struct docker_config *config, struct error *err)
{
	struct error why = ERROR_INIT;

	if (config_text && decode_text(config_text, read_config, arena, config, &why) < 0)
		return error_say(err, EINVAL,
				 "DockerClientConfigError: Unable decode given docker config: %s",
				 why.text);
	if (host_config_text &&
	    decode_text(host_config_text, docker_host_config_read, arena, config, &why) < 0)
		return error_say(err, EINVAL,
				 "HostConfigError: Unable to decode given host config: %s",
				 why.text);
	return 0;
}
