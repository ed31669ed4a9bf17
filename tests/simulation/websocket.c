/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the place of base/web.c and the websockets of base/: connections between the agent and the
 * control plane. Each direction keeps its order; what is on its way when a connection breaks is
 * lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/web.h"
#include "simulation.h"

struct web {
	int unused;
};

struct ws {
	const struct ws_callbacks *callbacks;
	void *data;
	unsigned references;
	unsigned generation; /* of the agent at its end */
	int64_t serial;
	bool acs;
	bool open;                          /* the handshake is done, at the agent's end */
	bool over;                          /* the agent hears nothing of it any more */
	bool accepted;                      /* the control plane has it */
	bool cut;                           /* nothing passes any more */
	bool closing;                       /* the agent has sent its close frame */
	int64_t to_agent_ms, to_control_ms; /* when the last message on its way arrives */
	struct ws_close end;
	struct ws *next;
};

struct message {
	struct ws *ws;
	char *text;
};

int web_new(struct loop *loop, const struct web_config *config, struct web **ret, struct error *err)
{
	(void)loop, (void)config, (void)err;
	*ret = xcalloc(1, sizeof(**ret));
	return 0;
}

void web_free(struct web *web)
{
	free(web);
}

bool socket_is_acs(const struct ws *ws)
{
	return ws->acs;
}

int64_t socket_serial(const struct ws *ws)
{
	return ws->serial;
}

static void socket_unref(void *subject)
{
	struct ws *ws = subject;

	if (--ws->references > 0)
		return;
	for (struct ws **at = &sim_world->sockets; *at; at = &(*at)->next)
		if (*at == ws) {
			*at = ws->next;
			break;
		}
	free(ws);
}

static struct sim_event *schedule(struct sim *sim, struct ws *ws, int64_t delay_ms,
				  void (*happen)(struct sim *sim, const struct sim_event *event))
{
	struct sim_event *event = sim_schedule(sim, delay_ms, happen);

	event->subject = ws;
	event->drop = socket_unref;
	ws->references++;
	return event;
}

static void message_free(void *subject)
{
	struct message *message = subject;

	socket_unref(message->ws);
	free(message->text);
	free(message);
}

static void schedule_message(struct sim *sim, struct ws *ws, const char *text, size_t size,
			     int64_t *last_ms, unsigned generation,
			     void (*happen)(struct sim *sim, const struct sim_event *event))
{
	int64_t at_ms = sim->now_ms +
			(sim_chance(sim, 90) ? sim_between(sim, 0, 10) : sim_between(sim, 0, 4000));
	struct message *message = xcalloc(1, sizeof(*message));
	struct sim_event *event;

	if (at_ms < *last_ms)
		at_ms = *last_ms;
	*last_ms = at_ms;
	message->ws = ws;
	message->text = xstrndup(text, size);
	ws->references++;
	event = sim_schedule(sim, at_ms - sim->now_ms, happen);
	event->generation = generation;
	event->subject = message;
	event->drop = message_free;
}

/* ---- the end of a connection ---- */

/* The control plane lets go of it. */
static void control_loses(struct sim *sim, struct ws *ws)
{
	if (!ws->accepted)
		return;
	ws->accepted = false;
	control_closed(sim, ws);
	socket_unref(ws); /* its own */
}

static void agent_loses(struct sim *sim, const struct sim_event *event)
{
	struct ws *ws = event->subject;

	(void)sim;
	if (ws->over)
		return;
	ws->over = true;
	ws->end.was_open = ws->open;
	if (!ws->end.reason)
		ws->end.reason = "";
	if (!ws->end.body)
		ws->end.body = "";
	ws->callbacks->on_close(ws->data, ws, &ws->end);
	socket_unref(ws); /* the agent's own */
}

static void end_for_agent(struct sim *sim, struct ws *ws, int64_t delay_ms, struct ws_close end)
{
	ws->end = end;
	schedule(sim, ws, delay_ms, agent_loses)->generation = ws->generation;
}

static void end_for_control(struct sim *sim, const struct sim_event *event)
{
	control_loses(sim, event->subject);
}

/* The agent has hung up: what it had sent arrives, then the end of it does. */
static void hang_up(struct sim *sim, struct ws *ws)
{
	int64_t delay_ms = ws->to_control_ms - sim->now_ms;

	schedule(sim, ws, delay_ms > 0 ? delay_ms : 0, end_for_control);
}

void socket_cut(struct sim *sim, struct ws *ws)
{
	if (ws->cut)
		return;
	ws->cut = true;
	/* One end may only learn of it when it has waited in vain. */
	if (sim_chance(sim, 70))
		end_for_agent(sim, ws, sim_between(sim, 0, 50),
			      (struct ws_close){ .code = 1006,
						 .reset = true,
						 .reason = "Connection reset by peer" });
	if (sim_chance(sim, 70))
		control_loses(sim, ws);
}

