/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "netns/sysctl.h"

#define LOCAL_PORT_RANGE "net/ipv4/ip_local_port_range"
#define FIRST_DYNAMIC    49153 /* where the kernel does not say */
#define LAST_DYNAMIC     65535

#define PORT_WORDS 1024 /* of 64 ports */

struct ports {
	uint64_t reserved_tcp[PORT_WORDS], reserved_udp[PORT_WORDS];
	uint16_t first, last;
	uint16_t given; /* the last one that was chosen: an old one is not soon another's */
};

static void read_local_range(struct ports *ports)
{
	_cleanup_free_ char *text = NULL;
	uint64_t first, last;
	char *second;

	ports->first = FIRST_DYNAMIC;
	ports->last = LAST_DYNAMIC;
	if (sysctl_get(LOCAL_PORT_RANGE, &text, NULL) < 0)
		return;
	/* "32768\t60999" */
	second = strchr(text, '\t');
	if (!second)
		return;
	*second++ = '\0';
	if (number_parse_u64(text, 1, UINT16_MAX, &first, NULL) < 0 ||
	    number_parse_u64(second, first, UINT16_MAX, &last, NULL) < 0)
		return;
	ports->first = (uint16_t)first;
	ports->last = (uint16_t)last;
}

struct ports *ports_new(uint16_t first, uint16_t last)
{
	struct ports *ports = xcalloc(1, sizeof(*ports));

	ports->first = first;
	ports->last = last;
	if (first == 0)
		read_local_range(ports);
	ports->given = (uint16_t)(ports->first - 1);
	return ports;
}

static uint64_t *reserved_of(struct ports *ports, enum transport_protocol protocol)
{
	return protocol == TRANSPORT_UDP ? ports->reserved_udp : ports->reserved_tcp;
}

void ports_reserve(struct ports *ports, enum transport_protocol protocol, const uint16_t *reserved,
		   size_t count)
{
	uint64_t *set = reserved_of(ports, protocol);

	for (size_t i = 0; i < count; i++)
		set[reserved[i] / 64] |= UINT64_C(1) << (reserved[i] % 64);
}

static bool is_reserved(const uint64_t *set, unsigned port)
{
	return set[port / 64] >> (port % 64) & 1;
}

void ports_free(struct ports *ports)
{
	free(ports);
}

static int bind_any(int family, int type, uint16_t port)
{
	const struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr *address = family == AF_INET6 ? (const struct sockaddr *)&any6
							    : (const struct sockaddr *)&any4;
	socklen_t size = family == AF_INET6 ? sizeof(any6) : sizeof(any4);
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
	int off = 0;

	if (fd < 0)
		return -errno;
	/* Both families: a mapping is for the host's addresses of either. */
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, address, size) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int bind_port(enum transport_protocol protocol, uint16_t port)
{
	int type = protocol == TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = bind_any(AF_INET6, type, port);

	/* A host without IPv6. */
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL || fd == -EOPNOTSUPP)
		fd = bind_any(AF_INET, type, port);
	return fd;
}

static void hold(struct held_ports *held, int fd)
{
	held->fds = xreallocarray(held->fds, held->count + 1, sizeof(*held->fds));
	held->fds[held->count++] = fd;
}

void ports_release(struct held_ports *held)
{
	for (size_t i = 0; i < held->count; i++)
		close(held->fds[i]);
	free(held->fds);
	*held = (struct held_ports){ 0 };
}

/* Gives up those after the first `keep`. */
static void release_after(struct held_ports *held, size_t keep)
{
	while (held->count > keep)
		close(held->fds[--held->count]);
}

/* `count` ports from `first` on; 0, or -errno of the first that is not to be had, *ret_bad. */
static int hold_block(struct held_ports *held, enum transport_protocol protocol, unsigned first,
		      unsigned count, unsigned *ret_bad)
{
	size_t before = held->count;

	for (unsigned port = first; port < first + count; port++) {
		int fd = bind_port(protocol, (uint16_t)port);

		if (fd < 0) {
			release_after(held, before);
			*ret_bad = port;
			return fd;
		}
		hold(held, fd);
	}
	return 0;
}

static int say_not_bound(int r, enum transport_protocol protocol, unsigned port, struct error *err)
{
	return error_set(err, -r, "bind %s port %u of this host", transport_protocol_name(protocol),
			 port);
}

