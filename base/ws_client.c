/* SPDX-License-Identifier: Apache-2.0 */
/* The way to an open websocket: name, TCP, TLS, handshake. Whatever fails, on_close tells. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/proxy.h"
#include "base/proxy_tunnel.h"
#include "base/random.h"
#include "base/str.h"
#include "base/tls.h"

#include "base/url.h"
#include "base/web_private.h"

#define DEFAULT_CONNECT_MS    (30 * 1000L)
#define DEFAULT_HANDSHAKE_MS  (30 * 1000L)
#define DEFAULT_MESSAGE_LIMIT (4UL * 1024 * 1024)
#define ANSWER_HEAD_LIMIT     (16 * 1024UL)
#define REFUSAL_BODY_LIMIT    1024

struct resolve {
	uv_getaddrinfo_t uv;
	struct ws *ws; /* NULL: nobody waits any more */
};

struct ws_handshake {
	struct url url;
	char *request;
	char *key;
	int64_t timeout_ms;
	struct resolve *resolve;
	struct addrinfo *addresses;
	const struct addrinfo *address; /* that is being tried */
	int fd;
	struct loop_fd *connecting;
	struct proxy proxy; /* the connection is one to it */
	struct proxy_tunnel *tunnel;
	char *problem; /* of the address before */
	struct strbuf in;
	bool refused;
	struct http_head answer; /* that refuses */
	struct http_chunks chunks;
	struct strbuf body;
};

void ws_handshake_free(struct ws_handshake *handshake)
{
	if (handshake->resolve) {
		handshake->resolve->ws = NULL;
		uv_cancel((uv_req_t *)&handshake->resolve->uv);
	}
	loop_fd_free(handshake->connecting);
	proxy_tunnel_free(handshake->tunnel);
	if (handshake->fd >= 0)
		close(handshake->fd);
	proxy_free(&handshake->proxy);
	if (handshake->addresses)
		freeaddrinfo(handshake->addresses);
	url_free(&handshake->url);
	free(handshake->request);
	free(handshake->key);
	free(handshake->problem);
	strbuf_free(&handshake->in);
	http_head_free(&handshake->answer);
	strbuf_free(&handshake->body);
	free(handshake);
}

static void fail(struct ws *ws, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct ws *ws, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *reason = NULL;
	va_list args;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	reason = xasprintf("connect to %s://%s%s%s: %s", ws->handshake->url.scheme,
			   ws->handshake->url.authority,
			   ws->handshake->proxy.host ? " through the proxy " : "",
			   ws->handshake->proxy.host ? ws->handshake->proxy.host : "", text);
	ws_end(ws,
	       &(struct ws_close){ .code = WS_CLOSE_ABNORMAL, .reset = true, .reason = reason });
}

static void report_refusal(struct ws *ws)
{
	struct ws_handshake *handshake = ws->handshake;
	int status = handshake->answer.status;
	_cleanup_free_ char *reason = xasprintf(
		"connect to %s://%s: the handshake was answered with %d %s", handshake->url.scheme,
		handshake->url.authority, status, http_status_text(status));
	_cleanup_free_ char *body = xstrdup(strbuf_text(&handshake->body));

	ws_end(ws, &(struct ws_close){ .code = WS_CLOSE_ABNORMAL,
				       .reset = true,
				       .reason = reason,
				       .http_status = status,
				       .body = body });
}

/* More of the body of a refusal; reports when enough is there. */
static void take_refusal(struct ws *ws)
{
	struct ws_handshake *handshake = ws->handshake;
	enum http_body_kind kind = HTTP_BODY_NONE;
	uint64_t length = 0;
	bool whole = false;
	size_t used;

	if (http_head_body(&handshake->answer, &kind, &length) < 0 || kind == HTTP_BODY_NONE) {
		whole = true;
	} else if (kind == HTTP_BODY_CHUNKED) {
		whole = http_chunks_feed(&handshake->chunks, strbuf_text(&handshake->in),
					 handshake->in.length, ANSWER_HEAD_LIMIT, &handshake->body,
					 &used) != 0;
		strbuf_consume(&handshake->in, used);
	} else {
		strbuf_append_n(&handshake->body, strbuf_text(&handshake->in),
				handshake->in.length);
		strbuf_reset(&handshake->in);
		whole = kind == HTTP_BODY_LENGTH && handshake->body.length >= length;
	}
	if (handshake->body.length > REFUSAL_BODY_LIMIT)
		strbuf_truncate(&handshake->body, REFUSAL_BODY_LIMIT);
	if (whole || handshake->body.length == REFUSAL_BODY_LIMIT)
		report_refusal(ws);
}

