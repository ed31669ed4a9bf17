/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libwebsockets watches and reads the socket; TLS is a filter before it (OpenSSL on memory), so
 * that its errors, its deadlines and its end are told as they are.
 */
#include "base/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strbuf.h"

#define READ_SIZE     (16 * 1024UL)
#define WRITE_SIZE    (16 * 1024UL)
#define FLUSH_MS      (30 * 1000L)
#define LINGER_MS     1000
#define LINGER_BYTES  (1024 * 1024UL)
#define COMPACT_BYTES (64 * 1024UL)
#define WHY_SIZE      256

struct stream {
	struct transport_socket socket;
	struct loop *loop;
	struct lws *wsi; /* NULL: the socket is gone, or going */
	bool in_event;   /* libwebsockets is on the stack with this socket */
	SSL *ssl;
	bool handshaking;
	struct strbuf early; /* of the owner, until TLS is up */
	struct strbuf out;
	size_t sent;         /* of out */
	int64_t moved_at_ms; /* when the socket took of it last; while there is some */
	int write_errno;     /* nothing can be sent; what the peer has sent is still read */
	bool paused;
	bool ended;     /* on_end was called, or is not wanted */
	bool closed;    /* by the owner */
	bool destroyed; /* only the memory is left */
	bool lingering; /* closed politely: all is sent, waiting for the peer's end */
	size_t lingered;
	struct loop_timer *linger;
	struct loop_last last; /* of a stream without owner */
	const struct stream_callbacks *callbacks;
	void *data;
};

static void free_memory(void *data)
{
	struct stream *stream = data;

	SSL_free(stream->ssl);
	strbuf_free(&stream->early);
	strbuf_free(&stream->out);
	free(stream);
}

