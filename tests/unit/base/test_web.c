/* SPDX-License-Identifier: Apache-2.0 */
#include "net_place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

struct place {
	struct net_place *net;
	struct strbuf seen;
	struct web_request *pending;
	int arrived;
	int cancelled;
	int answered;
	int status;
	char *body;
};

static void answer(void *data, struct web_request *request)
{
	struct place *place = data;
	const char *path = web_request_path(request);
	struct header extra = { "X-Extra", "yes" };
	size_t size;
	const char *body = web_request_body(request, &size);

	strbuf_appendf(&place->seen, "%s %s?%s %zu;", web_request_method(request), path,
		       web_request_query(request), size);
	place->arrived++;
	if (str_eq(path, "/wait")) {
		place->pending = request;
		return;
	}
	if (str_eq(path, "/echo"))
		web_respond(request, 200, "application/octet-stream", body, size, &extra, 1);
	else if (str_eq(path, "/header"))
		web_respond_text(request, 200, "text/plain",
				 web_request_header(request, "x-CUSTOM-thing"));
	else if (str_eq(path, "/peer"))
		web_respond_text(request, 200, "text/plain", web_request_peer(request));
	else if (str_eq(path, "/tag"))
		web_respond_text(request, 200, "text/plain", web_request_tag(request));
	else if (str_eq(path, "/empty"))
		web_respond(request, 204, NULL, NULL, 0, NULL, 0);
	else
		web_respond_text(request, 404, "text/plain", "nothing here");
}

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->net = net_place_new();
	net_place_listen(place->net, (struct web_listener_config){ .on_request = answer,
								   .data = place,
								   .tag = "the tag",
								   .body_limit = 1000,
								   .idle_timeout_ms = 30000 });
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	net_place_free(place->net);
	strbuf_free(&place->seen);
	free(place->body);
	free(place);
	return 0;
}

static void on_response(void *data, const struct http_response *response)
{
	struct place *place = data;

	place->answered = 1;
	place->status = response->error ? response->error : response->status;
	free(place->body);
	place->body = xstrdup(response->error ? response->err.text : response->body);
}

static void fetch(struct place *place, const char *method, const char *path, const char *body)
{
	_cleanup_free_ char *url = net_url(place->net, "http", path);
	struct header custom = { "X-Custom-Thing", "value of it" };
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = &custom,
		.header_count = 1,
		.body = body,
		.body_size = body ? strlen(body) : 0,
	};

	place->answered = 0;
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
}

static void requests_are_answered(void **state)
{
	struct place *place = *state;

	fetch(place, "POST", "/echo?a=b+c&d=%2F", "hello");
	assert_int_equal(place->status, 200);
	assert_string_equal(place->body, "hello");
	fetch(place, "GET", "/header", NULL);
	assert_string_equal(place->body, "value of it");
	fetch(place, "GET", "/peer", NULL);
	assert_string_equal(place->body, "127.0.0.1");
	fetch(place, "GET", "/tag", NULL);
	assert_string_equal(place->body, "the tag");
	fetch(place, "DELETE", "/empty", NULL);
	assert_int_equal(place->status, 204);
	fetch(place, "POST", "/echo", "");
	assert_int_equal(place->status, 200);
	assert_true(str_starts_with(place->seen.data, "POST /echo?a=b+c&d=%2F 5;GET /header? 0;"));
}

static void paths_are_given_as_they_were_sent(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;

	raw_send(fd, "GET /a%20b//../%2e?x?y HTTP/1.0\r\n\r\n");
	text = raw_read(place->net, fd, NULL);
	assert_true(str_starts_with(text, "HTTP/1.1 404 Not Found\r\n"));
	assert_string_equal(place->seen.data, "GET /a%20b//../%2e?x?y 0;");
	close(fd);
}

