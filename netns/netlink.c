/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/netlink.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netns/namespace.h"

#define REQUEST_SIZE 4096 /* the most that one request may hold */
#define ANSWER_SIZE  32768
#define TOLERATED    4
#define WORDS_SIZE   192
#define DUMP_TRIES   5
/* Sent in one go: the kernel's answers to more requests, or more bytes, would not fit the socket.
 */
#define PIECE_COUNT 64
#define PIECE_SIZE  65536

struct netlink {
	struct mnl_socket *socket;
	struct mnl_socket *listener; /* NULL until somebody listens */
	uint32_t sequence;
};

struct request {
	size_t offset; /* in the batch's bytes */
	uint32_t sequence;
	int tolerated[TOLERATED];
	char what[WORDS_SIZE];
};

struct netlink_batch {
	char *bytes;
	size_t capacity;
	struct request *requests;
	size_t count;
};

int netlink_open(struct netlink **ret, struct error *err)
{
	struct netlink *netlink;
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int on = 1;

	if (!sock)
		return error_set(err, errno, "open a netlink socket");
	/* Refused by kernels before 4.12 and 4.20: then errors have no text and dumps are filtered
	 * by us alone. */
	(void)mnl_socket_setsockopt(sock, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(sock, NETLINK_CAP_ACK, &on, sizeof(on));
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = errno;

		mnl_socket_close(sock);
		return error_set(err, code, "bind a netlink socket");
	}
	netlink = xcalloc(1, sizeof(*netlink));
	netlink->socket = sock;
	*ret = netlink;
	return 0;
}

static int open_here(void *data, struct error *err)
{
	struct netlink **ret = data;

	return netlink_open(ret, err);
}

int netlink_open_in(int netns_fd, struct netlink **ret, struct error *err)
{
	return netns_run(netns_fd, open_here, ret, err);
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->listener)
		mnl_socket_close(netlink->listener);
	mnl_socket_close(netlink->socket);
	free(netlink);
}

struct netlink_batch *netlink_batch_new(void)
{
	return xcalloc(1, sizeof(struct netlink_batch));
}

void netlink_batch_free(struct netlink_batch *batch)
{
	if (!batch)
		return;
	free(batch->bytes);
	free(batch->requests);
	free(batch);
}

size_t netlink_batch_count(const struct netlink_batch *batch)
{
	return batch->count;
}

static struct nlmsghdr *request_header(const struct netlink_batch *batch, size_t index)
{
	return (struct nlmsghdr *)(void *)(batch->bytes + batch->requests[index].offset);
}

static size_t batch_size(const struct netlink_batch *batch)
{
	if (batch->count == 0)
		return 0;
	return batch->requests[batch->count - 1].offset +
	       NLMSG_ALIGN(request_header(batch, batch->count - 1)->nlmsg_len);
}

struct nlmsghdr *netlink_request(struct netlink_batch *batch, uint16_t type, uint16_t flags,
				 const char *what, ...)
{
	size_t offset = batch_size(batch);
	struct request *request;
	_cleanup_free_ char *words = NULL;
	struct nlmsghdr *header;
	va_list args;

	if (batch->capacity - offset < REQUEST_SIZE) {
		batch->capacity = 2 * batch->capacity + 2 * (size_t)REQUEST_SIZE;
		batch->bytes = xrealloc(batch->bytes, batch->capacity);
	}
	batch->requests = xgrow(batch->requests, batch->count, sizeof(*batch->requests));
	request = &batch->requests[batch->count++];
	*request = (struct request){ .offset = offset };
	va_start(args, what);
	words = xvasprintf(what, args);
	va_end(args);
	snprintf(request->what, sizeof(request->what), "%s", words);

	header = mnl_nlmsg_put_header(batch->bytes + offset);
	header->nlmsg_type = type;
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return header;
}

struct nlmsghdr *netlink_last_request(struct netlink_batch *batch)
{
	return request_header(batch, batch->count - 1);
}

void netlink_tolerate(struct netlink_batch *batch, int error)
{
	struct request *request = &batch->requests[batch->count - 1];

	for (size_t i = 0; i < TOLERATED; i++) {
		if (request->tolerated[i] == 0) {
			request->tolerated[i] = error;
			return;
		}
	}
}

static bool is_tolerated(const struct request *request, int error)
{
	for (size_t i = 0; i < TOLERATED; i++)
		if (request->tolerated[i] == error)
			return true;
	return false;
}

