/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/portmap.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cni-plugins/config.h"

static int fail(struct cni_error *err, const struct error *why)
{
	return cni_fail_with(err, CNI_INVALID_CONFIG, why);
}

static int read_port(const struct json_at *at, const char *name, uint16_t *ret,
		     struct cni_error *err)
{
	struct json_at member = json_member(at, name, 0);
	struct error why;
	double port = 0;

	/* A number that travelled through a generic map may arrive as 8.08e+03. */
	if (json_get_double(at, name, JSON_REQUIRED, 1, UINT16_MAX, &port, &why) < 0)
		return fail(err, &why);
	*ret = (uint16_t)port;
	if (port != (double)*ret) {
		json_fail(&member, &why, "must be a whole number");
		return fail(err, &why);
	}
	return 0;
}

static int read_protocol(const struct json_at *at, uint8_t *ret, struct cni_error *err)
{
	struct json_at member = json_member(at, "protocol", 0);
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, "protocol", JSON_NULLABLE, &text, &why) < 0)
		return fail(err, &why);
	*ret = IPPROTO_TCP;
	if (str_is_empty(text) || str_eq_nocase(text, "tcp"))
		return 0;
	*ret = IPPROTO_UDP;
	if (str_eq_nocase(text, "udp"))
		return 0;
	json_fail(&member, &why, "\"%.32s\" must be \"tcp\" or \"udp\"", text);
	return fail(err, &why);
}

/* *ret_family: 0, or the only one that is meant. */
static int read_host(const struct json_at *at, struct ip_address *ret, int *ret_family,
		     struct cni_error *err)
{
	static const struct ip_address any[2] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct json_at member = json_member(at, "hostIP", 0);
	const char *text = NULL;
	struct error why, reason;

	*ret = (struct ip_address){ 0 };
	*ret_family = 0;
	if (json_get_string(at, "hostIP", JSON_NULLABLE, &text, &why) < 0)
		return fail(err, &why);
	if (str_is_empty(text))
		return 0;
	if (ip_parse(text, ret, &reason) < 0) {
		json_fail(&member, &why, "%s", reason.text);
		return fail(err, &why);
	}
	*ret_family = ret->family;
	if (ip_equal(ret, &any[ret->family == AF_INET6]))
		*ret = (struct ip_address){ 0 };
	return 0;
}

static bool is_loopback(const struct portmap_entry *entry)
{
	return entry->container.family == AF_INET &&
	       (!entry->host.family || entry->host.bytes[0] == 127);
}

static int read_mapping(const struct json_at *at, const struct ip_address containers[2],
			struct portmap_config *config, struct cni_error *err)
{
	struct json_at member = json_member(at, "hostIP", 0);
	struct portmap_entry entry = { 0 };
	struct error why;
	int family;

	if (json_expect_object(at, &why) < 0)
		return fail(err, &why);
	if (read_port(at, "hostPort", &entry.host_port, err) < 0 ||
	    read_port(at, "containerPort", &entry.container_port, err) < 0 ||
	    read_protocol(at, &entry.protocol, err) < 0 ||
	    read_host(at, &entry.host, &family, err) < 0)
		return -1;
	if (containers && entry.host.family && !containers[family == AF_INET6].family) {
		json_fail(&member, &why, "the container has no IPv%d address",
			  family == AF_INET6 ? 6 : 4);
		return fail(err, &why);
	}
	for (size_t i = 0; i < 2; i++) {
		entry.container.family = i ? AF_INET6 : AF_INET;
		if (family && family != entry.container.family)
			continue;
		if (containers && !containers[i].family)
			continue;
		if (containers)
			entry.container = containers[i];
		config->has_loopback |= is_loopback(&entry);
		config->entries[config->count++] = entry;
	}
	return 0;
}

/* Conditions would be dropped silently, and the port be open to more than was meant. */
static int refuse_conditions(const struct json_at *at, struct cni_error *err)
{
	static const char *const names[] = { "conditionsV4", "conditionsV6" };

	for (size_t i = 0; i < 2; i++) {
		struct json_at list;
		struct error why;

		if (json_get_array(at, names[i], JSON_NULLABLE, PORTMAP_MAX, &list, &why) < 0)
			return fail(err, &why);
		if (json_present(&list) && json_count(&list) > 0)
			return cni_fail(err, CNI_UNSUPPORTED_FIELD,
					"%s: ecs-portmap has no conditions for published ports",
					names[i]);
	}
	return 0;
}

int portmap_config_read(const struct cni_request *request, const struct ip_address containers[2],
			struct portmap_config *ret, struct cni_error *err)
{
	const struct json_at *at = &request->config;
	struct json_at runtime, list = { 0 };
	bool snat = true;
	struct error why;

	*ret = (struct portmap_config){ 0 };
	if (refuse_conditions(at, err) < 0 || cni_config_flag(at, "snat", &snat, err) < 0)
		return -1;
	if (json_get_object(at, "runtimeConfig", JSON_NULLABLE, &runtime, &why) < 0 ||
	    (json_present(&runtime) &&
	     json_get_array(&runtime, "portMappings", JSON_NULLABLE, PORTMAP_MAX, &list, &why) < 0))
		return fail(err, &why);
	if (!json_present(&list) || json_count(&list) == 0)
		return 0;
	ret->entries = xcalloc(2 * json_count(&list), sizeof(*ret->entries));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		if (read_mapping(&item, containers, ret, err) < 0)
			return -1;
	}
	ret->has_loopback &= snat;
	return 0;
}

void portmap_config_free(struct portmap_config *config)
{
	free(config->entries);
	*config = (struct portmap_config){ 0 };
}
