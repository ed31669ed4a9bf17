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

/* Absent is allowed (*ret_given says); else 1 to 65535, or 0 where the agent picks; none twice. */
static int read_port(const struct json_at *at, const char *name, bool zero_allowed,
		     struct ports *ports, struct error *err)
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

static int check_ingress(const struct json_at *config, const struct task_spec *task,
			 struct ports *ports, struct arena *arena, size_t *ret_count,
			 struct error *err)
{
	struct json_at list = { .value = NULL };
	int result = read_list(config, "ingressConfig", LISTENER_LIMIT, &list, err);

	if (result < 0)
		return result;
	*ret_count = json_count(&list);
	if (json_count(&list) > 0 && task->network_mode != NETWORK_MODE_BRIDGE &&
	    task->network_mode != NETWORK_MODE_AWSVPC)
		return json_fail(&list, err, "needs network mode bridge or awsvpc, the task has %s",
				 task->network_mode_name);
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		const char *name = NULL;

		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "listenerName", arena, &name, err);
		if (result == 0)
			result = read_port(&item, "listenerPort", true, ports, err);
		if (result == 0)
			result = read_port(&item, "interceptPort", false, ports, err);
		if (result < 0)
			return result;
		if (task->network_mode == NETWORK_MODE_BRIDGE) {
			/* The host's ports are a space of their own. */
			struct ports host_ports = { .taken = { 0 } };

			result = read_port(&item, "hostPort", true, &host_ports, err);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static int check_egress(const struct json_at *config, struct ports *ports, struct arena *arena,
			bool *ret_given, struct error *err)
{
	struct json_at egress = { .value = NULL };
	struct json_at vip = { .value = NULL };
	const char *name = NULL;
	const char *ipv4 = NULL;
	const char *ipv6 = NULL;
	int result = read_object(config, "egressConfig", &egress, err);

	*ret_given = result == 0 && json_present(&egress);
	if (!*ret_given)
		return result;
	result = read_text(&egress, "listenerName", arena, &name, err);
	if (result == 0)
		result = read_port(&egress, "listenerPort", true, ports, err);
	if (result == 0)
		result = read_object(&egress, "vip", &vip, err);
	if (result < 0)
		return result;
	if (!name)
		return json_fail(&egress, err, "listenerName is missing");
	if (!json_present(&vip))
		return json_fail(&egress, err, "vip is missing");
	result = read_text(&vip, "ipv4Cidr", arena, &ipv4, err);
	if (result == 0)
		result = read_text(&vip, "ipv6Cidr", arena, &ipv6, err);
	if (result < 0)
		return result;
	if (!ipv4 && !ipv6)
		return json_fail(&vip, err, "has neither ipv4Cidr nor ipv6Cidr");
	if (ipv4 && !is_cidr(AF_INET, ipv4))
		return json_fail(&vip, err, "ipv4Cidr: \"%s\" is no IPv4 network", ipv4);
	if (ipv6 && !is_cidr(AF_INET6, ipv6))
		return json_fail(&vip, err, "ipv6Cidr: \"%s\" is no IPv6 network", ipv6);
	return 0;
}

static int check_dns(const struct json_at *config, struct arena *arena, struct error *err)
{
	struct json_at list = { .value = NULL };
	int result = read_list(config, "dnsConfig", LISTENER_LIMIT, &list, err);

	for (size_t i = 0; result == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		const char *host = NULL;
		const char *address = NULL;
		unsigned char binary[16];

		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "hostName", arena, &host, err);
		if (result == 0)
			result = read_text(&item, "address", arena, &address, err);
		if (result < 0)
			return result;
		if (!host)
			return json_fail(&item, err, "hostName is missing");
		if (!address || (inet_pton(AF_INET, address, binary) != 1 &&
				 inet_pton(AF_INET6, address, binary) != 1))
			return json_fail(&item, err, "address: \"%s\" is no IP address",
					 address ? address : "");
	}
	return result;
}

static int check_config(const char *text, const struct task_spec *task, struct error *err)
{
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	_cleanup_json_ json_t *value = NULL;
	struct ports ports = { .taken = { 0 } };
	struct json_at root = { .value = NULL };
	size_t ingress_count = 0;
	bool has_egress = false;
	int result = json_parse(text, strlen(text), NULL, &value, err);

	if (result < 0)
		return result;
	root = json_root(value);
	result = read_is_object(&root, err);
	if (result == 0)
		result = check_ingress(&root, task, &ports, arena, &ingress_count, err);
	if (result == 0)
		result = check_egress(&root, &ports, arena, &has_egress, err);
	if (result == 0)
		result = check_dns(&root, arena, err);
	if (result == 0 && ingress_count == 0 && !has_egress)
		result = json_fail(&root, err, "has neither ingressConfig nor egressConfig");
	return result;
}

int service_connect_check(const struct task_attachment *attachment, const struct task_spec *task,
			  struct error *err)
{
	const char *config = text_map_get(&attachment->properties, "ServiceConnectConfig");
	const char *container = text_map_get(&attachment->properties, "ContainerName");
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
	result = check_config(config, task, err);
	if (result < 0)
		error_prefix(err, "service connect: ServiceConnectConfig");
	return result;
}
