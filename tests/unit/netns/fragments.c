/* SPDX-License-Identifier: Apache-2.0 */
#include "fragments.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "firewall_place.h"
#include "netns/ip.h"
#include "netns/namespace.h"

#define PROTOCOL       253
#define IDENTIFICATION 7
#define PART           16 /* bytes of each fragment */

struct packet {
	const char *source, *destination;
	int part;
	char letter;
	unsigned char bytes[128];
	size_t size;
};

static struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_int_equal(ip_parse(text, &address, NULL), 0);
	return address;
}

/* The kernel fills in the checksum. */
static void build4(struct packet *packet)
{
	const struct ip_address from = address_of(packet->source),
				to = address_of(packet->destination);
	struct iphdr ip = { .ihl = 5,
			    .version = 4,
			    .id = htons(IDENTIFICATION),
			    .frag_off = htons(packet->part ? PART / 8 : IP_MF),
			    .ttl = 9,
			    .protocol = PROTOCOL,
			    .tot_len = htons(sizeof(ip) + PART) };

	memcpy(&ip.saddr, from.bytes, 4);
	memcpy(&ip.daddr, to.bytes, 4);
	memcpy(packet->bytes, &ip, sizeof(ip));
	packet->size = sizeof(ip);
}

static void build6(struct packet *packet)
{
	const struct ip_address from = address_of(packet->source),
				to = address_of(packet->destination);
	struct ip6_hdr ip = { .ip6_hlim = 9, .ip6_nxt = IPPROTO_FRAGMENT };
	struct ip6_frag part = { .ip6f_nxt = PROTOCOL,
				 .ip6f_ident = htonl(IDENTIFICATION),
				 .ip6f_offlg = packet->part ? htons(PART) : IP6F_MORE_FRAG };

	ip.ip6_vfc = 6 << 4;
	ip.ip6_plen = htons(sizeof(part) + PART);
	memcpy(&ip.ip6_src, from.bytes, 16);
	memcpy(&ip.ip6_dst, to.bytes, 16);
	memcpy(packet->bytes, &ip, sizeof(ip));
	memcpy(packet->bytes + sizeof(ip), &part, sizeof(part));
	packet->size = sizeof(ip) + sizeof(part);
}

static int send_packet(void *data, struct error *err)
{
	const struct packet *packet = data;
	const struct ip_address to = address_of(packet->destination);
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v6 = to.family == AF_INET6;
	int fd = socket(to.family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	(void)err;
	memcpy(is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr, to.bytes, ip_size(&to));
	assert_int_equal(sendto(fd, packet->bytes, packet->size, 0,
				is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
				is_v6 ? sizeof(v6) : sizeof(v4)),
			 packet->size);
	close(fd);
	return 0;
}

void fragments_send(int netns, const char *source, const char *to, int part, char letter)
{
	struct packet packet = { source, to, part, letter, { 0 }, 0 };

	if (strchr(source, ':'))
		build6(&packet);
	else
		build4(&packet);
	memset(packet.bytes + packet.size, letter, PART);
	packet.size += PART;
	assert_int_equal(netns_run(netns, send_packet, &packet, NULL), 0);
}

struct opening {
	int family, fd;
};

static int open_receiver(void *data, struct error *err)
{
	struct opening *opening = data;
	struct timeval wait = { .tv_usec = PLACE_TIMEOUT_MS * 1000L };

	(void)err;
	opening->fd = socket(opening->family, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL);
	assert_int_equal(setsockopt(opening->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return 0;
}

int fragments_open(int netns, int family)
{
	struct opening opening = { family, -1 };

	assert_int_equal(netns_run(netns, open_receiver, &opening, NULL), 0);
	return opening.fd;
}

char *fragments_receive(int fd, int family)
{
	char bytes[128];
	ssize_t size = recv(fd, bytes, sizeof(bytes), 0), at = family == AF_INET ? 20 : 0;

	return size < at ? xstrdup("") : xasprintf("%.*s", (int)(size - at), bytes + at);
}
