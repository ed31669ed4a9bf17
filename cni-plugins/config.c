/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/config.h"

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
