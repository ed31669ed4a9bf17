/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "cni-plugins/result.h"

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

static void set_number(json_t *object, const char *name, int64_t number, int64_t absent)
{
	if (number != absent)
		json_object_set_new(object, name, json_integer(number));
}

static json_t *interface_to_json(const struct cni_interface *interface, enum cni_version version)
{
	json_t *object = json_object();

	set_text(object, "name", interface->name);
	set_text(object, "mac", interface->mac);
	if (version >= CNI_VERSION_1_1_0)
		set_number(object, "mtu", interface->mtu, 0);
	set_text(object, "sandbox", interface->sandbox);
	if (version >= CNI_VERSION_1_1_0) {
		set_text(object, "socketPath", interface->socket_path);
		set_text(object, "pciID", interface->pci_id);
	}
	return object;
}

static json_t *ip_to_json(const struct cni_ip *ip, enum cni_version version)
{
	json_t *object = json_object();
	char text[IP_TEXT_SIZE];

	/* Mandatory before 1.0.0, unknown since. */
	if (version < CNI_VERSION_1_0_0)
		set_text(object, "version", ip->address.address.family == AF_INET ? "4" : "6");
	set_number(object, "interface", ip->interface, CNI_ABSENT);
	set_text(object, "address", ip_prefix_format(&ip->address, text));
	if (ip->gateway.family)
		set_text(object, "gateway", ip_format(&ip->gateway, text));
	return object;
}

static json_t *route_to_json(const struct cni_route *route, enum cni_version version)
{
	json_t *object = json_object();
	char text[IP_TEXT_SIZE];

	set_text(object, "dst", ip_prefix_format(&route->destination, text));
	if (route->gateway.family)
		set_text(object, "gw", ip_format(&route->gateway, text));
	if (version >= CNI_VERSION_1_1_0) {
		set_number(object, "mtu", route->mtu, CNI_ABSENT);
		set_number(object, "advmss", route->advmss, CNI_ABSENT);
		set_number(object, "priority", route->priority, CNI_ABSENT);
		set_number(object, "table", route->table, CNI_ABSENT);
		set_number(object, "scope", route->scope, CNI_ABSENT);
	}
	return object;
}

static void set_list(json_t *object, const char *name, const struct str_list *list)
{
	json_t *array;

	if (list->count == 0)
		return;
	array = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	json_object_set_new(object, name, array);
}

static json_t *dns_to_json(const struct cni_dns *dns)
{
	json_t *object = json_object();

	set_list(object, "nameservers", &dns->nameservers);
	set_text(object, "domain", dns->domain);
	set_list(object, "search", &dns->search);
	set_list(object, "options", &dns->options);
	return object;
}

json_t *cni_result_to_json(const struct cni_result *result, enum cni_version version)
{
	json_t *object = json_object();
	json_t *array;

	set_text(object, "cniVersion", cni_version_text(version));
	if (result->interface_count > 0) {
		array = json_array();
		for (size_t i = 0; i < result->interface_count; i++)
			json_array_append_new(array,
					      interface_to_json(&result->interfaces[i], version));
		json_object_set_new(object, "interfaces", array);
	}
	if (result->ip_count > 0) {
		array = json_array();
		for (size_t i = 0; i < result->ip_count; i++)
			json_array_append_new(array, ip_to_json(&result->ips[i], version));
		json_object_set_new(object, "ips", array);
	}
	if (result->route_count > 0) {
		array = json_array();
		for (size_t i = 0; i < result->route_count; i++)
			json_array_append_new(array, route_to_json(&result->routes[i], version));
		json_object_set_new(object, "routes", array);
	}
	json_object_set_new(object, "dns", dns_to_json(&result->dns));
	return object;
}

char *cni_result_dump(const struct cni_result *result, enum cni_version version)
{
	_cleanup_json_ json_t *object = cni_result_to_json(result, version);

	return json_dump_compact(object);
}
