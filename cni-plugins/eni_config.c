/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "cni-plugins/config.h"
#include "cni-plugins/delegate.h"
#include "cni-plugins/eni.h"

#define DEVICE_WAIT_MAX_MS 60000
#define ROUTING_TABLE_MIN  256 /* those below have names on every host */

static int read_driver(const struct json_at *at, enum eni_driver *ret, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, "driver", JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (!text || str_eq(text, "") || str_eq(text, "eni"))
		*ret = ENI_DRIVER_MOVE;
	else if (str_eq(text, "veth"))
		*ret = ENI_DRIVER_VETH;
	else
		return cni_fail(err, CNI_INVALID_CONFIG,
				"driver: \"%.32s\" must be \"eni\" or \"veth\"", text);
	return 0;
}

/* What the keys are called: ours, or those of vpc-eni. */
struct key_names {
	const char *mac, *addresses, *gateways, *block_metadata, *stay_down;
};

static const struct key_names our_names = {
	"mac", "ip-addresses", "gateway-ip-addresses", "block-instance-metadata", "stay-down",
};
static const struct key_names vpc_names = {
	"eniMACAddress",         "eniIPAddresses", "gatewayIPAddresses",
	"blockInstanceMetadata", "opStateDown",
};

static bool is_of_vpc_eni(const struct json_at *at)
{
	return json_object_get(at->value, "eniMACAddress") || json_object_get(at->value, "eniName");
}

static int read_mac(const struct json_at *at, const char *name, bool must, struct eni_config *ret,
		    struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, name, must ? JSON_REQUIRED : JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (text && mac_parse(text, &ret->mac, &why) < 0 && must)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	return 0;
}

/* Which interface it is. */
static int read_identity(const struct json_at *at, const struct key_names *names, bool whole,
			 struct eni_config *ret, struct cni_error *err)
{
	const char *id = NULL, *device = NULL;
	struct error why;
	bool ours = names == &our_names;

	if (json_get_string(at, "eni", whole && ours ? JSON_REQUIRED : JSON_NULLABLE, &id, &why) <
		    0 ||
	    json_get_string(at, "eniName", JSON_NULLABLE, &device, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	ret->id = id ? id : "";
	ret->device_name = ours || str_is_empty(device) ? NULL : device;
	if (ret->device_name && ret->driver != ENI_DRIVER_MOVE)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"eniName: there is no device with the driver \"veth\"");
	return read_mac(at, names->mac, whole && !ret->device_name, ret, err);
}

static int read_device_wait(const struct json_at *at, int64_t *ret, struct cni_error *err)
{
	struct error why;
	double wait_ms = 0;

	if (json_get_double(at, "device-wait-ms", JSON_NULLABLE, 0, DEVICE_WAIT_MAX_MS, &wait_ms,
			    &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	*ret = (int64_t)wait_ms;
	return 0;
}

static int read_routing_table(const struct json_at *at, uint32_t *ret, struct cni_error *err)
{
	struct error why;
	double table = 0;

	if (json_get_double(at, "routing-table", JSON_NULLABLE, ROUTING_TABLE_MIN, UINT32_MAX,
			    &table, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	*ret = (uint32_t)table;
	return 0;
}

static int check_whole(const struct eni_config *config, const struct key_names *names,
		       struct cni_error *err)
{
	if (config->ipam_type)
		return config->task.address_count == 0
			       ? 0
			       : cni_fail(err, CNI_INVALID_CONFIG, "%s and ipam exclude each other",
					  names->addresses);
	if (config->task.address_count == 0 && !config->stay_down)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"missing required parameter in config named: '%s'",
				names->addresses);
	return task_config_check_gateways(&config->task, names->gateways, err);
}

int eni_config_read(const struct cni_request *request, struct eni_config *ret,
		    struct cni_error *err)
{
	const struct json_at *at = &request->config;
	const struct key_names *names = is_of_vpc_eni(at) ? &vpc_names : &our_names;
	bool whole = cni_wants_whole(request);
	struct task_config *task = &ret->task;

	*ret = (struct eni_config){ .task.has_default_route = true };
	if (read_driver(at, &ret->driver, err) < 0 ||
	    read_identity(at, names, whole, ret, err) < 0 ||
	    cni_ipam_type(request, &ret->ipam_type, err) < 0 ||
	    cni_config_prefixes(at, names->addresses, task->addresses, TASK_MAX_ADDRESSES,
				&task->address_count, err) < 0 ||
	    cni_config_gateways(at, names->gateways, task->gateways, err) < 0 ||
	    cni_config_routes(at, "", "routes", task->routes, TASK_MAX_ADDRESSES,
			      &task->route_count, err) < 0 ||
	    cni_config_prefixes(at, "loopback-addresses", task->loopback, TASK_MAX_ADDRESSES,
				&task->loopback_count, err) < 0 ||
	    cni_config_mtu(at, &task->mtu, err) < 0 ||
	    cni_config_flag(at, names->block_metadata, &task->block_metadata, err) < 0 ||
	    cni_config_flag(at, names->stay_down, &ret->stay_down, err) < 0 ||
	    read_routing_table(at, &ret->routing_table, err) < 0 ||
	    read_device_wait(at, &ret->device_wait_ms, err) < 0 ||
	    cni_config_leave_to_netns(at, &ret->leave_to_netns, err) < 0)
		return -1;
	return whole ? check_whole(ret, names, err) : 0;
}
