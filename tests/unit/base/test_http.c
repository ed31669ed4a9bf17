/* SPDX-License-Identifier: Apache-2.0 */
#include "net_place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

struct place {
	struct net_place *net;
	struct web_request *pending;
	int arrived;
	int answered;
	struct strbuf request; /* as the server has it */
	int status;
	struct strbuf body;
	char *content_type;
	bool free_client_in_callback;
	bool ask_again_in_callback;
};

static void on_response(void *data, const struct http_response *response);

static void ask(struct place *place, struct http_request request, const char *path)
{
	_cleanup_free_ char *url = net_url(place->net, "http", path);

	request.url = url;
	place->answered = 0;
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	assert_int_equal(place->answered, 0);
}

static void on_response(void *data, const struct http_response *response)
{
	struct place *place = data;
	const char *type = http_response_header(response, "Content-Type");

	place->answered++;
	place->status = response->error ? response->error : response->status;
	strbuf_reset(&place->body);
	strbuf_append(&place->body, response->error ? response->err.text : response->body);
	str_replace(&place->content_type, type);
	if (place->ask_again_in_callback) {
		place->ask_again_in_callback = false;
		ask(place, (struct http_request){ .method = NULL }, "/again");
	}
	if (place->free_client_in_callback) {
		http_client_free(place->net->client);
		assert_ok(http_client_new(place->net->loop, NULL, &place->net->client, why));
	}
}

static void answer(void *data, struct web_request *request)
{
	struct place *place = data;
	const char *path = web_request_path(request);
	const char *const names[] = { "content-type", "content-length", "expect", "user-agent",
				      "x-empty" };
	char big[5000];

	place->arrived++;
	strbuf_reset(&place->request);
	strbuf_appendf(&place->request, "%s %s", web_request_method(request),
		       web_request_body(request, NULL));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (web_request_header(request, names[i]))
			strbuf_appendf(&place->request, " %s=%s", names[i],
				       web_request_header(request, names[i]));
	memset(big, 'b', sizeof(big));
	if (str_eq(path, "/wait"))
		place->pending = request;
	else if (str_eq(path, "/big"))
		web_respond(request, 200, "text/plain", big, sizeof(big), NULL, 0);
	else if (str_eq(path, "/redirect"))
		web_respond(request, 302, NULL, "", 0,
			    &(struct header){ "Location", "http://127.0.0.1:1/" }, 1);
	else
		web_respond_text(request, 200, "Text/Plain", path);
}

static int set_up(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->net = net_place_new();
	net_place_listen(place->net,
			 (struct web_listener_config){ .on_request = answer, .data = place });
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	net_place_free(place->net);
	strbuf_free(&place->request);
	strbuf_free(&place->body);
	free(place->content_type);
	free(place);
	return 0;
}

static void what_is_asked_is_sent_and_nothing_else(void **state)
{
	struct place *place = *state;
	struct header headers[] = { { "Content-Type", "application/x-amz-json-1.1" },
				    { "X-Empty", "" } };

	ask(place,
	    (struct http_request){
		    .body = "{}", .body_size = 2, .headers = headers, .header_count = 2 },
	    "/one");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 200);
	assert_string_equal(place->body.data, "/one");
	assert_string_equal(place->content_type, "Text/Plain");
	assert_string_equal(place->request.data,
			    "POST {} content-type=application/x-amz-json-1.1 content-length=2 "
			    "x-empty=");
	ask(place, (struct http_request){ .body = "x", .body_size = 1, .method = "PUT" }, "/two");
	net_wait(place->net, &place->answered);
	assert_string_equal(place->request.data, "PUT x content-length=1");
	ask(place, (struct http_request){ .method = "POST" }, "/three");
	net_wait(place->net, &place->answered);
	assert_string_equal(place->request.data, "POST  content-length=0");
	ask(place, (struct http_request){ .method = NULL }, "/four");
	net_wait(place->net, &place->answered);
	assert_string_equal(place->request.data, "GET ");
	ask(place, (struct http_request){ .method = "HEAD" }, "/five");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 200);
	assert_int_equal(place->body.length, 0);
}

static void redirects_are_told_not_followed(void **state)
{
	struct place *place = *state;

	ask(place, (struct http_request){ .method = NULL }, "/redirect");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 302);
}

static void long_answers_are_refused(void **state)
{
	struct place *place = *state;

	ask(place, (struct http_request){ .response_limit = 4999 }, "/big?secret=1");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, -EFBIG);
	assert_contains(place->body.data, "the answer is longer than 4999 bytes");
	assert_null(strstr(place->body.data, "secret"));
	ask(place, (struct http_request){ .response_limit = 5000 }, "/big");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, 200);
	assert_int_equal(place->body.length, 5000);
}

static void silence_times_out(void **state)
{
	struct place *place = *state;

	ask(place, (struct http_request){ .timeout_ms = 50 }, "/wait");
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, -ETIMEDOUT);
	assert_contains(place->body.data, "GET http://127.0.0.1:");
}

static void nobody_there_is_told(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "http", "/");
	struct http_request request = { .url = url };

	web_listener_free(place->net->listener);
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, -ECONNREFUSED);
	assert_contains(place->body.data, "refused");

	request.url = "http://no..such.name/";
	place->answered = 0;
	assert_ok(http_send(place->net->client, &request, on_response, place, NULL, why));
	net_wait(place->net, &place->answered);
	assert_true(place->status < 0);
}

