/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/proxy.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/url.h"

#define DEFAULT_CONNECT_TIMEOUT_MS (30 * 1000L)
#define DEFAULT_TIMEOUT_MS         (60 * 1000L)
#define DEFAULT_RESPONSE_LIMIT     (1024 * 1024UL)
#define HEADERS_LIMIT              (64 * 1024UL)
#define KEPT_CONNECTIONS           8

struct http_call {
	struct http_client *client;
	struct http_call *previous, *next;
	CURL *easy;
	struct curl_slist *headers_out;
	char *body_out;
	char *what; /* "POST http://host/path", for errors */
	size_t response_limit;
	struct strbuf body;
	struct header_list headers;
	size_t headers_size;
	bool head_is_whole; /* its empty line was there */
	bool too_big;
	char curl_error[CURL_ERROR_SIZE];
	void (*callback)(void *data, const struct http_response *response);
	void *data;
};

struct http_client {
	struct loop *loop;
	char *ca_file;
	char *cert_file;
	char *key_file;
	char *user_agent;
	int64_t connect_timeout_ms;
	bool insecure;
	bool use_proxy;
	CURLM *multi; /* NULL before the first request */
	struct loop_timer *timer;
	struct http_call *calls;
	bool in_callback;
	bool freed; /* within a callback: the rest follows after it */
};

static void report_done(struct http_client *client);

static void on_socket_event(void *data, int events);

/* A socket of curl's that is watched; curl keeps the pointer for us. */
struct watch {
	struct http_client *client;
	curl_socket_t socket;
	struct loop_fd *fd;
};

static int on_socket_wish(CURL *easy, curl_socket_t socket, int what, void *data, void *socket_data)
{
	struct http_client *client = data;
	struct watch *watch = socket_data;
	int events =
		(what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			loop_fd_free(watch->fd);
			free(watch);
			curl_multi_assign(client->multi, socket, NULL);
		}
		return 0;
	}
	if (!watch) {
		watch = xcalloc(1, sizeof(*watch));
		watch->client = client;
		watch->socket = socket;
		if (loop_fd_new(client->loop, socket, events, on_socket_event, watch, &watch->fd,
				NULL) < 0) {
			free(watch);
			return -1; /* curl fails the transfers of it */
		}
		curl_multi_assign(client->multi, socket, watch);
	} else {
		loop_fd_set(watch->fd, events);
	}
	return 0;
}