/* libwebsockets closes the socket: now, or when it comes back from its call to us. */
static void drop_socket(struct stream *stream)
{
	struct lws *wsi = stream->wsi;

	if (!wsi)
		return;
	stream->wsi = NULL;
	transport_release(wsi);
	if (!stream->in_event)
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* The socket goes now; the memory when nobody on the stack uses it. */
static void destroy(struct stream *stream)
{
	if (stream->destroyed)
		return;
	stream->destroyed = true;
	loop_last_remove(&stream->last);
	loop_timer_free(stream->linger);
	stream->linger = NULL;
	drop_socket(stream);
	loop_defer(stream->loop, free_memory, stream);
}

static const char *tls_error(char *buffer, size_t size)
{
	unsigned long code = ERR_get_error();

	if (code == 0)
		return "TLS failed";
	ERR_error_string_n(code, buffer, size);
	ERR_clear_error();
	return buffer;
}

static void end(struct stream *stream, enum stream_end how, const char *why)
{
	if (stream->closed) {
		destroy(stream);
		return;
	}
	if (stream->ended)
		return;
	stream->ended = true;
	drop_socket(stream);
	stream->callbacks->on_end(stream->data, how, why);
}

/* ------------------------------------------------------------------------------------------------
 * out */

/*
 * Not by lws_write(): it keeps what the socket does not take of a write, and until that is sent it
 * reads nothing, yet goes on watching for input: a peer that sends and does not read would have it
 * spin. The number of bytes that are dealt with.
 */
static size_t send_now(struct stream *stream, const char *bytes, size_t size)
{
	int fd = lws_get_socket_fd(stream->wsi);
	size_t sent = 0;

	while (sent < size) {
		ssize_t result = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (result >= 0) {
			sent += (size_t)result;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else if (errno != EINTR) {
			/* reading tells how it ended, and what the peer said before */
			stream->write_errno = errno;
			return size;
		}
	}
	return sent;
}

static void begin_linger(struct stream *stream)
{
	shutdown(lws_get_socket_fd(stream->wsi), SHUT_WR);
	stream->lingering = true;
	loop_timer_start(stream->linger, LINGER_MS);
}

/* Sends what is queued as far as the socket takes it. */
static void flush(struct stream *stream)
{
	size_t taken;

	if (!stream->wsi)
		return;
	taken = send_now(stream, stream->out.data + stream->sent,
			 stream->out.length - stream->sent);
	if (taken > 0)
		stream->moved_at_ms = clock_monotonic_ms();
	stream->sent += taken;
	if (stream->sent == stream->out.length) {
		stream->sent = 0;
		/* a connection that once sent much does not keep the memory */
		if (stream->out.capacity > COMPACT_BYTES)
			strbuf_free(&stream->out);
		else
			strbuf_reset(&stream->out);
		if (stream->closed && !stream->lingering)
			begin_linger(stream);
		return;
	}
	if (stream->sent > COMPACT_BYTES) {
		strbuf_consume(&stream->out, stream->sent);
		stream->sent = 0;
	}
	lws_callback_on_writable(stream->wsi);
}

static void send_bytes(struct stream *stream, const char *bytes, size_t size)
{
	size_t sent = 0;

	if (!stream->wsi || stream->write_errno)
		return;
	if (stream->out.length == 0) {
		sent = send_now(stream, bytes, size);
		if (sent == size)
			return;
		stream->moved_at_ms = clock_monotonic_ms();
	}
	strbuf_append_n(&stream->out, bytes + sent, size - sent);
	lws_callback_on_writable(stream->wsi);
}

/* What TLS has made of it goes out. */
static void send_tls(struct stream *stream)
{
	BIO *bio = SSL_get_wbio(stream->ssl);
	char *bytes = NULL;
	long size = BIO_get_mem_data(bio, &bytes);

	if (size > 0)
		send_bytes(stream, bytes, (size_t)size);
	(void)BIO_reset(bio);
}

static void encrypt(struct stream *stream, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size && !stream->write_errno) {
		size_t piece = size - done < WRITE_SIZE ? size - done : WRITE_SIZE;
		size_t taken = 0;

		ERR_clear_error();
		if (SSL_write_ex(stream->ssl, bytes + done, piece, &taken) != 1) {
			ERR_clear_error();
			stream->write_errno = EPROTO;
			return;
		}
		done += taken;
		send_tls(stream);
	}
}

void stream_write(struct stream *stream, const void *bytes, size_t size)
{
	if (stream->closed || stream->ended || stream->write_errno)
		return;
	if (stream->handshaking)
		strbuf_append_n(&stream->early, bytes, size);
	else if (stream->ssl)
		encrypt(stream, bytes, size);
	else
		send_bytes(stream, bytes, size);
}

size_t stream_queued(const struct stream *stream)
{
	return stream->early.length + stream->out.length - stream->sent;
}

int64_t stream_stalled_ms(const struct stream *stream)
{
	return stream->out.length == 0 ? 0 : clock_monotonic_ms() - stream->moved_at_ms;
}

/* ------------------------------------------------------------------------------------------------
 * in */

static bool wants_input(const struct stream *stream)
{
	return !stream->destroyed && !stream->ended && (!stream->paused || stream->closed);
}

static void give(struct stream *stream, const char *bytes, size_t size)
{
	if (!stream->closed) {
		stream->callbacks->on_data(stream->data, bytes, size);
		return;
	}
	stream->lingered += size;
	if (stream->lingered > LINGER_BYTES)
		destroy(stream);
}

static void fail_handshake(struct stream *stream)
{
	char why[WHY_SIZE];
	long verified = SSL_get_verify_result(stream->ssl);

	send_tls(stream); /* the alert */
	end(stream, STREAM_FAILED,
	    verified == X509_V_OK ? tls_error(why, sizeof(why))
				  : X509_verify_cert_error_string(verified));
}

/* One step with what has come. */
static void handshake(struct stream *stream)
{
	int result, problem;

	ERR_clear_error();
	result = SSL_do_handshake(stream->ssl);
	problem = SSL_get_error(stream->ssl, result);
	if (result != 1 && problem != SSL_ERROR_WANT_READ && problem != SSL_ERROR_WANT_WRITE) {
		fail_handshake(stream);
		return;
	}
	send_tls(stream);
	if (result != 1)
		return;
	stream->handshaking = false;
	if (!stream->closed && stream->callbacks->on_ready)
		stream->callbacks->on_ready(stream->data);
	encrypt(stream, strbuf_text(&stream->early), stream->early.length);
	strbuf_free(&stream->early);
}

/* Gives what TLS has: all, or until the owner pauses or closes. */
static void take_decrypted(struct stream *stream)
{
	char buffer[READ_SIZE];
	char why[WHY_SIZE];
	size_t got = 0;

	while (!stream->handshaking && wants_input(stream)) {
		int result;

		ERR_clear_error();
		result = SSL_read_ex(stream->ssl, buffer, sizeof(buffer), &got);
		if (result == 1) {
			give(stream, buffer, got);
			continue;
		}
		switch (SSL_get_error(stream->ssl, result)) {
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE:
			send_tls(stream); /* an answer to a change of keys */
			return;
		case SSL_ERROR_ZERO_RETURN:
			end(stream, STREAM_ENDED, "the peer has closed the connection");
			return;
		default:
			send_tls(stream);
			end(stream, STREAM_FAILED, tls_error(why, sizeof(why)));
			return;
		}
	}
}

static void take_input(struct stream *stream, const char *bytes, size_t size)
{
	if (!stream->ssl) {
		give(stream, bytes, size);
		return;
	}
	BIO_write(SSL_get_rbio(stream->ssl), bytes, (int)size);
	if (stream->handshaking)
		handshake(stream);
	take_decrypted(stream);
}

/* TLS may hold bytes that no event of the socket shows. */
static void take_held_back(void *data)
{
	struct stream *stream = data;

	if (stream->ssl)
		take_decrypted(stream);
}

void stream_pause(struct stream *stream, bool pause)
{
	if (stream->paused == pause)
		return;
	stream->paused = pause;
	if (stream->wsi)
		lws_rx_flow_control(stream->wsi, !pause);
	if (!pause && stream->ssl && !stream->destroyed)
		loop_defer(stream->loop, take_held_back, stream);
}

/* ------------------------------------------------------------------------------------------------
 * the end */

/*
 * After the peer's end or a failure, with the socket still open and empty: 0 when the peer has sent
 * all (FIN), else the errno. libwebsockets may have met the error first, which the kernel tells
 * once; the state of the connection remains.
 */
static int how_it_ended(const struct stream *stream, int fd, int last_errno)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int pending = 0;
	socklen_t pending_size = sizeof(pending);

	if (last_errno)
		return last_errno;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return 0; /* a unix socket: it has read the end */
	if (info.tcpi_state != TCP_CLOSE)
		return 0;
	/* a reset after a FIN is told as EPIPE: it was for what we have sent too late */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &pending_size);
	return pending == EPIPE || stream->write_errno == EPIPE ? 0 : ECONNRESET;
}

