/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_control_plane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sigv4.h"

struct fake_answer {
	struct fake_answer *next;
	char *operation;
	int status; /* 0: no answer */
	char *body;
	char *error_type;
};

static const char *header_of(void *data, const char *name)
{
	return web_request_header(data, name);
}

static const char *secret_of(void *data, const char *access_key)
{
	(void)data;
	return strcmp(access_key, FAKE_KEY) == 0 ? FAKE_SECRET : NULL;
}

static bool is_signed_well(const struct fake *fake, struct web_request *request)
{
	struct error err = ERROR_INIT;
	size_t size;
	const char *body = web_request_body(request, &size);
	struct sigv4_incoming incoming = {
		.method = web_request_method(request),
		.path = web_request_path(request),
		.query = web_request_query(request),
		.header = header_of,
		.header_data = request,
		.payload = body,
		.payload_size = size,
		.service = "ecs",
		.wall_ms = clock_wall_ms() + fake->ahead_ms,
		.max_skew_ms = 300000,
	};

	if (sigv4_verify(&incoming, secret_of, NULL, &err) == 0)
		return true;
	log_error("A signature is wrong", "error", err.text);
	return false;
}

static struct fake_answer *take_answer(struct fake *fake, const char *operation)
{
	for (struct fake_answer **at = &fake->answers; *at; at = &(*at)->next) {
		struct fake_answer *answer = *at;

		if (strcmp(answer->operation, operation) == 0) {
			*at = answer->next;
			return answer;
		}
	}
	return NULL;
}

static void answer_free(struct fake_answer *answer)
{
	free(answer->operation);
	free(answer->body);
	free(answer->error_type);
	free(answer);
}

static void answer(struct fake *fake, struct web_request *request, int status, const char *body,
		   const char *error_type)
{
	time_t now = (time_t)((clock_wall_ms() + fake->ahead_ms) / 1000);
	char date[64];
	const struct header headers[] = { { "Date", date }, { "x-amzn-ErrorType", error_type } };

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
	web_respond(request, status, "application/x-amz-json-1.1", body, strlen(body), headers,
		    error_type ? 2 : 1);
}

static void respond(struct fake *fake, struct web_request *request, const char *operation)
{
	struct fake_answer *next = take_answer(fake, operation);

	if (!next) {
		answer(fake, request, 200, "{}", NULL);
		return;
	}
	if (next->status == 0)
		/* Longer than the client waits: nothing comes. */
		fake->waiting[fake->waiting_count++] = request;
	else
		answer(fake, request, next->status, next->body, next->error_type);
	answer_free(next);
}

static void on_cancel(void *data, struct web_request *request)
{
	struct fake *fake = data;

	for (size_t i = 0; i < fake->waiting_count; i++)
		if (fake->waiting[i] == request)
			fake->waiting[i] = fake->waiting[--fake->waiting_count];
}

static char *copy(const char *text)
{
	return xstrdup(text ? text : "");
}

static void refuse_for_time(struct fake *fake, struct web_request *request)
{
	fake->refused_for_time++;
	answer(fake, request, 400, "{\"__type\":\"InvalidSignatureException\"}", NULL);
}

static void on_request(void *data, struct web_request *request)
{
	struct fake *fake = data;
	struct fake_request *kept = xcalloc(1, sizeof(*kept));
	const char *target = web_request_header(request, "x-amz-target");

	assert_true(fake->request_count < sizeof(fake->requests) / sizeof(fake->requests[0]));
	assert_string_equal(web_request_method(request), "POST");
	assert_string_equal(web_request_path(request), "/");
	assert_string_equal(web_request_header(request, "content-type"),
			    "application/x-amz-json-1.1");
	kept->operation = copy(target ? strchr(target, '.') + 1 : NULL);
	kept->body = copy(web_request_body(request, NULL));
	kept->user_agent = copy(web_request_header(request, "user-agent"));
	kept->attempt = copy(web_request_header(request, "amz-sdk-request"));
	kept->at_ms = clock_monotonic_ms();
	fake->requests[fake->request_count++] = kept;
	if (!is_signed_well(fake, request) && fake->ahead_ms) {
		refuse_for_time(fake, request);
		return;
	}
	fake->badly_signed += !is_signed_well(fake, request);
	web_request_on_cancel(request, on_cancel, fake);
	if (fake->stalled)
		fake->waiting[fake->waiting_count++] = request;
	else
		respond(fake, request, kept->operation);
}

static void ws_open(void *data, struct ws *ws)
{
	struct fake_upgrade *upgrade = data;

	upgrade->ws = ws;
	if (upgrade->fake->on_open)
		upgrade->fake->on_open(upgrade->fake, upgrade);
}

