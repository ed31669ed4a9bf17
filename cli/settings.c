/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

#define FILE_LIMIT (1 << 20)

/* The part of a line without the blanks and one pair of quotes around it; the caller frees. */
static char *bare(const char *start, const char *end)
{
	while (start < end && strchr(" \t\r", *start))
		start++;
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	if (end - start >= 2 && (*start == '"' || *start == '\'') && end[-1] == *start) {
		start++;
		end--;
	}
	return xstrndup(start, (size_t)(end - start));
}

char *env_file_value(const char *text, const char *name)
{
	char *found = NULL;

	while (*text) {
		const char *end = text + strcspn(text, "\n");
		const char *sign = memchr(text, '=', (size_t)(end - text));

		if (sign && *text != '#') {
			_cleanup_free_ char *key = bare(text, sign);

			if (str_eq(key, name)) {
				free(found);
				found = bare(sign + 1, end);
			}
		}
		text = *end ? end + 1 : end;
	}
	return found;
}

struct source {
	const char *(*get)(const char *name);
	const char *text;
};

static char *value_of(const struct source *source, const char *name, const char *otherwise)
{
	const char *value = source->get(name);
	_cleanup_free_ char *in_file = NULL;

	if (!str_is_empty(value))
		return xstrdup(value);
	in_file = env_file_value(source->text, name);
	return xstrdup(str_is_empty(in_file) ? otherwise : in_file);
}

/* Whoever listens everywhere also listens on loopback. */
static char *url_of(const char *address, const char *port)
{
	if (str_eq(address, "0.0.0.0"))
		address = "127.0.0.1";
	else if (str_eq(address, "::"))
		address = "::1";
	return xasprintf(strchr(address, ':') ? "http://[%s]:%s" : "http://%s:%s", address, port);
}

int cli_settings_read(const char *(*get)(const char *name), const char *file,
		      struct cli_settings *ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *address = NULL;
	_cleanup_free_ char *port = NULL;
	struct source source = { .get = get, .text = "" };
	int64_t number;

	if (!str_is_empty(file) && file_read(AT_FDCWD, file, FILE_LIMIT, &text, NULL, NULL) == 0)
		source.text = text;
	address = value_of(&source, "BERTH_INTROSPECTION_ADDRESS", "127.0.0.1");
	port = value_of(&source, "BERTH_INTROSPECTION_PORT", "51678");
	if (number_parse_i64(port, 1, 65535, &number, NULL) < 0)
		return error_say(err, EINVAL,
				 "BERTH_INTROSPECTION_PORT must be a port from 1 to 65535, not "
				 "\"%s\"",
				 port);
	*ret = (struct cli_settings){
		.url = url_of(address, port),
		.data_dir = value_of(&source, "ECS_DATADIR", "/var/lib/ecs/data"),
		.containerd_address = value_of(&source, "BERTH_CONTAINERD_ADDRESS",
					       "/run/containerd/containerd.sock"),
		.ctr = value_of(&source, "BERTH_CTR", "ctr"),
		.runtime = value_of(&source, "BERTH_RUNTIME", "runc"),
		.libexec_dir = value_of(&source, "BERTH_LIBEXEC_DIR", "/usr/libexec/berth"),
		.cni_config_dir = value_of(&source, "BERTH_CNI_CONFIG_DIR", ""),
		.task_eni = value_of(&source, "ECS_ENABLE_TASK_ENI", "true"),
		.high_density_eni = value_of(&source, "ECS_ENABLE_HIGH_DENSITY_ENI", "true"),
		.eni_driver = value_of(&source, "BERTH_ENI_DRIVER", "veth"),
		.network_shape = value_of(&source, "BERTH_TASK_NETWORK_SHAPE", "berth"),
	};
	ret->cni_plugins_path = value_of(&source, "ECS_CNI_PLUGINS_PATH", ret->libexec_dir);
	return 0;
}

void cli_settings_free(struct cli_settings *settings)
{
	free(settings->url);
	free(settings->data_dir);
	free(settings->containerd_address);
	free(settings->ctr);
	free(settings->runtime);
	free(settings->libexec_dir);
	free(settings->cni_plugins_path);
	free(settings->cni_config_dir);
	free(settings->task_eni);
	free(settings->high_density_eni);
	free(settings->eni_driver);
	free(settings->network_shape);
	*settings = (struct cli_settings){ 0 };
}

const char *cli_environment(const char *name)
{
	return getenv(name);
}
