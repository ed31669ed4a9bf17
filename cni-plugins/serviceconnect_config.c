/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/serviceconnect.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cni-plugins/config.h"

static const char *const cidr_names[2] = { "ipv4Cidr", "ipv6Cidr" };
static const char *const address_names[2] = { "ipv4", "ipv6" };
static const int families[2] = { AF_INET, AF_INET6 };

static int fail(struct cni_error *err, const struct error *why)
{
	return cni_fail_with(err, CNI_INVALID_CONFIG, why);
}

/* "<path>: <sentence>" */
static int fail_at(struct cni_error *err, const struct json_at *at, const char *sentence)
{
	struct error why;

	json_fail(at, &why, "%s", sentence);
	return fail(err, &why);
}

/* Absent and 0: *ret stays 0. */
static int read_port(const struct json_at *object, const char *name, uint16_t *ret,
		     struct cni_error *err)
{
	struct json_at at = json_member(object, name, 0);

	if (!json_present(&at) || (json_is_number(at.value) && json_number_value(at.value) == 0))
		return 0;
	return cni_config_port(&at, ret, err);
}

static bool has_port(const struct service_redirect *redirect, uint16_t intercept)
{
	for (size_t i = 0; i < redirect->port_count; i++)
		if (redirect->ports[i].intercept == intercept)
			return true;
	return false;
}

static int read_ingress(const struct json_at *list, struct serviceconnect_config *config,
			struct cni_error *err)
{
	config->ports = xcalloc(json_count(list) + 1, sizeof(*config->ports));
	config->redirect.ports = config->ports;
	for (size_t i = 0; i < json_count(list); i++) {
		struct json_at item = json_item(list, i);
		struct service_port port = { 0 };
		struct error why;

		if (json_expect_object(&item, &why) < 0)
			return fail(err, &why);
		if (read_port(&item, "listenerPort", &port.listener, err) < 0 ||
		    read_port(&item, "interceptPort", &port.intercept, err) < 0)
			return -1;
		if (!port.listener)
			return fail_at(err, &item, "listenerPort: it is missing");
		/* Its clients know the listener's port. */
		if (!port.intercept)
			continue;
		if (has_port(&config->redirect, port.intercept))
			return fail_at(err, &item, "interceptPort: it is there twice");
		config->ports[config->redirect.port_count++] = port;
	}
	return 0;
}

static int read_virtual(const struct json_at *vip, size_t i, struct ip_prefix *ret,
			struct cni_error *err)
{
	struct json_at at = json_member(vip, cidr_names[i], 0);
	const char *text = NULL;
	struct error why, reason;

	if (json_get_string(vip, cidr_names[i], JSON_REQUIRED | JSON_NOT_EMPTY, &text, &why) < 0)
		return fail(err, &why);
	if (ip_prefix_parse(text, ret, &reason) < 0)
		return fail_at(err, &at, reason.text);
	if (ret->address.family != families[i])
		return fail_at(err, &at, "it is of the other family");
	return 0;
}

static int read_relay(const struct json_at *relay, size_t i, struct ip_address *ret,
		      struct cni_error *err)
{
	struct json_at at = json_member(relay, address_names[i], 0);
	const char *text = NULL;
	struct error why, reason;

	if (json_get_string(relay, address_names[i], JSON_REQUIRED | JSON_NOT_EMPTY, &text, &why) <
	    0)
		return fail(err, &why);
	if (ip_parse(text, ret, &reason) < 0)
		return fail_at(err, &at, reason.text);
	if (ret->family != families[i] || !ip_is_unicast(ret))
		return fail_at(err, &at, "it is no address of a relay of this family");
	return 0;
}

static int read_mode(const struct json_at *egress, const struct json_at *relay,
		     struct service_redirect *redirect, struct cni_error *err)
{
	const char *mode = NULL;
	struct json_at at = json_member(egress, "redirectMode", 0);
	struct error why;

	if (json_get_string(egress, "redirectMode", JSON_REQUIRED, &mode, &why) < 0)
		return fail(err, &why);
	if ((redirect->egress_port != 0) == json_present(relay))
		return fail_at(err, egress, "needs either listenerPort or redirectIP");
	if (str_eq(mode, "nat")) {
		redirect->egress = SERVICE_EGRESS_NAT;
		return redirect->egress_port
			       ? 0
			       : fail_at(err, egress, "listenerPort: redirectMode nat needs it");
	}
	if (!str_eq(mode, "tproxy"))
		return fail_at(err, &at, "must be \"nat\" or \"tproxy\"");
	redirect->egress = redirect->egress_port ? SERVICE_EGRESS_TPROXY : SERVICE_EGRESS_ROUTE;
	return 0;
}

static int read_egress(const struct json_at *egress, struct service_redirect *redirect,
		       struct cni_error *err)
{
	struct json_at vip, relay;
	struct error why;

	if (read_port(egress, "listenerPort", &redirect->egress_port, err) < 0)
		return -1;
	if (json_get_object(egress, "redirectIP", JSON_NULLABLE, &relay, &why) < 0 ||
	    json_get_object(egress, "vip", JSON_REQUIRED, &vip, &why) < 0)
		return fail(err, &why);
	if (read_mode(egress, &relay, redirect, err) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		if (!redirect->families[i])
			continue;
		if (read_virtual(&vip, i, &redirect->virtual[i], err) < 0 ||
		    (json_present(&relay) && read_relay(&relay, i, &redirect->relay[i], err) < 0))
			return -1;
	}
	return 0;
}

int serviceconnect_config_read(const struct cni_request *request, struct serviceconnect_config *ret,
			       struct cni_error *err)
{
	const struct json_at *at = &request->config;
	struct service_redirect *redirect = &ret->redirect;
	struct json_at ingress, egress;
	struct error why;

	*ret = (struct serviceconnect_config){ 0 };
	if (cni_config_flag(at, "enableIPv4", &redirect->families[0], err) < 0 ||
	    cni_config_flag(at, "enableIPv6", &redirect->families[1], err) < 0)
		return -1;
	if (!redirect->families[0] && !redirect->families[1])
		return cni_fail(err, CNI_INVALID_CONFIG,
				"enableIPv4 or enableIPv6: one of them must be true");
	if (json_get_array(at, "ingressConfig", JSON_NULLABLE, SERVICECONNECT_LIST_MAX, &ingress,
			   &why) < 0 ||
	    json_get_object(at, "egressConfig", JSON_NULLABLE, &egress, &why) < 0)
		return fail(err, &why);
	if (json_count(&ingress) == 0 && !json_present(&egress))
		return cni_fail(err, CNI_INVALID_CONFIG,
				"ingressConfig or egressConfig: one of them must be there");
	if (read_ingress(&ingress, ret, err) < 0)
		return -1;
	return json_present(&egress) ? read_egress(&egress, redirect, err) : 0;
}

void serviceconnect_config_free(struct serviceconnect_config *config)
{
	free(config->ports);
	*config = (struct serviceconnect_config){ 0 };
}