/* The same, unless one of them is reserved. */
static int hold_unreserved(struct ports *ports, struct held_ports *held,
			   const struct port_binding *binding, unsigned first, unsigned *ret_bad)
{
	const uint64_t *reserved = reserved_of(ports, binding->protocol);

	for (unsigned port = first; port < first + binding->count; port++) {
		if (is_reserved(reserved, port)) {
			*ret_bad = port;
			return -EADDRINUSE;
		}
	}
	return hold_block(held, binding->protocol, first, binding->count, ret_bad);
}

/* From the one after the last that was given, once around. */
static int hold_dynamic(struct ports *ports, struct held_ports *held, struct port_binding *binding,
			struct error *err)
{
	unsigned size = ports->last - ports->first + 1U, at = ports->given + 1U, tried = 0;
	int r;

	while (tried <= size && binding->count <= size) {
		unsigned bad = at;

		if (at < ports->first || at + binding->count - 1 > ports->last) {
			tried += at <= ports->last ? ports->last - at + 1U : 1;
			at = ports->first;
			continue;
		}
		r = hold_unreserved(ports, held, binding, at, &bad);
		if (r == 0) {
			binding->host_port = (uint16_t)at;
			ports->given = (uint16_t)(at + binding->count - 1);
			return 0;
		}
		/* The next one would not be had either, for want of descriptors for example. */
		if (r != -EADDRINUSE && r != -EACCES)
			return say_not_bound(r, binding->protocol, bad, err);
		tried += bad + 1 - at;
		at = bad + 1;
	}
	if (binding->is_range)
		return error_say(err, EBUSY, "%u contiguous host ports are unavailable",
				 binding->count);
	return error_say(err, EBUSY, "a host port is unavailable");
}

static int hold_fixed(struct held_ports *held, const struct port_binding *binding,
		      struct error *err)
{
	unsigned bad = 0;
	int r = hold_block(held, binding->protocol, binding->host_port, binding->count, &bad);

	if (r == -EADDRINUSE)
		return error_say(err, EADDRINUSE,
				 "Bind for 0.0.0.0:%u failed: port is already allocated (%s)", bad,
				 transport_protocol_name(binding->protocol));
	return r < 0 ? say_not_bound(r, binding->protocol, bad, err) : 0;
}

static size_t count_ports(const struct container_spec *container)
{
	size_t count = 0;

	for (size_t i = 0; i < container->port_mapping_count; i++) {
		const struct port_mapping *mapping = &container->port_mappings[i];

		count += mapping->range_end > 0 ? mapping->range_end - mapping->container_port + 1U
						: 1;
	}
	return count;
}

int ports_take(struct ports *ports, const struct container_spec *container, struct held_ports *held,
	       struct port_binding **ret_bindings, size_t *ret_count, struct error *err)
{
	size_t count = container->port_mapping_count;
	_cleanup_free_ struct port_binding *bindings = xcalloc(count + 1, sizeof(*bindings));
	int r = 0;

	if (count_ports(container) > PORTS_MAX)
		return error_say(err, E2BIG,
				 "the container publishes %zu ports of the host: at most %d are "
				 "possible",
				 count_ports(container), PORTS_MAX);
	/* Fixed ones first, so that a dynamic one is never in their way. */
	for (int dynamic = 0; dynamic < 2; dynamic++) {
		for (size_t i = 0; r == 0 && i < count; i++) {
			const struct port_mapping *mapping = &container->port_mappings[i];
			struct port_binding *binding = &bindings[i];

			if ((mapping->host_port == 0) != dynamic)
				continue;
			binding->protocol = mapping->protocol;
			binding->container_port = mapping->container_port;
			binding->host_port = mapping->host_port;
			binding->is_range = mapping->range_end > 0;
			binding->count = (uint16_t)(mapping->range_end > 0
							    ? mapping->range_end -
								      mapping->container_port + 1
							    : 1);
			r = dynamic ? hold_dynamic(ports, held, binding, err)
				    : hold_fixed(held, binding, err);
		}
	}
	if (r < 0) {
		ports_release(held);
		return r;
	}
	*ret_bindings = TAKE(bindings);
	*ret_count = count;
	return 0;
}

int ports_take_again(const struct connection_state *connection, struct held_ports *held,
		     struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < connection->binding_count && r == 0; i++)
		r = hold_fixed(held, &connection->bindings[i], err);
	return r;
}