static void on_socket_event(void *data, int events)
{
	struct watch *watch = data; /* may be gone after the call into curl */
	struct http_client *client = watch->client;
	int flags = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
		    (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
		    (events & LOOP_ERROR ? CURL_CSELECT_ERR : 0);
	int running;

	curl_multi_socket_action(client->multi, watch->socket, flags, &running);
	report_done(client);
}

static void on_timer(void *data)
{
	struct http_client *client = data;
	int running;

	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	report_done(client);
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *data)
{
	struct http_client *client = data;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_stop(client->timer);
	else
		loop_timer_start(client->timer, timeout_ms);
	return 0;
}

int http_client_new(struct loop *loop, const struct http_client_config *config,
		    struct http_client **ret, struct error *err)
{
	static const struct http_client_config defaults = { .ca_file = NULL };
	struct http_client *client = xcalloc(1, sizeof(*client));

	(void)err;
	if (!config)
		config = &defaults;
	client->loop = loop;
	client->ca_file = xstrdup_null(config->ca_file);
	client->cert_file = xstrdup_null(config->cert_file);
	client->key_file = xstrdup_null(config->key_file);
	client->user_agent = xstrdup_null(config->user_agent);
	client->connect_timeout_ms = config->connect_timeout_ms ? config->connect_timeout_ms
								: DEFAULT_CONNECT_TIMEOUT_MS;
	client->insecure = config->insecure;
	client->use_proxy = config->use_proxy;
	*ret = client;
	return 0;
}

static int start_curl(struct http_client *client, struct error *err)
{
	if (client->multi)
		return 0;
	/* counted by curl: one cleanup for each, in http_client_free() */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return error_say(err, ENOMEM, "start the HTTP client: libcurl does not start");
	client->multi = curl_multi_init();
	if (!client->multi) {
		curl_global_cleanup();
		return error_say(err, ENOMEM, "start the HTTP client: libcurl does not start");
	}
	client->timer = loop_timer_new(client->loop, on_timer, client);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	return 0;
}

static void free_call(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->easy) {
		curl_multi_remove_handle(client->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	if (call->previous)
		call->previous->next = call->next;
	else if (client->calls == call)
		client->calls = call->next;
	if (call->next)
		call->next->previous = call->previous;
	curl_slist_free_all(call->headers_out);
	free(call->body_out);
	free(call->what);
	strbuf_free(&call->body);
	header_list_free(&call->headers);
	free(call);
}

static void free_client(struct http_client *client)
{
	if (client->multi) {
		curl_multi_cleanup(client->multi);
		loop_timer_free(client->timer);
		curl_global_cleanup();
	}
	free(client->ca_file);
	free(client->cert_file);
	free(client->key_file);
	free(client->user_agent);
	free(client);
}

void http_client_free(struct http_client *client)
{
	while (client->calls)
		free_call(client->calls);
	client->freed = true;
	if (!client->in_callback)
		free_client(client);
}

void http_cancel(struct http_call *call)
{
	free_call(call);
}

static size_t on_body(char *data, size_t one, size_t size, void *call_data)
{
	struct http_call *call = call_data;

	(void)one;
	if (size > call->response_limit - call->body.length) {
		call->too_big = true;
		return CURL_WRITEFUNC_ERROR;
	}
	strbuf_append_n(&call->body, data, size);
	return size;
}

static size_t on_header(char *line, size_t one, size_t size, void *call_data)
{
	struct http_call *call = call_data;
	size_t end = size;
	size_t name_size;
	const char *colon, *value;

	(void)one;
	call->headers_size += size;
	if (call->headers_size > HEADERS_LIMIT) {
		call->too_big = true;
		return 0;
	}
	/* an interim answer (100 Continue) came before: what counts is the last */
	if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		header_list_free(&call->headers);
		call->head_is_whole = false;
		return size;
	}
	if (*line == '\r' || *line == '\n')
		call->head_is_whole = true;
	colon = memchr(line, ':', size);
	if (!colon)
		return size;
	while (end > 0 && strchr(" \t\r\n", line[end - 1]))
		end--;
	name_size = (size_t)(colon - line);
	for (size_t i = 0; i < name_size; i++)
		if (line[i] >= 'A' && line[i] <= 'Z')
			line[i] = (char)(line[i] - 'A' + 'a');
	value = colon + 1;
	while (value < line + end && (*value == ' ' || *value == '\t'))
		value++;
	header_list_add_n(&call->headers, line, name_size, value,
			  value < line + end ? (size_t)(line + end - value) : 0);
	return size;
}

static int errno_of(const struct http_call *call, CURLcode code)
{
	long os_errno = 0;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
		return os_errno > 0 ? (int)os_errno : ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return EHOSTUNREACH;
	case CURLE_FILESIZE_EXCEEDED:
		return EFBIG;
	case CURLE_WRITE_ERROR:
		return call->too_big ? EFBIG : EIO;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return EPROTO;
	case CURLE_OUT_OF_MEMORY:
		return ENOMEM;
	default:
		return EIO;
	}
}

static void fill_error(const struct http_call *call, CURLcode code, struct http_response *response)
{
	int number = errno_of(call, code);

	response->error = -number;
	if (number == EFBIG)
		error_say(&response->err, EFBIG, "%s: the answer is longer than %zu bytes",
			  call->what, call->response_limit);
	else if (code == CURLE_COULDNT_CONNECT)
		error_set(&response->err, number, "%s: connect", call->what);
	else
		error_say(&response->err, number, "%s: %s", call->what,
			  *call->curl_error ? call->curl_error : curl_easy_strerror(code));
}

static void finish(struct http_call *call, CURLcode code)
{
	struct http_client *client = call->client;
	struct http_response *response = xcalloc(1, sizeof(*response));
	long status = 0;

	response->body = "";
	/* To curl a head that ends in the middle is an answer without a body. */
	if (code == CURLE_OK && !call->head_is_whole)
		code = CURLE_PARTIAL_FILE;
	if (code == CURLE_OK && !call->too_big) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		response->status = (int)status;
		response->headers = call->headers.items;
		response->header_count = call->headers.count;
		response->body = strbuf_text(&call->body);
		response->size = call->body.length;
	} else {
		fill_error(call, code == CURLE_OK ? CURLE_WRITE_ERROR : code, response);
	}
	/* taken out first: within the callback it cannot be cancelled, nor by http_client_free() */
	curl_multi_remove_handle(client->multi, call->easy);
	if (call->previous)
		call->previous->next = call->next;
	else
		client->calls = call->next;
	if (call->next)
		call->next->previous = call->previous;
	call->previous = call->next = NULL;

	client->in_callback = true;
	call->callback(call->data, response);
	client->in_callback = false;

	curl_easy_cleanup(call->easy);
	call->easy = NULL;
	free_call(call);
	free(response);
}

static void report_done(struct http_client *client)
{
	CURLMsg *message;
	int left;

	if (client->in_callback)
		return;
	while (!client->freed && (message = curl_multi_info_read(client->multi, &left))) {
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		finish(call, message->data.result);
	}
	if (client->freed)
		free_client(client);
}

