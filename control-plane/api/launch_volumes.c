/* SPDX-License-Identifier: Apache-2.0 */
/* volumeConfigurations: the volumes that a task definition leaves to RunTask and StartTask. */
#include <errno.h>

#include "base/str.h"
#include "control-plane/api/member.h"
#include "control-plane/api/tasks.h"

const struct api_member api_volume_configuration_members[] = {
	{ "name", API_STRING, NULL },
	{ "managedEBSVolume", API_ANY, NULL },
	{ NULL, 0, NULL },
};

static const json_t *find_named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (str_eq(member_string(item, "name"), name))
			return item;
	return NULL;
}

static int check_configuration(struct api_call *call, const json_t *definition, const char *name)
{
	const json_t *volume;

	if (str_is_empty(name))
		return api_error(call, API_INVALID,
				 "The name of a volume configuration can not be blank.");
	volume = find_named(member_list(definition, "volumes"), name);
	if (!volume)
		return api_error(call, API_INVALID,
				 "The volume configuration '%s' names no volume of the "
				 "TaskDefinition.",
				 name);
	if (!member_bool(volume, "configuredAtLaunch", false))
		return api_error(call, API_INVALID,
				 "The volume '%s' of the TaskDefinition is not configuredAtLaunch: "
				 "a volume configuration is not valid for it.",
				 name);
	return 0;
}

int launch_volumes_check(struct api_call *call, const json_t *definition)
{
	const json_t *configurations = api_input_member(call, "volumeConfigurations");
	const json_t *item;
	size_t i;

	if (json_array_size(configurations) > 1)
		return api_error(call, API_INVALID,
				 "volume configurations can have at most 1 items.");
	json_array_foreach (configurations, i, item) {
		int r = check_configuration(call, definition, member_string(item, "name"));

		if (r < 0)
			return r;
	}
	json_array_foreach (member_list(definition, "volumes"), i, item)
		if (member_bool(item, "configuredAtLaunch", false) &&
		    !find_named(configurations, member_string(item, "name")))
			return api_error(call, API_INVALID,
					 "The volume '%s' of the TaskDefinition is "
					 "configuredAtLaunch: a volume configuration must be "
					 "provided for it.",
					 member_string(item, "name"));
	if (json_array_size(configurations) > 0)
		return api_error(call, "UnsupportedFeatureException",
				 "This control plane makes no EBS volumes: volumeConfigurations "
				 "cannot be used.");
	return 0;
}
