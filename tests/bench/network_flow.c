/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "netns/namespace.h"

#define PORT  5201
#define CHUNK ((size_t)128 * 1024)

struct connecting {
	struct sockaddr_in to;
	int fd;
};

static int connect_inside(void *data, struct error *err)
{
	struct connecting *connecting = data;
	const int yes = 1;

	(void)err;
	connecting->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(connecting->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(connecting->fd, (struct sockaddr *)&connecting->to, sizeof(connecting->to)) < 0)
		bench_fail("connect");
	return 0;
}

/* Sockets stay in the namespace where they were made, whoever uses them. */
static void connect_both(int from_netns, int to_netns, const char *address, int fds[2])
{
	struct connecting connecting = { .to = { .sin_family = AF_INET, .sin_port = htons(PORT) } };
	struct pollfd wait = { .events = POLLIN };
	const int yes = 1;
	struct ip_address ip;
	int listener = -1;

	if (ip_parse(address, &ip, NULL) < 0 ||
	    netns_listen_tcp(to_netns, &ip, PORT, &listener, NULL) < 0)
		bench_fail("listen");
	memcpy(&connecting.to.sin_addr, ip.bytes, 4);
	if (netns_run(from_netns, connect_inside, &connecting, NULL) < 0)
		bench_fail("connect");
	wait.fd = listener;
	poll(&wait, 1, 5000);
	fds[0] = connecting.fd;
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0)
		bench_fail("accept");
	setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	close(listener);
}

/* Reads until its end, and tells how much it was. */
static void *drain(void *data)
{
	const int *fd = data;
	size_t *total = calloc(1, sizeof(*total));
	char *buffer = malloc(CHUNK);
	ssize_t got;

	while ((got = read(*fd, buffer, CHUNK)) > 0)
		*total += (size_t)got;
	free(buffer);
	return total;
}

static double stream(int fds[2], int64_t stream_ms)
{
	char *buffer = calloc(1, CHUNK);
	int64_t began_ns = clock_monotonic_ns(), took_ns;
	pthread_t thread;
	size_t *total;
	void *result;
	double rate;

	if (pthread_create(&thread, NULL, drain, &fds[1]) != 0)
		bench_fail("thread");
	while (clock_monotonic_ns() - began_ns < stream_ms * 1000000)
		if (write(fds[0], buffer, CHUNK) < 0)
			bench_fail("write");
	shutdown(fds[0], SHUT_WR);
	pthread_join(thread, &result);
	took_ns = clock_monotonic_ns() - began_ns;
	total = result;
	rate = (double)*total * 8 / (double)took_ns;
	free(total);
	free(buffer);
	return rate;
}

static void *echo(void *data)
{
	const int *fd = data;
	char byte;

	while (read(*fd, &byte, 1) == 1)
		if (write(*fd, &byte, 1) != 1)
			bench_fail("write");
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const int64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static double round_trip(int fds[2], int count)
{
	int middle;
	int64_t *took_ns = calloc((size_t)count, sizeof(*took_ns)), began_ns;
	pthread_t thread;
	double median;
	char byte = 0;

	if (pthread_create(&thread, NULL, echo, &fds[1]) != 0)
		bench_fail("thread");
	for (int i = 0; i < count; i++) {
		began_ns = clock_monotonic_ns();
		if (write(fds[0], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1)
			bench_fail("round trip");
		took_ns[i] = clock_monotonic_ns() - began_ns;
	}
	shutdown(fds[0], SHUT_WR);
	pthread_join(thread, NULL);
	qsort(took_ns, (size_t)count, sizeof(*took_ns), compare);
	middle = count / 2;
	median = (double)took_ns[middle] / 1000;
	free(took_ns);
	return median;
}

struct flow flow_measure(int from_netns, int to_netns, const char *address, int64_t stream_ms,
			 int round_trips)
{
	struct flow flow;
	int fds[2];

	connect_both(from_netns, to_netns, address, fds);
	flow.rtt_us = round_trip(fds, round_trips);
	close(fds[0]);
	close(fds[1]);
	connect_both(from_netns, to_netns, address, fds);
	flow.gbit_per_s = stream(fds, stream_ms);
	close(fds[0]);
	close(fds[1]);
	return flow;
}