static void check_answer(struct ws *ws, const struct http_head *answer)
{
	struct ws_handshake *handshake = ws->handshake;
	_cleanup_free_ char *accept = ws_accept_key(handshake->key);

	if (!http_head_has_token(answer, "Upgrade", "websocket") ||
	    !http_head_has_token(answer, "Connection", "upgrade") ||
	    !str_eq(http_head_field(answer, "Sec-WebSocket-Accept"), accept)) {
		fail(ws, "the answer is not one to a websocket handshake");
		return;
	}
	/* we offered none */
	if (http_head_field(answer, "Sec-WebSocket-Extensions") ||
	    http_head_field(answer, "Sec-WebSocket-Protocol")) {
		fail(ws, "the server wants an extension or subprotocol that was not offered");
		return;
	}
	loop_timer_free(TAKE(ws->deadline));
	ws_begin(ws, strbuf_text(&handshake->in), handshake->in.length);
	ws_handshake_free(TAKE(ws->handshake));
}

static void on_data(void *data, const char *bytes, size_t size)
{
	struct ws *ws = data;
	struct ws_handshake *handshake = ws->handshake;
	_cleanup_http_head_ struct http_head answer = { .method = NULL };
	long head_size;

	strbuf_append_n(&handshake->in, bytes, size);
	if (handshake->refused) {
		take_refusal(ws);
		return;
	}
	head_size = http_head_size(handshake->in.data, handshake->in.length);
	if (head_size == 0 && handshake->in.length <= ANSWER_HEAD_LIMIT)
		return;
	if (head_size <= 0 ||
	    http_head_parse_response(handshake->in.data, (size_t)head_size, &answer) < 0) {
		fail(ws, "the answer is not valid HTTP/1.1");
		return;
	}
	strbuf_consume(&handshake->in, (size_t)head_size);
	if (answer.status == 101) {
		check_answer(ws, &answer);
		return;
	}
	handshake->refused = true;
	handshake->answer = answer;
	answer = (struct http_head){ .method = NULL };
	take_refusal(ws);
}

static void on_ready(void *data)
{
	struct ws *ws = data;

	stream_write(ws->stream, ws->handshake->request, strlen(ws->handshake->request));
}

static void on_stream_end(void *data, enum stream_end how, const char *why)
{
	struct ws *ws = data;

	if (ws->handshake->refused)
		report_refusal(ws);
	else
		fail(ws, "%s%s", how == STREAM_FAILED ? "" : "the connection ended: ", why);
}

static const struct stream_callbacks handshake_callbacks = {
	.on_ready = on_ready,
	.on_data = on_data,
	.on_end = on_stream_end,
};

static void on_deadline(void *data)
{
	struct ws *ws = data;

	if (ws->handshake->refused)
		report_refusal(ws);
	else if (ws->stream)
		fail(ws, "the handshake was not answered within %lld ms",
		     (long long)ws->handshake->timeout_ms);
	else
		fail(ws, "it could not be reached in time%s%s", ws->handshake->problem ? ": " : "",
		     ws->handshake->problem ? ws->handshake->problem : "");
}