void sockets_cut(struct sim *sim)
{
	for (struct ws *ws = sim->sockets; ws; ws = ws->next)
		socket_cut(sim, ws);
}

void socket_close(struct sim *sim, struct ws *ws, int code)
{
	int64_t delay_ms = ws->to_agent_ms - sim->now_ms;

	if (!ws->cut)
		end_for_agent(
			sim, ws, delay_ms > 0 ? delay_ms : 0,
			(struct ws_close){ .code = code, .clean_frame = true, .reason = "bye" });
	control_loses(sim, ws);
}

void sockets_agent_died(struct sim *sim)
{
	for (struct ws *ws = sim->sockets; ws; ws = ws->next)
		if (ws->generation == sim->generation)
			hang_up(sim, ws);
}

void sockets_free(struct sim *sim)
{
	if (sim->acs)
		control_loses(sim, sim->acs);
	if (sim->tcs)
		control_loses(sim, sim->tcs);
}

/* ---- the agent's end ---- */

static void opened(struct sim *sim, const struct sim_event *event)
{
	struct ws *ws = event->subject;

	if (ws->over)
		return;
	if (ws->cut || sim->control_down || sim->black_hole) {
		ws->over = true;
		ws->end = (struct ws_close){ .code = 1006,
					     .reset = true,
					     .reason = "connect: Connection refused",
					     .body = "" };
		ws->callbacks->on_close(ws->data, ws, &ws->end);
		socket_unref(ws);
		return;
	}
	if (sim_fault(sim, 3)) {
		ws->over = true;
		ws->end = (struct ws_close){
			.code = 1006, .http_status = 500, .reason = "", .body = "ServerException"
		};
		ws->callbacks->on_close(ws->data, ws, &ws->end);
		socket_unref(ws);
		return;
	}
	ws->open = true;
	ws->accepted = true;
	ws->references++;
	control_opened(sim, ws);
	ws->callbacks->on_open(ws->data, ws);
}

int ws_connect(struct web *web, const struct ws_connect_config *config,
	       const struct ws_callbacks *callbacks, void *data, struct ws **ret, struct error *err)
{
	struct sim *sim = sim_world;
	struct ws *ws = xcalloc(1, sizeof(*ws));

	(void)web, (void)err;
	ws->callbacks = callbacks;
	ws->data = data;
	ws->references = 1;
	ws->generation = sim->generation;
	ws->serial = ++sim->socket_serial;
	ws->acs = str_starts_with(config->url, "http://acs/");
	ws->next = sim->sockets;
	sim->sockets = ws;
	*ret = ws;
	if (agent_reaches_out(sim))
		schedule(sim, ws,
			 sim->black_hole ? config->connect_timeout_ms : sim_between(sim, 0, 20),
			 opened)
			->generation = sim->generation;
	return 0;
}

static void reaches_agent(struct sim *sim, const struct sim_event *event)
{
	struct message *message = event->subject;
	struct ws *ws = message->ws;

	(void)sim;
	if (!ws->over && !ws->cut)
		ws->callbacks->on_message(ws->data, ws, message->text, strlen(message->text),
					  false);
}

void socket_send(struct sim *sim, struct ws *ws, const char *text)
{
	if (ws && ws->accepted && !ws->cut)
		schedule_message(sim, ws, text, strlen(text), &ws->to_agent_ms, ws->generation,
				 reaches_agent);
}

static void reaches_control(struct sim *sim, const struct sim_event *event)
{
	struct message *message = event->subject;

	if (message->ws->accepted && !message->ws->cut)
		control_message(sim, message->ws, message->text, strlen(message->text));
}

int ws_send(struct ws *ws, const char *text, size_t size)
{
	if (!ws->open || ws->over || ws->closing)
		return -ENOTCONN;
	if (agent_reaches_out(sim_world) && !ws->cut)
		schedule_message(sim_world, ws, text, size, &ws->to_control_ms, 0, reaches_control);
	return 0;
}

static void close_frame(struct sim *sim, const struct sim_event *event)
{
	struct ws *ws = event->subject;

	if (ws->accepted && !ws->cut)
		socket_close(sim, ws, 1000);
}

void ws_close(struct ws *ws, int code, const char *reason)
{
	(void)code, (void)reason;
	ws->closing = true;
	if (agent_reaches_out(sim_world))
		schedule(sim_world, ws, sim_between(sim_world, 0, 20), close_frame);
}

void ws_drop(struct ws *ws)
{
	if (!agent_reaches_out(sim_world) || ws->over)
		return;
	hang_up(sim_world, ws);
	end_for_agent(sim_world, ws, 0,
		      (struct ws_close){ .code = 1006, .local = true, .reason = "dropped" });
}

void ws_forget(struct ws *ws)
{
	ws->over = true;
	if (!sim_world->dead)
		hang_up(sim_world, ws);
	socket_unref(ws);
}
