/* SPDX-License-Identifier: Apache-2.0 */
/* Ports, links and names on the network. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

#define PORT_MAX             65535
#define PORT_MAPPINGS_MAX    100
#define PORT_NAME_LENGTH_MAX 64

struct port_range {
	int64_t first, last;
};

/* "8000-8010" with first < last. */
static int parse_range(const char *text, struct port_range *ret_range)
{
	const char *dash = strchr(text, '-');
	_cleanup_free_ char *first = NULL;
	struct port_range range;

	if (!dash)
		return -EINVAL;
	first = xstrndup(text, (size_t)(dash - text));
	if (number_parse_i64(first, 1, PORT_MAX, &range.first, NULL) < 0 ||
	    number_parse_i64(dash + 1, 1, PORT_MAX, &range.last, NULL) < 0 ||
	    range.first >= range.last)
		return -EINVAL;
	*ret_range = range;
	return 0;
}

static int check_range(struct api_call *call, const char *mode, const char *name,
		       const json_t *mapping)
{
	const char *text = member_string(mapping, "containerPortRange");
	struct port_range range;

	if (!str_eq(mode, "bridge") && !str_eq(mode, "awsvpc"))
		return api_error(call, API_CLIENT,
				 "Container '%s': containerPortRange is not supported when "
				 "networkMode=%s.",
				 name, mode);
	if (member_has(mapping, "containerPort") || member_has(mapping, "hostPort"))
		return api_error(call, API_CLIENT,
				 "Container '%s': containerPort and hostPort can not be specified "
				 "together with containerPortRange.",
				 name);
	if (parse_range(text, &range) < 0)
		return api_error(call, API_CLIENT,
				 "Invalid 'containerPortRange' setting for container '%s': '%s' is "
				 "not a range such as 8000-8010.",
				 name, text);
	return 0;
}

static int check_single_port(struct api_call *call, const char *mode, const char *name,
			     const json_t *mapping)
{
	int64_t container_port = member_integer(mapping, "containerPort", 0);
	int64_t host_port = member_integer(mapping, "hostPort", 0);

	if (container_port < 1 || container_port > PORT_MAX)
		return api_error(call, API_CLIENT,
				 "Invalid 'containerPort' setting for container '%s'.", name);
	if (host_port < 0 || host_port > PORT_MAX)
		return api_error(call, API_CLIENT, "Invalid 'hostPort' setting for container '%s'.",
				 name);
	if ((str_eq(mode, "awsvpc") || str_eq(mode, "host")) && host_port != 0 &&
	    host_port != container_port)
		return api_error(call, API_CLIENT,
				 "When networkMode=%s, the host ports and container ports in port "
				 "mappings must match.",
				 mode);
	return 0;
}

static bool is_port_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return length > 0 && length <= PORT_NAME_LENGTH_MAX && name[length] == '\0' &&
	       name[0] != '-';
}

static int check_mapping(struct api_call *call, const char *mode, const char *name,
			 const json_t *mapping)
{
	static const char *const protocols[] = { "tcp", "udp", NULL };
	static const char *const applications[] = { "http", "http2", "grpc", NULL };
	const char *protocol = member_string(mapping, "protocol");
	const char *application = member_string(mapping, "appProtocol");
	const char *port_name = member_string(mapping, "name");
	int r;

	if (member_has(mapping, "containerPortRange"))
		r = check_range(call, mode, name, mapping);
	else
		r = check_single_port(call, mode, name, mapping);
	if (r < 0)
		return r;
	if (protocol && api_check_enum(call, API_CLIENT, "protocol", protocol, protocols) < 0)
		return -EINVAL;
	if (application &&
	    api_check_enum(call, API_CLIENT, "appProtocol", application, applications) < 0)
		return -EINVAL;
	if (port_name && !is_port_name(port_name))
		return api_error(call, API_CLIENT,
				 "Container '%s': port name '%s' is invalid: up to %d lower-case "
				 "letters, numbers, hyphens and underscores are allowed, and it "
				 "can not start with a hyphen.",
				 name, port_name, PORT_NAME_LENGTH_MAX);
	return 0;
}

static int check_links(struct api_call *call, const json_t *definition, const json_t *container)
{
	const char *mode = definition_network_mode(definition);
	const json_t *links = member_list(container, "links");
	const char *name = member_string(container, "name");
	size_t i;
	json_t *link;

	if (json_array_size(links) > 0 && !str_eq(mode, "bridge"))
		return api_error(call, API_CLIENT, "Links are not supported when networkMode=%s.",
				 mode);
	json_array_foreach (links, i, link) {
		const char *text = json_string_value(link);
		_cleanup_free_ char *target = xstrndup(text, strcspn(text, ":"));

		if (!definition_container(definition, target) || str_eq(target, name))
			return api_error(
				call, API_CLIENT,
				"Container '%s': link '%s' does not name another container "
				"of the task definition.",
				name, text);
	}
	return 0;
}

