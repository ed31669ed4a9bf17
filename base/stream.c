/* SPDX-License-Identifier: Apache-2.0 */
#include "base/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/alloc.h"
#include "base/strbuf.h"

#define READ_SIZE     (16 * 1024UL)
#define READS_A_TURN  16 /* then others have their turn */
#define FLUSH_MS      (30 * 1000L)
#define LINGER_MS     1000
#define LINGER_BYTES  (1024 * 1024UL)
#define COMPACT_BYTES (64 * 1024UL)

struct stream {
	struct loop *loop;
	int fd;
	SSL *ssl;
	bool handshaking;
	bool read_wants_write; /* TLS: SSL_read waits for writability */
	bool write_wants_read;
	struct loop_fd *watch;
	struct strbuf out;
	size_t sent;       /* of out */
	bool write_failed; /* nothing can be sent; what the peer has sent is still read */
	bool paused;
	bool ended;     /* on_end was called, or is not wanted */
	bool closed;    /* by the owner */
	bool lingering; /* closed politely: all is sent, waiting for the peer's end */
	size_t lingered;
	struct loop_timer *linger;
	struct loop_last last; /* of a stream without owner */
	const struct stream_callbacks *callbacks;
	void *data;
};

static void update_watch(struct stream *stream)
{
	int events = 0;

	if (!stream->watch)
		return;
	if (!stream->paused || stream->closed)
		events |= LOOP_READ;
	if (stream->ssl && stream->handshaking) {
		if (SSL_want_write(stream->ssl))
			events |= LOOP_WRITE;
	} else {
		if (stream->sent < stream->out.length && !stream->write_failed &&
		    !stream->write_wants_read)
			events |= LOOP_WRITE;
		if (stream->read_wants_write)
			events |= LOOP_WRITE;
	}
	loop_fd_set(stream->watch, events);
}

static void free_memory(void *data)
{
	struct stream *stream = data;

	strbuf_free(&stream->out);
	free(stream);
}

/* The socket goes now; the memory when nobody on the stack uses it. */
static void destroy(struct stream *stream)
{
	if (stream->fd < 0)
		return;
	loop_last_remove(&stream->last);
	loop_fd_free(stream->watch);
	stream->watch = NULL;
	loop_timer_free(stream->linger);
	stream->linger = NULL;
	if (stream->ssl) {
		SSL_free(stream->ssl);
		stream->ssl = NULL;
	}
	close(stream->fd);
	stream->fd = -1;
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
	loop_fd_free(stream->watch);
	stream->watch = NULL;
	stream->callbacks->on_end(stream->data, how, why);
}

enum io { IO_DONE, IO_AGAIN, IO_END, IO_FAILED };

static enum io read_some(struct stream *stream, char *buffer, size_t size, size_t *ret_got,
			 enum stream_end *ret_how, const char **ret_why, char *why, size_t why_size)
{
	ssize_t got;

	if (stream->ssl) {
		int result;

		ERR_clear_error();
		stream->read_wants_write = false;
		result = SSL_read_ex(stream->ssl, buffer, size, ret_got);
		if (result > 0)
			return IO_DONE;
		switch (SSL_get_error(stream->ssl, result)) {
		case SSL_ERROR_WANT_READ:
			return IO_AGAIN;
		case SSL_ERROR_WANT_WRITE:
			stream->read_wants_write = true;
			return IO_AGAIN;
		case SSL_ERROR_ZERO_RETURN:
			*ret_how = STREAM_ENDED;
			*ret_why = "the peer has closed the connection";
			return IO_END;
		case SSL_ERROR_SYSCALL:
			*ret_how = STREAM_RESET;
			*ret_why = errno ? strerror_r(errno, why, why_size) : "connection lost";
			return IO_END;
		default:
			*ret_how = STREAM_FAILED;
			*ret_why = tls_error(why, why_size);
			return IO_END;
		}
	}
	do
		got = recv(stream->fd, buffer, size, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		*ret_got = (size_t)got;
		return IO_DONE;
	}
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return IO_AGAIN;
	*ret_how = got == 0 ? STREAM_ENDED : STREAM_RESET;
	*ret_why =
		got == 0 ? "the peer has closed the connection" : strerror_r(errno, why, why_size);
	return IO_END;
}

