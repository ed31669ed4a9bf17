/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/services/run.h"
#include "control-plane/store/clusters.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/task_definitions.h"

#define DOCUMENT                                                                                   \
	"{\"containerDefinitions\":[{\"name\":\"web\",\"image\":\"i\",\"cpu\":1,\"memory\":6}],"   \
	"\"taskRoleArn\":\"app\"}"

static void must(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static void add_instance(struct place *place, const char *id)
{
	const struct container_instance_row row = {
		.id = (char *)(uintptr_t)id,
		.cluster = (char[]){ "c" },
		.status = (char[]){ CONTAINER_INSTANCE_ACTIVE },
		.version_info = (char[]){ "{}" },
		.resources = (char[]){ "[{\"name\":\"CPU\",\"type\":\"INTEGER\",\"integerValue\":"
				       "2048},{\"name\":\"MEMORY\",\"type\":\"INTEGER\","
				       "\"integerValue\":3900}]" },
		.version = 1,
		.registered_at_ms = 1,
	};
	struct error err = ERROR_INIT;

	must(container_instance_add(place->store, &row, &err), &err);
}

void place_open(struct place *place, const struct sessions_config *config)
{
	static const struct sessions_config defaults = { 0 };
	const struct store_config store = { ":memory:", "us-west-2", "000000000000" };
	const struct services_config services = { .region = "us-west-2",
						  .account = "000000000000" };
	const struct cluster_row cluster = { .name = (char[]){ "c" },
					     .status = (char[]){ "ACTIVE" },
					     .document = (char[]){ "{}" },
					     .request = (char[]){ "{}" },
					     .created_at_ms = 1 };
	struct error err = ERROR_INIT;
	int64_t revision;

	*place = (struct place){ 0 };
	must(loop_new(&place->loop, &err), &err);
	must(store_open(&store, &place->store, &err), &err);
	must(cluster_create(place->store, &cluster, &err), &err);
	must(services_new(place->loop, place->store, &services, &place->services, &err), &err);
	must(sessions_new(place->loop, place->store, place->services, config ? config : &defaults,
			  &place->sessions, &err),
	     &err);
	must(web_new(place->loop, NULL, &place->web, &err), &err);
	must(web_listen(place->web,
			&(struct web_listener_config){ .address = "127.0.0.1",
						       .on_upgrade = sessions_upgrade,
						       .data = place->sessions },
			&place->listener, &err),
	     &err);
	place->port = web_listener_port(place->listener);
	add_instance(place, ID1);
	add_instance(place, ID2);
	must(task_definition_add(place->store, "web", DOCUMENT, "tester", clock_wall_ms(),
				 &revision, &err),
	     &err);
}

void place_close(struct place *place)
{
	for (size_t i = 0; i < place->agent_count; i++) {
		struct agent *agent = place->agents[i];

		if (agent->ws)
			ws_forget(agent->ws);
		json_decref(agent->messages);
		free(agent);
	}
	sessions_free(place->sessions);
	web_free(place->web);
	services_free(place->services);
	store_close(place->store);
	loop_free(place->loop);
}

static void set_true(void *data)
{
	*(bool *)data = true;
}

void place_until(struct place *place, bool (*done)(void *data), void *data)
{
	bool late = false;
	struct loop_timer *deadline = loop_timer_new(place->loop, set_true, &late);

	loop_timer_start(deadline, PLACE_DEADLINE_MS);
	while (!done(data) && !late)
		loop_run_once(place->loop, true);
	loop_timer_free(deadline);
	if (late)
		fail_msg("what was waited for did not happen");
}

/* --- an agent */

static const char *type_of(const json_t *message)
{
	return json_string_value(json_object_get(message, "type"));
}

static void answer(struct agent *agent, const json_t *message)
{
	const json_t *body = json_object_get(message, "message");
	const char *id = json_string_value(json_object_get(body, "messageId"));

	if (str_eq(type_of(message), "HeartbeatMessage") && !id)
		agent_say(agent, "nonsense");
	else if (str_eq(type_of(message), "HeartbeatMessage"))
		agent_say(agent, "{'type':'HeartbeatAckRequest','message':{'messageId':'%s'}}", id);
	else if (id && (str_eq(type_of(message), "PayloadMessage") ||
			str_eq(type_of(message), "TaskManifestMessage")))
		agent_say(agent,
			  "{'type':'AckRequest','message':{'cluster':'c','containerInstance':'i',"
			  "'messageId':'%s'}}",
			  id);
}

static void on_open(void *data, struct ws *ws)
{
	(void)ws;
	((struct agent *)data)->open = true;
}

static void on_message(void *data, struct ws *ws, const char *text, size_t size, bool is_binary)
{
	struct agent *agent = data;
	json_t *message = json_loadb(text, size, 0, NULL);

	(void)ws;
	(void)is_binary;
	assert_non_null(message);
	json_array_append_new(agent->messages, message);
	if (agent->automatic)
		answer(agent, message);
}

static void on_close(void *data, struct ws *ws, const struct ws_close *close)
{
	struct agent *agent = data;

	(void)ws;
	agent->ws = NULL;
	agent->open = false;
	agent->closed = true;
	agent->close_code = close->code;
	agent->http_status = close->http_status;
	agent->reset = close->reset;
	snprintf(agent->reason, sizeof(agent->reason), "%s", close->reason);
	snprintf(agent->body, sizeof(agent->body), "%s", close->body ? close->body : "");
}

static void on_pong(void *data, struct ws *ws)
{
	(void)ws;
	((struct agent *)data)->pongs++;
}

char *place_url(const struct place *place, const char *query)
{
	return xasprintf("http://127.0.0.1:%u/ws?%s", place->port, query);
}

struct agent *place_connect(struct place *place, const char *query, const struct header *headers,
			    size_t header_count)
{
	static const struct ws_callbacks callbacks = { .on_open = on_open,
						       .on_message = on_message,
						       .on_close = on_close,
						       .on_pong = on_pong };
	_cleanup_free_ char *url = place_url(place, query);
	struct agent *agent = xcalloc(1, sizeof(*agent));
	struct error err = ERROR_INIT;

	assert_true(place->agent_count < sizeof(place->agents) / sizeof(place->agents[0]));
	agent->place = place;
	agent->messages = json_array();
	place->agents[place->agent_count++] = agent;
	must(ws_connect(place->web,
			&(struct ws_connect_config){
				.url = url, .headers = headers, .header_count = header_count },
			&callbacks, agent, &agent->ws, &err),
	     &err);
	return agent;
}

struct agent *place_acs(struct place *place, const char *instance_arn)
{
	_cleanup_free_ char *query = xasprintf(
		"clusterArn=c&containerInstanceArn=%s&sendCredentials=true&seqNum=1", instance_arn);
	struct agent *agent = place_connect(place, query, NULL, 0);

	agent_wait_open(agent);
	return agent;
}

struct agent *place_tcs(struct place *place, const char *instance_arn)
{
	_cleanup_free_ char *query = xasprintf("cluster=c&containerInstance=%s", instance_arn);
	struct agent *agent = place_connect(place, query, NULL, 0);

	agent_wait_open(agent);
	return agent;
}

struct task *place_run(struct place *place)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	_cleanup_json_ json_t *definition = NULL;
	struct run_result result;
	struct error err = ERROR_INIT;
	struct run_request request = {
		.cluster = "c", .family = "web", .launch_type = "EC2", .count = 1
	};
	struct task *task;

	must(task_definition_newest(place->store, "web", &row, &err), &err);
	must(json_parse(row.document, strlen(row.document), NULL, &definition, &err), &err);
	request.revision = row.revision;
	request.definition = definition;
	must(store_begin(place->store, &err), &err);
	must(services_run(place->services, &request, &result, &err), &err);
	must(services_launch(place->services, &result, &err), &err);
	must(store_commit(place->store, &err), &err);
	assert_int_equal(result.task_count, 1);
	task = result.tasks[0];
	run_result_clear(&result);
	return task;
}

