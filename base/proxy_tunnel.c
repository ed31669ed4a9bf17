/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proxy_tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/http_head.h"
#include "base/str.h"
#include "base/strbuf.h"

#define ANSWER_LIMIT (8 * 1024UL)
#define TEXT_MAX     255 /* of SOCKS, for a name, user or password */

enum step {
	STEP_CONNECT,       /* CONNECT was written */
	STEP_SOCKS_METHOD,  /* the greeting was */
	STEP_SOCKS_AUTH,    /* user and password were */
	STEP_SOCKS_CONNECT, /* the request was */
};

struct proxy_tunnel {
	int fd;
	struct loop_fd *watch;
	enum step step;
	struct strbuf out, in;
	char *host, *user, *password; /* of the proxy: NULL */
	uint16_t port;
	proxy_tunnel_callback *callback;
	void *data;
};

static void end(struct proxy_tunnel *tunnel, const struct error *err)
{
	loop_fd_set(tunnel->watch, 0);
	tunnel->callback(tunnel->data, err);
}

static void fail(struct proxy_tunnel *tunnel, const char *what)
{
	struct error err = ERROR_INIT;

	error_say(&err, EPROTO, "%s", what);
	end(tunnel, &err);
}

static void fail_errno(struct proxy_tunnel *tunnel, const char *what)
{
	struct error err = ERROR_INIT;

	error_set(&err, errno, "%s", what);
	end(tunnel, &err);
}

/* ---- CONNECT ---- */

