/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "cni-plugins/config.h"
#include "cni-plugins/delegate.h"
#include "cni-plugins/eni.h"

#define DEVICE_WAIT_MAX_MS 60000

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

static int read_mac(const struct json_at *at, bool must, struct eni_config *ret,
		    struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, "mac", must ? JSON_REQUIRED : JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (text && mac_parse(text, &ret->mac, &why) < 0 && must)
		return cni_fail(err, CNI_INVALID_CONFIG, "mac: %s", why.text);
	return 0;
}

static int read_gateways(const struct json_at *at, struct eni_config *ret, struct cni_error *err)
{
	struct json_at list;
	struct error why;

	if (json_get_array(at, "gateway-ip-addresses", JSON_NULLABLE, 2, &list, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	for (size_t i = 0; json_present(&list) && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		struct ip_address gateway, *place;
		const char *text;

		if (json_as_string(&item, &text, &why) < 0)
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		if (ip_parse(text, &gateway, &why) < 0)
			return cni_fail(err, CNI_INVALID_CONFIG, "gateway-ip-addresses[%zu]: %s", i,
					why.text);
		place = &ret->task.gateways[gateway.family == AF_INET6];
		if (place->family)
			return cni_fail(
				err, CNI_INVALID_CONFIG,
				"gateway-ip-addresses[%zu]: %s is the second gateway of its "
				"family",
				i, text);
		*place = gateway;
	}
	return 0;
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

static int check_whole(const struct eni_config *config, struct cni_error *err)
{
	if (config->ipam_type)
		return config->task.address_count == 0
			       ? 0
			       : cni_fail(err, CNI_INVALID_CONFIG,
					  "ip-addresses and ipam exclude each other");
	if (config->task.address_count == 0 && !config->stay_down)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"missing required parameter in config named: 'ip-addresses'");
	for (size_t i = 0; i < 2; i++)
		if (config->task.gateways[i].family &&
		    !task_config_has(&config->task, config->task.gateways[i].family))
			return cni_fail(
				err, CNI_INVALID_CONFIG,
				"gateway-ip-addresses: there is a gateway for IPv%d, and no "
				"address",
				i == 0 ? 4 : 6);
	return 0;
}

int eni_config_read(const struct cni_request *request, struct eni_config *ret,
		    struct cni_error *err)
{
	const struct json_at *at = &request->config;
	bool whole = request->command == CNI_COMMAND_ADD || request->command == CNI_COMMAND_CHECK;
	const char *id = NULL;
	struct error why;

	*ret = (struct eni_config){ .task.has_default_route = true };
	if (read_driver(at, &ret->driver, err) < 0 || read_mac(at, whole, ret, err) < 0 ||
	    cni_ipam_type(request, &ret->ipam_type, err) < 0 ||
	    cni_config_prefixes(at, "ip-addresses", ret->task.addresses, TASK_MAX_ADDRESSES,
				&ret->task.address_count, err) < 0 ||
	    read_gateways(at, ret, err) < 0 ||
	    cni_config_prefixes(at, "loopback-addresses", ret->task.loopback, TASK_MAX_ADDRESSES,
				&ret->task.loopback_count, err) < 0 ||
	    cni_config_mtu(at, &ret->task.mtu, err) < 0 ||
	    cni_config_flag(at, "block-instance-metadata", &ret->task.block_metadata, err) < 0 ||
	    cni_config_flag(at, "stay-down", &ret->stay_down, err) < 0 ||
	    read_device_wait(at, &ret->device_wait_ms, err) < 0 ||
	    cni_config_leave_to_netns(at, &ret->leave_to_netns, err) < 0)
		return -1;
	if (json_get_string(at, "eni", whole ? JSON_REQUIRED : JSON_NULLABLE, &id, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	ret->id = id ? id : "";
	return whole ? check_whole(ret, err) : 0;
}
