/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"

void fixture_open(struct fixture *fixture, const char *path)
{
	const struct store_config store = { path, "us-west-2", "123456789012" };
	static const struct services_subnet subnet = { .id = "subnet-berth",
						       .cidr = "10.99.0.0/24" };
	const struct services_config services = {
		.region = "us-west-2",
		.account = "123456789012",
		.subnets = &subnet,
		.subnet_count = 1,
	};
	struct error err = ERROR_INIT;

	*fixture = (struct fixture){ 0 };
	if (store_open(&store, &fixture->store, &err) < 0 || loop_new(&fixture->loop, &err) < 0 ||
	    services_new(fixture->loop, fixture->store, &services, &fixture->services, &err) < 0)
		fail_msg("%s", err.text);
	fixture->api = (struct api){ .store = fixture->store, .services = fixture->services };
}

void fixture_close(struct fixture *fixture)
{
	services_free(fixture->services);
	loop_free(fixture->loop);
	store_close(fixture->store);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	fixture_open(fixture, ":memory:");
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

static struct api_response dispatch(struct fixture *fixture, const char *operation,
				    const char *input)
{
	_cleanup_free_ char *target = xasprintf(API_TARGET_PREFIX "%s", operation);
	_cleanup_free_ char *body = xstrdup(input);
	struct api_request request = { .target = target, .host = "127.0.0.1:4510" };
	struct api_response response = { 0 };

	for (char *c = body; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	request.body = body;
	request.size = strlen(body);
	api_dispatch(&fixture->api, &request, &response);
	return response;
}

json_t *call_ok(struct fixture *fixture, const char *operation, const char *input)
{
	struct api_response response = dispatch(fixture, operation, input);
	json_t *output = json_loads(response.body, 0, NULL);

	if (response.status != 200)
		fail_msg("%s %s: %d %s", operation, input, response.status, response.body);
	assert_non_null(output);
	assert_null(response.error_type);
	assert_int_equal(strlen(response.request_id), 36);
	api_response_clear(&response);
	return output;
}

static void check_refusal(const struct api_response *response, const char *what, const char *type,
			  const char *message)
{
	_cleanup_json_ json_t *body = json_loads(response->body, 0, NULL);
	const char *said = json_string_value(json_object_get(body, "message"));

	if (response->status != 400)
		fail_msg("%.300s: expected %s, got %d %s", what, type, response->status,
			 response->body);
	if (!str_eq(json_string_value(json_object_get(body, "__type")), type) ||
	    !str_eq(response->error_type, type))
		fail_msg("%.300s: expected %s, got %s", what, type, response->body);
	if (!said || (message && !str_eq(said, message)))
		fail_msg("%.300s: expected \"%s\", got \"%s\"", what, message, said);
}

void call_refused(struct fixture *fixture, const char *operation, const char *input,
		  const char *type, const char *message)
{
	struct api_response response = dispatch(fixture, operation, input);

	check_refusal(&response, input, type, message);
	api_response_clear(&response);
}

void raw_refused(struct fixture *fixture, const char *target, const char *body, const char *type)
{
	const struct api_request request = { .target = target, .body = body, .size = strlen(body) };
	struct api_response response = { 0 };

	api_dispatch(&fixture->api, &request, &response);
	check_refusal(&response, body, type, NULL);
	api_response_clear(&response);
}

json_t *at(json_t *value, const char *path)
{
	while (value && *path) {
		size_t length = strcspn(path, ".[");
		_cleanup_free_ char *name = xstrndup(path, length);

		if (*path == '[') {
			char *end;

			value = json_array_get(value, strtoul(path + 1, &end, 10));
			path = end + 1;
		} else {
			value = json_object_get(value, name);
			path += length;
		}
		if (*path == '.')
			path++;
	}
	return value;
}

const char *text_at(json_t *value, const char *path)
{
	const char *text = json_string_value(at(value, path));

	if (!text)
		fail_msg("%s is no string", path);
	return text;
}

int64_t number_at(json_t *value, const char *path)
{
	if (!json_is_integer(at(value, path)))
		fail_msg("%s is no integer", path);
	return json_integer_value(at(value, path));
}

char *add_instance(struct fixture *fixture, const char *cluster)
{
	_cleanup_free_ char *input =
		xasprintf("{'cluster':'%s','totalResources':["
			  "{'name':'CPU','type':'INTEGER','integerValue':2048},"
			  "{'name':'MEMORY','type':'INTEGER','integerValue':3900},"
			  "{'name':'PORTS','type':'STRINGSET','stringSetValue':['22','51678']},"
			  "{'name':'PORTS_UDP','type':'STRINGSET','stringSetValue':[]}]}",
			  cluster);
	_cleanup_json_ json_t *output = call_ok(fixture, "RegisterContainerInstance", input);

	return xstrdup(text_at(output, "containerInstance.containerInstanceArn"));
}