/* libwebsockets closes on an error before it has read all: the rest, from the socket. */
static int take_rest(struct stream *stream, int fd)
{
	char buffer[READ_SIZE];

	while (wants_input(stream)) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? ECONNRESET : errno;
		if (got == 0)
			break;
		take_input(stream, buffer, (size_t)got);
	}
	return 0;
}

static void on_socket_end(struct stream *stream, struct lws *wsi)
{
	int fd = lws_get_socket_fd(wsi);
	int code = take_rest(stream, fd);
	char why[WHY_SIZE];

	if (stream->destroyed || stream->ended)
		return;
	code = how_it_ended(stream, fd, code);
	transport_release(wsi);
	stream->wsi = NULL;
	if (stream->handshaking)
		end(stream, STREAM_FAILED,
		    code ? strerror_r(code, why, sizeof(why))
			 : "TLS: the peer has closed the connection");
	else if (code)
		end(stream, STREAM_RESET, strerror_r(code, why, sizeof(why)));
	else
		end(stream, STREAM_ENDED, "the peer has closed the connection");
}

static int on_event(struct transport_socket *socket, struct lws *wsi,
		    enum lws_callback_reasons reason, const char *bytes, size_t size)
{
	struct stream *stream = (struct stream *)socket;

	stream->in_event = true;
	if (reason == LWS_CALLBACK_RAW_RX)
		take_input(stream, bytes, size);
	else if (reason == LWS_CALLBACK_RAW_WRITEABLE)
		flush(stream);
	else
		on_socket_end(stream, wsi);
	stream->in_event = false;
	return stream->wsi ? 0 : -1;
}

static void on_linger(void *data)
{
	destroy(data);
}

void stream_close(struct stream *stream, bool polite)
{
	stream->closed = true;
	if (!polite || stream->ended || stream->handshaking || !stream->wsi) {
		destroy(stream);
		return;
	}
	stream->linger = loop_timer_new(stream->loop, on_linger, stream);
	loop_timer_start(stream->linger, FLUSH_MS);
	loop_last_add(stream->loop, &stream->last, on_linger, stream);
	if (stream->ssl) {
		SSL_shutdown(stream->ssl);
		send_tls(stream);
	}
	if (stream->paused)
		lws_rx_flow_control(stream->wsi, 1);
	flush(stream);
}

/* ------------------------------------------------------------------------------------------------
 * the beginning */

static void begin(void *data)
{
	struct stream *stream = data;

	if (stream->destroyed || stream->closed || stream->ended)
		return;
	if (stream->ssl)
		handshake(stream);
	else if (stream->callbacks->on_ready)
		stream->callbacks->on_ready(stream->data);
}

static int use_memory(SSL *ssl, struct error *err)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	if (!in || !out) {
		BIO_free(in);
		BIO_free(out);
		return error_say(err, ENOMEM, "TLS: OpenSSL gives no buffer");
	}
	SSL_set_bio(ssl, in, out);
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

int stream_new(struct transport *transport, int fd, SSL *ssl,
	       const struct stream_callbacks *callbacks, void *data, struct stream **ret,
	       struct error *err)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));
	int result;

	stream->socket.callback = on_event;
	stream->loop = transport_loop(transport);
	stream->callbacks = callbacks;
	stream->data = data;
	stream->ssl = ssl;
	stream->handshaking = ssl != NULL;
	result = transport_adopt(transport, fd, &stream->socket, &stream->wsi, err);
	if (result == 0 && ssl) {
		result = use_memory(ssl, err);
		if (result < 0)
			drop_socket(stream);
	}
	if (result < 0) {
		free_memory(stream);
		return result;
	}
	/* a server's handshake begins with what the client says */
	if (ssl ? !SSL_is_server(ssl) : callbacks->on_ready != NULL)
		loop_defer(stream->loop, begin, stream);
	*ret = stream;
	return 0;
}

void stream_set_callbacks(struct stream *stream, const struct stream_callbacks *callbacks,
			  void *data)
{
	stream->callbacks = callbacks;
	stream->data = data;
}

const SSL *stream_tls(const struct stream *stream)
{
	return stream->ssl;
}
