/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_mesh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/executor/service_connect.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/service_connect.h"

#define CNI_VERSION  "1.0.0"
#define MESH_NETWORK "service-connect"

/* The task's endpoint for metadata and credentials, and that of its host: never by a proxy. */
static const char *const never_proxied[] = { "169.254.170.2", "169.254.169.254" };

/* "80, 8080": its parts without the blanks around them. */
static json_t *list_of(const char *text)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	json_t *list = json_array();

	if (!text)
		return list;
	str_list_split(&parts, text, ',', false);
	for (size_t i = 0; i < parts.count; i++) {
		const char *part = str_trim_in_place(parts.items[i]);

		if (*part)
			json_array_append_new(list, json_string(part));
	}
	return list;
}

static bool has(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (str_eq(json_string_value(item), text))
			return true;
	return false;
}

static void copy(json_t *plugin, const char *key, const struct text_map *properties,
		 const char *name)
{
	const char *value = text_map_get(properties, name);

	if (!str_is_empty(value))
		json_object_set_new(plugin, key, json_string(value));
}

/* Whether its values can be used is the plugin's to say, and the reason of the task's end then. */
static json_t *appmesh_plugin_of(const struct text_map *properties)
{
	json_t *plugin = json_pack("{s:s, s:{s:b}}", "type", "aws-appmesh", "capabilities",
				   "leaveToNetns", 1);
	json_t *ports = list_of(text_map_get(properties, "EgressIgnoredPorts"));
	json_t *addresses = list_of(text_map_get(properties, "EgressIgnoredIPs"));

	copy(plugin, "ignoredUID", properties, "IgnoredUID");
	copy(plugin, "ignoredGID", properties, "IgnoredGID");
	copy(plugin, "proxyIngressPort", properties, "ProxyIngressPort");
	copy(plugin, "proxyEgressPort", properties, "ProxyEgressPort");
	json_object_set_new(plugin, "appPorts", list_of(text_map_get(properties, "AppPorts")));
	json_object_set_new(plugin, "egressIgnoredPorts", ports);
	for (size_t i = 0; i < sizeof(never_proxied) / sizeof(never_proxied[0]); i++)
		if (!has(addresses, never_proxied[i]))
			json_array_append_new(addresses, json_string(never_proxied[i]));
	json_object_set_new(plugin, "egressIgnoredIPs", addresses);
	return plugin;
}