/* One attempt; IO_FAILED: nothing can be sent any more. */
static enum io write_some(struct stream *stream, const char *bytes, size_t size, size_t *ret_sent)
{
	ssize_t sent;

	if (stream->ssl) {
		int result;

		ERR_clear_error();
		stream->write_wants_read = false;
		result = SSL_write_ex(stream->ssl, bytes, size, ret_sent);
		if (result > 0)
			return IO_DONE;
		switch (SSL_get_error(stream->ssl, result)) {
		case SSL_ERROR_WANT_WRITE:
			return IO_AGAIN;
		case SSL_ERROR_WANT_READ:
			stream->write_wants_read = true;
			return IO_AGAIN;
		default:
			ERR_clear_error();
			return IO_FAILED;
		}
	}
	do
		sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0) {
		*ret_sent = (size_t)sent;
		return IO_DONE;
	}
	return errno == EAGAIN || errno == EWOULDBLOCK ? IO_AGAIN : IO_FAILED;
}

static void begin_linger(struct stream *stream)
{
	if (stream->ssl)
		SSL_shutdown(stream->ssl);
	shutdown(stream->fd, SHUT_WR);
	stream->lingering = true;
	loop_timer_start(stream->linger, LINGER_MS);
}

/* Sends what is queued as far as the socket takes it. */
static void flush(struct stream *stream)
{
	while (stream->sent < stream->out.length && !stream->write_failed) {
		size_t sent = 0;
		enum io io = write_some(stream, stream->out.data + stream->sent,
					stream->out.length - stream->sent, &sent);

		if (io == IO_AGAIN)
			break;
		if (io == IO_FAILED)
			stream->write_failed = true;
		stream->sent += sent;
	}
	if (stream->write_failed || stream->sent == stream->out.length) {
		stream->sent = 0;
		/* a connection that once sent much does not keep the memory */
		if (stream->out.capacity > COMPACT_BYTES)
			strbuf_free(&stream->out);
		else
			strbuf_reset(&stream->out);
		if (stream->closed && !stream->lingering)
			begin_linger(stream);
	} else if (stream->sent > COMPACT_BYTES && !stream->ssl) {
		/* TLS must see the same address again for a write that it could not finish */
		strbuf_consume(&stream->out, stream->sent);
		stream->sent = 0;
	}
}

static void take_input(struct stream *stream);

/* TLS may hold bytes that the socket does not show any more. */
static void take_more_input(void *data)
{
	struct stream *stream = data;

	if (stream->fd >= 0 && !stream->ended)
		take_input(stream);
}

static void take_input(struct stream *stream)
{
	char buffer[READ_SIZE];
	char why_text[256];

	for (int reads = 0; reads < READS_A_TURN && stream->fd >= 0 && !stream->ended; reads++) {
		enum stream_end how = STREAM_RESET;
		const char *why = "";
		size_t got = 0;
		enum io io;

		if (stream->paused && !stream->closed)
			return;
		io = read_some(stream, buffer, sizeof(buffer), &got, &how, &why, why_text,
			       sizeof(why_text));
		if (io == IO_AGAIN)
			return;
		if (io == IO_END) {
			end(stream, how, why);
			return;
		}
		if (stream->closed) {
			stream->lingered += got;
			if (stream->lingered > LINGER_BYTES)
				destroy(stream);
		} else {
			stream->callbacks->on_data(stream->data, buffer, got);
		}
		/* plain and not full: there is no more now; TLS may hold records that poll does not
		 * see */
		if (!stream->ssl && got < sizeof(buffer))
			return;
	}
}

