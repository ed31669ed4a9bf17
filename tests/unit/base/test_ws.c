/* SPDX-License-Identifier: Apache-2.0 */
#include "net_place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "base/ws_frame.h"

/* One end of a websocket, and what it has seen. */
struct end {
	struct ws *ws;
	int opened, closed, messages, pongs;
	struct strbuf last; /* message */
	bool last_is_binary;
	struct ws_close close;
	struct strbuf reason, body;
};

struct place {
	struct net_place *net;
	struct end client, server;
	struct strbuf handshake; /* what the server has seen of it */
	int refuse_status;       /* not 0: refuse with it */
	const char *refuse_body;
	bool greet; /* the server sends at once */
};

static void on_open(void *data, struct ws *ws)
{
	struct end *end = data;

	assert_ptr_equal(ws, end->ws);
	end->opened++;
}

static void on_message(void *data, struct ws *ws, const char *text, size_t size, bool is_binary)
{
	struct end *end = data;

	assert_int_equal(end->opened, 1);
	assert_int_equal(text[size], '\0');
	end->messages++;
	end->last_is_binary = is_binary;
	strbuf_reset(&end->last);
	strbuf_append_n(&end->last, text, size);
}

static void on_close(void *data, struct ws *ws, const struct ws_close *close)
{
	struct end *end = data;

	end->closed++;
	end->close = *close;
	strbuf_append(&end->reason, close->reason);
	strbuf_append(&end->body, close->body);
	end->ws = NULL;
}

static void on_pong(void *data, struct ws *ws)
{
	struct end *end = data;

	end->pongs++;
}

static const struct ws_callbacks callbacks = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
	.on_pong = on_pong,
};

static void on_upgrade(void *data, struct web_request *request)
{
	struct place *place = data;
	const char *authorization = web_request_header(request, "Authorization");

	strbuf_appendf(&place->handshake, "%s?%s %s %s %s", web_request_path(request),
		       web_request_query(request), web_request_header(request, "Host"),
		       authorization ? authorization : "-",
		       web_request_header(request, "Sec-WebSocket-Extensions") ? "offers"
									       : "plain");
	if (place->refuse_status) {
		web_respond_text(request, place->refuse_status, "application/json",
				 place->refuse_body);
		return;
	}
	place->server.ws = web_accept_ws(request, &callbacks, &place->server, 100 * 1000);
	if (place->greet)
		assert_int_equal(ws_send(place->server.ws, "welcome", 7), 0);
}

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->net = net_place_new();
	net_place_listen(place->net,
			 (struct web_listener_config){ .on_upgrade = on_upgrade, .data = place });
	*state = place;
	return 0;
}

static void free_end(struct end *end)
{
	strbuf_free(&end->last);
	strbuf_free(&end->reason);
	strbuf_free(&end->body);
}

static int tear_down(void **state)
{
	struct place *place = *state;

	net_place_free(place->net);
	/* each end is told exactly once */
	assert_int_equal(place->server.closed, place->server.opened);
	free_end(&place->client);
	free_end(&place->server);
	strbuf_free(&place->handshake);
	free(place);
	return 0;
}

static void begin_connect(struct place *place, struct ws_connect_config config)
{
	_cleanup_free_ char *url = NULL;

	if (!config.url)
		config.url = url = net_url(place->net, "http", "/ws?a=b+c&d=%2F");
	assert_ok(ws_connect(place->net->web, &config, &callbacks, &place->client,
			     &place->client.ws, why));
	assert_int_equal(place->client.opened + place->client.closed, 0);
}

static void connect_both(struct place *place)
{
	begin_connect(place, (struct ws_connect_config){ .url = NULL });
	net_wait(place->net, &place->client.opened);
	net_wait(place->net, &place->server.opened);
}