static json_t *ingress_of(const struct service_connect_spec *spec, const uint16_t *ports)
{
	json_t *list = json_array();

	for (size_t i = 0; i < spec->ingress_count; i++) {
		json_t *item = json_pack("{s:i}", "listenerPort", (int)ports[i]);

		if (spec->ingress[i].intercept_port)
			json_object_set_new(item, "interceptPort",
					    json_integer(spec->ingress[i].intercept_port));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *vip_of(const struct service_connect_spec *spec)
{
	json_t *vip = json_object();

	if (spec->virtual_ipv4)
		json_object_set_new(vip, "ipv4Cidr", json_string(spec->virtual_ipv4));
	if (spec->virtual_ipv6)
		json_object_set_new(vip, "ipv6Cidr", json_string(spec->virtual_ipv6));
	return vip;
}

static json_t *egress_of(const struct service_connect_spec *spec, uint16_t port, const char *mode)
{
	return json_pack("{s:i, s:s, s:o}", "listenerPort", (int)port, "redirectMode", mode, "vip",
			 vip_of(spec));
}

/* To another namespace. */
static json_t *route_of(const struct service_connect_spec *spec, const struct mesh_bridge *bridge)
{
	return json_pack("{s:{s:s*, s:s*}, s:s, s:o}", "redirectIP", "ipv4", bridge->relay_address,
			 "ipv6", bridge->relay_ipv6, "redirectMode", "tproxy", "vip", vip_of(spec));
}

static json_t *serviceconnect_plugin(bool ipv4, bool ipv6)
{
	return json_pack("{s:s, s:{s:b}, s:b, s:b}", "type", "ecs-serviceconnect", "capabilities",
			 "leaveToNetns", 1, "enableIPv4", ipv4, "enableIPv6", ipv6);
}

static int serviceconnect_plugin_of(const struct task_spec *task, json_t **ret, struct error *err)
{
	const struct service_connect_spec *spec = task->service_connect;
	const struct eni_spec *eni = &task->enis[0];
	/* An egress is for the families of its virtual addresses. */
	bool ipv4 = eni->ipv4_count > 0 && (!spec->egress_listener || spec->virtual_ipv4);
	bool ipv6 = eni->ipv6_count > 0 && (!spec->egress_listener || spec->virtual_ipv6);
	_cleanup_free_ uint16_t *ports = NULL;
	int r = service_connect_ports(task, &ports, err);

	if (r < 0)
		return r;
	if (!ipv4 && !ipv6)
		return error_say(
			err, EINVAL,
			"the virtual addresses of Service Connect are of a family that the "
			"task's interface has not");
	*ret = serviceconnect_plugin(ipv4, ipv6);
	if (spec->ingress_count > 0)
		json_object_set_new(*ret, "ingressConfig", ingress_of(spec, ports));
	if (spec->egress_listener)
		json_object_set_new(*ret, "egressConfig",
				    egress_of(spec, ports[spec->ingress_count], "nat"));
	return 0;
}

/* *ret NULL: the container needs none. */
static int bridge_plugin_of(const struct task_spec *task, size_t index,
			    const struct mesh_bridge *bridge, json_t **ret, struct error *err)
{
	const struct service_connect_spec *spec = task->service_connect;
	bool is_relay = service_connect_is_relay(task, &task->containers[index]);
	bool has_egress = spec->egress_listener != NULL;
	bool ipv4 = bridge->address && (is_relay || bridge->relay_address) &&
		    (!has_egress || spec->virtual_ipv4);
	bool ipv6 = bridge->ipv6_address && (is_relay || bridge->relay_ipv6) &&
		    (!has_egress || spec->virtual_ipv6);
	_cleanup_free_ uint16_t *ports = NULL;
	int r = service_connect_ports(task, &ports, err);

	*ret = NULL;
	if (r < 0 || !(has_egress || (is_relay && spec->ingress_count > 0)))
		return r;
	if (!ipv4 && !ipv6)
		return error_say(
			err, EINVAL,
			"the virtual addresses of Service Connect are of a family that the "
			"task's network has not");
	*ret = serviceconnect_plugin(ipv4, ipv6);
	if (is_relay && spec->ingress_count > 0)
		json_object_set_new(*ret, "ingressConfig", ingress_of(spec, ports));
	if (has_egress)
		json_object_set_new(*ret, "egressConfig",
				    is_relay ? egress_of(spec, ports[spec->ingress_count], "tproxy")
					     : route_of(spec, bridge));
	return 0;
}

/* Takes those that are not NULL. */
static int append_plugins(char **conflist, json_t *first, json_t *second, struct error *err)
{
	_cleanup_json_ json_t *list = json_loads(*conflist, 0, NULL);
	json_t *plugins = json_object_get(list, "plugins");

	if (!json_is_array(plugins)) {
		json_decref(first);
		json_decref(second);
		return error_say(err, EINVAL, "the CNI configuration has no list of plugins");
	}
	if (first)
		json_array_append_new(plugins, first);
	if (second)
		json_array_append_new(plugins, second);
	free(*conflist);
	*conflist = json_dump_compact(list);
	return 0;
}

int mesh_extend_conflist(const struct task_spec *task, char **conflist, struct error *err)
{
	json_t *proxy = NULL, *relay = NULL;
	int r = 0;

	if (!task->proxy_container && !task->service_connect)
		return 0;
	if (task->service_connect)
		r = serviceconnect_plugin_of(task, &relay, err);
	if (r < 0)
		return r;
	if (task->proxy_container)
		proxy = appmesh_plugin_of(&task->proxy_properties);
	return append_plugins(conflist, proxy, relay, err);
}

int mesh_bridge_conflist(const struct task_spec *task, size_t index,
			 const struct mesh_bridge *bridge, char **ret, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	json_t *plugin = NULL;
	int r = 0;

	if (task->service_connect)
		r = bridge_plugin_of(task, index, bridge, &plugin, err);
	if (r < 0)
		return r;
	list = plugin ? json_pack("{s:s, s:s, s:[o]}", "cniVersion", CNI_VERSION, "name",
				  MESH_NETWORK, "plugins", plugin)
		      : NULL;
	*ret = list ? json_dump_compact(list) : NULL;
	return 0;
}