static void an_answer_may_come_later(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "http", "/wait");
	struct http_request request = { .url = url };

	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->arrived);
	net_settle(place->net);
	assert_false(place->answered);
	web_respond_text(place->pending, 503, "text/plain", "later");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 503);
	assert_string_equal(place->body, "later");
}

static void on_cancel(void *data, struct web_request *request)
{
	struct place *place = data;

	assert_ptr_equal(request, place->pending);
	assert_string_equal(web_request_path(request), "/wait");
	place->cancelled++;
}

static void a_peer_that_leaves_cancels(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);

	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	net_wait(place->net, &place->arrived);
	web_request_on_cancel(place->pending, on_cancel, place);
	close(fd);
	net_wait(place->net, &place->cancelled);
	fd = raw_connect(place->net);
	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	place->arrived = 0;
	net_wait(place->net, &place->arrived);
	web_request_on_cancel(place->pending, on_cancel, place);
	raw_reset(fd);
	place->cancelled = 0;
	net_wait(place->net, &place->cancelled);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;
	const char *first, *second, *third;

	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"
		     "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nABC"
		     "GET /tag HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	net_wait(place->net, &place->arrived);
	net_settle(place->net);
	assert_int_equal(place->arrived, 1);
	web_respond_text(place->pending, 200, NULL, "waited");
	text = raw_read(place->net, fd, NULL);
	first = strstr(text, "\r\n\r\nwaited");
	second = strstr(text, "X-Extra: yes\r\n\r\nABC");
	third = strstr(text, "Connection: close\r\n\r\nthe tag");
	assert_true(first && second && third && first < second && second < third);
	close(fd);
}

static void bytes_may_come_one_by_one(void **state)
{
	static const char request[] = "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\n"
				      "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
				      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;

	for (const char *c = request; *c; c++) {
		assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
		net_settle(place->net);
	}
	text = raw_read(place->net, fd, NULL);
	assert_true(str_starts_with(text, "HTTP/1.1 200 OK\r\nDate: "));
	assert_true(str_ends_with(text, "\r\n\r\nabcde"));
	close(fd);
}

static void what_is_no_request_is_refused_and_ended(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "nonsense\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505 },
		{ "GET / HTTP/1.1\nHost: h\n\n", 400 },
		{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400 },
		{ "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n"
		  "\r\nab",
		  400 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n",
		  400 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		  400 },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
		  413 },
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = raw_connect(place->net);
		_cleanup_free_ char *start = xasprintf("HTTP/1.1 %d ", cases[i].status);
		_cleanup_free_ char *text = NULL;

		raw_send(fd, cases[i].text);
		text = raw_read(place->net, fd, NULL);
		if (!str_starts_with(text, start))
			fail_msg("%s: answered %s", cases[i].text, text);
		assert_contains(text, "Connection: close\r\n");
		close(fd);
	}
	assert_int_equal(place->arrived, 0);
}

static void heads_are_bounded(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;
	char field[3000];

	memset(field, 'x', sizeof(field) - 1);
	field[sizeof(field) - 1] = '\0';
	raw_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 3; i++) {
		raw_send(fd, "A: ");
		raw_send(fd, field);
		raw_send(fd, "\r\n");
	}
	text = raw_read(place->net, fd, NULL);
	assert_true(str_starts_with(text, "HTTP/1.1 431 "));
	close(fd);
}

