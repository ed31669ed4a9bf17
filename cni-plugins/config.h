/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_CONFIG_H
#define BERTH_CNI_PLUGINS_CONFIG_H

#include "base/json.h"
#include "cni-plugins/error.h"
#include "cni-plugins/result.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys that several plugins have. Absent or null: *ret stays as it is. Return 0, or -1 with the
 * error filled. */

int cni_config_flag(const struct json_at *at, const char *name, bool *ret, struct cni_error *err);

/* A list of at most `max` addresses with their prefix lengths, each one that an interface can
 * have. */
int cni_config_prefixes(const struct json_at *at, const char *name, struct ip_prefix *ret,
			size_t max, size_t *ret_count, struct cni_error *err);

/* A list of gateways, at most one of each family: ret[0] IPv4, ret[1] IPv6. */
int cni_config_gateways(const struct json_at *at, const char *name, struct ip_address ret[2],
			struct cni_error *err);

/* A list of at most `max` [{"dst": "10.1.0.0/16", "gw": "10.0.0.1"}]; "gw" may be missing. `where`:
 * what stands before its name in an error, "ipam." or "". */
int cni_config_routes(const struct json_at *at, const char *where, const char *name,
		      struct cni_route *ret, size_t max, size_t *ret_count, struct cni_error *err);

/* "mtu": 0 to 65535. */
int cni_config_mtu(const struct json_at *at, uint32_t *ret, struct cni_error *err);

/* A port, 1 to 65535, as a number or as its digits: some runtimes write them so. `at`: the port
 * itself. */
int cni_config_port(const struct json_at *at, uint16_t *ret, struct cni_error *err);

/* "runtimeConfig": {"leaveToNetns": true}: on DEL, the namespace is about to be dropped, and what
 * dies with it need not be deleted (which for a veth, or a table of rules, blocks 15 to 30 ms). */
int cni_config_leave_to_netns(const struct json_at *at, bool *ret, struct cni_error *err);

#endif