static void ws_message(void *data, struct ws *ws, const char *text, size_t size, bool is_binary)
{
	struct fake_upgrade *upgrade = data;

	(void)ws;
	assert_false(is_binary);
	upgrade->messages =
		xreallocarray(upgrade->messages, upgrade->message_count + 1, sizeof(char *));
	upgrade->message_at_ms = xreallocarray(upgrade->message_at_ms, upgrade->message_count + 1,
					       sizeof(*upgrade->message_at_ms));
	upgrade->message_at_ms[upgrade->message_count] = clock_monotonic_ms();
	upgrade->messages[upgrade->message_count++] = xstrndup(text, size);
}

static void ws_closed(void *data, struct ws *ws, const struct ws_close *close)
{
	struct fake_upgrade *upgrade = data;

	(void)ws;
	upgrade->ws = NULL;
	upgrade->closed = true;
	upgrade->closed_at_ms = clock_monotonic_ms();
	upgrade->close = *close;
	snprintf(upgrade->close_reason, sizeof(upgrade->close_reason), "%s", close->reason);
}

static const struct ws_callbacks ws_callbacks = {
	.on_open = ws_open,
	.on_message = ws_message,
	.on_close = ws_closed,
};

static void on_upgrade(void *data, struct web_request *request)
{
	struct fake *fake = data;
	struct fake_upgrade *upgrade = xcalloc(1, sizeof(*upgrade));

	assert_true(fake->upgrade_count < sizeof(fake->upgrades) / sizeof(fake->upgrades[0]));
	upgrade->fake = fake;
	upgrade->path = copy(web_request_path(request));
	upgrade->query = copy(web_request_query(request));
	upgrade->at_ms = clock_monotonic_ms();
	upgrade->signed_well = is_signed_well(fake, request);
	fake->upgrades[fake->upgrade_count++] = upgrade;
	if (fake->refuse_times > 0) {
		fake->refuse_times--;
		web_respond_text(request, fake->refuse_status, "application/json",
				 fake->refuse_body);
		return;
	}
	upgrade->ws = web_accept_ws(request, &ws_callbacks, upgrade, 0);
}

void fake_start(struct fake *fake, char *const *settings)
{
	char *environment[16] = { "AWS_DEFAULT_REGION=us-west-2", "AWS_ACCESS_KEY_ID=" FAKE_KEY,
				  "AWS_SECRET_ACCESS_KEY=" FAKE_SECRET,
				  "AWS_SESSION_TOKEN=" FAKE_TOKEN };
	_cleanup_free_ char *backend = NULL;
	struct error err = ERROR_INIT;
	size_t count = 4;

	memset(fake, 0, sizeof(*fake));
	assert_int_equal(loop_new(&fake->loop, &err), 0);
	assert_int_equal(web_new(fake->loop, NULL, &fake->web, &err), 0);
	assert_int_equal(web_listen(fake->web,
				    &(struct web_listener_config){ .address = "127.0.0.1",
								   .on_request = on_request,
								   .on_upgrade = on_upgrade,
								   .data = fake },
				    &fake->listener, &err),
			 0);
	fake->port = web_listener_port(fake->listener);
	backend = xasprintf("ECS_BACKEND_HOST=http://127.0.0.1:%u", fake->port);
	environment[count++] = backend;
	for (; settings && *settings; settings++)
		environment[count++] = *settings;
	assert_int_equal(config_load(environment, NULL, &fake->config, NULL, &err), 0);
	assert_int_equal(http_client_new(fake->loop, NULL, &fake->http, &err), 0);
	fake->credentials =
		ecs_credentials_new(fake->loop, fake->http, fake->http, NULL, fake->config);
	fake->client =
		ecs_client_new(fake->loop, fake->http, fake->credentials, fake->config, false);
	fake->instance = (struct ecs_instance){
		.cluster = "demo",
		.container_instance = "arn:aws:ecs:us-west-2:1:container-instance/demo/0f9d",
		.availability_zone = "us-west-2a",
		.agent_version = "1.2.3",
		.agent_hash = "a8b3e7d3",
		.engine_version = "24.0.7",
	};
}

static void upgrade_free(struct fake_upgrade *upgrade)
{
	for (size_t i = 0; i < upgrade->message_count; i++)
		free(upgrade->messages[i]);
	free(upgrade->messages);
	free(upgrade->message_at_ms);
	free(upgrade->path);
	free(upgrade->query);
	free(upgrade);
}