void agent_say(struct agent *agent, const char *format, ...)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	va_list args;

	va_start(args, format);
	strbuf_vappendf(&text, format, args);
	va_end(args);
	for (char *c = text.data; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	assert_non_null(agent->ws);
	assert_int_equal(ws_send(agent->ws, text.data, text.length), 0);
}

size_t agent_count(const struct agent *agent, const char *type)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(agent->messages); i++)
		count += str_eq(type_of(json_array_get(agent->messages, i)), type);
	return count;
}

struct wanted {
	const struct agent *agent;
	const char *type;
	size_t nth;
};

static bool has_come(void *data)
{
	const struct wanted *wanted = data;

	if (wanted->agent->closed)
		fail_msg("the session was closed (%d %s)", wanted->agent->close_code,
			 wanted->agent->reason);
	return agent_count(wanted->agent, wanted->type) >= wanted->nth;
}

json_t *agent_wait(struct agent *agent, const char *type, size_t nth)
{
	struct wanted wanted = { agent, type, nth };

	place_until(agent->place, has_come, &wanted);
	for (size_t i = 0; i < json_array_size(agent->messages); i++) {
		json_t *message = json_array_get(agent->messages, i);

		if (str_eq(type_of(message), type) && --nth == 0)
			return json_object_get(message, "message");
	}
	return NULL;
}

static bool has_ponged(void *data)
{
	const struct wanted *wanted = data;

	return wanted->agent->pongs >= wanted->nth || wanted->agent->closed;
}

/* A ping is answered behind what came before it; twice, for what the first round has set off. */
void agent_settle(struct agent *agent)
{
	for (int i = 0; i < 2 && agent->ws; i++) {
		struct wanted wanted = { .agent = agent, .nth = agent->pongs + 1 };

		assert_int_equal(ws_ping(agent->ws), 0);
		place_until(agent->place, has_ponged, &wanted);
	}
}

static bool is_open(void *data)
{
	const struct agent *agent = data;

	if (agent->closed)
		fail_msg("the handshake was refused: %d %s", agent->http_status, agent->body);
	return agent->open;
}

void agent_wait_open(struct agent *agent)
{
	place_until(agent->place, is_open, agent);
}

static bool is_closed(void *data)
{
	return ((const struct agent *)data)->closed;
}

void agent_wait_closed(struct agent *agent)
{
	place_until(agent->place, is_closed, agent);
}

const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}
