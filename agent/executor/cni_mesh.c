/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/cni_mesh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

/* The task's endpoint for metadata and credentials, and that of its host: never by a proxy. */
static const char *const never_proxied[] = { "169.254.170.2", "169.254.169.254" };

/* "80, 8080": its parts without the blanks around them. */
static json_t *list_of(const char *text)
{
	static const char blanks[] = " \t\r\n";
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	json_t *list = json_array();

	if (!text)
		return list;
	str_list_split(&parts, text, ',', false);
	for (size_t i = 0; i < parts.count; i++) {
		const char *part = parts.items[i] + strspn(parts.items[i], blanks);
		size_t length = strlen(part);

		while (length > 0 && strchr(blanks, part[length - 1]))
			length--;
		if (length > 0)
			json_array_append_new(list, json_stringn(part, length));
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
	json_t *plugin = json_pack("{s:s}", "type", "aws-appmesh");
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

int mesh_extend_conflist(const struct task_spec *task, char **conflist, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	json_t *plugins;

	if (!task->proxy_container)
		return 0;
	list = json_loads(*conflist, 0, NULL);
	plugins = json_object_get(list, "plugins");
	if (!json_is_array(plugins))
		return error_say(err, EINVAL, "the CNI configuration has no list of plugins");
	json_array_append_new(plugins, appmesh_plugin_of(&task->proxy_properties));
	free(*conflist);
	*conflist = json_dump_compact(list);
	return 0;
}
