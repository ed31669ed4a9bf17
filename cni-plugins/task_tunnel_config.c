/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cni-plugins/config.h"
#include "cni-plugins/config_text.h"
#include "cni-plugins/tap_bridge.h"
#include "cni-plugins/task_tunnel.h"

/* What CNI_ARGS may say instead of the configuration. */
static const struct cni_override overrides[] = {
	{ "DestinationIPAddress", "destinationIPAddress", CNI_OVERRIDE_TEXT },
	{ "VNI", "vni", CNI_OVERRIDE_TEXT },
	{ "DestinationPort", "destinationPort", CNI_OVERRIDE_TEXT },
	{ "Primary", "primary", CNI_OVERRIDE_FLAG },
	{ "IPAddresses", "ipAddresses", CNI_OVERRIDE_LIST },
	{ "GatewayIPAddress", "gatewayIPAddress", CNI_OVERRIDE_TEXT },
};

static int read_type(const struct json_at *at, enum task_tunnel_type *ret, struct cni_error *err)
{
	const char *text = NULL;

	if (cni_config_text(at, "interfaceType", &text, err) < 0)
		return -1;
	if (!text || str_eq(text, "tap"))
		*ret = TASK_TUNNEL_TAP;
	else if (str_eq(text, "geneve"))
		*ret = TASK_TUNNEL_GENEVE;
	else
		return cni_fail(err, CNI_INVALID_CONFIG,
				"interfaceType: \"%.32s\" must be \"geneve\" or \"tap\"", text);
	return 0;
}

static int read_address(const struct json_at *at, const char *name, bool must,
			struct ip_address *ret, struct cni_error *err)
{
	struct ip_address address;
	const char *text = NULL;
	struct error why;

	if (cni_config_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return must ? cni_config_missing(name, err) : 0;
	if (ip_parse(text, &address, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	if (!ip_is_unicast(&address))
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s is not the address of one host",
				name, text);
	*ret = address;
	return 0;
}

/* Hexadecimal digits and nothing else; leading zeros do not count. */
static int read_vni(const struct json_at *at, bool must, uint32_t *ret, struct cni_error *err)
{
	static const char digits[] = "0123456789abcdef";
	const char *text = NULL, *digit;
	uint32_t vni = 0;

	if (cni_config_text(at, "vni", &text, err) < 0)
		return -1;
	if (!text)
		return must ? cni_config_missing("vni", err) : 0;
	for (const char *c = text; *c; c++) {
		digit = strchr(digits, *c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
		vni = digit && vni <= GENEVE_VNI_MAX ? vni << 4 | (uint32_t)(digit - digits)
						     : UINT32_MAX;
	}
	if (vni > GENEVE_VNI_MAX)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"vni: \"%.32s\" is no hexadecimal number from 0 to ffffff", text);
	*ret = vni;
	return 0;
}

static int read_tunnel(const struct json_at *at, bool must, struct geneve_spec *ret,
		       struct cni_error *err)
{
	uint64_t port = 0;

	if (read_address(at, "destinationIPAddress", must, &ret->remote, err) < 0 ||
	    read_vni(at, must, &ret->vni, err) < 0 ||
	    cni_config_number(at, "destinationPort", must, 1, UINT16_MAX, &port, err) < 0)
		return -1;
	ret->port = (uint16_t)port;
	return 0;
}

static int read_network(const struct json_at *at, bool must, struct task_tunnel_config *ret,
			struct cni_error *err)
{
	struct task_config *task = &ret->task;

	task->mtu = TASK_TUNNEL_MTU;
	if (cni_config_flag(at, "primary", &ret->primary, err) < 0 ||
	    cni_config_prefixes(at, "ipAddresses", ret->addresses, TASK_MAX_ADDRESSES,
				&ret->address_count, err) < 0 ||
	    read_address(at, "gatewayIPAddress", must, &ret->gateway, err) < 0)
		return -1;
	if (!ret->primary || ret->type != TASK_TUNNEL_GENEVE)
		return 0;
	memcpy(task->addresses, ret->addresses, sizeof(task->addresses));
	task->address_count = ret->address_count;
	task->gateways[ret->gateway.family == AF_INET6] = ret->gateway;
	task->has_default_route = true;
	return must ? task_config_check_gateways(task, "gatewayIPAddress", err) : 0;
}

static int read_all(const struct json_at *at, bool must, void *data, struct cni_error *err)
{
	struct task_tunnel_config *ret = data;
	struct geneve_spec tunnel = { .vni = UINT32_MAX };

	if (read_type(at, &ret->type, err) < 0 || read_tunnel(at, must, &tunnel, err) < 0)
		return -1;
	/* All of it or nothing. */
	if (tunnel.port && tunnel.remote.family && tunnel.vni <= GENEVE_VNI_MAX)
		ret->tunnel = tunnel;
	if (ret->type == TASK_TUNNEL_TAP &&
	    cni_config_owner(at, must, &ret->uid, &ret->gid, err) < 0)
		return -1;
	return read_network(at, must, ret, err);
}

int task_tunnel_config_read(const struct cni_request *request, struct task_tunnel_config *ret,
			    struct cni_error *err)
{
	*ret = (struct task_tunnel_config){ 0 };
	return cni_config_read_text(request, overrides, sizeof(overrides) / sizeof(overrides[0]),
				    read_all, ret, &ret->values, err);
}

void task_tunnel_config_free(struct task_tunnel_config *config)
{
	if (config->values)
		json_decref(config->values);
	*config = (struct task_tunnel_config){ 0 };
}