/* A raw peer of our server, with the handshake done. */
static int raw_upgrade(struct place *place)
{
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;

	/* the key and its answer are those of RFC 6455 section 1.3 */
	raw_send(fd, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\n"
		     "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	text = raw_read(place->net, fd, "\r\n\r\n");
	assert_true(str_starts_with(text, "HTTP/1.1 101 Switching Protocols\r\n"));
	assert_contains(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
	net_wait(place->net, &place->server.opened);
	return fd;
}

static void the_handshake_carries_query_host_and_headers(void **state)
{
	struct place *place = *state;
	struct header headers[] = { { "Authorization", "AWS4-HMAC-SHA256 x" },
				    { "X-Amz-Date", "20260102T030405Z" } };
	_cleanup_free_ char *expected =
		xasprintf("/ws?a=b+c&d=%%2F 127.0.0.1:%u AWS4-HMAC-SHA256 x plain",
			  web_listener_port(place->net->listener));

	begin_connect(place, (struct ws_connect_config){ .headers = headers, .header_count = 2 });
	net_wait(place->net, &place->client.opened);
	assert_string_equal(place->handshake.data, expected);
}

static void messages_go_both_ways(void **state)
{
	struct place *place = *state;

	connect_both(place);
	assert_int_equal(ws_send(place->client.ws, "to server", 9), 0);
	net_wait(place->net, &place->server.messages);
	assert_string_equal(place->server.last.data, "to server");
	assert_false(place->server.last_is_binary);
	assert_int_equal(ws_send(place->server.ws, "", 0), 0);
	net_wait(place->net, &place->client.messages);
	assert_int_equal(place->client.last.length, 0);
	assert_int_equal(ws_ping(place->client.ws), 0);
	net_wait(place->net, &place->client.pongs);
}

/* acs 2.1: the server may start sending immediately after the 101 */
static void what_follows_the_handshake_at_once_is_not_lost(void **state)
{
	struct place *place = *state;

	place->greet = true;
	connect_both(place);
	net_wait(place->net, &place->client.messages);
	assert_string_equal(place->client.last.data, "welcome");
}

/* acs-C23 (the way of the bytes): frames of at most 32768, which the server reassembles */
static void long_messages_leave_in_fragments(void **state)
{
	struct place *place = *state;
	size_t size = 3 * 32768 + 5;
	char *text = xmalloc(size + 1);
	char *plain;

	memset(text, 'x', size);
	text[size] = '\0';
	connect_both(place);
	assert_int_equal(ws_send(place->client.ws, text, size), 0);
	net_wait(place->net, &place->server.messages);
	assert_int_equal(place->server.last.length, size);
	assert_int_equal(place->server.messages, 1);
	plain = place->server.last.data;
	assert_string_equal(plain, text);
	free(text);
}

static void messages_over_the_limit_drop_the_connection(void **state)
{
	struct place *place = *state;
	size_t size = 100 * 1000 + 1;
	char *text = xcalloc(1, size);

	memset(text, 'x', size);
	connect_both(place);
	assert_int_equal(ws_send(place->client.ws, text, size), 0);
	net_wait(place->net, &place->server.closed);
	assert_true(place->server.close.local);
	assert_string_equal(place->server.reason.data, "a message that is too long");
	net_wait(place->net, &place->client.closed);
	assert_int_equal(place->client.close.code, 1009);
	assert_int_equal(place->server.messages, 0);
	free(text);
}

/* At the bound there is an answer, not growth. */
static void the_queue_is_bounded(void **state)
{
	struct place *place = *state;
	char block[1000] = "";
	int fd = raw_upgrade(place);
	int result = 0;
	int sent = 0;

	while (result == 0 && ++sent < 100 * 1000)
		result = ws_send(place->server.ws, block, sizeof(block));
	assert_int_equal(result, -ENOBUFS);
	close(fd);
	net_wait(place->net, &place->server.closed);
}

/* acs 2.2, for acs-C7 and C8: what the peer closed with is told as it was */
static void close_frames_are_told_and_echoed(void **state)
{
	static const struct {
		int code; /* 0: an empty close frame */
		int told;
	} cases[] = { { 1000, 1000 }, { 1001, 1001 }, { 1002, 1002 },
		      { 1003, 1003 }, { 1008, 1008 }, { 1011, 1011 },
		      { 1012, 1012 }, { 0, 1005 },    { 4000, 4000 } };
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char mask[4] = { 1, 2, 3, 4 };
		char payload[] = { (char)(cases[i].code >> 8), (char)cases[i].code, 'b', 'y', 'e' };
		_cleanup_strbuf_ struct strbuf frame = STRBUF_INIT;
		_cleanup_free_ char *echo = NULL;
		int fd;

		memset(&place->server, 0, sizeof(place->server));
		fd = raw_upgrade(place);
		ws_frame_append(&frame, WS_CLOSE, true, mask, payload,
				cases[i].code ? sizeof(payload) : 0);
		assert_int_equal(send(fd, frame.data, frame.length, 0), frame.length);
		net_wait(place->net, &place->server.closed);
		assert_true(place->server.close.was_open);
		assert_true(place->server.close.clean_frame);
		assert_false(place->server.close.reset);
		assert_int_equal(place->server.close.code, cases[i].told);
		assert_string_equal(place->server.reason.data, cases[i].code ? "bye" : "");
		/* the same code without reason; nothing for nothing */
		echo = raw_read(place->net, fd, NULL);
		assert_int_equal((unsigned char)echo[0], 0x88);
		assert_int_equal(echo[1], cases[i].code ? 2 : 0);
		if (cases[i].code)
			assert_memory_equal(echo + 2, payload, 2);
		close(fd);
		free_end(&place->server);
	}
	memset(&place->server, 0, sizeof(place->server));
}

/* acs 2.2: a FIN without close frame is clean (acs-C7), a reset is an error (acs-C8) */
static void an_end_without_close_frame_is_told_from_a_reset(void **state)
{
	struct place *place = *state;
	int fd = raw_upgrade(place);

	close(fd);
	net_wait(place->net, &place->server.closed);
	assert_int_equal(place->server.close.code, 1006);
	assert_false(place->server.close.clean_frame);
	assert_false(place->server.close.reset);
	assert_false(place->server.close.local);

	free_end(&place->server);
	memset(&place->server, 0, sizeof(place->server));
	fd = raw_upgrade(place);
	raw_reset(fd);
	net_wait(place->net, &place->server.closed);
	assert_int_equal(place->server.close.code, 1006);
	assert_true(place->server.close.reset);
	assert_false(place->server.close.local);
}

/* acs 1.9: close frame, then it keeps reading until the peer closes; every later write fails
 * (acs-C19, C20) */
static void after_our_close_frame_reading_goes_on(void **state)
{
	struct place *place = *state;
	unsigned char mask[4] = { 9, 9, 9, 9 };
	_cleanup_strbuf_ struct strbuf frame = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;
	int fd = raw_upgrade(place);

	ws_close(place->server.ws, 1000, "ConnectionExpired: Reconnect to continue");
	assert_int_equal(ws_send(place->server.ws, "x", 1), -ENOTCONN);
	assert_int_equal(ws_ping(place->server.ws), -ENOTCONN);
	ws_close(place->server.ws, 1001, "only once");
	text = raw_read(place->net, fd, "continue");
	assert_memory_equal(text,
			    "\x88\x2a\x03\xe8"
			    "ConnectionExpired",
			    21);
	ws_frame_append(&frame, WS_TEXT, true, mask, "still here", 10);
	ws_frame_append(&frame, WS_PING, true, mask, "", 0);
	ws_frame_append(&frame, WS_CLOSE, true, mask, "\x03\xe8", 2);
	assert_int_equal(send(fd, frame.data, frame.length, 0), frame.length);
	net_wait(place->net, &place->server.messages);
	assert_string_equal(place->server.last.data, "still here");
	net_wait(place->net, &place->server.closed);
	assert_int_equal(place->server.close.code, 1000);
	assert_true(place->server.close.clean_frame);
	free(TAKE(text));
	text = raw_read(place->net, fd, NULL);
	assert_string_equal(text, ""); /* the peer's close was the answer to ours */
	close(fd);
}

/* acs-C16 (the pongs): equal payload; a ping is no message */
static void pings_are_answered_with_their_payload(void **state)
{
	struct place *place = *state;
	unsigned char mask[4] = { 7, 7, 7, 7 };
	_cleanup_strbuf_ struct strbuf frames = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;
	int fd = raw_upgrade(place);

	/* two at once, within a fragmented message */
	ws_frame_append(&frames, WS_TEXT, false, mask, "one ", 4);
	ws_frame_append(&frames, WS_PING, true, mask, "first", 5);
	ws_frame_append(&frames, WS_PING, true, mask, "last", 4);
	ws_frame_append(&frames, WS_CONTINUATION, true, mask, "message", 7);
	assert_int_equal(send(fd, frames.data, frames.length, 0), frames.length);
	text = raw_read(place->net, fd, "last");
	assert_string_equal(text, "\x8a\x05"
				  "first\x8a\x04last");
	net_wait(place->net, &place->server.messages);
	assert_int_equal(place->server.messages, 1);
	assert_string_equal(place->server.last.data, "one message");
	close(fd);
}

/* acs 1.9: a binary message is processed the same (acs-C21) */
static void binary_messages_are_given_too(void **state)
{
	struct place *place = *state;
	unsigned char mask[4] = { 0, 0, 0, 1 };
	_cleanup_strbuf_ struct strbuf frame = STRBUF_INIT;
	int fd = raw_upgrade(place);

	ws_frame_append(&frame, WS_BINARY, true, mask, "a\0b", 3);
	assert_int_equal(send(fd, frame.data, frame.length, 0), frame.length);
	net_wait(place->net, &place->server.messages);
	assert_true(place->server.last_is_binary);
	assert_int_equal(place->server.last.length, 3);
	close(fd);
}

static void broken_frames_are_answered_and_dropped(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;
	int fd = raw_upgrade(place);

	raw_send(fd, "\x81\x02hi"); /* not masked */
	text = raw_read(place->net, fd, NULL);
	assert_memory_equal(text + 2,
			    "\x03\xea"
			    "a frame that is not masked",
			    28);
	net_wait(place->net, &place->server.closed);
	assert_true(place->server.close.local);
	assert_true(place->server.close.reset);
	close(fd);
}

/* acs 1.9: Close drops TCP without a close frame */
static void dropping_sends_no_close_frame(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *text = NULL;
	int fd = raw_upgrade(place);

	ws_drop(place->server.ws);
	assert_int_equal(place->server.closed, 0); /* not from within */
	text = raw_read(place->net, fd, NULL);
	assert_string_equal(text, "");
	net_wait(place->net, &place->server.closed);
	assert_true(place->server.close.local);
	assert_true(place->server.close.reset);
	close(fd);
}

static void who_is_forgotten_is_silent(void **state)
{
	struct place *place = *state;

	connect_both(place);
	ws_forget(TAKE(place->client.ws));
	net_wait(place->net, &place->server.closed);
	assert_int_equal(place->client.closed, 0);
	assert_false(place->server.close.reset);
}

/* acs-C11, C12: the body of a refusal reaches the agent */
static void a_refusal_is_told_with_its_body(void **state)
{
	struct place *place = *state;

	place->refuse_status = 400;
	place->refuse_body = "{\"InactiveInstanceException\":\"x\"}";
	begin_connect(place, (struct ws_connect_config){ .url = NULL });
	net_wait(place->net, &place->client.closed);
	assert_int_equal(place->client.opened, 0);
	assert_false(place->client.close.was_open);
	assert_int_equal(place->client.close.http_status, 400);
	assert_true(place->client.close.reset);
	assert_string_equal(place->client.body.data, place->refuse_body);
	assert_contains(place->client.reason.data,
			"the handshake was answered with 400 Bad Request");
}

/* acs 1.11: at most 1024 bytes of it */
static void long_refusals_are_cut(void **state)
{
	struct place *place = *state;
	char body[3001];

	memset(body, 'b', 3000);
	body[3000] = '\0';
	place->refuse_status = 500;
	place->refuse_body = body;
	begin_connect(place, (struct ws_connect_config){ .url = NULL });
	net_wait(place->net, &place->client.closed);
	assert_int_equal(place->client.body.length, 1024);
	assert_int_equal(place->client.close.http_status, 500);
}

static void failures_to_connect_say_why(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "ws", "/ws");

	web_listener_free(place->net->listener); /* nobody listens there any more */
	begin_connect(place, (struct ws_connect_config){ .url = url });
	net_wait(place->net, &place->client.closed);
	assert_int_equal(place->client.close.http_status, 0);
	assert_contains(place->client.reason.data, "Connection refused");

	place->client.closed = 0;
	strbuf_reset(&place->client.reason);
	begin_connect(place, (struct ws_connect_config){ .url = "ws://no..such.name/" });
	net_wait(place->net, &place->client.closed);
	assert_contains(place->client.reason.data, "look up the name no..such.name");
}