static int find_kernel_text(const struct nlattr *attr, void *data)
{
	const char **text = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		*text = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

/* The sentence of an extended acknowledgement; NULL when the kernel gave none. */
static const char *kernel_text(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	size_t offset = sizeof(*error);
	const char *text = NULL;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* Without NLM_F_CAPPED the whole request stands between the error and the attributes. */
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		offset += mnl_nlmsg_get_payload_len(&error->msg);
	if (offset > mnl_nlmsg_get_payload_len(message))
		return NULL;
	mnl_attr_parse(message, (unsigned int)offset, find_kernel_text, &text);
	return text;
}

static int say_refusal(const struct request *request, const struct nlmsghdr *message, int code,
		       struct error *err)
{
	const char *text = kernel_text(message);

	if (text && *text)
		return error_set(err, code, "%s: %s", request->what, text);
	return error_set(err, code, "%s", request->what);
}

static int receive(struct netlink *netlink, char *buffer, const char *what, size_t *ret_size,
		   struct error *err)
{
	ssize_t size;

	do
		size = mnl_socket_recvfrom(netlink->socket, buffer, ANSWER_SIZE);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return error_set(err, errno, "%s: read the kernel's answer", what);
	*ret_size = (size_t)size;
	return 0;
}

/* Requests of a batch that follow each other. */
struct piece {
	struct netlink_batch *batch;
	size_t first, count;
};

static size_t piece_size(const struct piece *piece)
{
	const struct netlink_batch *batch = piece->batch;
	size_t last = piece->first + piece->count - 1;

	return batch->requests[last].offset - batch->requests[piece->first].offset +
	       NLMSG_ALIGN(request_header(batch, last)->nlmsg_len);
}

static struct piece piece_from(struct netlink_batch *batch, size_t first)
{
	struct piece piece = { batch, first, 1 };

	while (first + piece.count < batch->count && piece.count < PIECE_COUNT &&
	       piece_size(&piece) < PIECE_SIZE)
		piece.count++;
	return piece;
}

static int send_requests(struct netlink *netlink, const struct piece *piece, uint16_t more_flags,
			 struct error *err)
{
	struct request *requests = &piece->batch->requests[piece->first];

	for (size_t i = 0; i < piece->count; i++) {
		struct nlmsghdr *header = request_header(piece->batch, piece->first + i);

		header->nlmsg_seq = requests[i].sequence = ++netlink->sequence;
		header->nlmsg_flags |= more_flags;
	}
	if (mnl_socket_sendto(netlink->socket, piece->batch->bytes + requests->offset,
			      piece_size(piece)) < 0)
		return error_set(err, errno, "%s: send to the kernel", requests->what);
	return 0;
}

static struct request *find_request(const struct piece *piece, uint32_t sequence)
{
	struct request *requests = &piece->batch->requests[piece->first];
	uint32_t index = sequence - requests->sequence;

	return index < piece->count ? &requests[index] : NULL;
}

/* The answers come in the order of the requests, one acknowledgement each. *result: of the first
 * that is refused. */
static int await_answers(struct netlink *netlink, const struct piece *piece, int *result,
			 struct error *err)
{
	_cleanup_free_ char *buffer = xmalloc(ANSWER_SIZE);
	size_t answered = 0;

	while (answered < piece->count) {
		const struct nlmsghdr *message;
		size_t size = 0;
		int left, r;

		r = receive(netlink, buffer, piece->batch->requests[piece->first + answered].what,
			    &size, err);
		if (r < 0)
			return r;
		left = (int)size;
		for (message = (const void *)buffer; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
			struct request *request = find_request(piece, message->nlmsg_seq);

			if (!request || message->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(message) < sizeof(*error))
				continue;
			answered++;
			if (error->error != 0 && *result == 0 &&
			    !is_tolerated(request, -error->error))
				*result = say_refusal(request, message, -error->error, err);
		}
	}
	return 0;
}

int netlink_run(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
	int r = 0, result = 0;
	size_t done = 0;

	while (r == 0 && done < batch->count) {
		const struct piece piece = piece_from(batch, done);

		r = send_requests(netlink, &piece, NLM_F_ACK, err);
		if (r == 0)
			r = await_answers(netlink, &piece, &result, err);
		done += piece.count;
	}
	batch->count = 0;
	return r < 0 ? r : result;
}

int netlink_finish(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
	int r = netlink_run(netlink, batch, err);

	netlink_batch_free(batch);
	return r;
}

struct reading {
	int (*row)(const struct nlmsghdr *message, void *data);
	void *data;
	struct request *request;
	struct error *err;
	int row_result;
	bool interrupted;
	bool done;
	int result;
};

static void read_answer(struct reading *reading, const struct nlmsghdr *message, bool dump)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		reading->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE) {
		int code = 0;

		if (mnl_nlmsg_get_payload_len(message) >= sizeof(code))
			memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
		if (code < 0)
			reading->result =
				error_set(reading->err, -code, "%s", reading->request->what);
		reading->done = true;
	} else if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

		if (error->error != 0)
			reading->result =
				say_refusal(reading->request, message, -error->error, reading->err);
		reading->done = true;
	} else {
		if (reading->row_result == 0) {
			int r = reading->row(message, reading->data);

			reading->row_result = r < 0 ? r : 0;
		}
		/* A dump says when it ends; a single question has a single answer. */
		if (!dump)
			reading->done = true;
	}
}