static void old_peers_and_heads_are_served(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *old = NULL, *kept = NULL, *head = NULL;

	raw_send(fd, "GET /tag HTTP/1.0\r\n\r\n");
	old = raw_read(place->net, fd, NULL);
	assert_true(str_ends_with(old, "Connection: close\r\n\r\nthe tag"));
	close(fd);
	fd = raw_connect(place->net);
	raw_send(fd, "GET /tag HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	kept = raw_read(place->net, fd, "the tag");
	assert_true(str_ends_with(kept, "Connection: keep-alive\r\n\r\nthe tag"));
	close(fd);
	fd = raw_connect(place->net);
	raw_send(fd, "HEAD /tag HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	head = raw_read(place->net, fd, NULL);
	assert_contains(head, "Content-Length: 7\r\n");
	assert_true(str_ends_with(head, "\r\n\r\n"));
	close(fd);
}

static void who_asks_first_is_told_to_continue(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *first = NULL, *second = NULL;

	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		     "Content-Length: 2\r\nConnection: close\r\n\r\n");
	first = raw_read(place->net, fd, "\r\n\r\n");
	assert_string_equal(first, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_send(fd, "ok");
	second = raw_read(place->net, fd, NULL);
	assert_true(str_ends_with(second, "\r\n\r\nok"));
	close(fd);
}

static void large_answers_arrive_whole(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "http", "/wait");
	struct http_request request = { .url = url, .response_limit = 8 << 20 };
	size_t size = 5 << 20;
	_cleanup_free_ char *body = xmalloc(size + 1);

	memset(body, 'b', size);
	body[size] = '\0';
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->arrived);
	web_respond_text(place->pending, 200, "text/plain", body);
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 200);
	assert_int_equal(strlen(place->body), size);
}

