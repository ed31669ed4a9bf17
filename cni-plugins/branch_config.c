/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ip.h"
#include "base/str.h"
#include "cni-plugins/branch.h"
#include "cni-plugins/config.h"
#include "cni-plugins/config_text.h"

#define VLAN_ID_MAX 4094

/* What CNI_ARGS may say instead of the configuration. */
static const struct cni_override overrides[] = {
	{ "BranchVlanID", "branchVlanID", CNI_OVERRIDE_TEXT },
	{ "BranchMACAddress", "branchMACAddress", CNI_OVERRIDE_TEXT },
	{ "IPAddresses", "ipAddresses", CNI_OVERRIDE_LIST },
	{ "GatewayIPAddresses", "gatewayIPAddresses", CNI_OVERRIDE_LIST },
};

static int read_mac(const struct json_at *at, const char *name, bool must, struct mac_address *ret,
		    struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (cni_config_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return must ? cni_config_missing(name, err) : 0;
	if (mac_parse(text, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	return 0;
}

static int read_trunk(const struct json_at *at, bool must, struct branch_config *ret,
		      struct cni_error *err)
{
	if (cni_config_text(at, "trunkName", &ret->trunk_name, err) < 0)
		return -1;
	if (ret->trunk_name && !ifname_is_valid(ret->trunk_name))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"trunkName: \"%.64s\" is not an interface name", ret->trunk_name);
	return read_mac(at, "trunkMACAddress", must && !ret->trunk_name, &ret->trunk_mac, err);
}

static int read_type(const struct json_at *at, enum branch_type *ret, struct cni_error *err)
{
	const char *text = NULL;

	if (cni_config_text(at, "interfaceType", &text, err) < 0)
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
		return cni_config_missing("ipAddresses", err);
	return task_config_check_gateways(&config->task, "gatewayIPAddresses", err);
}

static int read_all(const struct json_at *at, bool whole, void *data, struct cni_error *err)
{
	struct branch_config *ret = data;
	uint64_t vlan_id = 0;

	if (read_type(at, &ret->type, err) < 0 ||
	    cni_config_number(at, "branchVlanID", whole, 1, VLAN_ID_MAX, &vlan_id, err) < 0)
		return -1;
	ret->vlan_id = (uint16_t)vlan_id;
	if (read_trunk(at, whole, ret, err) < 0 ||
	    read_mac(at, "branchMACAddress", whole, &ret->mac, err) < 0 ||
	    (ret->type == BRANCH_TAP &&
	     cni_config_owner(at, whole, &ret->uid, &ret->gid, err) < 0) ||
	    read_network(at, ret, err) < 0)
		return -1;
	return whole ? check_whole(ret, err) : 0;
}

int branch_config_read(const struct cni_request *request, struct branch_config *ret,
		       struct cni_error *err)
{
	*ret = (struct branch_config){ 0 };
	return cni_config_read_text(request, overrides, sizeof(overrides) / sizeof(overrides[0]),
				    read_all, ret, &ret->values, err);
}

void branch_config_free(struct branch_config *config)
{
	if (config->values)
		json_decref(config->values);
	*config = (struct branch_config){ 0 };
}
