/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/config.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/number.h"

#define MTU_MAX 65535

int cni_config_prefixes(const struct json_at *at, const char *name, struct ip_prefix *ret,
			size_t max, size_t *ret_count, struct cni_error *err)
{
	struct json_at list;
	struct error why;

	if (json_get_array(at, name, JSON_NULLABLE, max, &list, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	for (size_t i = 0; json_present(&list) && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		const char *text;

		if (json_as_string(&item, &text, &why) < 0)
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		if (ip_prefix_parse(text, &ret[i], &why) < 0)
			return cni_fail(err, CNI_INVALID_CONFIG, "%s[%zu]: %s", name, i, why.text);
		if (!ip_is_unicast(&ret[i].address))
			return cni_fail(err, CNI_INVALID_CONFIG,
					"%s[%zu]: %s is no address that an interface can have",
					name, i, text);
		*ret_count = i + 1;
	}
	return 0;
}

int cni_config_gateways(const struct json_at *at, const char *name, struct ip_address ret[2],
			struct cni_error *err)
{
	struct json_at list;
	struct error why;

	if (json_get_array(at, name, JSON_NULLABLE, 2, &list, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	for (size_t i = 0; json_present(&list) && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);
		struct ip_address gateway, *place;
		const char *text;

		if (json_as_string(&item, &text, &why) < 0)
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		if (ip_parse(text, &gateway, &why) < 0)
			return cni_fail(err, CNI_INVALID_CONFIG, "%s[%zu]: %s", name, i, why.text);
		place = &ret[gateway.family == AF_INET6];
		if (place->family)
			return cni_fail(err, CNI_INVALID_CONFIG,
					"%s[%zu]: %s is the second gateway of its family", name, i,
					text);
		*place = gateway;
	}
	return 0;
}

static int read_route(const struct json_at *at, struct cni_route *ret, struct error *err)
{
	const char *text, *gateway = NULL;

	*ret = (struct cni_route){ .mtu = CNI_ABSENT,
				   .advmss = CNI_ABSENT,
				   .priority = CNI_ABSENT,
				   .table = CNI_ABSENT,
				   .scope = CNI_ABSENT };
	if (json_expect_object(at, err) < 0 ||
	    json_get_string(at, "dst", JSON_REQUIRED, &text, err) < 0 ||
	    json_get_string(at, "gw", JSON_NULLABLE, &gateway, err) < 0 ||
	    ip_prefix_parse(text, &ret->destination, err) < 0 ||
	    (gateway && *gateway && ip_parse(gateway, &ret->gateway, err) < 0))
		return -EINVAL;
	if (ret->gateway.family && ret->gateway.family != ret->destination.address.family)
		return error_say(err, EINVAL, "%s is of another family than its gateway", text);
	return 0;
}

int cni_config_routes(const struct json_at *at, const char *where, const char *name,
		      struct cni_route *ret, size_t max, size_t *ret_count, struct cni_error *err)
{
	struct json_at list;
	struct error why;

	if (json_get_array(at, name, JSON_NULLABLE, max, &list, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	for (size_t i = 0; json_present(&list) && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		if (read_route(&item, &ret[i], &why) < 0)
			return cni_fail(err, CNI_INVALID_CONFIG, "%s%s[%zu]: %s", where, name, i,
					why.text);
		*ret_count = i + 1;
	}
	return 0;
}

int cni_config_flag(const struct json_at *at, const char *name, bool *ret, struct cni_error *err)
{
	struct error why;

	if (json_get_bool(at, name, JSON_NULLABLE, ret, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	return 0;
}

int cni_config_leave_to_netns(const struct json_at *at, bool *ret, struct cni_error *err)
{
	struct json_at runtime;
	struct error why;

	if (json_get_object(at, "runtimeConfig", JSON_NULLABLE, &runtime, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	return json_present(&runtime) ? cni_config_flag(&runtime, "leaveToNetns", ret, err) : 0;
}

int cni_config_mtu(const struct json_at *at, uint32_t *ret, struct cni_error *err)
{
	struct error why;
	double mtu = 0;

	/* A number that travelled through a generic map may arrive as 9.001e+03. */
	if (json_get_double(at, "mtu", JSON_NULLABLE, 0, MTU_MAX, &mtu, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (mtu != (double)(uint32_t)mtu)
		return cni_fail(err, CNI_INVALID_CONFIG, "mtu: must be a whole number");
	*ret = (uint32_t)mtu;
	return 0;
}

int cni_config_port(const struct json_at *at, uint16_t *ret, struct cni_error *err)
{
	struct error why, reason;
	double number = 0;
	int64_t port = 0;

	if (json_is_string(at->value)) {
		if (number_parse_i64(json_string_value(at->value), 1, UINT16_MAX, &port, &reason) <
		    0) {
			json_fail(at, &why, "%s", reason.text);
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		}
	} else {
		/* A number that travelled through a generic map may arrive as 8.08e+03. */
		if (json_as_double(at, 1, UINT16_MAX, &number, &why) < 0)
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		port = (int64_t)number;
		if (number != (double)port) {
			json_fail(at, &why, "must be a whole number");
			return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
		}
	}
	*ret = (uint16_t)port;
	return 0;
}
