/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"
#include "cni-plugins/branch.h"
#include "cni-plugins/config.h"
#include "cni-plugins/request.h"

#define VLAN_ID_MAX 4094

/* What CNI_ARGS may say instead of the configuration. */
static const struct {
	const char *arg, *key;
	bool is_list;
} overrides[] = {
	{ "BranchVlanID", "branchVlanID", false },
	{ "BranchMACAddress", "branchMACAddress", false },
	{ "IPAddresses", "ipAddresses", true },
	{ "GatewayIPAddresses", "gatewayIPAddresses", true },
};

static json_t *list_of(const char *text)
{
	_cleanup_str_list_ struct str_list items = STR_LIST_INIT;
	json_t *list = json_array();

	str_list_split(&items, text, ',', false);
	for (size_t i = 0; i < items.count; i++)
		json_array_append_new(list, json_string(items.items[i]));
	return list;
}

static void override(json_t *values, const char *arg, const char *value)
{
	for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++)
		if (str_eq(overrides[i].arg, arg))
			json_object_set_new(values, overrides[i].key,
					    overrides[i].is_list ? list_of(value)
								 : json_string(value));
}

/* "K=V;K=V" */
static int take_args(const char *args, json_t *values, struct cni_error *err)
{
	_cleanup_str_list_ struct str_list pairs = STR_LIST_INIT;

	str_list_split(&pairs, args, ';', false);
	for (size_t i = 0; i < pairs.count; i++) {
		char *equals = strchr(pairs.items[i], '=');

		if (!equals || strchr(equals + 1, '='))
			return cni_fail(err, CNI_BAD_ENVIRONMENT,
					"CNI_ARGS: invalid pair \"%.64s\"", pairs.items[i]);
		*equals = '\0';
		override(values, pairs.items[i], equals + 1);
	}
	return 0;
}

/* NULL when it is absent or empty. */
static int read_text(const struct json_at *at, const char *name, const char **ret,
		     struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, name, JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	*ret = str_is_empty(text) ? NULL : text;
	return 0;
}

static int missing(const char *name, struct cni_error *err)
{
	return cni_fail(err, CNI_INVALID_CONFIG, "missing required parameter in config named: '%s'",
			name);
}

static int read_mac(const struct json_at *at, const char *name, bool must, struct mac_address *ret,
		    struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (read_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return must ? missing(name, err) : 0;
	if (mac_parse(text, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	return 0;
}

static int read_trunk(const struct json_at *at, bool must, struct branch_config *ret,
		      struct cni_error *err)
{
	if (read_text(at, "trunkName", &ret->trunk_name, err) < 0)
		return -1;
	if (ret->trunk_name && !cni_ifname_is_valid(ret->trunk_name))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"trunkName: \"%.64s\" is not an interface name", ret->trunk_name);
	return read_mac(at, "trunkMACAddress", must && !ret->trunk_name, &ret->trunk_mac, err);
}

/* A number that is written as a string. */
static int read_number(const struct json_at *at, const char *name, bool must, uint64_t min,
		       uint64_t max, uint64_t *ret, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (read_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return must ? missing(name, err) : 0;
	if (number_parse_u64(text, min, max, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	return 0;
}

static int read_type(const struct json_at *at, enum branch_type *ret, struct cni_error *err)
{
	const char *text = NULL;

	if (read_text(at, "interfaceType", &text, err) < 0)
		return -1;
	if (!text || str_eq(text, "tap"))
		*ret = BRANCH_TAP;
	else if (str_eq(text, "vlan"))
		*ret = BRANCH_VLAN;
	else if (str_eq(text, "macvtap"))
		*ret = BRANCH_MACVTAP;
	else
		return cni_fail(err, CNI_INVALID_CONFIG,
				"interfaceType: \"%.32s\" must be \"vlan\", \"tap\" or \"macvtap\"",
				text);
	return 0;
}

/* The user and group have no meaning for the other types. */
static int read_owner(const struct json_at *at, bool must, struct branch_config *ret,
		      struct cni_error *err)
{
	uint64_t uid = 0, gid = 0;

	if (ret->type != BRANCH_TAP)
		return 0;
	/* The largest number says "nobody". */
	if (read_number(at, "uid", must, 0, UINT32_MAX - 1, &uid, err) < 0 ||
	    read_number(at, "gid", must, 0, UINT32_MAX - 1, &gid, err) < 0)
		return -1;
	ret->uid = (uid_t)uid;
	ret->gid = (gid_t)gid;
	return 0;
}

static int read_network(const struct json_at *at, struct branch_config *ret, struct cni_error *err)
{
	struct task_config *task = &ret->task;

	task->has_default_route = true;
	if (cni_config_prefixes(at, "ipAddresses", task->addresses, TASK_MAX_ADDRESSES,
				&task->address_count, err) < 0 ||
	    cni_config_gateways(at, "gatewayIPAddresses", task->gateways, err) < 0 ||
	    cni_config_prefixes(at, "loopback-addresses", task->loopback, TASK_MAX_ADDRESSES,
				&task->loopback_count, err) < 0 ||
	    cni_config_mtu(at, &task->mtu, err) < 0 ||
	    cni_config_flag(at, "blockInstanceMetadata", &task->block_metadata, err) < 0)
		return -1;
	if (ret->type == BRANCH_VLAN)
		return 0;
	/* They are the virtual machine's. */
	task->address_count = 0;
	task->gateways[0] = task->gateways[1] = (struct ip_address){ 0 };
	task->mtu = 0;
	return 0;
}

static int check_whole(const struct branch_config *config, struct cni_error *err)
{
	if (config->type == BRANCH_VLAN && config->task.address_count == 0)
		return missing("ipAddresses", err);
	return task_config_check_gateways(&config->task, "gatewayIPAddresses", err);
}

static int read_all(const struct json_at *at, bool whole, struct branch_config *ret,
		    struct cni_error *err)
{
	uint64_t vlan_id = 0;

	if (read_type(at, &ret->type, err) < 0 ||
	    read_number(at, "branchVlanID", whole, 1, VLAN_ID_MAX, &vlan_id, err) < 0)
		return -1;
	ret->vlan_id = (uint16_t)vlan_id;
	if (read_trunk(at, whole, ret, err) < 0 ||
	    read_mac(at, "branchMACAddress", whole, &ret->mac, err) < 0 ||
	    read_owner(at, whole, ret, err) < 0 || read_network(at, ret, err) < 0)
		return -1;
	return whole ? check_whole(ret, err) : 0;
}

int branch_config_read(const struct cni_request *request, struct branch_config *ret,
		       struct cni_error *err)
{
	bool whole = request->command == CNI_COMMAND_ADD || request->command == CNI_COMMAND_CHECK;
	bool is_del = request->command == CNI_COMMAND_DEL;
	struct json_at at = request->config;
	struct cni_error unused;
	int r;

	*ret = (struct branch_config){ .values = json_copy(request->config.value) };
	at.value = ret->values;
	/* What a DEL has to undo was made with a configuration that could be read. */
	r = take_args(request->args ? request->args : "", ret->values, is_del ? &unused : err);
	if (r == 0)
		r = read_all(&at, whole, ret, is_del ? &unused : err);
	return is_del ? 0 : r;
}

void branch_config_free(struct branch_config *config)
{
	if (config->values)
		json_decref(config->values);
	*config = (struct branch_config){ 0 };
}
