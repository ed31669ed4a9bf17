/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/client.h"
#include "agent/ecs/identity.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/sigv4.h"

#define HEARTBEAT_MS       60000 /* and up to as much again */
#define READ_DEADLINE_MS   180000
#define LIFETIME_MS        (30 * 60000)
#define LIFETIME_JITTER_MS (5 * 60000)
#define INACTIVE_MS        (3600 * 1000)
#define CONNECT_MS         30000
/* For what was written to leave, and for the peer to answer our close frame. */
#define WRITE_DEADLINE_MS 180000
/* Between two attempts, whatever the peer does: one that accepts and closes at once must not be
 * hammered. */
#define FLOOR_MS 100
#define EXPIRED  "ConnectionExpired: Reconnect to continue"
#define INACTIVE "InactiveInstanceException"

/*
 * What ends each state, whatever the peer does; see session_is_held():
 *
 *	IDLE         session_start()
 *	DISCOVERING  the answer of `discover`, whose call has a limit
 *	CONNECTING   the websocket's on_open or on_close; it has limits for connecting
 *	OPEN         the deadline for reading, the one for the end of the close handshake, the
 *	             kernel's for what does not leave (TCP_USER_TIMEOUT): each ends in on_close
 *	WAITING      the timer `retry`
 */
enum session_state {
	STATE_IDLE,
	STATE_DISCOVERING,
	STATE_CONNECTING,
	STATE_OPEN,
	STATE_WAITING, /* for the next attempt */
};

struct session {
	struct session_context context;
	const struct session_role *role;
	void *data;
	enum session_state state;
	bool closing;  /* our close frame is out: nothing can be sent any more */
	bool dropped;  /* on_close follows */
	struct ws *ws; /* from CONNECTING until its end */
	char *url;
	char *user_agent;
	struct backoff backoff;
	int64_t attempt_at_ms;
	struct loop_timer *retry, *heartbeat, *read_deadline, *lifetime, *close_deadline, *age;
	bool handshake_counts; /* as hearing of the peer: see session_facts.h */
	struct session_facts facts;
	char *trouble;
};

static int64_t scaled(const struct session *session, int64_t ms)
{
	return config_scaled_ms(session->context.config, ms);
}

/* T plus a random share of J. */
static void start_with_jitter(const struct session *session, struct loop_timer *timer, int64_t ms,
			      int64_t jitter_ms)
{
	loop_timer_start(timer, scaled(session, ms + (int64_t)(random_unit() * (double)jitter_ms)));
}

static void stop_timers(struct session *session)
{
	loop_timer_stop(session->heartbeat);
	loop_timer_stop(session->read_deadline);
	loop_timer_stop(session->lifetime);
	loop_timer_stop(session->close_deadline);
	loop_timer_stop(session->age);
}

bool session_is_held(const struct session *session)
{
	switch (session->state) {
	case STATE_IDLE:
		return true;
	case STATE_DISCOVERING:
		return discover_will_answer(session->context.discover, session);
	case STATE_CONNECTING:
		return session->ws != NULL;
	case STATE_OPEN:
		return session->ws &&
		       (session->dropped ||
			(loop_timer_is_running(session->read_deadline) &&
			 loop_timer_is_running(session->closing ? session->close_deadline
								: session->lifetime)));
	case STATE_WAITING:
		return loop_timer_is_running(session->retry);
	}
	return false;
}

/* When that which ends it is there. */
static void enter(struct session *session, enum session_state state)
{
	session->state = state;
	assert(session_is_held(session));
}

static void drop(struct session *session)
{
	session->dropped = true;
	ws_drop(session->ws);
}

static void heard(struct session *session)
{
	struct session_facts *facts = &session->facts;
	int64_t now = clock_monotonic_ms();

	if (!facts->heard || now - facts->heard_ms > facts->bound_ms)
		facts->well_ms = now;
	facts->heard = true;
	facts->heard_ms = now;
}

static void wait_for_retry(struct session *session, int64_t ms)
{
	loop_timer_start(session->retry, ms);
	enter(session, STATE_WAITING);
}

static void come_back_at_once(struct session *session)
{
	int64_t since = clock_monotonic_ms() - session->attempt_at_ms;

	backoff_reset(&session->backoff, &session->role->backoff);
	wait_for_retry(session, since < FLOOR_MS ? FLOOR_MS - since : 0);
}

static void come_back_later(struct session *session, const char *why)
{
	int64_t wait = scaled(session, backoff_next_ms(&session->backoff, random_unit()));

	log_warn("The session ended and is tried again", "session", session->role->name, "cause",
		 why, "wait_ms", LOG_NUM(wait));
	wait_for_retry(session, wait);
}

