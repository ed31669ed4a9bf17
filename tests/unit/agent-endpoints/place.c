/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define WALL_MS INT64_C(1773500467220)

/* ---- the engine ---- */

static bool is_held(const struct place *place, const struct engine_effect *effect)
{
	return effect->type == place->held && str_eq(effect->container, place->held_container);
}

static void step(struct place *place, struct engine_event *event)
{
	const struct engine_effects *effects;

	event->wall_ms = WALL_MS;
	effects = engine_step(place->engine, ++place->now_ms, event, NULL);
	for (size_t i = 0; i < effects->count; i++) {
		if (effects->items[i].type < EFFECT_CREATE_RESOURCE ||
		    effects->items[i].type > EFFECT_CLEAN_UP_TASK ||
		    is_held(place, &effects->items[i]))
			continue;
		if (place->queue_count == place->queue_capacity) {
			place->queue_capacity = place->queue_capacity * 2 + 16;
			place->queue = xreallocarray(place->queue, place->queue_capacity,
						     sizeof(struct engine_effect *));
		}
		place->queue[place->queue_count++] = engine_effect_copy(&effects->items[i]);
	}
}

static struct engine_effect *take_first(struct place *place)
{
	struct engine_effect *effect = place->queue[0];

	memmove(&place->queue[0], &place->queue[1],
		--place->queue_count * sizeof(struct engine_effect *));
	return effect;
}

static void settle(struct place *place)
{
	while (place->queue_count > 0) {
		struct engine_effect *effect = take_first(place);
		struct engine_event event = {
			.type = EVENT_EFFECT_DONE,
			.task_id = effect->task_id,
			.container = effect->container,
			.attempt = effect->attempt,
			.done = { .type = effect->type,
				  .resource = effect->type == EFFECT_CREATE_RESOURCE
						      ? effect->resource.index
						      : 0,
				  .image = { .digest = "sha256:d", .id = "sha256:i" },
				  .network = { .interface = "eth0", .address = "10.31.4.77" },
				  .pid = 4711 },
		};

		step(place, &event);
		if (effect->type == EFFECT_STOP_CONTAINER)
			place_exit(place, effect->task_id, effect->container, 0);
		engine_effect_free(effect);
	}
}

void place_run(struct place *place, const char *json)
{
	struct task_spec *spec = spec_of(json);
	struct engine_event event = { .type = EVENT_PAYLOAD };

	event.payload = (struct engine_payload){
		.message_id = "message",
		.sequence_number = ++place->sequence,
		.tasks = &spec,
		.task_count = 1,
		.random = { 11, (uint64_t)place->sequence },
	};
	step(place, &event);
	task_spec_unref(spec);
	settle(place);
}

void place_stop(struct place *place, const char *id)
{
	const struct task_state *task = engine_task(place->engine, id);
	_cleanup_free_ char *json = xasprintf(
		"{'arn':'%s','desiredStatus':'STOPPED','containers':[]}", task->spec->arn);

	place_run(place, json);
	assert_int_equal(engine_task(place->engine, id)->known, TASK_STATUS_STOPPED);
}

void place_exit(struct place *place, const char *id, const char *container, int code)
{
	struct engine_event event = { .type = EVENT_CONTAINER_EXITED,
				      .task_id = id,
				      .container = container,
				      .attempt = 1,
				      .exit = { .code_known = true, .exit_code = code } };

	step(place, &event);
}

const char *place_endpoint(struct place *place, const char *id, const char *container)
{
	return task_state_container(engine_task(place->engine, id), container)->endpoint_id;
}

/* ---- the endpoints ---- */

static int read_stats(void *data, const char *task_id, const char *container,
		      struct container_stats *ret, struct network_stats *ret_network,
		      struct error *err)
{
	const struct place *place = data;

	assert_non_null(task_id);
	assert_non_null(container);
	if (place->stats_result < 0)
		return error_say(err, -place->stats_result, "no figures");
	memset(ret, 0, sizeof(*ret));
	ret->read_ns = 1;
	ret->cpu_total_ns = 42;
	if (ret_network)
		memset(ret_network, 0, sizeof(*ret_network));
	return 0;
}

static void on_health(void *data)
{
	struct place *place = data;

	place->health_asked++;
	endpoints_tell_health(place->endpoints, place->well, "{\"healthy\":0}");
}

static void ask_health(void *data)
{
	const struct place *place = data;

	loop_defer(place->loop, on_health, data);
}

struct place *place_new(const char *setting)
{
	struct place *place = xcalloc(1, sizeof(*place));
	char *environment[] = { "AWS_DEFAULT_REGION=us-west-2", "BERTH_INTROSPECTION_PORT=0",
				"BERTH_METADATA_PORT=0", (char *)setting, NULL };
	struct engine_event finished = { .type = EVENT_RECOVERY_FINISHED,
					 .recovery_end = { .sequence_number = -1 } };
	struct engine_config engine;
	struct error err = ERROR_INIT;