static void who_is_cut_off_in_the_middle_is_told(void **state)
{
	struct place *place = *state;

	ask(place, (struct http_request){ .method = NULL }, "/wait");
	net_wait(place->net, &place->arrived);
	web_listener_free(place->net->listener);
	net_wait(place->net, &place->answered);
	assert_int_equal(place->status, -ECONNRESET);
}

/* A server of a few bytes. */
struct stub {
	const char *says;
	int listening, fd;
	struct loop_fd *watch;
};

static void on_stub(void *data, int events)
{
	struct stub *stub = data;

	(void)events;
	stub->fd = accept4(stub->listening, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(write(stub->fd, stub->says, strlen(stub->says)), strlen(stub->says));
	assert_int_equal(shutdown(stub->fd, SHUT_WR), 0);
}

static int status_of(struct place *place, const char *says)
{
	struct stub stub = { .says = says, .fd = -1 };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	_cleanup_free_ char *url = NULL;

	stub.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(stub.listening, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(stub.listening, 1), 0);
	assert_int_equal(getsockname(stub.listening, (struct sockaddr *)&address, &size), 0);
	assert_ok(loop_fd_new(place->net->loop, stub.listening, LOOP_READ, on_stub, &stub,
			      &stub.watch, why));
	url = xasprintf("http://127.0.0.1:%u/", ntohs(address.sin_port));
	place->answered = 0;
	assert_ok(http_send(place->net->client, &(struct http_request){ .url = url }, on_response,
			    place, NULL, why));
	net_wait(place->net, &place->answered);
	loop_fd_free(stub.watch);
	close(stub.fd);
	close(stub.listening);
	return place->status;
}

/* An answer that breaks off is none, wherever it does. */
static void a_part_of_an_answer_is_none(void **state)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	struct place *place = *state;

	for (size_t size = 0; size < sizeof(whole) - 1; size++) {
		_cleanup_free_ char *part = xstrndup(whole, size);

		assert_in_range(-status_of(place, part), 1, 4095);
	}
	assert_int_equal(status_of(place, whole), 200);
	/* without a length it is as long as it is */
	assert_int_equal(status_of(place, "HTTP/1.1 404 x\r\n\r\n"), 404);
	assert_int_equal(status_of(place, "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 201 x\r\n\r\n"), 201);
	assert_int_equal(status_of(place, "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 x\r\n"), -ECONNRESET);
}

static void a_cancelled_call_is_silent(void **state)
{
	struct place *place = *state;
	_cleanup_free_ char *url = net_url(place->net, "http", "/wait");
	struct http_request request = { .url = url };
	struct http_call *call, *never_begun;

	assert_ok(http_send(place->net->client, &request, on_response, place, &call, why));
	net_wait(place->net, &place->arrived);
	http_cancel(call);
	assert_ok(http_send(place->net->client, &request, on_response, place, &never_begun, why));
	http_cancel(never_begun);
	ask(place, (struct http_request){ .method = NULL }, "/after");
	net_wait(place->net, &place->answered);
	assert_string_equal(place->body.data, "/after");
	assert_int_equal(place->answered, 1);
}

static void callbacks_may_ask_again_or_end_it_all(void **state)
{
	struct place *place = *state;

	place->ask_again_in_callback = true;
	ask(place, (struct http_request){ .method = NULL }, "/first");
	net_wait(place->net, &place->answered);
	net_wait(place->net, &place->answered);
	place->free_client_in_callback = true;
	ask(place, (struct http_request){ .method = NULL }, "/wait");
	ask(place, (struct http_request){ .method = NULL }, "/last");
	net_wait(place->net, &place->answered);
	place->free_client_in_callback = false;
	assert_string_equal(place->body.data, "/last");
	ask(place, (struct http_request){ .method = NULL }, "/new");
	net_wait(place->net, &place->answered);
	assert_string_equal(place->body.data, "/new");
}

static void many_go_at_once(void **state)
{
	struct place *place = *state;

	for (int i = 0; i < 100; i++)
		ask(place, (struct http_request){ .method = NULL }, "/many");
	for (int i = 0; i < 20000 && place->answered < 100; i++)
		loop_run_once(place->net->loop, true);
	assert_int_equal(place->answered, 100);
}

static void what_cannot_be_asked_is_refused(void **state)
{
	const struct {
		struct http_request request;
		const char *says;
	} cases[] = {
		{ { .url = "file:///etc/passwd" }, "is not a URL" },
		{ { .url = "http://h/", .method = "get" }, "is not an HTTP method" },
		{ { .url = "http://h/", .method = "GET / HTTP/1.1\r\nX:" },
		  "is not an HTTP method" },
		{ { .url = "http://h/",
		    .headers = &(struct header){ "A", "b\r\nInjected: yes" },
		    .header_count = 1 },
		  "the header \"A\" is not valid" },
		{ { .url = "http://h/",
		    .headers = &(struct header){ "A: b", "c" },
		    .header_count = 1 },
		  "is not valid" },
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(http_send(place->net->client, &cases[i].request, on_response,
					   place, NULL, &err),
				 -EINVAL);
		assert_contains(err.text, cases[i].says);
	}
}

int main(void)
{
#define on_net(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		on_net(what_is_asked_is_sent_and_nothing_else),
		on_net(redirects_are_told_not_followed),
		on_net(long_answers_are_refused),
		on_net(silence_times_out),
		on_net(nobody_there_is_told),
		on_net(who_is_cut_off_in_the_middle_is_told),
		on_net(a_part_of_an_answer_is_none),
		on_net(a_cancelled_call_is_silent),
		on_net(callbacks_may_ask_again_or_end_it_all),
		on_net(many_go_at_once),
		on_net(what_cannot_be_asked_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
