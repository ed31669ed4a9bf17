/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "wire/api.h"
#include "wire/reader.h"

#define ATTRIBUTE_LIMIT 10000

/* *ret_root (the caller drops it) is an object. */
static int parse(const char *call, const char *body, size_t size, json_t **ret_root,
		 struct error *err)
{
	const struct json_limits limits = { .size = API_RESPONSE_LIMIT };
	_cleanup_json_ json_t *root = NULL;
	struct error why = ERROR_INIT;
	struct json_at at = { .value = NULL };
	int result = json_parse(body, size, &limits, &root, &why);

	if (result == 0) {
		at = json_root(root);
		result = read_is_object(&at, &why);
	}
	if (result < 0)
		return error_say(err, EBADMSG, "the answer to %s: %s", call, why.text);
	*ret_root = TAKE(root);
	return 0;
}

static int read_registered(const struct json_at *at, struct api_registered *registered,
			   struct error *err)
{
	struct json_at instance = { .value = NULL };
	const char *zone;
	int result = read_object(at, "containerInstance", &instance, err);

	if (result < 0)
		return result;
	if (!json_present(&instance))
		return error_say(err, EBADMSG, "containerInstance is missing");
	result = read_text(&instance, "containerInstanceArn", registered->arena,
			   &registered->container_instance_arn, err);
	if (result == 0)
		result = read_pairs(&instance, "attributes", "name", ATTRIBUTE_LIMIT,
				    registered->arena, &registered->attributes, err);
	if (result < 0)
		return result;
	if (!registered->container_instance_arn)
		return json_fail(&instance, err, "containerInstanceArn is missing or empty");
	zone = text_map_get(&registered->attributes, "ecs.availability-zone");
	registered->availability_zone = zone ? zone : "";
	return 0;
}

int api_decode_registered(const char *body, size_t size, struct api_registered **ret,
			  struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	_cleanup_(api_registered_free_cleanup) struct api_registered *registered = NULL;
	struct error why = ERROR_INIT;
	struct json_at at = { .value = NULL };
	int result = parse("RegisterContainerInstance", body, size, &root, err);

	if (result < 0)
		return result;
	registered = xcalloc(1, sizeof(*registered));
	registered->arena = arena_new();
	at = json_root(root);
	if (read_registered(&at, registered, &why) < 0)
		return error_say(err, EBADMSG, "the answer to RegisterContainerInstance: %s",
				 why.text);
	*ret = TAKE(registered);
	return 0;
}

void api_registered_free(struct api_registered *registered)
{
	if (!registered)
		return;
	arena_free(registered->arena);
	free(registered);
}

int api_registered_check(const struct api_registered *registered,
			 const struct api_attribute *attributes, size_t attribute_count,
			 struct error *err)
{
	for (size_t i = 0; i < attribute_count; i++) {
		const char *wanted = attributes[i].value;
		const char *got = text_map_get(&registered->attributes, attributes[i].name);

		if (!wanted || !wanted[0])
			continue;
		if (!got || strcmp(got, wanted) != 0)
			return error_say(err, EINVAL,
					 "the control plane registered attribute %s as \"%s\", not "
					 "\"%s\" as requested",
					 attributes[i].name, got ? got : "", wanted);
	}
	return 0;
}

int api_decode_create_cluster(const char *body, size_t size, char **ret_name, struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *name = NULL;
	struct json_at at = { .value = NULL };
	struct json_at cluster = { .value = NULL };
	struct error why = ERROR_INIT;
	int result = parse("CreateCluster", body, size, &root, err);

	if (result < 0)
		return result;
	at = json_root(root);
	result = read_object(&at, "cluster", &cluster, &why);
	if (result == 0 && json_present(&cluster))
		result = read_text(&cluster, "clusterName", arena, &name, &why);
	if (result == 0 && !name)
		error_say(&why, EBADMSG, "cluster.clusterName is missing or empty");
	if (!name)
		return error_say(err, EBADMSG, "the answer to CreateCluster: %s", why.text);
	*ret_name = xstrdup(name);
	return 0;
}

int api_decode_endpoints(const char *body, size_t size, struct api_endpoints *ret,
			 struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *found[4] = { NULL };
	static const char *const names[4] = { "endpoint", "telemetryEndpoint",
					      "serviceConnectEndpoint", "systemLogsEndpoint" };
	struct error why = ERROR_INIT;
	struct json_at at = { .value = NULL };
	int result = parse("DiscoverPollEndpoint", body, size, &root, err);

	if (result < 0)
		return result;
	at = json_root(root);
	for (size_t i = 0; i < 4; i++) {
		if (read_text(&at, names[i], arena, &found[i], &why) < 0)
			return error_say(err, EBADMSG, "the answer to DiscoverPollEndpoint: %s",
					 why.text);
	}
	ret->endpoint = xstrdup_null(found[0]);
	ret->telemetry_endpoint = xstrdup_null(found[1]);
	ret->service_connect_endpoint = xstrdup_null(found[2]);
	ret->system_logs_endpoint = xstrdup_null(found[3]);
	return 0;
}

void api_endpoints_clear(struct api_endpoints *endpoints)
{
	free(endpoints->endpoint);
	free(endpoints->telemetry_endpoint);
	free(endpoints->service_connect_endpoint);
	free(endpoints->system_logs_endpoint);
	*endpoints = (struct api_endpoints){ .endpoint = NULL };
}

/* What is no error of the protocol is shown as it is, as far as it can be printed. */
static void copy_beginning(const char *body, size_t size, char *out, size_t out_size)
{
	size_t length = 0;

	for (size_t i = 0; i < size && length + 1 < out_size && length < 200; i++) {
		unsigned char c = (unsigned char)body[i];

		out[length++] = c >= 0x20 && c < 0x7f ? (char)c : ' ';
	}
	out[length] = '\0';
}

/* Cut between characters. */
static void copy_text(const char *text, char *out, size_t out_size)
{
	size_t length = strlen(text);

	if (length >= out_size) {
		length = out_size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(out, text, length);
	out[length] = '\0';
}

void api_decode_failure(int http_status, const char *body, size_t size, struct api_failure *ret)
{
	const struct json_limits limits = { .size = API_RESPONSE_LIMIT };
	_cleanup_json_ json_t *root = NULL;
	const char *name = NULL;
	const char *message = "";
	const char *hash;
	struct json_at at = { .value = NULL };

	*ret = (struct api_failure){ .http_status = http_status };
	if (json_parse(body, size, &limits, &root, NULL) < 0 || !json_is_object(root)) {
		copy_beginning(body, size, ret->message, sizeof(ret->message));
		return;
	}
	at = json_root(root);
	if (json_get_string(&at, "__type", JSON_ANY_CASE | JSON_NULLABLE, &name, NULL) < 0 || !name)
		json_get_string(&at, "code", JSON_ANY_CASE | JSON_NULLABLE, &name, NULL);
	json_get_string(&at, "message", JSON_ANY_CASE | JSON_NULLABLE, &message, NULL);
	if (name) {
		hash = strrchr(name, '#');
		copy_text(hash ? hash + 1 : name, ret->name, sizeof(ret->name));
	}
	if (!name && !message[0])
		copy_beginning(body, size, ret->message, sizeof(ret->message));
	else
		copy_text(message, ret->message, sizeof(ret->message));
}
