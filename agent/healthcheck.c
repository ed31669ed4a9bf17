/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/healthcheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"

#define LIMIT_MS     25000
#define ANSWER_LIMIT 65536UL
#define PARTS_MAX    100

struct check {
	struct loop *loop;
	FILE *out;
	const char *url;
	int code;
};

static int write_part(const struct json_at *part, FILE *out, struct error *err)
{
	const char *name = "", *state = "", *since = "", *text = "";
	int r = json_expect_object(part, err);

	if (r == 0)
		r = json_get_string(part, "name", JSON_REQUIRED, &name, err);
	if (r == 0)
		r = json_get_string(part, "state", JSON_REQUIRED, &state, err);
	if (r == 0)
		r = json_get_string(part, "since", JSON_REQUIRED, &since, err);
	if (r == 0)
		r = json_get_string(part, "text", JSON_REQUIRED, &text, err);
	if (r == 0 && !str_eq(state, "healthy"))
		fprintf(out, "%s: %s since %s: %s\n", name, state, since, text);
	return r;
}

static int write_failing(const struct http_response *response, FILE *out, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct json_at root, parts, part;
	int r = json_parse(response->body, response->size, NULL, &value, err);

	if (r < 0)
		return r;
	root = json_root(value);
	r = json_get_array(&root, "parts", JSON_REQUIRED, PARTS_MAX, &parts, err);
	for (size_t i = 0; r == 0 && i < json_count(&parts); i++) {
		part = json_item(&parts, i);
		r = write_part(&part, out, err);
	}
	return r;
}

static void answered(void *data, const struct http_response *response)
{
	struct check *check = data;
	struct error err = ERROR_INIT;

	loop_stop(check->loop);
	if (response->error)
		fprintf(check->out, "agent: %s\n", response->err.text);
	else if (response->status == 200)
		check->code = 0;
	else if (write_failing(response, check->out, &err) < 0)
		fprintf(check->out, "agent: %s answered HTTP %d: %s\n", check->url,
			response->status, err.text);
}

static char *url_of(const struct agent_config *config)
{
	const char *host = config->healthcheck_host;

	if (str_is_empty(host))
		host = config->introspection_address;
	if (str_eq(host, "0.0.0.0") || str_eq(host, "::")) /* on all of them */
		host = "localhost";
	return xasprintf(strchr(host, ':') ? "http://[%s]:%lld/v1/health"
					   : "http://%s:%lld/v1/health",
			 host, (long long)config->introspection_port);
}

int healthcheck(const struct agent_config *config, FILE *out)
{
	_cleanup_loop_ struct loop *loop = NULL;
	_cleanup_free_ char *url = url_of(config);
	struct http_client *client = NULL;
	struct check check = { .out = out, .url = url, .code = 1 };
	const struct http_request request = { .url = url,
					      .timeout_ms = LIMIT_MS,
					      .response_limit = ANSWER_LIMIT };
	struct error err = ERROR_INIT;
	int r = loop_new(&loop, &err);

	if (r == 0)
		r = http_client_new(loop, NULL, &client, &err);
	check.loop = loop;
	if (r == 0)
		r = http_send(client, &request, answered, &check, NULL, &err);
	if (r == 0)
		loop_run(loop);
	else
		fprintf(out, "agent: %s\n", err.text);
	if (client)
		http_client_free(client);
	return check.code;
}
