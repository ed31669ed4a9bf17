/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/ipam_config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cni-plugins/config.h"

/* "ipv4" + "-subnet" */
struct family_names {
	const char *label;
	int family;
	unsigned int longest; /* prefix that still leaves two addresses to give */
	const char *subnet, *address, *gateway, *routes;
};

static const struct family_names names[2] = {
	{ "IPv4", AF_INET, 30, "ipv4-subnet", "ipv4-address", "ipv4-gateway", "ipv4-routes" },
	{ "IPv6", AF_INET6, 126, "ipv6-subnet", "ipv6-address", "ipv6-gateway", "ipv6-routes" },
};

/* json_get_string() of an optional member that is parsed further: NULL when absent or empty. */
static int get_text(const struct json_at *at, const char *name, const char **ret,
		    struct cni_error *err)
{
	struct error why;
	const char *text = NULL;

	if (json_get_string(at, name, JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	*ret = text && *text ? text : NULL;
	return 0;
}

static int get_prefix(const struct json_at *at, const char *name, int family, struct ip_prefix *ret,
		      struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (get_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (ip_prefix_parse(text, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: %s", name, why.text);
	if (ret->address.family != family)
		return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: %s is of the other family", name,
				text);
	return 0;
}

static int get_gateway(const struct json_at *at, const struct family_names *family,
		       struct ip_address *ret, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (get_text(at, family->gateway, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (ip_parse(text, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: %s", family->gateway, why.text);
	if (ret->family != family->family)
		return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: %s is of the other family",
				family->gateway, text);
	return 0;
}

static int read_routes(const struct json_at *at, const struct family_names *family,
		       struct ipam_family *ret, struct cni_error *err)
{
	if (cni_config_routes(at, "ipam.", family->routes, ret->routes, IPAM_MAX_ROUTES,
			      &ret->route_count, err) < 0)
		return -1;
	for (size_t i = 0; i < ret->route_count; i++)
		if (ret->routes[i].destination.address.family != family->family)
			return cni_fail(err, CNI_INVALID_CONFIG,
					"ipam.%s[%zu]: it is of the other family", family->routes,
					i);
	return 0;
}

/* An address that can be somebody's: in the subnet, not the network's own, and for IPv4 not the
 * broadcast. */
static int check_usable(const struct ip_prefix *subnet, const struct ip_address *address,
			const char *name, struct cni_error *err)
{
	const struct ip_prefix network = ip_prefix_network(subnet);
	const struct ip_address next = ip_next(address);
	char text[IP_TEXT_SIZE], subnet_text[IP_TEXT_SIZE];

	if (!ip_prefix_contains(&network, address))
		return cni_fail(err, CNI_INVALID_CONFIG, "ipam.%s: %s is not in the subnet %s",
				name, ip_format(address, text),
				ip_prefix_format(&network, subnet_text));
	if (ip_equal(address, &network.address) ||
	    (address->family == AF_INET && !ip_prefix_contains(&network, &next)))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ipam.%s: %s is the network or broadcast address of the subnet %s",
				name, ip_format(address, text),
				ip_prefix_format(&network, subnet_text));
	return 0;
}

static int read_family(const struct json_at *at, const struct family_names *family,
		       struct ipam_family *ret, struct cni_error *err)
{
	if (get_prefix(at, family->subnet, family->family, &ret->subnet, err) < 0 ||
	    get_prefix(at, family->address, family->family, &ret->address, err) < 0 ||
	    get_gateway(at, family, &ret->gateway, err) < 0 ||
	    read_routes(at, family, ret, err) < 0)
		return -1;
	if (!ret->subnet.address.family) {
		if (ret->address.address.family || ret->gateway.family)
			return cni_fail(err, CNI_INVALID_CONFIG,
					"ipam.%s is missing: an address or a gateway needs it",
					family->subnet);
		return 0;
	}
	if (ret->subnet.length > family->longest)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ipam.%s: no available ip in the subnet: its prefix is /%u, and "
				"at most /%u leaves addresses to give",
				family->subnet, ret->subnet.length, family->longest);
	/* The default gateway follows the subnet's address as it is written, host bits and all. */
	if (!ret->gateway.family)
		ret->gateway = ip_next(&ret->subnet.address);
	if (check_usable(&ret->subnet, &ret->gateway, family->gateway, err) < 0)
		return -1;
	if (ret->address.address.family) {
		if (check_usable(&ret->subnet, &ret->address.address, family->address, err) < 0)
			return -1;
		if (ip_equal(&ret->address.address, &ret->gateway))
			return cni_fail(err, CNI_INVALID_CONFIG,
					"ipam.%s: this is the gateway's address", family->address);
	}
	ret->present = true;
	return 0;
}

int ipam_config_read(const struct cni_request *request, bool all, struct ipam_config *ret,
		     struct cni_error *err)
{
	const char *directory = NULL, *id = NULL;
	struct json_at at;
	struct error why;

	*ret = (struct ipam_config){ 0 };
	if (json_get_object(&request->config, "ipam", JSON_REQUIRED, &at, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	if (get_text(&at, "data-dir", &directory, err) < 0 || get_text(&at, "id", &id, err) < 0)
		return -1;
	if (!directory)
		directory = getenv("IPAM_DB_PATH");
	ret->directory = str_is_empty(directory) ? IPAM_DEFAULT_DIRECTORY : directory;
	ret->has_id = id != NULL;
	ret->id = id ? xstrdup(id) : xasprintf("%s/%s", request->container_id, request->ifname);
	for (size_t i = 0; all && i < 2; i++)
		if (read_family(&at, &names[i], &ret->families[i], err) < 0)
			return -1;
	if (all && !ret->families[0].present && !ret->families[1].present)
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ipam: one of ipv4-subnet and ipv6-subnet is needed");
	return 0;
}

void ipam_config_free(struct ipam_config *config)
{
	free(config->id);
	*config = (struct ipam_config){ 0 };
}
