/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ENI_H
#define BERTH_WIRE_ENI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/text.h"

struct arena;
struct json_at;

enum eni_protocol {
	ENI_PROTOCOL_DEFAULT,
	ENI_PROTOCOL_VLAN,
};

struct eni_address {
	const char *address; /* without prefix length; parses as an address of its family */
	bool primary;
};

/* A subnet's gateway, from "10.0.0.1/24". */
struct eni_gateway {
	const char *address; /* NULL: none was given */
	unsigned int prefix;
};

/*
 * An elastic network interface as a message gives it: decoded, validated, read only. Absent strings
 * are NULL. Either there is an IPv4 address with its gateway, or there are only IPv6 addresses with
 * theirs.
 */
struct eni_spec {
	const char *attachment_arn;
	const char *ec2_id;
	const char *mac_address; /* lower case, "0a:1b:2c:3d:4e:5f" */
	const char *name;
	int64_t index;
	const struct eni_address *ipv4;
	size_t ipv4_count;
	const struct eni_address *ipv6;
	size_t ipv6_count;
	struct eni_gateway gateway_ipv4;
	struct eni_gateway gateway_ipv6;
	struct text_list dns_servers; /* each an IPv4 or IPv6 address */
	struct text_list dns_search;
	const char *private_dns_name;
	enum eni_protocol protocol;
	const char *vlan_id; /* both only with ENI_PROTOCOL_VLAN */
	const char *trunk_mac_address;
};

/* The address marked primary, else the first one; NULL when there is none of the family. */
const char *eni_primary_ipv4(const struct eni_spec *eni);
const char *eni_primary_ipv6(const struct eni_spec *eni);

/* A required MAC address in lower case. -EBADMSG, -EINVAL as below. */
int eni_read_mac(const struct json_at *at, const char *name, struct arena *arena, const char **ret,
		 struct error *err);

/*
 * Decodes and validates the object at `at`; strings come from `arena`. -EBADMSG: a member has the
 * wrong JSON type; -EINVAL: it is no usable interface. The error names the member.
 */
int eni_spec_decode(const struct json_at *at, struct arena *arena, struct eni_spec *ret,
		    struct error *err);
/* Each of a list. */
int eni_specs_decode(const struct json_at *list, struct arena *arena, const struct eni_spec **ret,
		     size_t *ret_count, struct error *err);

#endif