static void what_cannot_be_connected_to_is_refused(void **state)
{
	struct place *place = *state;
	struct header bad = { "A", "b\r\nInjected: yes" };
	struct ws_connect_config config = { .url = "ftp://h/" };
	struct ws *ws = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(ws_connect(place->net->web, &config, &callbacks, NULL, &ws, &err),
			 -EINVAL);
	config.url = "http://h/";
	config.headers = &bad;
	config.header_count = 1;
	assert_int_equal(ws_connect(place->net->web, &config, &callbacks, NULL, &ws, &err),
			 -EINVAL);
	assert_contains(err.text, "header \"A\" is not valid");
	assert_null(ws);
}

static void a_name_is_looked_up(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url =
		xasprintf("ws://localhost:%u/", web_listener_port(place->net->listener));
	_cleanup_free_ char *host =
		xasprintf("localhost:%u", web_listener_port(place->net->listener));

	begin_connect(place, (struct ws_connect_config){ .url = url });
	net_wait(place->net, &place->client.opened);
	assert_contains(place->handshake.data, host);
}

/* Answers every request with a text that is no answer to a handshake. */
static void on_any_request(void *data, int events)
{
	struct place *place = data;
	int fd = accept4(place->refuse_status, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (*place->refuse_body)
		raw_send(fd, place->refuse_body);
	place->refuse_status = fd; /* the listener is closed by the test */
}

static void answers_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *answer, *says;
		int64_t timeout_ms;
	} cases[] = {
		{ "SSH-2.0-OpenSSH\r\n\r\n", "not valid HTTP", 60000 },
		{ "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		  "Sec-WebSocket-Accept: wrong\r\n\r\n",
		  "not one to a websocket handshake", 60000 },
		{ "HTTP/1.1 101 X\r\n\r\n", "not one to a websocket handshake", 60000 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "answered with 200 OK", 60000 },
		{ "", "not answered within 100 ms", 100 },
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_in address;
		socklen_t size = sizeof(address);
		_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		_cleanup_free_ char *url = NULL;
		struct loop_fd *watch;

		assert_int_equal(listen(listener, 1), 0);
		assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
		url = xasprintf("ws://127.0.0.1:%u/", ntohs(address.sin_port));
		place->refuse_status = listener;
		place->refuse_body = cases[i].answer;
		assert_ok(loop_fd_new(place->net->loop, listener, LOOP_READ, on_any_request, place,
				      &watch, why));
		place->client.closed = 0;
		strbuf_reset(&place->client.reason);
		begin_connect(place,
			      (struct ws_connect_config){
				      .url = url, .handshake_timeout_ms = cases[i].timeout_ms });
		net_wait(place->net, &place->client.closed);
		assert_contains(place->client.reason.data, cases[i].says);
		loop_fd_free(watch);
		close(place->refuse_status);
	}
}