/* True when the handshake is done. */
static bool handshake(struct stream *stream)
{
	char why[256];
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(stream->ssl);
	if (result == 1) {
		stream->handshaking = false;
		if (!stream->closed && stream->callbacks->on_ready)
			stream->callbacks->on_ready(stream->data);
		return true;
	}
	switch (SSL_get_error(stream->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return false;
	case SSL_ERROR_ZERO_RETURN:
		end(stream, STREAM_FAILED, "TLS: the peer has closed the connection");
		return false;
	case SSL_ERROR_SYSCALL:
		end(stream, STREAM_FAILED,
		    errno ? strerror_r(errno, why, sizeof(why))
			  : "TLS: the peer has closed the connection");
		return false;
	default:
		break;
	}
	if (SSL_get_verify_result(stream->ssl) != X509_V_OK)
		end(stream, STREAM_FAILED,
		    X509_verify_cert_error_string(SSL_get_verify_result(stream->ssl)));
	else
		end(stream, STREAM_FAILED, tls_error(why, sizeof(why)));
	return false;
}

static void on_event(void *data, int events)
{
	struct stream *stream = data;

	if (stream->ssl && stream->handshaking && !handshake(stream)) {
		if (stream->fd >= 0 && stream->watch) {
			if (events & LOOP_ERROR)
				end(stream, STREAM_FAILED, "the connection was lost");
			else
				update_watch(stream);
		}
		return;
	}
	if (stream->fd >= 0)
		flush(stream);
	if (stream->fd >= 0)
		take_input(stream);
	if (stream->fd >= 0 && stream->watch) {
		/* libuv has stopped watching: if reading did not say why, there is nothing to wait
		 * for */
		if (events & LOOP_ERROR)
			end(stream, STREAM_RESET, "the connection was lost");
		else
			update_watch(stream);
	}
}

static void on_linger(void *data)
{
	destroy(data);
}

static void report_ready(void *data)
{
	struct stream *stream = data;

	if (stream->fd >= 0 && !stream->closed && !stream->ended && stream->callbacks->on_ready)
		stream->callbacks->on_ready(stream->data);
}

int stream_new(struct loop *loop, int fd, SSL *ssl, const struct stream_callbacks *callbacks,
	       void *data, struct stream **ret, struct error *err)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));
	int result = loop_fd_new(loop, fd, LOOP_READ | (ssl ? LOOP_WRITE : 0), on_event, stream,
				 &stream->watch, err);

	if (result < 0) {
		if (ssl)
			SSL_free(ssl);
		close(fd);
		free(stream);
		return result;
	}
	stream->loop = loop;
	stream->fd = fd;
	stream->ssl = ssl;
	stream->callbacks = callbacks;
	stream->data = data;
	if (ssl) {
		SSL_set_fd(ssl, fd);
		SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
		stream->handshaking = true;
	} else if (callbacks->on_ready) {
		loop_defer(loop, report_ready, stream);
	}
	*ret = stream;
	return 0;
}

void stream_set_callbacks(struct stream *stream, const struct stream_callbacks *callbacks,
			  void *data)
{
	stream->callbacks = callbacks;
	stream->data = data;
}

void stream_write(struct stream *stream, const void *bytes, size_t size)
{
	size_t sent = 0;

	if (stream->closed || stream->ended || stream->write_failed)
		return;
	if (stream->out.length == 0 && !stream->handshaking) {
		if (write_some(stream, bytes, size, &sent) == IO_FAILED) {
			/* reading tells how it ended, and what the peer said before */
			stream->write_failed = true;
			return;
		}
		if (sent == size)
			return;
	}
	strbuf_append_n(&stream->out, (const char *)bytes + sent, size - sent);
	update_watch(stream);
}

size_t stream_queued(const struct stream *stream)
{
	return stream->out.length - stream->sent;
}

void stream_pause(struct stream *stream, bool pause)
{
	stream->paused = pause;
	update_watch(stream);
	if (!pause && stream->ssl && stream->fd >= 0)
		loop_defer(stream->loop, take_more_input, stream);
}

void stream_close(struct stream *stream, bool polite)
{
	stream->closed = true;
	if (!polite || stream->ended || stream->handshaking || !stream->watch) {
		destroy(stream);
		return;
	}
	stream->linger = loop_timer_new(stream->loop, on_linger, stream);
	loop_timer_start(stream->linger, FLUSH_MS);
	loop_last_add(stream->loop, &stream->last, on_linger, stream);
	flush(stream);
	update_watch(stream);
}