static int read_once(struct netlink *netlink, struct netlink_batch *query, struct reading *reading,
		     char *buffer)
{
	bool dump = (request_header(query, 0)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int r = send_requests(netlink, &(struct piece){ query, 0, 1 }, 0, reading->err);

	if (r < 0)
		return r;
	while (!reading->done) {
		const struct nlmsghdr *message;
		size_t size = 0;
		int left;

		r = receive(netlink, buffer, reading->request->what, &size, reading->err);
		if (r < 0)
			return r;
		left = (int)size;
		for (message = (const void *)buffer; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left))
			if (message->nlmsg_seq == reading->request->sequence)
				read_answer(reading, message, dump);
	}
	return 0;
}

int netlink_query(struct netlink *netlink, struct netlink_batch *query,
		  int (*row)(const struct nlmsghdr *message, void *data),
		  void (*restart)(void *data), void *data, struct error *err)
{
	_cleanup_free_ char *buffer = xmalloc(ANSWER_SIZE);
	int r = 0;

	for (int try = 0; try < DUMP_TRIES; try++) {
		struct reading reading = {
			.row = row,
			.data = data,
			.request = &query->requests[0],
			.err = err,
		};

		if (restart)
			restart(data);
		r = read_once(netlink, query, &reading, buffer);
		if (r == 0)
			r = reading.result != 0 ? reading.result : reading.row_result;
		if (r < 0 || !reading.interrupted)
			break;
		/* A list that goes on changing is better read as it was last seen than not at all.
		 */
	}
	query->count = 0;
	return r;
}

static int open_listener_here(void *data, struct error *err)
{
	struct mnl_socket **ret = data;
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int code;

	if (!sock)
		return error_set(err, errno, "open a netlink socket");
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) == 0) {
		*ret = sock;
		return 0;
	}
	code = errno;
	mnl_socket_close(sock);
	return error_set(err, code, "bind a netlink socket");
}

/*
 * A socket of its own, where the other one is: when a thousand links go at once their notifications
 * fill it, and an answer that found no room would be waited for without end.
 */
static int open_listener(struct netlink *netlink, struct error *err)
{
	_cleanup_close_ int netns = -1;

	if (netlink->listener)
		return 0;
	netns = ioctl(mnl_socket_get_fd(netlink->socket), SIOCGSKNS);
	if (netns < 0)
		return error_set(err, errno, "find the namespace of a netlink socket");
	return netns_run(netns, open_listener_here, &netlink->listener, err);
}

int netlink_listen(struct netlink *netlink, unsigned int group, bool on, struct error *err)
{
	int r = open_listener(netlink, err);

	if (r < 0)
		return r;
	if (mnl_socket_setsockopt(netlink->listener,
				  on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return error_set(err, errno, "subscribe to netlink group %u", group);
	return 0;
}

void netlink_await(struct netlink *netlink, int64_t timeout_ms)
{
	_cleanup_free_ char *buffer = xmalloc(ANSWER_SIZE);
	int fd = mnl_socket_get_fd(netlink->listener);
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (poll(&wait, 1, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms) <= 0)
		return;
	/* What overflowed is no matter: who listens looks for himself. */
	while (recv(fd, buffer, ANSWER_SIZE, MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
}