	assert_int_equal(loop_new(&place->loop, &err), 0);
	assert_int_equal(web_new(place->loop, NULL, &place->web, &err), 0);
	assert_int_equal(config_load(environment, NULL, &place->config, NULL, &err), 0);
	engine_config_defaults(&engine);
	engine.cpu_units = 4096;
	engine.memory_mib = 4096;
	place->engine = engine_new(&engine);
	place->now_ms = 1000;
	place->credentials = credentials_store_new();
	place->identity.cluster = "orchard";
	step(place, &finished);

	const struct endpoints_config config = {
		.loop = place->loop,
		.web = place->web,
		.config = place->config,
		.engine = place->engine,
		.credentials = place->credentials,
		.identity = &place->identity,
		.read_stats = read_stats,
		.ask_health = ask_health,
		.data = place,
	};

	if (endpoints_new(&config, &place->endpoints, &err) < 0)
		fail_msg("%s", err.text);
	place->introspection = endpoints_introspection_port(place->endpoints);
	place->metadata = endpoints_metadata_port(place->endpoints);
	return place;
}

static struct answer last;

static void answer_free(void)
{
	http_head_free(&last.head);
	free(last.body);
	memset(&last, 0, sizeof(last));
}

void place_free(struct place *place)
{
	answer_free();
	endpoints_free(place->endpoints);
	credentials_store_free(place->credentials);
	engine_free(place->engine);
	while (place->queue_count > 0)
		engine_effect_free(take_first(place));
	free(place->queue);
	config_free(place->config);
	web_free(place->web);
	loop_free(place->loop);
	free(place);
}

uint16_t place_serve(struct place *place, const char *id)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	endpoints_serve_task(place->endpoints, id, id, fd);
	return ntohs(address.sin_port);
}

void place_credentials(struct place *place, const char *arn, enum credentials_role role,
		       const char *id, const char *expiration)
{
	struct role_credentials *credentials = xcalloc(1, sizeof(*credentials));

	credentials->id = xstrdup(id);
	credentials->role_arn = xstrdup("arn:aws:iam::444455556666:role/fruit");
	credentials->access_key_id = xstrdup("ASIAEXAMPLE");
	credentials->secret_access_key = xstrdup("not/a/secret");
	credentials->session_token = xstrdup("IQoJ==");
	credentials->expiration = xstrdup(expiration);
	credentials_store_put(place->credentials, arn, role, credentials);
}

/* ---- requests ---- */

struct reader {
	struct strbuf text;
	int fd;
	bool done;
};

static void on_data(void *data, int events)
{
	struct reader *reader = data;
	char buffer[16384];
	ssize_t got = recv(reader->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	(void)events;
	if (got > 0)
		strbuf_append_n(&reader->text, buffer, (size_t)got);
	else
		reader->done = true;
}

static void on_late(void *data)
{
	struct place *place = data;

	place->late = true;
}

const struct answer *ask(struct place *place, uint16_t port, const char *request)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_free_ char *text =
		xasprintf("%s HTTP/1.1\r\nHost: 169.254.170.2\r\nX-Forwarded-For: 192.0.2.9\r\n"
			  "Connection: close\r\n\r\n",
			  request);
	struct loop_timer *deadline = loop_timer_new(place->loop, on_late, place);
	struct reader reader = { .text = STRBUF_INIT };
	struct loop_fd *watch;
	struct error err = ERROR_INIT;
	long size;

	reader.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(reader.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(reader.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	fcntl(reader.fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(
		loop_fd_new(place->loop, reader.fd, LOOP_READ, on_data, &reader, &watch, &err), 0);
	loop_timer_start(deadline, 60000);
	while (!reader.done && !place->late)
		loop_run_once(place->loop, true);
	loop_fd_free(watch);
	loop_timer_free(deadline);
	close(reader.fd);
	if (place->late)
		fail_msg("%s: no answer", request);

	answer_free();
	size = http_head_size(strbuf_text(&reader.text), reader.text.length);
	if (size <= 0 || http_head_parse_response(reader.text.data, (size_t)size, &last.head) < 0)
		fail_msg("%s: not an answer: %s", request, strbuf_text(&reader.text));
	last.body = xstrdup(strbuf_text(&reader.text) + size);
	strbuf_free(&reader.text);
	return &last;
}

void expect(struct place *place, uint16_t port, const char *request, int status, const char *body)
{
	const struct answer *answer = ask(place, port, request);

	if (answer->head.status != status)
		fail_msg("%s: %d %s", request, answer->head.status, answer->body);
	if (body)
		assert_json(answer->body, body);
}