static void idle_connections_are_ended(void **state)
{
	struct place *place = *state;
	struct net_place other = *place->net;
	struct web_listener_config config = {
		.on_request = answer, .data = place, .address = "127.0.0.1", .idle_timeout_ms = 400
	};
	_cleanup_free_ char *served = NULL, *silent = NULL, *slow = NULL;
	int fd;

	assert_ok(web_listen(place->net->web, &config, &other.listener, why));
	fd = raw_connect(&other);
	raw_send(fd, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
	served = raw_read(&other, fd, NULL);
	assert_true(str_ends_with(served, "127.0.0.1"));
	close(fd);
	fd = raw_connect(&other);
	silent = raw_read(&other, fd, NULL);
	assert_string_equal(silent, "");
	close(fd);
	fd = raw_connect(&other);
	raw_send(fd, "GET /");
	slow = raw_read(&other, fd, NULL);
	assert_string_equal(slow, "");
	close(fd);
}

static void connections_are_bounded(void **state)
{
	struct place *place = *state;
	struct net_place other = *place->net;
	struct web_listener_config config = {
		.on_request = answer, .data = place, .address = "127.0.0.1", .max_connections = 1
	};
	_cleanup_free_ char *refused = NULL, *served = NULL;
	int first, second;

	assert_ok(web_listen(place->net->web, &config, &other.listener, why));
	first = raw_connect(&other);
	net_settle(place->net);
	second = raw_connect(&other);
	refused = raw_read(&other, second, NULL);
	assert_string_equal(refused, "");
	close(second);
	close(first);
	net_settle(place->net);
	second = raw_connect(&other);
	raw_send(second, "GET /peer HTTP/1.0\r\n\r\n");
	served = raw_read(&other, second, NULL);
	assert_true(str_ends_with(served, "127.0.0.1"));
	close(second);
}

static void over_all_listeners_more_wait(void **state)
{
	struct place *place = *state;
	struct web_config bound = { .max_connections = 1 };
	struct net_place other = *place->net;
	struct web_listener_config config = { .on_request = answer,
					      .data = place,
					      .address = "127.0.0.1" };
	_cleanup_free_ char *served = NULL;
	int first, second;

	assert_ok(web_new(place->net->loop, &bound, &other.web, why));
	assert_ok(web_listen(other.web, &config, &other.listener, why));
	first = raw_connect(&other);
	raw_send(first, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	net_wait(place->net, &place->arrived);
	second = raw_connect(&other);
	raw_send(second, "GET /peer HTTP/1.0\r\n\r\n");
	net_settle(place->net);
	assert_int_equal(place->arrived, 1);
	close(first);
	served = raw_read(&other, second, NULL);
	assert_true(str_ends_with(served, "127.0.0.1"));
	close(second);
	web_free(other.web);
}

/* Who says nothing, or a byte of a body now and then, is not at work. */
static void who_is_waited_for_makes_room(void **state)
{
	static const char *const idle[] = {
		"", "GET /pe", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"
	};
	struct place *place = *state;
	struct web_config bound = { .max_connections = 3 };
	struct net_place other = *place->net;
	struct web_listener_config config = { .on_request = answer,
					      .data = place,
					      .address = "127.0.0.1" };
	int peers[3];

	assert_ok(web_new(place->net->loop, &bound, &other.web, why));
	assert_ok(web_listen(other.web, &config, &other.listener, why));
	for (size_t i = 0; i < 3; i++) {
		peers[i] = raw_connect(&other);
		raw_send(peers[i], idle[i]);
		net_settle(place->net);
	}
	for (size_t i = 0; i < 3; i++) {
		int peer = raw_connect(&other);
		_cleanup_free_ char *served = NULL, *nothing = NULL;

		raw_send(peer, "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n");
		served = raw_read(&other, peer, "127.0.0.1");
		assert_true(str_ends_with(served, "127.0.0.1"));
		/* in the order in which they came */
		nothing = raw_read(&other, peers[i], NULL);
		assert_string_equal(nothing, "");
		close(peers[i]);
		peers[i] = peer;
	}
	for (size_t i = 0; i < 3; i++)
		close(peers[i]);
	web_free(other.web);
}

/* Connections that are closed politely stay for a moment, until the peer has ended too. Peers that
 * do not end them do not keep others out: who comes waits until there is room. */
static void closed_connections_leave_room(void **state)
{
	struct place *place = *state;
	struct web_config bound = { .max_connections = 1 };
	struct net_place other = *place->net;
	struct web_listener_config config = { .on_request = answer,
					      .data = place,
					      .address = "127.0.0.1" };
	int peers[4];

	assert_ok(web_new(place->net->loop, &bound, &other.web, why));
	assert_ok(web_listen(other.web, &config, &other.listener, why));
	for (size_t i = 0; i < 4; i++) {
		peers[i] = raw_connect(&other);
		raw_send(peers[i], "GET /peer HTTP/1.0\r\n\r\n");
	}
	for (size_t i = 0; i < 4; i++) {
		_cleanup_free_ char *served = raw_read(&other, peers[i], NULL);

		assert_true(str_ends_with(served, "127.0.0.1"));
	}
	for (size_t i = 0; i < 4; i++)
		close(peers[i]);
	web_free(other.web);
}

/* lab 10: a listening socket, or an accepted one, may come from elsewhere (another network
 * namespace) */
static void sockets_made_elsewhere_are_served(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *directory = make_test_directory();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct web_listener_config config = {
		.on_request = answer, .data = place, .tag = "listener's", .has_listen_fd = true
	};
	struct web_listener *listener;
	struct http_request request = { .url = "http://x/tag", .unix_socket = address.sun_path };
	_cleanup_free_ char *text = NULL;
	int ends[2];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
	config.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(config.listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(config.listen_fd, 5), 0);
	assert_ok(web_listen(place->net->web, &config, &listener, why));
	assert_int_equal(web_listener_port(listener), 0);
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	assert_string_equal(place->body, "listener's");

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	assert_ok(web_adopt(listener, ends[1], "adopted's", why));
	raw_send(ends[0], "GET /tag HTTP/1.0\r\n\r\n");
	text = raw_read(place->net, ends[0], NULL);
	assert_true(str_ends_with(text, "adopted's"));
	close(ends[0]);
	web_listener_free(listener);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

static void freeing_a_listener_cancels_what_it_served(void **state)
{
	struct place *place = *state;
	int fd = raw_connect(place->net);
	_cleanup_free_ char *text = NULL;

	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	net_wait(place->net, &place->arrived);
	web_request_on_cancel(place->pending, on_cancel, place);
	web_listener_free(place->net->listener);
	assert_int_equal(place->cancelled, 1);
	text = raw_read(place->net, fd, NULL);
	assert_string_equal(text, "");
	close(fd);
}

static void what_cannot_be_listened_on_is_told(void **state)
{
	struct place *place = *state;
	struct web_listener *listener = NULL;
	struct web_listener_config config = { .on_request = answer, .address = "localhost" };
	struct error err = ERROR_INIT;

	assert_int_equal(web_listen(place->net->web, &config, &listener, &err), -EINVAL);
	assert_contains(err.text, "\"localhost\": it is not an IP address");
	config.address = "127.0.0.1";
	config.port = web_listener_port(place->net->listener);
	assert_int_equal(web_listen(place->net->web, &config, &listener, &err), -EADDRINUSE);
	assert_contains(err.text, "listen on 127.0.0.1 port");
	config.port = 0;
	config.cert_file = config.key_file = "/no/such/cert";
	assert_int_equal(web_listen(place->net->web, &config, &listener, &err), -ENOENT);
	assert_contains(err.text, "/no/such/cert");
	assert_null(listener);
}

static void tls_is_served_and_verified(void **state)
{
	struct place *place = *state;
	struct net_place other = *place->net;
	_cleanup_free_ char *directory = make_test_directory();
	_cleanup_free_ char *cert = NULL, *key = NULL, *url = NULL;
	struct web_listener_config config = { .on_request = answer,
					      .data = place,
					      .address = "127.0.0.1" };
	struct http_client_config trusting = { .ca_file = NULL };
	struct http_client *client;
	struct http_request request = { .method = "POST", .body = "secret", .body_size = 6 };

	make_certificate(directory, &cert, &key);
	config.cert_file = cert;
	config.key_file = key;
	assert_ok(web_listen(place->net->web, &config, &other.listener, why));
	request.url = url = net_url(&other, "https", "/echo");

	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, -EKEYREJECTED);
	assert_contains(place->body, "certificate");

	trusting.ca_file = cert;
	assert_ok(http_client_new(place->net->loop, &trusting, &client, why));
	place->answered = 0;
	assert_ok(http_send(client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 200);
	assert_string_equal(place->body, "secret");
	http_client_free(client);
	assert_ok(file_remove_tree(AT_FDCWD, directory, why));
}

static void parameters_are_decoded(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "http", "/wait?taskarn=arn%3Aaws%2Fx+y");
	struct http_request request = { .url = url };
	_cleanup_free_ char *value = NULL;

	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->arrived);
	value = web_request_param(place->pending, "taskarn");
	assert_string_equal(value, "arn:aws/x y");
	assert_null(web_request_param(place->pending, "none"));
	web_respond_text(place->pending, 200, NULL, "");
	net_wait(place->net, &place->answered);
}

int main(void)
{
#define on_net(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_net(requests_are_answered),
		on_net(paths_are_given_as_they_were_sent),
		on_net(an_answer_may_come_later),
		on_net(a_peer_that_leaves_cancels),
		on_net(requests_sent_ahead_are_answered_in_order),
		on_net(bytes_may_come_one_by_one),
		on_net(what_is_no_request_is_refused_and_ended),
		on_net(heads_are_bounded),
		on_net(old_peers_and_heads_are_served),
		on_net(who_asks_first_is_told_to_continue),
		on_net(large_answers_arrive_whole),
		on_net(idle_connections_are_ended),
		on_net(connections_are_bounded),
		on_net(over_all_listeners_more_wait),
		on_net(who_is_waited_for_makes_room),
		on_net(closed_connections_leave_room),
		on_net(sockets_made_elsewhere_are_served),
		on_net(freeing_a_listener_cancels_what_it_served),
		on_net(what_cannot_be_listened_on_is_told),
		on_net(tls_is_served_and_verified),
		on_net(parameters_are_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
