/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/service_connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "wire/reader.h"

#define LISTENER_LIMIT 1000

/* Ports that are taken, one bit each. */
struct ports {
	unsigned char taken[(UINT16_MAX + 1) / 8];
};

/* Absent is allowed (*ret stays 0); else 1 to 65535, or 0 where the agent picks; none twice. */
static int read_port(const struct json_at *at, const char *name, bool zero_allowed,
		     struct ports *ports, uint16_t *ret, struct error *err)
{
	struct json_at member = json_member(at, name, JSON_ANY_CASE);
	int64_t port = 0;
	int result;

	if (!json_present(&member))
		return 0;
	result = read_i64(at, name, zero_allowed ? 0 : 1, UINT16_MAX, &port, err);
	if (result < 0 || port == 0)
		return result;
	if (ports->taken[port / 8] & (1U << (port % 8)))
		return json_fail(&member, err, "port %lld is there twice", (long long)port);
	ports->taken[port / 8] |= (unsigned char)(1U << (port % 8));
	*ret = (uint16_t)port;
	return 0;
}

static bool is_cidr(int family, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	const char *slash = strchr(text, '/');
	int64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	return inet_pton(family, address, binary) == 1 &&
	       number_parse_i64(slash + 1, 0, family == AF_INET ? 32 : 128, &prefix, NULL) == 0;
}

static int read_ingress_item(const struct json_at *item, const struct task_spec *task,
			     struct ports *ports, struct ports *host_ports, struct arena *arena,
			     struct service_connect_ingress *ret, struct error *err)
{
	int result = read_is_object(item, err);

	if (result == 0)
		result = read_text(item, "listenerName", arena, &ret->listener, err);
	if (result == 0)
		result = read_port(item, "listenerPort", true, ports, &ret->listener_port, err);
	if (result == 0)
		result = read_port(item, "interceptPort", false, ports, &ret->intercept_port, err);
	if (result == 0 && task->network_mode == NETWORK_MODE_BRIDGE)
		result = read_port(item, "hostPort", true, host_ports, &ret->host_port, err);
	return result;
}

static int read_ingress(const struct json_at *config, const struct task_spec *task,
			struct ports *ports, struct arena *arena, struct service_connect_spec *ret,
			struct error *err)
{
	struct json_at list = { .value = NULL };
	/* The host's ports are a space of their own. */
	struct ports host_ports = { .taken = { 0 } };
	struct service_connect_ingress *items;
	int result = read_list(config, "ingressConfig", LISTENER_LIMIT, &list, err);

	if (result < 0)
		return result;
	if (json_count(&list) > 0 && task->network_mode != NETWORK_MODE_BRIDGE &&
	    task->network_mode != NETWORK_MODE_AWSVPC)
		return json_fail(&list, err, "needs network mode bridge or awsvpc, the task has %s",
				 task->network_mode_name);
	items = arena_calloc(arena, json_count(&list), sizeof(*items));
	ret->ingress = items;
	ret->ingress_count = json_count(&list);
	for (size_t i = 0; result == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_ingress_item(&item, task, ports, &host_ports, arena, &items[i], err);
	}
	return result;
}

static int read_egress(const struct json_at *config, struct ports *ports, struct arena *arena,
		       struct service_connect_spec *ret, struct error *err)
{
	struct json_at egress = { .value = NULL };
	struct json_at vip = { .value = NULL };
	int result = read_object(config, "egressConfig", &egress, err);

