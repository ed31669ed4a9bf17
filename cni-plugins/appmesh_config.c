/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/appmesh.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"
#include "cni-plugins/config.h"

#define ID_MAX (UINT32_MAX - 1) /* the last one means none */

static int fail(struct cni_error *err, const struct error *why)
{
	return cni_fail_with(err, CNI_INVALID_CONFIG, why);
}

/* Whether there is a value; "" is none. */
static bool is_given(const struct json_at *at)
{
	return json_present(at) &&
	       !(json_is_string(at->value) && json_string_length(at->value) == 0);
}

static int read_id(const struct json_at *config, const char *name, bool *ret_has, uint32_t *ret,
		   struct cni_error *err)
{
	struct json_at at = json_member(config, name, 0);
	struct error why, reason;
	double number = 0;
	int64_t id = 0;

	if (!is_given(&at))
		return 0;
	if (json_is_string(at.value)) {
		if (number_parse_i64(json_string_value(at.value), 0, ID_MAX, &id, &reason) < 0) {
			json_fail(&at, &why, "%s", reason.text);
			return fail(err, &why);
		}
	} else {
		if (json_as_double(&at, 0, ID_MAX, &number, &why) < 0)
			return fail(err, &why);
		id = (int64_t)number;
		if (number != (double)id) {
			json_fail(&at, &why, "must be a whole number");
			return fail(err, &why);
		}
	}
	*ret = (uint32_t)id;
	*ret_has = true;
	return 0;
}

/* *ret stays 0 where there is none. */
static int read_port(const struct json_at *config, const char *name, uint16_t *ret,
		     struct cni_error *err)
{
	struct json_at at = json_member(config, name, 0);

	return is_given(&at) ? cni_config_port(&at, ret, err) : 0;
}

/* One that holds nothing but an empty string is empty. */
static int read_list(const struct json_at *config, const char *name, struct json_at *ret,
		     struct cni_error *err)
{
	struct error why;

	if (json_get_array(config, name, JSON_NULLABLE, APPMESH_LIST_MAX, ret, &why) < 0)
		return fail(err, &why);
	if (json_count(ret) == 1) {
		struct json_at item = json_item(ret, 0);

		if (!is_given(&item))
			ret->value = NULL;
	}
	return 0;
}

static int read_ports(const struct json_at *config, const char *name, uint16_t **ret,
		      size_t *ret_count, struct cni_error *err)
{
	struct json_at list;

	if (read_list(config, name, &list, err) < 0)
		return -1;
	*ret = xcalloc(json_count(&list) + 1, sizeof(**ret));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		if (cni_config_port(&item, &(*ret)[i], err) < 0)
			return -1;
	}
	*ret_count = json_count(&list);
	return 0;
}

static int read_address(const struct json_at *at, struct ip_prefix *ret, struct cni_error *err)
{
	_cleanup_free_ char *trimmed = NULL;
	struct error why, reason;
	const char *text;
	int r;

	if (json_as_string(at, &text, &why) < 0)
		return fail(err, &why);
	trimmed = str_trim(text);
	if (strchr(trimmed, '/')) {
		r = ip_prefix_parse(trimmed, ret, &reason);
	} else {
		r = ip_parse(trimmed, &ret->address, &reason);
		if (r == 0)
			*ret = ip_host_prefix(&ret->address);
	}
	if (r == 0)
		return 0;
	json_fail(at, &why, "%s", reason.text);
	return fail(err, &why);
}

static int read_addresses(const struct json_at *config, struct appmesh_config *ret,
			  struct cni_error *err)
{
	struct json_at list;

	if (read_list(config, "egressIgnoredIPs", &list, err) < 0)
		return -1;
	ret->ignored = xcalloc(json_count(&list) + 1, sizeof(*ret->ignored));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		if (read_address(&item, &ret->ignored[i], err) < 0)
			return -1;
	}
	ret->redirect.ignored = ret->ignored;
	ret->redirect.ignored_count = json_count(&list);
	return 0;
}

static int check(const struct proxy_redirect *redirect, struct cni_error *err)
{
	if (!redirect->has_uid && !redirect->has_gid)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ignoredUID or ignoredGID: the proxy's own traffic must be known, "
				"or it would be led to the proxy again");
	if (!redirect->egress_port)
		return cni_fail(err, CNI_INVALID_CONFIG, "proxyEgressPort: it is missing");
	if (redirect->ingress_port && redirect->app_port_count == 0)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"appPorts: proxyIngressPort is nothing without them");
	if (!redirect->ingress_port && redirect->app_port_count > 0)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"proxyIngressPort: appPorts are nothing without it");
	return 0;
}

int appmesh_config_read(const struct cni_request *request, struct appmesh_config *ret,
			struct cni_error *err)
{
	const struct json_at *at = &request->config;
	struct proxy_redirect *redirect = &ret->redirect;

	*ret = (struct appmesh_config){ 0 };
	if (read_id(at, "ignoredUID", &redirect->has_uid, &redirect->uid, err) < 0 ||
	    read_id(at, "ignoredGID", &redirect->has_gid, &redirect->gid, err) < 0 ||
	    read_port(at, "proxyIngressPort", &redirect->ingress_port, err) < 0 ||
	    read_port(at, "proxyEgressPort", &redirect->egress_port, err) < 0 ||
	    read_ports(at, "appPorts", &ret->app_ports, &redirect->app_port_count, err) < 0 ||
	    read_ports(at, "egressIgnoredPorts", &ret->ignored_ports, &redirect->ignored_port_count,
		       err) < 0 ||
	    read_addresses(at, ret, err) < 0 ||
	    cni_config_flag(at, "enableIPv6", &redirect->ipv6, err) < 0)
		return -1;
	redirect->app_ports = ret->app_ports;
	redirect->ignored_ports = ret->ignored_ports;
	return check(redirect, err);
}

void appmesh_config_free(struct appmesh_config *config)
{
	free(config->app_ports);
	free(config->ignored_ports);
	free(config->ignored);
	*config = (struct appmesh_config){ 0 };
}