void fake_stop(struct fake *fake)
{
	assert_int_equal(fake->badly_signed, 0);
	ecs_client_free(fake->client);
	aws_credentials_free(fake->credentials);
	http_client_free(fake->http);
	web_free(fake->web);
	config_free(fake->config);
	loop_free(fake->loop);
	while (fake->answers)
		answer_free(take_answer(fake, fake->answers->operation));
	for (size_t i = 0; i < fake->request_count; i++) {
		free(fake->requests[i]->operation);
		free(fake->requests[i]->body);
		free(fake->requests[i]->user_agent);
		free(fake->requests[i]->attempt);
		free(fake->requests[i]);
	}
	for (size_t i = 0; i < fake->upgrade_count; i++)
		upgrade_free(fake->upgrades[i]);
}

void fake_answer_with_header(struct fake *fake, const char *operation, int status, const char *body,
			     const char *error_type)
{
	struct fake_answer *answer = xcalloc(1, sizeof(*answer)), **end = &fake->answers;

	answer->operation = xstrdup(operation);
	answer->status = status;
	answer->body = xstrdup(body);
	answer->error_type = xstrdup_null(error_type);
	while (*end)
		end = &(*end)->next;
	*end = answer;
}

void fake_answer(struct fake *fake, const char *operation, int status, const char *body)
{
	fake_answer_with_header(fake, operation, status, body, NULL);
}

void fake_answer_nothing(struct fake *fake, const char *operation)
{
	fake_answer_with_header(fake, operation, 0, "", NULL);
}

void fake_answer_endpoints(struct fake *fake, const char *path)
{
	_cleanup_free_ char *body =
		xasprintf("{\"endpoint\":\"http://127.0.0.1:%u%s\",\"telemetryEndpoint\":\"http://"
			  "127.0.0.1:%u%s\"}",
			  fake->port, path, fake->port, path);

	fake_answer(fake, "DiscoverPollEndpoint", 200, body);
}

size_t fake_count(const struct fake *fake, const char *operation)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->request_count; i++)
		count += strcmp(fake->requests[i]->operation, operation) == 0;
	return count;
}

const struct fake_request *fake_nth(const struct fake *fake, const char *operation, size_t n)
{
	for (size_t i = 0; i < fake->request_count; i++)
		if (strcmp(fake->requests[i]->operation, operation) == 0 && n-- == 0)
			return fake->requests[i];
	return NULL;
}

static void nothing(void *data)
{
	*(bool *)data = true;
}

void fake_run_until(struct fake *fake, bool (*done)(void *data), void *data)
{
	bool late = false;
	struct loop_timer *deadline = loop_timer_new(fake->loop, nothing, &late);

	loop_timer_start(deadline, FAKE_DEADLINE_MS);
	while (!done(data) && !late)
		loop_run_once(fake->loop, true);
	loop_timer_free(deadline);
	assert_false(late);
}

void fake_run_for(struct fake *fake, int64_t ms)
{
	bool over = false;
	struct loop_timer *timer = loop_timer_new(fake->loop, nothing, &over);

	loop_timer_start(timer, ms);
	while (!over)
		loop_run_once(fake->loop, true);
	loop_timer_free(timer);
}

struct count_wanted {
	const struct fake *fake;
	const char *operation;
	const struct fake_upgrade *upgrade;
	size_t count;
};

static bool count_reached(void *data)
{
	const struct count_wanted *wanted = data;

	return fake_count(wanted->fake, wanted->operation) >= wanted->count;
}

void fake_run_until_count(struct fake *fake, const char *operation, size_t count)
{
	fake_run_until(
		fake, count_reached,
		&(struct count_wanted){ .fake = fake, .operation = operation, .count = count });
}

static bool upgrades_reached(void *data)
{
	const struct count_wanted *wanted = data;

	return wanted->fake->upgrade_count >= wanted->count;
}

void fake_run_until_upgrades(struct fake *fake, size_t count)
{
	fake_run_until(fake, upgrades_reached,
		       &(struct count_wanted){ .fake = fake, .count = count });
}

static bool messages_reached(void *data)
{
	const struct count_wanted *wanted = data;

	return wanted->upgrade->message_count >= wanted->count;
}

void fake_run_until_messages(struct fake *fake, const struct fake_upgrade *upgrade, size_t count)
{
	fake_run_until(fake, messages_reached,
		       &(struct count_wanted){ .upgrade = upgrade, .count = count });
}

static bool is_closed(void *data)
{
	return ((const struct fake_upgrade *)data)->closed;
}

void fake_run_until_closed(struct fake *fake, const struct fake_upgrade *upgrade)
{
	fake_run_until(fake, is_closed, (void *)(uintptr_t)upgrade);
}

void fake_send(struct fake_upgrade *upgrade, const char *text)
{
	assert_non_null(upgrade->ws);
	assert_int_equal(ws_send(upgrade->ws, text, strlen(text)), 0);
}
