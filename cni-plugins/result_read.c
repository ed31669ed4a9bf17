/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "cni-plugins/result.h"

#define MAX_ITEMS 256

/* Numbers come through Go's generic maps: 9001 may arrive as 9.001e+03. */
static int get_whole(const struct json_at *at, const char *name, int64_t min, int64_t max,
		     int64_t *ret, struct error *err)
{
	double number = (double)*ret;
	struct json_at member = json_member(at, name, 0);
	int r = json_get_double(at, name, JSON_NULLABLE, (double)min, (double)max, &number, err);

	if (r < 0)
		return r;
	if (number != (double)(int64_t)number)
		return json_fail(&member, err, "must be a whole number");
	*ret = (int64_t)number;
	return 0;
}

static int get_text(const struct json_at *at, const char *name, unsigned int flags, char **ret,
		    struct error *err)
{
	const char *text = NULL;
	int r = json_get_string(at, name, flags | JSON_NULLABLE, &text, err);

	if (r == 0 && text && *text)
		*ret = xstrdup(text);
	return r;
}

static int get_prefix(const struct json_at *at, const char *name, struct ip_prefix *ret,
		      struct error *err)
{
	struct json_at member = json_member(at, name, 0);
	const char *text;
	struct error why;
	int r = json_get_string(at, name, JSON_REQUIRED, &text, err);

	if (r == 0 && ip_prefix_parse(text, ret, &why) < 0)
		r = json_fail(&member, err, "%s", why.text);
	return r;
}

static int get_address(const struct json_at *at, const char *name, struct ip_address *ret,
		       struct error *err)
{
	struct json_at member = json_member(at, name, 0);
	const char *text = NULL;
	struct error why;
	int r = json_get_string(at, name, JSON_NULLABLE, &text, err);

	if (r == 0 && text && *text && ip_parse(text, ret, &why) < 0)
		r = json_fail(&member, err, "%s", why.text);
	return r;
}

static int read_interface(const struct json_at *at, struct cni_result *result, struct error *err)
{
	struct cni_interface *interface;
	const char *name;
	int index;
	int r = json_get_string(at, "name", JSON_REQUIRED, &name, err);

	if (r < 0)
		return r;
	index = cni_result_add_interface(result, name, NULL, NULL, 0);
	interface = &result->interfaces[index];
	r = get_text(at, "mac", 0, &interface->mac, err);
	if (r == 0)
		r = get_text(at, "sandbox", 0, &interface->sandbox, err);
	if (r == 0)
		r = get_text(at, "socketPath", 0, &interface->socket_path, err);
	if (r == 0)
		r = get_text(at, "pciID", 0, &interface->pci_id, err);
	if (r == 0)
		r = get_whole(at, "mtu", 0, UINT32_MAX, &interface->mtu, err);
	return r;
}

static int read_ip(const struct json_at *at, struct cni_result *result, struct error *err)
{
	struct ip_prefix address;
	struct ip_address gateway = { 0 };
	int64_t interface = CNI_ABSENT;
	int r = get_prefix(at, "address", &address, err);

	if (r == 0)
		r = get_address(at, "gateway", &gateway, err);
	if (r == 0)
		r = get_whole(at, "interface", CNI_ABSENT, INT_MAX, &interface, err);
	if (r == 0)
		cni_result_add_ip(result, &address, &gateway, (int)interface);
	return r;
}

static int read_route(const struct json_at *at, struct cni_result *result, struct error *err)
{
	struct ip_prefix destination;
	struct ip_address gateway = { 0 };
	struct cni_route *route;
	int index;
	int r = get_prefix(at, "dst", &destination, err);

	if (r == 0)
		r = get_address(at, "gw", &gateway, err);
	if (r < 0)
		return r;
	index = cni_result_add_route(result, &destination, &gateway);
	route = &result->routes[index];
	r = get_whole(at, "mtu", CNI_ABSENT, INT_MAX, &route->mtu, err);
	if (r == 0)
		r = get_whole(at, "advmss", CNI_ABSENT, INT_MAX, &route->advmss, err);
	if (r == 0)
		r = get_whole(at, "priority", CNI_ABSENT, UINT32_MAX, &route->priority, err);
	if (r == 0)
		r = get_whole(at, "table", CNI_ABSENT, UINT32_MAX, &route->table, err);
	if (r == 0)
		r = get_whole(at, "scope", CNI_ABSENT, 255, &route->scope, err);
	return r;
}

static int read_list(const struct json_at *at, const char *name,
		     int (*read)(const struct json_at *at, struct cni_result *result,
				 struct error *err),
		     struct cni_result *result, struct error *err)
{
	struct json_at list;
	int r = json_get_array(at, name, JSON_NULLABLE, MAX_ITEMS, &list, err);

	if (r < 0 || !json_present(&list))
		return r;
	for (size_t i = 0; r == 0 && i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		r = json_expect_object(&item, err);
		if (r == 0)
			r = read(&item, result, err);
	}
	return r;
}

int cni_dns_parse(const struct json_at *object, struct cni_dns *ret, struct error *err)
{
	struct cni_dns dns = { 0 };
	struct json_at at;
	int r = json_get_object(object, "dns", JSON_NULLABLE, &at, err);

	if (r < 0 || !json_present(&at))
		return r;
	r = json_get_string_list(&at, "nameservers", JSON_NULLABLE, MAX_ITEMS, &dns.nameservers,
				 err);
	if (r == 0)
		r = json_get_string_list(&at, "search", JSON_NULLABLE, MAX_ITEMS, &dns.search, err);
	if (r == 0)
		r = json_get_string_list(&at, "options", JSON_NULLABLE, MAX_ITEMS, &dns.options,
					 err);
	if (r == 0)
		r = get_text(&at, "domain", 0, &dns.domain, err);
	if (r < 0) {
		cni_dns_free(&dns);
		return r;
	}
	*ret = dns;
	return 0;
}

int cni_result_parse(const struct json_at *at, enum cni_version version, struct cni_result *ret,
		     struct error *err)
{
	struct json_at version_at = json_member(at, "cniVersion", 0);
	struct cni_result result = CNI_RESULT_INIT;
	const char *version_text = NULL;
	int r = json_expect_object(at, err);

	if (r == 0)
		r = json_get_string(at, "cniVersion", JSON_NULLABLE, &version_text, err);
	if (r < 0)
		return r;
	if (version_text && *version_text)
		version = cni_version_parse(version_text);
	/* From 0.3.0 on the shape is one; what a version does not know it does not write. */
	if (version == CNI_VERSION_UNKNOWN)
		return json_fail(&version_at, err, "version \"%.32s\" is not one of %s",
				 version_text ? version_text : "", cni_supported_versions);
	r = read_list(at, "interfaces", read_interface, &result, err);
	if (r == 0)
		r = read_list(at, "ips", read_ip, &result, err);
	if (r == 0)
		r = read_list(at, "routes", read_route, &result, err);
	if (r == 0)
		r = cni_dns_parse(at, &result.dns, err);
	if (r < 0) {
		cni_result_free(&result);
		return r;
	}
	*ret = result;
	return 0;
}