static int check_host_names(struct api_call *call, const json_t *definition,
			    const json_t *container)
{
	static const char *const lists[] = { "dnsServers", "dnsSearchDomains", "extraHosts" };
	size_t i;
	json_t *entry;

	if (definition_is_awsvpc(definition)) {
		if (!str_is_empty(member_string(container, "hostname")))
			return api_error(
				call, API_CLIENT,
				"hostname is not supported on container when networkMode=awsvpc.");
		for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			if (json_array_size(member_list(container, lists[i])) > 0)
				return api_error(call, API_CLIENT,
						 "%s is not supported on container when "
						 "networkMode=awsvpc.",
						 lists[i]);
	}
	json_array_foreach (member_list(container, "extraHosts"), i, entry)
		if (str_is_empty(member_string(entry, "hostname")) ||
		    str_is_empty(member_string(entry, "ipAddress")))
			return api_error(call, API_CLIENT,
					 "Container '%s': hostname and ipAddress of extraHosts can "
					 "not be blank.",
					 member_string(container, "name"));
	return 0;
}

int container_network_check(struct api_call *call, const json_t *definition,
			    const json_t *container)
{
	const char *mode = definition_network_mode(definition);
	const char *name = member_string(container, "name");
	const json_t *mappings = member_list(container, "portMappings");
	size_t i;
	json_t *mapping;

	if (json_array_size(mappings) > 0 && str_eq(mode, "none"))
		return api_error(call, API_CLIENT,
				 "Port mappings are not supported when networkMode=none.");
	if (json_array_size(mappings) > PORT_MAPPINGS_MAX)
		return api_error(call, API_CLIENT, "portMappings can have at most %d items.",
				 PORT_MAPPINGS_MAX);
	json_array_foreach (mappings, i, mapping) {
		if (check_mapping(call, mode, name, mapping) < 0)
			return -EINVAL;
	}
	if (check_links(call, definition, container) < 0)
		return -EINVAL;
	return check_host_names(call, definition, container);
}

/* One mapped port or range of the task, to be compared with all others. */
struct used_ports {
	struct port_range range;
	const char *protocol;
	const json_t *container;
	bool is_range;
};

/* Which ports of the host a mapping takes for certain; false: none (0, or dynamic). */
static bool ports_taken(const char *mode, const json_t *container, const json_t *mapping,
			struct used_ports *ret_used)
{
	const char *protocol = member_string(mapping, "protocol");
	const char *text = member_string(mapping, "containerPortRange");
	int64_t port = member_integer(mapping, "hostPort", 0);

	*ret_used = (struct used_ports){
		.protocol = protocol ? protocol : "tcp",
		.container = container,
		.is_range = text,
	};
	if (text)
		return parse_range(text, &ret_used->range) == 0;
	if (!str_eq(mode, "bridge"))
		port = member_integer(mapping, "containerPort", 0);
	ret_used->range = (struct port_range){ port, port };
	return port != 0;
}

static bool overlap(const struct used_ports *a, const struct used_ports *b, const char *mode)
{
	/* The ranges of bridge containers are of the container; which host ports they get is open.
	 */
	if (str_eq(mode, "bridge") && (a->is_range || b->is_range) &&
	    (a->container != b->container || !a->is_range || !b->is_range))
		return false;
	return str_eq(a->protocol, b->protocol) && a->range.first <= b->range.last &&
	       b->range.first <= a->range.last;
}

static int port_conflict(struct api_call *call, const struct used_ports *used)
{
	const char *protocol = str_eq(used->protocol, "udp") ? "UDP" : "TCP";

	if (used->is_range)
		return api_error(call, API_CLIENT,
				 "%s port range '%" PRId64 "-%" PRId64
				 "' overlaps with another port mapping in task.",
				 protocol, used->range.first, used->range.last);
	return api_error(call, API_CLIENT,
			 "%s host port '%" PRId64 "' is mapped multiple times in task.", protocol,
			 used->range.first);
}

static int check_port_names(struct api_call *call, const json_t *definition)
{
	_cleanup_json_ json_t *names = json_object();
	size_t i, j;
	json_t *container, *mapping;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container) {
		json_array_foreach (member_list(container, "portMappings"), j, mapping) {
			const char *name = member_string(mapping, "name");

			if (!name)
				continue;
			if (json_object_get(names, name))
				return api_error(call, API_CLIENT,
						 "Port mapping name '%s' is used multiple times in "
						 "task.",
						 name);
			json_object_set_new(names, name, json_true());
		}
	}
	return 0;
}

int ports_check(struct api_call *call, const json_t *definition)
{
	const char *mode = definition_network_mode(definition);
	_cleanup_free_ struct used_ports *all =
		xcalloc((size_t)TASK_DEFINITION_CONTAINERS_MAX * PORT_MAPPINGS_MAX, sizeof(*all));
	size_t count = 0;
	size_t i, j;
	json_t *container, *mapping;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container) {
		json_array_foreach (member_list(container, "portMappings"), j, mapping) {
			if (!ports_taken(mode, container, mapping, &all[count]))
				continue;
			for (size_t before = 0; before < count; before++)
				if (overlap(&all[before], &all[count], mode))
					return port_conflict(call, &all[count]);
			count++;
		}
	}
	return check_port_names(call, definition);
}
