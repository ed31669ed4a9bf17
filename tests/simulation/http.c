/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of base/http.c: calls of the API over a network that loses, delays and repeats. */
#include "base/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "simulation.h"
#include "wire/api.h"

struct http_client {
	int unused;
};

struct http_call {
	void (*callback)(void *data, const struct http_response *response);
	void *data;
	bool over; /* answered, cancelled, or its agent is dead */
	unsigned references;
	char *operation, *body;
	int64_t timeout_ms;
	int error, status;
	char *answer;
};

int http_client_new(struct loop *loop, const struct http_client_config *config,
		    struct http_client **ret, struct error *err)
{
	(void)loop, (void)config, (void)err;
	*ret = xcalloc(1, sizeof(**ret));
	return 0;
}

void http_client_free(struct http_client *client)
{
	free(client);
}

static void call_unref(void *subject)
{
	struct http_call *call = subject;

	if (--call->references > 0)
		return;
	free(call->operation);
	free(call->body);
	free(call->answer);
	free(call);
}

static struct sim_event *schedule(struct sim *sim, struct http_call *call, int64_t delay_ms,
				  void (*happen)(struct sim *sim, const struct sim_event *event))
{
	struct sim_event *event = sim_schedule(sim, delay_ms, happen);

	event->subject = call;
	event->drop = call_unref;
	call->references++;
	return event;
}

static void answered(struct sim *sim, const struct sim_event *event)
{
	struct http_call *call = event->subject;
	struct http_response response = { .error = call->error, .status = call->status };

	if (call->over)
		return;
	call->over = true;
	if (call->status == 200 ||
	    (call->answer && strstr(call->answer, "InvalidParameterException")))
		control_answered(sim, call->operation, call->body, call->status == 200);
	response.body = call->answer ? call->answer : "";
	response.size = strlen(response.body);
	if (call->error)
		error_say(&response.err, -call->error, "POST http://control/: %s",
			  strerror(-call->error));
	call->callback(call->data, &response);
	call_unref(call); /* the caller's own */
}

static void fail(struct sim *sim, struct http_call *call, int64_t delay_ms, int error,
		 unsigned generation)
{
	call->error = error;
	schedule(sim, call, delay_ms, answered)->generation = generation;
}

/*
 * What a proxy or an overloaded service says in the place of an answer. The last few are not worth
 * another attempt, says the protocol; for a report that cannot be all.
 */
static void refuse(struct sim *sim, struct http_call *call)
{
	static const struct {
		int status;
		const char *body;
	} refusals[] = {
		{ 500, "{\"__type\":\"ServerException\",\"message\":\"Service Unavailable\"}" },
		{ 400, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}" },
		{ 503, "<html>busy</html>" },
		{ 502, "" },
		{ 400, "{\"__type\":\"ClientException\",\"message\":\"Try later\"}" },
		{ 403, "{\"__type\":\"AccessDeniedException\",\"message\":\"not now\"}" },
		{ 400, "{\"__type\":\"ExpiredTokenException\",\"message\":\"expired\"}" },
		{ 404, "not here" },
	};
	size_t which =
		sim_random(sim) % (str_eq(call->operation, "RegisterContainerInstance") ? 4 : 8);

	call->status = refusals[which].status;
	call->answer = xstrdup(refusals[which].body);
}

static void arrived(struct sim *sim, const struct sim_event *event)
{
	struct http_call *call = event->subject;
	unsigned sender = (unsigned)event->number;

	if (sender != sim->generation)
		return; /* http_agent_died() has dealt with it */
	if (sim->black_hole) {
		fail(sim, call, call->timeout_ms, -ETIMEDOUT, sender);
		return;
	}
	if (sim->control_down) {
		fail(sim, call, 1, -ECONNREFUSED, sender);
		return;
	}
	if (sim_fault(sim, 3)) {
		refuse(sim, call);
	} else {
		control_call(sim, call->operation, call->body, &call->status, &call->answer);
		if (sim->failed)
			return;
		if (sim_fault(sim, 4)) { /* it has had its effect, and nobody hears of it */
			free(TAKE(call->answer));
			call->status = 0;
			fail(sim, call, sim_between(sim, 1, 5000), -ECONNRESET, sender);
			return;
		}
	}
	schedule(sim, call,
		 sim_chance(sim, 90) ? sim_between(sim, 0, 20) : sim_between(sim, 0, 3000),
		 answered)
		->generation = sender;
}

void http_agent_died(struct sim *sim)
{
	for (size_t i = 0; i < sim->event_count; i++) {
		const struct sim_event *event = &sim->events[i];
		struct http_call *call = event->subject;

		if (event->happen == arrived && event->number == (int64_t)sim->generation &&
		    !sim->control_down && !sim->black_hole && sim_chance(sim, 50))
			control_call(sim, call->operation, call->body, &call->status,
				     &call->answer);
	}
}

int http_send(struct http_client *client, const struct http_request *request,
	      void (*callback)(void *data, const struct http_response *response), void *data,
	      struct http_call **ret_call, struct error *err)
{
	struct sim *sim = sim_world;
	struct http_call *call = xcalloc(1, sizeof(*call));

	(void)client, (void)err;
	call->callback = callback;
	call->data = data;
	call->references = 1;
	call->timeout_ms = request->timeout_ms;
	call->body = xstrndup(request->body, request->body_size);
	for (size_t i = 0; i < request->header_count; i++)
		if (str_eq(request->headers[i].name, "X-Amz-Target"))
			call->operation =
				xstrdup(request->headers[i].value + strlen(API_TARGET_PREFIX));
	if (ret_call)
		*ret_call = call;
	if (!agent_reaches_out(sim))
		return 0;
	if (sim_fault(sim, 3)) {
		fail(sim, call, sim_between(sim, 0, 2000), -ECONNRESET, sim->generation);
		return 0;
	}
	schedule(sim, call,
		 sim_chance(sim, 90) ? sim_between(sim, 0, 20) : sim_between(sim, 0, 2000), arrived)
		->number = (int64_t)sim->generation;
	return 0;
}

void http_cancel(struct http_call *call)
{
	call->over = true;
	call_unref(call);
}

const char *http_response_header(const struct http_response *response, const char *name)
{
	(void)response, (void)name;
	return NULL;
}
