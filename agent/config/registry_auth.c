/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the configured registry credentials an image is pulled with. */
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#define DOCKER_HUB_KEY "index.docker.io/v1/"

static const char *without_scheme(const char *key)
{
	if (str_starts_with(key, "https://"))
		return key + strlen("https://");
	if (str_starts_with(key, "http://"))
		return key + strlen("http://");
	return key;
}

/* The registry's host of an image name, or NULL: Docker Hub. The caller frees it. */
static char *registry_host(const char *image)
{
	static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };
	const char *slash = strchr(image, '/');
	char *host;

	if (!slash)
		return NULL;
	host = xstrndup(image, (size_t)(slash - image));
	if (!strchr(host, '.') && !strchr(host, ':') && strcmp(host, "localhost") != 0) {
		free(host);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(hub) / sizeof(hub[0]); i++) {
		if (strcmp(host, hub[i]) == 0) {
			free(host);
			return NULL;
		}
	}
	return host;
}

static bool same_host(const char *key, const char *host)
{
	size_t length = strlen(host);

	return strncmp(key, host, length) == 0 && (key[length] == '\0' || key[length] == '/');
}

/* How well a key fits: 0 not at all; else the more the better. */
static size_t fit(const char *key, const char *host, const char *image)
{
	if (!host)
		return strcmp(key, DOCKER_HUB_KEY) == 0 ? 1 : 0;
	if (strcmp(key, host) == 0)
		return SIZE_MAX;
	if (same_host(key, host) && str_starts_with(image, key))
		return strlen(key);
	return 0;
}

static bool read_user(const struct json_at *entry, char **ret_user, char **ret_password)
{
	const char *user = NULL, *password = NULL;

	if (json_get_string(entry, "username", JSON_REQUIRED, &user, NULL) < 0 ||
	    json_get_string(entry, "password", JSON_REQUIRED, &password, NULL) < 0)
		return false;
	*ret_user = xstrdup(user);
	*ret_password = xstrdup(password);
	return true;
}

/* "auth": base64 of user:password. */
static bool read_auth(const struct json_at *entry, char **ret_user, char **ret_password)
{
	_cleanup_free_ unsigned char *bytes = NULL;
	const char *auth = NULL;
	size_t size;
	char *colon;

	if (json_get_string(entry, "auth", JSON_REQUIRED, &auth, NULL) < 0 ||
	    base64_decode(auth, &bytes, &size) < 0)
		return false;
	colon = memchr(bytes, ':', size);
	if (!colon || memchr(bytes, '\0', size))
		return false;
	*ret_user = xstrndup((char *)bytes, (size_t)(colon - (char *)bytes));
	*ret_password = xstrdup(colon + 1);
	explicit_bzero(bytes, size);
	return true;
}

bool config_registry_auth(const struct agent_config *config, const char *image, char **ret_user,
			  char **ret_password)
{
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *host = registry_host(image);
	struct json_at root, entry;
	const char *key, *best = NULL;
	size_t best_fit = 0;
	json_t *value;

	if (config->engine_auth_type == CONFIG_AUTH_NONE || *config->engine_auth_data == '\0')
		return false;
	if (json_parse(config->engine_auth_data, strlen(config->engine_auth_data), NULL, &json,
		       NULL) < 0 ||
	    !json_is_object(json)) {
		log_warn("ECS_ENGINE_AUTH_DATA is not a JSON object: images are pulled without "
			 "credentials");
		return false;
	}
	json_object_foreach (json, key, value) {
		size_t how_well = fit(without_scheme(key), host, image);

		if (how_well > best_fit) {
			best = key;
			best_fit = how_well;
		}
	}
	if (!best)
		return false;
	root = json_root(json);
	entry = json_member(&root, best, 0);
	if (config->engine_auth_type == CONFIG_AUTH_DOCKER
		    ? read_user(&entry, ret_user, ret_password)
		    : read_auth(&entry, ret_user, ret_password))
		return true;
	log_warn("The entry of ECS_ENGINE_AUTH_DATA for this registry is malformed and is not used",
		 "registry", best);
	return false;
}