static void write_connect(struct proxy_tunnel *tunnel)
{
	bool is_ipv6 = strchr(tunnel->host, ':') != NULL;
	_cleanup_free_ char *place =
		xasprintf(is_ipv6 ? "[%s]:%u" : "%s:%u", tunnel->host, tunnel->port);

	strbuf_appendf(&tunnel->out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", place, place);
	if (tunnel->user) {
		_cleanup_free_ char *both = xasprintf("%s:%s", tunnel->user, tunnel->password);
		_cleanup_free_ char *text = base64_encode(both, strlen(both));

		strbuf_appendf(&tunnel->out, "Proxy-Authorization: Basic %s\r\n", text);
	}
	strbuf_append(&tunnel->out, "\r\n");
}

static void take_connect(struct proxy_tunnel *tunnel)
{
	_cleanup_http_head_ struct http_head answer = { .method = NULL };
	long size = http_head_size(tunnel->in.data, tunnel->in.length);
	_cleanup_free_ char *text = NULL;

	if (size == 0 && tunnel->in.length <= ANSWER_LIMIT)
		return;
	if (size <= 0 || http_head_parse_response(tunnel->in.data, (size_t)size, &answer) < 0) {
		fail(tunnel, "its answer is not valid HTTP/1.1");
	} else if (answer.status < 200 || answer.status > 299) {
		text = xasprintf("CONNECT was answered with %d %s", answer.status,
				 http_status_text(answer.status));
		fail(tunnel, text);
	} else if ((size_t)size != tunnel->in.length) { /* who is led to waits for us */
		fail(tunnel, "it says more than its answer to CONNECT");
	} else {
		end(tunnel, NULL);
	}
}

/* ---- SOCKS 5: RFC 1928, RFC 1929 ---- */

static void append_counted(struct strbuf *out, const char *text)
{
	strbuf_append_char(out, (char)strlen(text));
	strbuf_append(out, text);
}

static void write_greeting(struct proxy_tunnel *tunnel)
{
	strbuf_append_n(&tunnel->out, tunnel->user ? "\x05\x01\x02" : "\x05\x01\x00", 3);
}

static void write_auth(struct proxy_tunnel *tunnel)
{
	strbuf_append_char(&tunnel->out, 1);
	append_counted(&tunnel->out, tunnel->user);
	append_counted(&tunnel->out, tunnel->password);
	tunnel->step = STEP_SOCKS_AUTH;
}

static void write_socks_connect(struct proxy_tunnel *tunnel)
{
	strbuf_append_n(&tunnel->out, "\x05\x01\x00\x03", 4);
	append_counted(&tunnel->out, tunnel->host);
	strbuf_append_char(&tunnel->out, (char)(tunnel->port >> 8));
	strbuf_append_char(&tunnel->out, (char)tunnel->port);
	tunnel->step = STEP_SOCKS_CONNECT;
}

static const char *socks_error(unsigned char code)
{
	static const char *const texts[] = {
		"",
		"SOCKS: it failed",
		"SOCKS: that is not allowed",
		"SOCKS: the network cannot be reached",
		"SOCKS: the host cannot be reached",
		"SOCKS: the connection was refused",
		"SOCKS: it took too long",
		"SOCKS: it cannot do that",
		"SOCKS: it cannot do such addresses",
	};

	return code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : texts[1];
}

/* The size of the answer to the request: 0, not known yet; it ends with an address and a port. */
static size_t socks_answer_size(const unsigned char *in, size_t size)
{
	if (size < 5)
		return 0;
	switch (in[3]) {
	case 1:
		return 4 + 4 + 2;
	case 4:
		return 4 + 16 + 2;
	default:
		return 4 + 1 + in[4] + 2UL;
	}
}

static void take_socks_connect(struct proxy_tunnel *tunnel, const unsigned char *in, size_t size)
{
	size_t whole = socks_answer_size(in, size);

	if (size >= 2 && in[0] != 5)
		fail(tunnel, "it does not speak SOCKS 5");
	else if (size >= 2 && in[1] != 0)
		fail(tunnel, socks_error(in[1]));
	else if (whole > 0 && size > whole)
		fail(tunnel, "it says more than its answer");
	else if (whole > 0 && size == whole)
		end(tunnel, NULL);
}

static void take_socks(struct proxy_tunnel *tunnel)
{
	const unsigned char *in = (const unsigned char *)tunnel->in.data;
	size_t size = tunnel->in.length;

	if (tunnel->step == STEP_SOCKS_CONNECT) {
		take_socks_connect(tunnel, in, size);
	} else if (size < 2) {
		return;
	} else if (tunnel->step == STEP_SOCKS_METHOD && in[0] != 5) {
		fail(tunnel, "it does not speak SOCKS 5");
	} else if (tunnel->step == STEP_SOCKS_METHOD && in[1] != (tunnel->user ? 2 : 0)) {
		fail(tunnel, tunnel->user ? "SOCKS: it does not take a user and password"
					  : "SOCKS: it wants a user and password");
	} else if (tunnel->step == STEP_SOCKS_AUTH && in[1] != 0) {
		fail(tunnel, "SOCKS: it does not take this user and password");
	} else {
		strbuf_consume(&tunnel->in, 2);
		if (tunnel->step == STEP_SOCKS_METHOD && tunnel->user)
			write_auth(tunnel);
		else
			write_socks_connect(tunnel);
		loop_fd_set(tunnel->watch, LOOP_READ | LOOP_WRITE);
	}
}

/* ---- both ---- */

static void on_readable(struct proxy_tunnel *tunnel)
{
	char buffer[1024];
	ssize_t got = recv(tunnel->fd, buffer, sizeof(buffer), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		fail_errno(tunnel, "read its answer");
	} else if (got == 0) {
		fail(tunnel, "it has ended the connection");
	} else {
		strbuf_append_n(&tunnel->in, buffer, (size_t)got);
		if (tunnel->step == STEP_CONNECT)
			take_connect(tunnel);
		else
			take_socks(tunnel);
	}
}

static void on_event(void *data, int events)
{
	struct proxy_tunnel *tunnel = data;
	ssize_t sent;

	if (tunnel->out.length == 0) {
		if (events & ~LOOP_WRITE)
			on_readable(tunnel);
		return;
	}
	sent = send(tunnel->fd, tunnel->out.data, tunnel->out.length, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		fail_errno(tunnel, "write to it");
		return;
	}
	if (sent > 0)
		strbuf_consume(&tunnel->out, (size_t)sent);
	if (tunnel->out.length == 0)
		loop_fd_set(tunnel->watch, LOOP_READ);
}

int proxy_tunnel_new(struct loop *loop, int fd, const struct proxy *proxy, const char *host,
		     uint16_t port, proxy_tunnel_callback *callback, void *data,
		     struct proxy_tunnel **ret, struct error *err)
{
	struct proxy_tunnel *tunnel;
	int r;

	if (proxy->kind != PROXY_HTTP && proxy->kind != PROXY_SOCKS5)
		return error_say(err, EINVAL,
				 "websockets go through proxies of http and socks5 only");
	if (strlen(host) > TEXT_MAX ||
	    (proxy->user && (strlen(proxy->user) > TEXT_MAX || strlen(proxy->password) > TEXT_MAX)))
		return error_say(err, EINVAL, "a name is too long");
	tunnel = xcalloc(1, sizeof(*tunnel));
	tunnel->fd = fd;
	tunnel->host = xstrdup(host);
	tunnel->user = xstrdup_null(proxy->user);
	tunnel->password = xstrdup_null(proxy->password);
	tunnel->port = port;
	tunnel->callback = callback;
	tunnel->data = data;
	if (proxy->kind == PROXY_HTTP) {
		write_connect(tunnel);
	} else {
		tunnel->step = STEP_SOCKS_METHOD;
		write_greeting(tunnel);
	}
	r = loop_fd_new(loop, fd, LOOP_READ | LOOP_WRITE, on_event, tunnel, &tunnel->watch, err);
	if (r < 0) {
		proxy_tunnel_free(tunnel);
		return r;
	}
	*ret = tunnel;
	return 0;
}

void proxy_tunnel_free(struct proxy_tunnel *tunnel)
{
	if (!tunnel)
		return;
	loop_fd_free(tunnel->watch);
	strbuf_free(&tunnel->out);
	strbuf_free(&tunnel->in);
	free(tunnel->host);
	free(tunnel->user);
	free(tunnel->password);
	free(tunnel);
}