static void freeing_the_web_tells_everyone(void **state)
{
	struct place *place = *state;

	connect_both(place);
	web_free(place->net->web);
	assert_int_equal(place->client.closed, 1);
	assert_int_equal(place->server.closed, 1);
	assert_true(place->client.close.local);
	assert_ok(web_new(place->net->loop, NULL, &place->net->web, why));
}

static void requests_beside_websockets_are_refused(void **state)
{
	static const char *const bad[] = {
		/* no key; wrong version; not a GET */
		"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	};
	static const char *const answers[] = { "HTTP/1.1 400 ", "HTTP/1.1 426 ", "HTTP/1.1 400 " };
	struct place *place = *state;

	for (size_t i = 0; i < 3; i++) {
		int fd = raw_connect(place->net);
		_cleanup_free_ char *text = NULL;

		raw_send(fd, bad[i]);
		text = raw_read(place->net, fd, "\r\n\r\n");
		assert_true(str_starts_with(text, answers[i]));
		close(fd);
	}
	assert_string_equal(strbuf_text(&place->handshake), "");
}

static void tls_verifies_name_and_authority(void **state)
{
	struct place *place = *state;
	struct net_place other = *place->net;
	_cleanup_free_ char *directory = make_test_directory();
	_cleanup_free_ char *cert = NULL, *key = NULL, *by_name = NULL, *by_address = NULL;
	struct web_listener_config config = { .on_upgrade = on_upgrade,
					      .data = place,
					      .address = "127.0.0.1" };

	make_certificate(directory, &cert, &key);
	config.cert_file = cert;
	config.key_file = key;
	assert_ok(web_listen(place->net->web, &config, &other.listener, why));
	by_name = xasprintf("wss://localhost:%u/", web_listener_port(other.listener));
	by_address = xasprintf("https://127.0.0.1:%u/", web_listener_port(other.listener));

	/* not trusted */
	begin_connect(place, (struct ws_connect_config){ .url = by_name });
	net_wait(place->net, &place->client.closed);
	assert_contains(place->client.reason.data, "self-signed certificate");
	assert_int_equal(place->client.opened, 0);

	/* trusted, by name and by address, with a message longer than a TLS record */
	for (int i = 0; i < 2; i++) {
		char text[50001];

		memset(text, 't', 50000);
		text[50000] = '\0';
		place->client.opened = place->client.closed = 0;
		place->server.messages = place->server.closed = place->server.opened = 0;
		begin_connect(place, (struct ws_connect_config){ .url = i ? by_address : by_name,
								 .ca_file = cert });
		net_wait(place->net, &place->client.opened);
		assert_int_equal(ws_send(place->client.ws, text, 50000), 0);
		net_wait(place->net, &place->server.messages);
		assert_string_equal(place->server.last.data, text);
		ws_close(place->client.ws, 1000, "done");
		net_wait(place->net, &place->client.closed);
		assert_int_equal(place->client.close.code, 1000);
		net_wait(place->net, &place->server.closed);
	}

	/* not verified at all, when that is wished */
	place->client.opened = place->client.closed = 0;
	place->server.opened = place->server.closed = 0;
	begin_connect(place, (struct ws_connect_config){ .url = by_name, .insecure = true });
	net_wait(place->net, &place->client.opened);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

int main(void)
{
#define on_net(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_net(the_handshake_carries_query_host_and_headers),
		on_net(messages_go_both_ways),
		on_net(what_follows_the_handshake_at_once_is_not_lost),
		on_net(long_messages_leave_in_fragments),
		on_net(messages_over_the_limit_drop_the_connection),
		on_net(the_queue_is_bounded),
		on_net(close_frames_are_told_and_echoed),
		on_net(an_end_without_close_frame_is_told_from_a_reset),
		on_net(after_our_close_frame_reading_goes_on),
		on_net(pings_are_answered_with_their_payload),
		on_net(binary_messages_are_given_too),
		on_net(broken_frames_are_answered_and_dropped),
		on_net(dropping_sends_no_close_frame),
		on_net(who_is_forgotten_is_silent),
		on_net(a_refusal_is_told_with_its_body),
		on_net(long_refusals_are_cut),
		on_net(failures_to_connect_say_why),
		on_net(what_cannot_be_connected_to_is_refused),
		on_net(a_name_is_looked_up),
		on_net(answers_that_are_none_are_refused),
		on_net(freeing_the_web_tells_everyone),
		on_net(requests_beside_websockets_are_refused),
		on_net(tls_verifies_name_and_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