static bool is_header_text(const char *text, bool is_name)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < 0x20 && c != '\t') || c == 0x7F || (is_name && (c <= ' ' || c == ':')))
			return false;
	}
	return true;
}

static int add_headers(struct http_call *call, const struct http_request *request, bool has_body,
		       struct error *err)
{
	for (size_t i = 0; i < request->header_count; i++) {
		const struct header *header = &request->headers[i];
		_cleanup_free_ char *line = NULL;

		if (!*header->name || !is_header_text(header->name, true) ||
		    !is_header_text(header->value, false))
			return error_say(err, EINVAL, "%s: the header \"%.64s\" is not valid",
					 call->what, header->name);
		/* "Name;" is how curl is told to send an empty value */
		line = *header->value ? xasprintf("%s: %s", header->name, header->value)
				      : xasprintf("%s;", header->name);
		call->headers_out = curl_slist_append(call->headers_out, line);
	}
	call->headers_out = curl_slist_append(call->headers_out, "Expect:");
	if (has_body && !header_find(request->headers, request->header_count, "Content-Type"))
		call->headers_out = curl_slist_append(call->headers_out, "Content-Type:");
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers_out);
	return 0;
}

static void set_method(struct http_call *call, const struct http_request *request,
		       const char *method, bool has_body)
{
	CURL *easy = call->easy;

	if (has_body) {
		call->body_out = xmemdup(request->body_size ? request->body : "",
					 request->body_size + (request->body_size == 0));
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body_out);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
	} else if (str_eq(method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct http_call *call, const struct http_request *request)
{
	struct http_client *client = call->client;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 16L * 1024);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			 (long)(request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS));
	if (client->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
	if (client->cert_file) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, client->cert_file);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_file);
	}
	if (client->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (client->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	if (request->unix_socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

/* libcurl's own reading of the environment is another. */
static void set_proxy(CURL *easy, const struct proxy *proxy)
{
	static const char *const schemes[] = {
		[PROXY_HTTP] = "http", [PROXY_HTTPS] = "https", [PROXY_SOCKS5] = "socks5h"
	};
	_cleanup_free_ char *text = NULL;

	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	if (proxy->kind == PROXY_NONE) {
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
		return;
	}
	text = xasprintf(strchr(proxy->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
			 schemes[proxy->kind], proxy->host, proxy->port);
	curl_easy_setopt(easy, CURLOPT_PROXY, text);
	if (proxy->user) {
		curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->user);
		curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy->password);
	}
}

int http_send(struct http_client *client, const struct http_request *request,
	      void (*callback)(void *data, const struct http_response *response), void *data,
	      struct http_call **ret_call, struct error *err)
{
	bool given_body = request->body_size > 0 || request->body;
	const char *method = request->method ? request->method : given_body ? "POST" : "GET";
	bool has_body = given_body || str_eq(method, "POST") || str_eq(method, "PUT");
	_cleanup_url_ struct url url = { .scheme = NULL };
	_cleanup_proxy_ struct proxy proxy = { .kind = PROXY_NONE };
	struct http_call *call;
	int result = url_parse(request->url, &url, err);

	if (result == 0 &&
	    (!*method || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(method)))
		result = error_say(err, EINVAL, "\"%.16s\" is not an HTTP method", method);
	if (result == 0 && client->use_proxy && !request->unix_socket)
		result = proxy_choose(environ, &url, &proxy, err);
	if (result == 0)
		result = start_curl(client, err);
	if (result < 0)
		return result;

	call = xcalloc(1, sizeof(*call));
	call->client = client;
	call->callback = callback;
	call->data = data;
	call->response_limit =
		request->response_limit ? request->response_limit : DEFAULT_RESPONSE_LIMIT;
	/* without the query, which may hold what does not belong in a log */
	call->what = xasprintf("%s %s://%s%s", method, url.scheme, url.authority, url.path);
	call->easy = curl_easy_init();
	if (!call->easy)
		result = error_say(err, ENOMEM, "%s: libcurl gives no handle", call->what);
	if (result == 0) {
		set_options(call, request);
		set_proxy(call->easy, &proxy);
		set_method(call, request, method, has_body);
		result = add_headers(call, request, has_body, err);
	}
	if (result == 0 && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
		result = error_say(err, EIO, "%s: libcurl does not take the request", call->what);
	if (result < 0) {
		free_call(call);
		return result;
	}
	call->next = client->calls;
	if (client->calls)
		client->calls->previous = call;
	client->calls = call;
	if (ret_call)
		*ret_call = call;
	return 0;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
	return header_find(response->headers, response->header_count, name);
}