/* An attempt did not become a session. `why` is what the peer, or discovery, said. */
static void attempt_failed(struct session *session, const char *why)
{
	str_replace(&session->trouble, why);
	if (session->role->inactive && strstr(why, INACTIVE)) {
		log_error("The control plane does not know this instance any more; it is asked "
			  "again in an hour. Running "
			  "tasks go on. If the instance was deregistered, stop the agent, empty "
			  "its data directory and "
			  "start it to register again",
			  "session", session->role->name, "cause", why);
		session->role->inactive(session->data);
		wait_for_retry(session, scaled(session, INACTIVE_MS));
		return;
	}
	come_back_later(session, why);
}

static bool is_clean(const struct ws_close *close)
{
	if (close->clean_frame)
		return close->code == 1000 || close->code == 1001 || close->code == 1011;
	/* A FIN without a close frame. */
	return close->code == 1006 && !close->reset && !close->local;
}

static void on_open(void *data, struct ws *ws)
{
	struct session *session = data;

	session->ws = ws;
	session->closing = session->dropped = false;
	if (session->handshake_counts)
		heard(session);
	session->handshake_counts = false;
	log_info("The session is open", "session", session->role->name, "url", session->url);
	start_with_jitter(session, session->heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
	start_with_jitter(session, session->lifetime, LIFETIME_MS, LIFETIME_JITTER_MS);
	loop_timer_start(session->read_deadline, scaled(session, READ_DEADLINE_MS));
	if (session->role->age_resets_backoff)
		start_with_jitter(session, session->age, HEARTBEAT_MS, HEARTBEAT_MS);
	enter(session, STATE_OPEN);
	session->role->opened(session->data);
}

static void on_message(void *data, struct ws *ws, const char *text, size_t size, bool is_binary)
{
	struct session *session = data;
	enum session_sign sign;

	(void)ws;
	if (is_binary)
		log_debug("A binary message came; it is read as text", "session",
			  session->role->name);
	sign = session->role->message(session->data, text, size);
	if (session->state != STATE_OPEN) /* it was dropped meanwhile */
		return;
	if (sign & SIGN_ALIVE)
		loop_timer_start(session->read_deadline, scaled(session, READ_DEADLINE_MS));
	/* Once it has expired, only the peer's close or a deadline ends it. */
	if (sign & SIGN_HEARTBEAT) {
		start_with_jitter(session, session->heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
		session->handshake_counts = true;
		heard(session);
	}
}

static void on_close(void *data, struct ws *ws, const struct ws_close *close)
{
	struct session *session = data;
	bool was_open = session->state == STATE_OPEN;
	_cleanup_free_ char *why = NULL;

	(void)ws;
	session->ws = NULL;
	stop_timers(session);
	if (!was_open) {
		why = close->http_status ? xasprintf("the handshake was answered with HTTP %d: %s",
						     close->http_status, close->body)
					 : xstrdup(close->reason);
		attempt_failed(session, why);
		return;
	}
	session->state = STATE_IDLE;
	session->role->closed(session->data);
	why = xasprintf("the connection ended (code %d): %s", close->code, close->reason);
	str_replace(&session->trouble, why);
	if (is_clean(close)) {
		log_info("The session was closed by the control plane", "session",
			 session->role->name, "code", LOG_NUM(close->code), "reason",
			 close->reason);
		come_back_at_once(session);
		return;
	}
	come_back_later(session, why);
}

static const struct ws_callbacks callbacks = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

/* <endpoint>/ws?<query> */
static char *url_of(struct session *session, const char *endpoint)
{
	_cleanup_strbuf_ struct strbuf query = STRBUF_INIT;

	session->role->query(session->data, &query);
	return xasprintf("%s%sws?%s", endpoint, str_ends_with(endpoint, "/") ? "" : "/",
			 strbuf_text(&query));
}

static int connect_to(struct session *session, const char *endpoint, struct error *err)
{
	const struct agent_config *config = session->context.config;
	const struct ecs_identity_files *identity = session->context.instance->identity;
	_cleanup_header_list_ struct header_list headers = HEADER_LIST_INIT;
	struct sigv4_credentials credentials;
	int result;

	if (!str_starts_with(endpoint, "http://") && !str_starts_with(endpoint, "https://"))
		return error_say(err, EINVAL,
				 "the endpoint %s begins neither with http:// nor with https://",
				 endpoint);
	if (identity && !str_starts_with(endpoint, "https://"))
		return error_say(err, EINVAL,
				 "the endpoint %s is not https://, where this host could prove who "
				 "it is",
				 endpoint);
	free(session->url);
	session->url = url_of(session, endpoint);
	result = aws_credentials_get(session->context.credentials, &credentials, err);
	if (result < 0)
		return result;
	result = sigv4_sign_websocket(&credentials, config->region, "ecs", session->url,
				      aws_credentials_wall_ms(session->context.credentials),
				      &headers, err);
	if (result < 0)
		return result;
	return ws_connect(session->context.web,
			  &(struct ws_connect_config){
				  .url = session->url,
				  .headers = headers.items,
				  .header_count = headers.count,
				  .user_agent = session->user_agent,
				  .ca_file = identity           ? identity->authority
					     : *config->ca_file ? config->ca_file
								: NULL,
				  .cert_file = identity ? identity->certificate : NULL,
				  .key_file = identity ? identity->key : NULL,
				  .insecure = !identity && config->accept_insecure_certs,
				  .use_proxy = true,
				  .connect_timeout_ms = CONNECT_MS,
				  .handshake_timeout_ms = CONNECT_MS,
				  .send_timeout_ms = scaled(session, WRITE_DEADLINE_MS),
				  .message_limit = session->role->message_limit,
			  },
			  &callbacks, session, &session->ws, err);
}

static void on_discovered(void *data, const struct discover_endpoints *endpoints,
			  const struct error *cause)
{
	struct session *session = data;
	struct error err = ERROR_INIT;
	const char *endpoint;

	if (!endpoints) {
		attempt_failed(session, cause->text);
		return;
	}
	endpoint = session->role->endpoint(endpoints);
	if (str_is_empty(endpoint)) {
		attempt_failed(session, "DiscoverPollEndpoint named no endpoint for it");
		return;
	}
	if (connect_to(session, endpoint, &err) < 0)
		attempt_failed(session, err.text);
	else
		enter(session, STATE_CONNECTING);
}

static void attempt(void *data)
{
	struct session *session = data;

	session->attempt_at_ms = clock_monotonic_ms();
	discover_get(session->context.discover, on_discovered, session);
	enter(session, STATE_DISCOVERING);
}

/* Then the peer closes, or a deadline ends the connection. */
static void close_expired(struct session *session)
{
	if (session->closing)
		return;
	session->closing = true;
	loop_timer_start(session->close_deadline, scaled(session, WRITE_DEADLINE_MS));
	ws_close(session->ws, 1000, EXPIRED);
}

/* It goes on sending, perhaps, and would for ever. */
static void on_close_deadline(void *data)
{
	struct session *session = data;

	log_warn("The control plane has not answered the close frame", "session",
		 session->role->name);
	drop(session);
}

static void on_heartbeat_expired(void *data)
{
	struct session *session = data;

	log_warn("The control plane was not heard of for too long", "session", session->role->name);
	if (session->role->heartbeat_closes)
		close_expired(session);
	else
		drop(session);
}

static void on_read_deadline(void *data)
{
	struct session *session = data;

	log_warn("Nothing was received for too long", "session", session->role->name);
	drop(session);
}

static void on_lifetime_over(void *data)
{
	struct session *session = data;

	log_info("The connection has lived its time and is renewed", "session",
		 session->role->name);
	close_expired(session);
}

static void on_age(void *data)
{
	struct session *session = data;

	backoff_reset(&session->backoff, &session->role->backoff);
}

struct session *session_new(const struct session_context *context, const struct session_role *role,
			    void *data)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->context = *context;
	session->role = role;
	session->data = data;
	session->url = xstrdup("");
	session->trouble = xstrdup("");
	session->handshake_counts = true;
	session->facts.bound_ms = scaled(session, 2 * HEARTBEAT_MS);
	session->facts.started_ms = clock_monotonic_ms();
	session->user_agent = ecs_user_agent(context->config);
	backoff_reset(&session->backoff, &role->backoff);
	session->retry = loop_timer_new(context->loop, attempt, session);
	session->heartbeat = loop_timer_new(context->loop, on_heartbeat_expired, session);
	session->read_deadline = loop_timer_new(context->loop, on_read_deadline, session);
	session->lifetime = loop_timer_new(context->loop, on_lifetime_over, session);
	session->close_deadline = loop_timer_new(context->loop, on_close_deadline, session);
	session->age = loop_timer_new(context->loop, on_age, session);
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	discover_forget(session->context.discover, session);
	if (session->ws)
		ws_forget(session->ws);
	loop_timer_free(session->retry);
	loop_timer_free(session->heartbeat);
	loop_timer_free(session->read_deadline);
	loop_timer_free(session->lifetime);
	loop_timer_free(session->close_deadline);
	loop_timer_free(session->age);
	free(session->trouble);
	free(session->url);
	free(session->user_agent);
	free(session);
}

void session_start(struct session *session)
{
	if (session->state == STATE_IDLE)
		attempt(session);
}

bool session_is_open(const struct session *session)
{
	return session->state == STATE_OPEN && !session->closing;
}

struct session_facts session_facts(const struct session *session)
{
	struct session_facts facts = session->facts;

	facts.open = session_is_open(session);
	facts.trouble = session->trouble;
	return facts;
}

const char *session_url(const struct session *session)
{
	return session_is_open(session) ? session->url : "";
}

int session_send(struct session *session, const char *text, size_t size)
{
	if (!session_is_open(session))
		return -ENOTCONN;
	return ws_send(session->ws, text, size);
}

void session_drop(struct session *session)
{
	if (session->ws)
		drop(session);
}

void session_query_add(struct strbuf *query, const char *name, const char *value)
{
	if (query->length > 0)
		strbuf_append_char(query, '&');
	strbuf_append_formencoded(query, name);
	strbuf_append_char(query, '=');
	strbuf_append_formencoded(query, value);
}