static void begin_stream(struct ws *ws)
{
	struct ws_handshake *handshake = ws->handshake;
	struct error err = ERROR_INIT;
	unsigned timeout_ms = (unsigned)ws->send_timeout_ms;
	SSL *ssl = NULL;
	int on = 1;

	loop_fd_free(TAKE(handshake->connecting));
	setsockopt(handshake->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Of a peer that is silent; one that sends on is watched in ws.c. */
	if (timeout_ms)
		setsockopt(handshake->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
			   sizeof(timeout_ms));
	if (handshake->url.tls &&
	    tls_client_new(ws->web->client_tls, handshake->url.host, &ssl, &err) < 0) {
		fail(ws, "%s", err.text);
		return;
	}
	loop_timer_start(ws->deadline, handshake->timeout_ms);
	if (stream_new(ws->web->transport, TAKE_FD(handshake->fd), ssl, &handshake_callbacks, ws,
		       &ws->stream, &err) < 0)
		fail(ws, "%s", err.text);
}

static void on_tunnel(void *data, const struct error *err)
{
	struct ws *ws = data;

	proxy_tunnel_free(TAKE(ws->handshake->tunnel));
	if (err)
		fail(ws, "%s", err->text);
	else
		begin_stream(ws);
}

static void begin_tunnel(struct ws *ws)
{
	struct ws_handshake *handshake = ws->handshake;
	struct error err = ERROR_INIT;

	loop_fd_free(TAKE(handshake->connecting));
	if (proxy_tunnel_new(ws->loop, handshake->fd, &handshake->proxy, handshake->url.host,
			     handshake->url.port, on_tunnel, ws, &handshake->tunnel, &err) < 0)
		fail(ws, "%s", err.text);
}

static void try_address(struct ws *ws);

static void try_next(struct ws *ws, int code)
{
	struct ws_handshake *handshake = ws->handshake;
	char text[128];

	loop_fd_free(TAKE(handshake->connecting));
	if (handshake->fd >= 0)
		close(TAKE_FD(handshake->fd));
	str_replace(&handshake->problem, strerror_r(code, text, sizeof(text)));
	handshake->address = handshake->address->ai_next;
	try_address(ws);
}

static void on_connected(void *data, int events)
{
	struct ws *ws = data;
	int code = 0;
	socklen_t size = sizeof(code);

	(void)events;
	if (getsockopt(ws->handshake->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code)
		try_next(ws, code);
	else if (ws->handshake->proxy.kind != PROXY_NONE)
		begin_tunnel(ws);
	else
		begin_stream(ws);
}

static void try_address(struct ws *ws)
{
	struct ws_handshake *handshake = ws->handshake;
	const struct addrinfo *address = handshake->address;
	struct error err = ERROR_INIT;

	if (!address) {
		fail(ws, "%s", handshake->problem ? handshake->problem : "it has no address");
		return;
	}
	handshake->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (handshake->fd < 0) {
		try_next(ws, errno);
		return;
	}
	if (connect(handshake->fd, address->ai_addr, address->ai_addrlen) < 0 &&
	    errno != EINPROGRESS) {
		try_next(ws, errno);
		return;
	}
	if (loop_fd_new(ws->loop, handshake->fd, LOOP_WRITE, on_connected, ws,
			&handshake->connecting, &err) < 0)
		fail(ws, "%s", err.text);
}

/* Where the connection goes. */
static const char *first_host(const struct ws_handshake *handshake)
{
	return handshake->proxy.host ? handshake->proxy.host : handshake->url.host;
}

static uint16_t first_port(const struct ws_handshake *handshake)
{
	return handshake->proxy.host ? handshake->proxy.port : handshake->url.port;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct resolve *resolve = (struct resolve *)request;
	struct ws *ws = resolve->ws;

	free(resolve);
	if (!ws) {
		uv_freeaddrinfo(addresses);
		return;
	}
	ws->handshake->resolve = NULL;
	if (status < 0) {
		fail(ws, "look up the name %s: %s", first_host(ws->handshake), uv_strerror(status));
		return;
	}
	ws->handshake->addresses = addresses;
	ws->handshake->address = addresses;
	try_address(ws);
}

static void begin(void *data)
{
	static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	static const struct addrinfo numeric = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct ws *ws = data;
	struct ws_handshake *handshake = ws->handshake;
	char port[8];
	int result;

	if (ws->ended)
		return;
	snprintf(port, sizeof(port), "%u", first_port(handshake));
	/* an address needs no thread of the pool */
	if (getaddrinfo(first_host(handshake), port, &numeric, &handshake->addresses) == 0) {
		handshake->address = handshake->addresses;
		try_address(ws);
		return;
	}
	handshake->addresses = NULL;
	handshake->resolve = xcalloc(1, sizeof(*handshake->resolve));
	handshake->resolve->ws = ws;
	result = uv_getaddrinfo(loop_uv(ws->loop), &handshake->resolve->uv, on_resolved,
				first_host(handshake), port, &hints);
	if (result < 0) {
		free(TAKE(handshake->resolve));
		fail(ws, "look up the name %s: %s", first_host(handshake), uv_strerror(result));
	}
}

static int write_request(struct ws_handshake *handshake, const struct ws_connect_config *config,
			 struct error *err)
{
	struct strbuf text = STRBUF_INIT;
	unsigned char nonce[16];

	for (size_t i = 0; i < config->header_count; i++) {
		const struct header *header = &config->headers[i];

		if (!*header->name || strpbrk(header->name, "\r\n: ") ||
		    strpbrk(header->value, "\r\n"))
			return error_say(err, EINVAL, "connect: the header \"%.64s\" is not valid",
					 header->name);
	}
	random_bytes(nonce, sizeof(nonce));
	handshake->key = base64_encode(nonce, sizeof(nonce));
	strbuf_appendf(&text, "GET %s%s%s HTTP/1.1\r\nHost: %s\r\n", handshake->url.path,
		       *handshake->url.query ? "?" : "", handshake->url.query,
		       handshake->url.authority);
	if (config->user_agent)
		strbuf_appendf(&text, "User-Agent: %s\r\n", config->user_agent);
	for (size_t i = 0; i < config->header_count; i++)
		strbuf_appendf(&text, "%s: %s\r\n", config->headers[i].name,
			       config->headers[i].value);
	strbuf_appendf(&text,
		       "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
		       "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n",
		       handshake->key);
	handshake->request = strbuf_take(&text);
	return 0;
}

/* A certificate that has been renewed is another file of the same name. */
static char *tls_key(const struct ws_connect_config *config)
{
	struct stat file = { .st_ino = 0 };

	if (config->cert_file)
		stat(config->cert_file, &file);
	return xasprintf("%d %s %s %s %ju %jd.%09ld", config->insecure,
			 config->ca_file ? config->ca_file : "-",
			 config->cert_file ? config->cert_file : "-",
			 config->key_file ? config->key_file : "-", (uintmax_t)file.st_ino,
			 (intmax_t)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

/* One context serves all connections to the same kind of peer; most processes have one kind. */
static int prepare_tls(struct web *web, const struct ws_connect_config *config, struct error *err)
{
	const struct tls_client_config tls = {
		.ca_file = config->ca_file,
		.cert_file = config->cert_file,
		.key_file = config->key_file,
		.insecure = config->insecure,
	};
	_cleanup_free_ char *key = tls_key(config);
	SSL_CTX *context;
	int result;

	if (web->client_tls && str_eq(web->client_tls_key, key))
		return 0;
	result = tls_client_context(&tls, &context, err);
	if (result < 0)
		return result;
	SSL_CTX_free(web->client_tls);
	web->client_tls = context;
	str_replace(&web->client_tls_key, key);
	return 0;
}

int ws_connect(struct web *web, const struct ws_connect_config *config,
	       const struct ws_callbacks *callbacks, void *data, struct ws **ret, struct error *err)
{
	struct ws_handshake *handshake = xcalloc(1, sizeof(*handshake));
	struct ws *ws;
	int result;

	handshake->fd = -1;
	handshake->timeout_ms =
		config->handshake_timeout_ms ? config->handshake_timeout_ms : DEFAULT_HANDSHAKE_MS;
	result = url_parse(config->url, &handshake->url, err);
	if (result == 0)
		result = write_request(handshake, config, err);
	if (result == 0 && config->use_proxy)
		result = proxy_choose(environ, &handshake->url, &handshake->proxy, err);
	if (result == 0 && handshake->url.tls)
		result = prepare_tls(web, config, err);
	if (result < 0) {
		ws_handshake_free(handshake);
		return result;
	}
	ws = ws_new(web->loop, false,
		    config->message_limit ? config->message_limit : DEFAULT_MESSAGE_LIMIT,
		    callbacks, data);
	if (config->queue_limit)
		ws->queue_limit = config->queue_limit;
	ws->send_timeout_ms = config->send_timeout_ms;
	ws->handshake = handshake;
	ws->web = web;
	ws->next = web->clients;
	if (web->clients)
		web->clients->previous = ws;
	web->clients = ws;
	ws->deadline = loop_timer_new(web->loop, on_deadline, ws);
	loop_timer_start(ws->deadline, config->connect_timeout_ms ? config->connect_timeout_ms
								  : DEFAULT_CONNECT_MS);
	loop_defer(web->loop, begin, ws);
	*ret = ws;
	return 0;
}
