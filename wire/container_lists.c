/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/container_lists.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/number.h"
#include "wire/reader.h"

/* Entries of each list: more are refused. */
#define CONTAINER_LIST_LIMIT 1000

const char *transport_protocol_name(enum transport_protocol protocol)
{
	return protocol == TRANSPORT_UDP ? "udp" : "tcp";
}

/* "8000-8010": two ports, the first below the last. */
static int parse_range(const struct json_at *at, struct arena *arena, const char *text,
		       struct port_mapping *mapping, struct error *err)
{
	const char *dash = strchr(text, '-');
	const char *low = dash ? arena_strndup(arena, text, (size_t)(dash - text)) : text;
	int64_t first, last;

	if (!dash || number_parse_i64(low, 1, UINT16_MAX, &first, NULL) < 0 ||
	    number_parse_i64(dash + 1, 1, UINT16_MAX, &last, NULL) < 0 || first >= last)
		return json_fail(
			at, err,
			"containerPortRange: \"%s\" is no range of ports, such as 8000-8010", text);
	mapping->container_port = (uint16_t)first;
	mapping->range_end = (uint16_t)last;
	return 0;
}

static int read_port_mapping(const struct json_at *at, struct arena *arena,
			     struct port_mapping *mapping, struct error *err)
{
	const char *range = NULL;
	const char *protocol = "tcp";
	int64_t container_port = 0;
	int64_t host_port = 0;
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_i64(at, "containerPort", 0, UINT16_MAX, &container_port, err);
	if (result == 0)
		result = read_i64(at, "hostPort", 0, UINT16_MAX, &host_port, err);
	if (result == 0)
		result = read_text(at, "containerPortRange", arena, &range, err);
	if (result == 0)
		result = read_text(at, "protocol", arena, &protocol, err);
	if (result < 0)
		return result;
	if (strcmp(protocol, "udp") == 0)
		mapping->protocol = TRANSPORT_UDP;
	else if (strcmp(protocol, "tcp") != 0)
		return json_fail(at, err, "protocol: \"%s\" is neither \"tcp\" nor \"udp\"",
				 protocol);
	if (range && container_port != 0)
		return json_fail(at, err,
				 "containerPort and containerPortRange exclude each other");
	if (range)
		return parse_range(at, arena, range, mapping, err);
	if (container_port == 0)
		return json_fail(at, err, "containerPort is missing, and so is containerPortRange");
	mapping->container_port = (uint16_t)container_port;
	mapping->host_port = (uint16_t)host_port;
	return 0;
}

static int read_mount_point(const struct json_at *at, struct arena *arena,
			    struct mount_point *mount, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "sourceVolume", arena, &mount->source_volume, err);
	if (result == 0)
		result = read_text(at, "containerPath", arena, &mount->container_path, err);
	if (result == 0)
		result = read_bool(at, "readOnly", &mount->read_only, err);
	return result;
}

static int read_volume_from(const struct json_at *at, struct arena *arena, struct volume_from *from,
			    struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "sourceContainer", arena, &from->source_container, err);
	if (result == 0)
		result = read_bool(at, "readOnly", &from->read_only, err);
	if (result == 0 && !from->source_container)
		return json_fail(at, err, "sourceContainer is missing");
	return result;
}

static int read_dependency(const struct json_at *at, struct arena *arena,
			   struct container_dependency *dependency, struct error *err)
{
	const char *condition = NULL;
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "containerName", arena, &dependency->container, err);
	if (result == 0)
		result = read_text(at, "condition", arena, &condition, err);
	if (result < 0)
		return result;
	if (!dependency->container)
		return json_fail(at, err, "containerName is missing");
	dependency->condition = container_condition_of(condition);
	return 0;
}

static int read_environment_file(const struct json_at *at, struct arena *arena,
				 struct environment_file *file, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "value", arena, &file->value, err);
	if (result == 0)
		result = read_text(at, "type", arena, &file->type, err);
	return result;
}

static int read_secret(const struct json_at *at, struct arena *arena,
		       struct container_secret *secret, struct error *err)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "name", &secret->name },
		{ "valueFrom", &secret->value_from },
		{ "region", &secret->region },
		{ "provider", &secret->provider },
		{ "type", &secret->type },
		{ "target", &secret->target },
		{ "containerPath", &secret->container_path },
	};
	int result = read_is_object(at, err);

	for (size_t i = 0; result == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		result = read_text(at, texts[i].name, arena, texts[i].text, err);
	return result;
}

static int read_managed_agent(const struct json_at *at, struct arena *arena,
			      struct managed_agent *agent, struct error *err)
{
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "name", arena, &agent->name, err);
	if (result == 0)
		result = read_map(at, "properties", arena, &agent->properties, err);
	if (result == 0 && !agent->name)
		return json_fail(at, err, "name is missing");
	return result;
}

/* Reads list `name` into `items` of container, each element by `read`. A macro, for the types
 * differ. */
#define READ_LIST(name, element, field, field_count, read)                                         \
	do {                                                                                       \
		struct json_at list = { .value = NULL };                                           \
		struct element *items;                                                             \
		int result = read_list(at, name, CONTAINER_LIST_LIMIT, &list, err);                \
		if (result < 0)                                                                    \
			return result;                                                             \
		items = arena_calloc(arena, json_count(&list), sizeof(*items));                    \
		for (size_t i = 0; i < json_count(&list); i++) {                                   \
			struct json_at item = json_item(&list, i);                                 \
			result = read(&item, arena, &items[i], err);                               \
			if (result < 0)                                                            \
				return result;                                                     \
		}                                                                                  \
		container->field = items;                                                          \
		container->field_count = json_count(&list);                                        \
	} while (0)

int container_lists_read(const struct json_at *at, struct arena *arena,
			 struct container_spec *container, struct error *err)
{
	READ_LIST("portMappings", port_mapping, port_mappings, port_mapping_count,
		  read_port_mapping);
	READ_LIST("mountPoints", mount_point, mount_points, mount_point_count, read_mount_point);
	READ_LIST("volumesFrom", volume_from, volumes_from, volume_from_count, read_volume_from);
	READ_LIST("dependsOn", container_dependency, depends_on, depends_on_count, read_dependency);
	READ_LIST("environmentFiles", environment_file, environment_files, environment_file_count,
		  read_environment_file);
	READ_LIST("secrets", container_secret, secrets, secret_count, read_secret);
	READ_LIST("managedAgents", managed_agent, managed_agents, managed_agent_count,
		  read_managed_agent);
	return 0;
}
