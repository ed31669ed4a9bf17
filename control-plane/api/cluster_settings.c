/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/api/cluster_settings.h"

#include <errno.h>

#include "base/str.h"
#include "control-plane/api/member.h"

#define PROVIDERS_MAX   20
#define BASE_MAX        100000
#define WEIGHT_MAX      1000
#define EXECUTE_COMMAND "executeCommandConfiguration"

static const struct api_member setting[] = {
	{ "name", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member log_configuration[] = {
	{ "cloudWatchLogGroupName", API_STRING, NULL },
	{ "cloudWatchEncryptionEnabled", API_BOOLEAN, NULL },
	{ "s3BucketName", API_STRING, NULL },
	{ "s3EncryptionEnabled", API_BOOLEAN, NULL },
	{ "s3KeyPrefix", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member execute_command[] = {
	{ "kmsKeyId", API_STRING, NULL },
	{ "logging", API_STRING, NULL },
	{ "logConfiguration", API_STRUCT, log_configuration },
	{ NULL, 0, NULL },
};

static const struct api_member managed_storage[] = {
	{ "kmsKeyId", API_STRING, NULL },
	{ "fargateEphemeralStorageKmsKeyId", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member configuration[] = {
	{ EXECUTE_COMMAND, API_STRUCT, execute_command },
	{ "managedStorageConfiguration", API_STRUCT, managed_storage },
	{ NULL, 0, NULL },
};

static const struct api_member strategy_item[] = {
	{ "capacityProvider", API_STRING, NULL },
	{ "weight", API_INTEGER, NULL },
	{ "base", API_INTEGER, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member service_connect[] = {
	{ "namespace", API_STRING, NULL },
	{ NULL, 0, NULL },
};

const struct api_member create_cluster_members[] = {
	{ "clusterName", API_STRING, NULL },
	{ "tags", API_STRUCTS, api_tag_members },
	{ "settings", API_STRUCTS, setting },
	{ "configuration", API_STRUCT, configuration },
	{ "capacityProviders", API_STRINGS, NULL },
	{ "defaultCapacityProviderStrategy", API_STRUCTS, strategy_item },
	{ "serviceConnectDefaults", API_STRUCT, service_connect },
	{ NULL, 0, NULL },
};

static int check_settings(struct api_call *call)
{
	static const char *const names[] = { "containerInsights", NULL };
	static const char *const values[] = { "enhanced", "enabled", "disabled", NULL };
	size_t i;
	json_t *item;

	json_array_foreach (api_input_member(call, "settings"), i, item) {
		if (api_check_enum(call, API_INVALID, "setting name", member_string(item, "name"),
				   names) < 0 ||
		    api_check_enum(call, API_INVALID, "setting value", member_string(item, "value"),
				   values) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_configuration(struct api_call *call)
{
	static const char *const levels[] = { "NONE", "DEFAULT", "OVERRIDE", NULL };
	const json_t *execute =
		json_object_get(api_input_member(call, "configuration"), EXECUTE_COMMAND);
	const json_t *log = json_object_get(execute, "logConfiguration");
	const char *logging = member_string(execute, "logging");

	if (logging && api_check_enum(call, API_INVALID, "logging", logging, levels) < 0)
		return -EINVAL;
	if (str_eq(logging, "OVERRIDE") &&
	    str_is_empty(member_string(log, "cloudWatchLogGroupName")) &&
	    str_is_empty(member_string(log, "s3BucketName")))
		return api_error(call, API_INVALID,
				 "When logging is OVERRIDE, logConfiguration must name a "
				 "cloudWatchLogGroupName or an s3BucketName.");
	return 0;
}

static bool has_provider(const json_t *providers, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach (providers, i, item)
		if (str_eq(json_string_value(item), name))
			return true;
	return false;
}

static int check_strategy(struct api_call *call, const json_t *providers, const json_t *strategy)
{
	int64_t weights = 0;
	size_t bases = 0;
	size_t i;
	json_t *item;

	json_array_foreach (strategy, i, item) {
		const char *name = member_string(item, "capacityProvider");
		int64_t weight = member_integer(item, "weight", 0);
		int64_t base = member_integer(item, "base", 0);

		if (!name || !has_provider(providers, name))
			return api_error(call, API_INVALID,
					 "The capacity provider strategy names '%s', which is not "
					 "one of the cluster's capacity providers.",
					 name ? name : "");
		if (weight < 0 || weight > WEIGHT_MAX || base < 0 || base > BASE_MAX)
			return api_error(call, API_INVALID,
					 "The weight of a capacity provider must be between 0 and "
					 "%d, its base between 0 and %d.",
					 WEIGHT_MAX, BASE_MAX);
		weights += weight;
		bases += base > 0;
	}
	if (bases > 1)
		return api_error(call, API_INVALID,
				 "Only one capacity provider of a strategy can have a base.");
	if (json_array_size(strategy) > 0 && weights == 0)
		return api_error(call, API_INVALID,
				 "At least one capacity provider of a strategy must have a weight "
				 "greater than 0.");
	return 0;
}

static int check_providers(struct api_call *call)
{
	const json_t *providers = api_input_member(call, "capacityProviders");
	size_t i;
	json_t *item;

	if (json_array_size(providers) > PROVIDERS_MAX)
		return api_error(call, API_INVALID,
				 "The maximum number of capacity providers per cluster has been "
				 "exceeded.");
	json_array_foreach (providers, i, item) {
		const char *name = json_string_value(item);

		if (!str_eq(name, "FARGATE") && !str_eq(name, "FARGATE_SPOT"))
			return api_error(call, API_INVALID,
					 "The specified capacity provider '%s' is not in an ACTIVE "
					 "state. Specify a valid capacity provider and try again.",
					 name);
	}
	return check_strategy(call, providers,
			      api_input_member(call, "defaultCapacityProviderStrategy"));
}

int cluster_settings_check(struct api_call *call)
{
	const char *namespace_name =
		member_string(api_input_member(call, "serviceConnectDefaults"), "namespace");

	if (check_settings(call) < 0 || check_configuration(call) < 0 || check_providers(call) < 0)
		return -EINVAL;
	if (!str_is_empty(namespace_name))
		return api_error(call, "NamespaceNotFoundException",
				 "Namespace '%s' can not be found: this control plane has no "
				 "service discovery namespaces.",
				 namespace_name);
	return 0;
}

static void keep(json_t *document, const json_t *input, const char *name, json_t *fallback)
{
	json_t *value = json_object_get(input, name);

	if (value)
		json_object_set(document, name, value);
	else if (fallback)
		json_object_set(document, name, fallback);
	json_decref(fallback);
}

json_t *cluster_settings_document(const json_t *input)
{
	json_t *document = json_object();

	keep(document, input, "settings",
	     json_pack("[{s:s, s:s}]", "name", "containerInsights", "value", "disabled"));
	keep(document, input, "capacityProviders", json_array());
	keep(document, input, "defaultCapacityProviderStrategy", json_array());
	keep(document, input, "configuration", NULL);
	return document;
}

char *cluster_settings_request(json_t *input)
{
	_cleanup_json_ json_t *request = json_copy(input);
	void *next;
	const char *key;
	json_t *value;

	/* The name is the same anyway, and an empty list says as much as none. */
	json_object_del(request, "clusterName");
	json_object_foreach_safe(request, next, key, value)
	{
		if (json_is_array(value) && json_array_size(value) == 0)
			json_object_del(request, key);
	}
	return json_dump_sorted(request);
}