	if (result < 0 || !json_present(&egress))
		return result;
	result = read_text(&egress, "listenerName", arena, &ret->egress_listener, err);
	if (result == 0)
		result = read_port(&egress, "listenerPort", true, ports, &ret->egress_port, err);
	if (result == 0)
		result = read_object(&egress, "vip", &vip, err);
	if (result < 0)
		return result;
	if (!ret->egress_listener)
		return json_fail(&egress, err, "listenerName is missing");
	if (!json_present(&vip))
		return json_fail(&egress, err, "vip is missing");
	result = read_text(&vip, "ipv4Cidr", arena, &ret->virtual_ipv4, err);
	if (result == 0)
		result = read_text(&vip, "ipv6Cidr", arena, &ret->virtual_ipv6, err);
	if (result < 0)
		return result;
	if (!ret->virtual_ipv4 && !ret->virtual_ipv6)
		return json_fail(&vip, err, "has neither ipv4Cidr nor ipv6Cidr");
	if (ret->virtual_ipv4 && !is_cidr(AF_INET, ret->virtual_ipv4))
		return json_fail(&vip, err, "ipv4Cidr: \"%s\" is no IPv4 network",
				 ret->virtual_ipv4);
	if (ret->virtual_ipv6 && !is_cidr(AF_INET6, ret->virtual_ipv6))
		return json_fail(&vip, err, "ipv6Cidr: \"%s\" is no IPv6 network",
				 ret->virtual_ipv6);
	return 0;
}

static int read_name(const struct json_at *item, struct arena *arena,
		     struct service_connect_name *ret, struct error *err)
{
	unsigned char binary[16];
	int result = read_is_object(item, err);

	if (result == 0)
		result = read_text(item, "hostName", arena, &ret->host, err);
	if (result == 0)
		result = read_text(item, "address", arena, &ret->address, err);
	if (result < 0)
		return result;
	if (!ret->host)
		return json_fail(item, err, "hostName is missing");
	/* It becomes a line of a file. */
	if (strpbrk(ret->host, " \t\r\n#"))
		return json_fail(item, err, "hostName: \"%s\" is no name", ret->host);
	if (!ret->address || (inet_pton(AF_INET, ret->address, binary) != 1 &&
			      inet_pton(AF_INET6, ret->address, binary) != 1))
		return json_fail(item, err, "address: \"%s\" is no IP address",
				 ret->address ? ret->address : "");
	return 0;
}

static int read_names(const struct json_at *config, struct arena *arena,
		      struct service_connect_spec *ret, struct error *err)
{
	struct json_at list = { .value = NULL };
	struct service_connect_name *items;
	int result = read_list(config, "dnsConfig", LISTENER_LIMIT, &list, err);

	if (result < 0)
		return result;
	items = arena_calloc(arena, json_count(&list), sizeof(*items));
	ret->names = items;
	ret->name_count = json_count(&list);
	for (size_t i = 0; result == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		result = read_name(&item, arena, &items[i], err);
	}
	return result;
}

static int read_config(const char *text, const struct task_spec *task, struct arena *arena,
		       struct service_connect_spec *ret, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	struct ports ports = { .taken = { 0 } };
	struct json_at root = { .value = NULL };
	int result = json_parse(text, strlen(text), NULL, &value, err);

	if (result < 0)
		return result;
	root = json_root(value);
	result = read_is_object(&root, err);
	if (result == 0)
		result = read_ingress(&root, task, &ports, arena, ret, err);
	if (result == 0)
		result = read_egress(&root, &ports, arena, ret, err);
	if (result == 0)
		result = read_names(&root, arena, ret, err);
	if (result == 0 && ret->ingress_count == 0 && !ret->egress_listener)
		result = json_fail(&root, err, "has neither ingressConfig nor egressConfig");
	return result;
}

int service_connect_decode(const struct task_attachment *attachment, const struct task_spec *task,
			   struct arena *arena, const struct service_connect_spec **ret,
			   struct error *err)
{
	const char *config = text_map_get(&attachment->properties, "ServiceConnectConfig");
	const char *container = text_map_get(&attachment->properties, "ContainerName");
	struct service_connect_spec *spec = arena_calloc(arena, 1, sizeof(*spec));
	int result;

	if (!config || !config[0])
		return error_say(err, EINVAL,
				 "service connect: the attachment has no ServiceConnectConfig");
	if (!container || !container[0])
		return error_say(err, EINVAL,
				 "service connect: the attachment has no ContainerName");
	if (!task_spec_container(task, container))
		return error_say(err, EINVAL,
				 "service connect: the task has no container named \"%s\"",
				 container);
	spec->container = container;
	result = read_config(config, task, arena, spec, err);
	if (result < 0)
		error_prefix(err, "service connect: ServiceConnectConfig");
	else
		*ret = spec;
	return result;
}
