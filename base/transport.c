/* SPDX-License-Identifier: Apache-2.0 */
#include "base/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

#define READ_SIZE    (16 * 1024)
#define SPARE_FDS    16 /* for libwebsockets itself: its event pipe */
#define NO_TIMEOUT_S (24 * 60 * 60)
#define FINISH_TURNS 4

struct transport {
	struct loop *loop;
	struct lws_context *context;
	struct lws_vhost *vhost;
	unsigned max_sockets;
	unsigned socket_count;
	void (*on_gone)(void *data);
	void *data;
	struct loop_last last; /* of one that is freed, until the loop is */
};

static struct transport *transport_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

static void on_socket_gone(struct lws *wsi)
{
	struct transport *transport = transport_of(wsi);

	transport->socket_count--;
	if (transport->on_gone)
		transport->on_gone(transport->data);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t size)
{
	struct transport_socket *socket;

	(void)user;
	switch (reason) {
	case LWS_CALLBACK_RAW_RX:
	case LWS_CALLBACK_RAW_WRITEABLE:
	case LWS_CALLBACK_RAW_CLOSE:
		socket = lws_get_opaque_user_data(wsi);
		/* nobody wants it any more */
		if (!socket)
			return -1;
		return socket->callback(socket, wsi, reason, in, size);
	case LWS_CALLBACK_WSI_CREATE:
		transport_of(wsi)->socket_count++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		on_socket_gone(wsi);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{ .name = "stream", .callback = on_event },
	{ .name = NULL },
};

static void write_log(int level, const char *line)
{
	char text[256];
	size_t size = strcspn(line, "\n");

	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, line, size);
	text[size] = '\0';
	if (level == LLL_ERR)
		log_warn("libwebsockets has a problem", "reason", text, NULL);
	else
		log_debug("libwebsockets", "says", text, NULL);
}

int transport_new(struct loop *loop, unsigned max_sockets, void (*on_gone)(void *data), void *data,
		  struct transport **ret, struct error *err)
{
	struct transport *transport = xcalloc(1, sizeof(*transport));
	void *loops[] = { loop_uv(loop) };
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
			   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
		.foreign_loops = loops,
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.gid = (int)-1,
		.uid = (int)-1,
		.count_threads = 1,
		.fd_limit_per_thread = max_sockets + SPARE_FDS,
		.pt_serv_buf_size = READ_SIZE,
		/* no time-outs of its own: who uses a stream has them */
		.timeout_secs = NO_TIMEOUT_S,
		.vhost_name = "streams",
		.user = transport,
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, write_log);
	transport->loop = loop;
	transport->max_sockets = max_sockets;
	info.pcontext = &transport->context;
	transport->context = lws_create_context(&info);
	if (!transport->context) {
		free(transport);
		return error_say(err, EIO,
				 "libwebsockets does not start on the event loop: is "
				 "libwebsockets-evlib-uv installed?");
	}
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	transport->vhost = lws_create_vhost(transport->context, &info);
	if (!transport->vhost) {
		transport_free(transport);
		return error_say(err, ENOMEM, "libwebsockets gives no virtual host");
	}
	transport->on_gone = on_gone;
	transport->data = data;
	*ret = transport;
	return 0;
}

/*
 * The second half of the destruction: when libuv has closed the handles of libwebsockets. That
 * takes one turn of the loop for those of its sockets, and one for those that it closes then.
 */
static void finish(void *data)
{
	struct transport *transport = data;

	loop_last_remove(&transport->last);
	for (int turns = 0; turns < FINISH_TURNS; turns++)
		uv_run(loop_uv(transport->loop), UV_RUN_NOWAIT);
	if (transport->context)
		lws_context_destroy(transport->context);
	free(transport);
}

void transport_free(struct transport *transport)
{
	if (!transport)
		return;
	transport->on_gone = NULL;
	loop_last_add(transport->loop, &transport->last, finish, transport);
	lws_context_destroy(transport->context);
}

struct loop *transport_loop(const struct transport *transport)
{
	return transport->loop;
}

unsigned transport_room(const struct transport *transport)
{
	return transport->max_sockets - transport->socket_count;
}

int transport_adopt(struct transport *transport, int fd, struct transport_socket *socket,
		    struct lws **ret, struct error *err)
{
	lws_adopt_desc_t adopt = {
		.vh = transport->vhost,
		.type = LWS_ADOPT_SOCKET,
		.fd = { .sockfd = fd },
		.vh_prot_name = protocols[0].name,
		.opaque = socket,
	};
	struct lws *wsi;

	if (transport_room(transport) == 0) {
		close(fd);
		return error_say(err, EMFILE, "there are %u sockets already",
				 transport->socket_count);
	}
	wsi = lws_adopt_descriptor_vhost_via_info(&adopt);
	if (!wsi)
		return error_say(err, ENOMEM, "libwebsockets does not take a socket");
	*ret = wsi;
	return 0;
}

void transport_release(struct lws *wsi)
{
	lws_set_opaque_user_data(wsi, NULL);
}
