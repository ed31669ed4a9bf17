/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with values that each are allowed, or are more than their type says. */
#include <net/if.h>
#include <sys/socket.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/ip.h"

#define POLL_MIN_MS 5000
#define POLL_MAX_MS 20000

static void check_network_address(const struct agent_config *config, struct config_report *report)
{
	struct ip_address address;

	if (config->network_address[0] == '\0')
		return;
	if (ip_parse(config->network_address, &address, NULL) < 0 || !ip_is_unicast(&address))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_NETWORK_ADDRESS is \"%.64s\", which is no IP address of a "
				  "host: give the one by which other hosts reach this one, such as "
				  "192.0.2.10",
				  config->network_address));
}

static void check_bridge(const struct agent_config *config, struct config_report *report)
{
	struct ip_prefix subnet;

	if (!ifname_is_valid(config->bridge))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE is \"%.64s\", which is no name of a link: "
				  "give one of 1 to %d characters, such as berth0",
				  config->bridge, IFNAMSIZ - 1));
	if (ip_prefix_parse(config->bridge_subnet, &subnet, NULL) < 0 ||
	    subnet.address.family != AF_INET || subnet.length < 8 || subnet.length > 30)
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE_SUBNET is \"%.64s\", which is no subnet for "
				  "containers: give an IPv4 one of 8 to 30 bits, such as "
				  "172.29.0.0/16",
				  config->bridge_subnet));
	if (*config->bridge_subnet_ipv6 != '\0' &&
	    (ip_prefix_parse(config->bridge_subnet_ipv6, &subnet, NULL) < 0 ||
	     subnet.address.family != AF_INET6 || subnet.length < 16 || subnet.length > 112))
		str_list_add_owned(
			&report->mistakes,
			xasprintf("BERTH_BRIDGE_SUBNET_IPV6 is \"%.64s\", which is no subnet for "
				  "containers: give an IPv6 one of 16 to 112 bits, such as "
				  "fd00:172:29::/64",
				  config->bridge_subnet_ipv6));
}

static void check_local_routes(const struct agent_config *config, struct config_report *report)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < config->local_routes.count; i++)
		if (ip_prefix_parse(config->local_routes.items[i], &prefix, NULL) < 0 ||
		    prefix.address.family != AF_INET)
			str_list_add_owned(
				&report->mistakes,
				xasprintf("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES has \"%.64s\", which "
					  "is no IPv4 prefix such as 10.1.0.0/16",
					  config->local_routes.items[i]));
	if (config->local_routes.count > CONFIG_MAX_LOCAL_ROUTES)
		str_list_add_owned(
			&report->mistakes,
			xasprintf("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES has %zu prefixes: at most %d "
				  "are taken",
				  config->local_routes.count, CONFIG_MAX_LOCAL_ROUTES));
}

/* A token is told to whoever answers, unless TLS says who that is; and AWS takes none. */
static void check_token(const struct agent_config *config, struct config_report *report)
{
	const char *name = *config->enroll_token ? "BERTH_ENROLL_TOKEN" : "BERTH_ENROLL_TOKEN_FILE";

	if (!*config->enroll_token && !*config->enroll_token_file)
		return;
	if (!*config->backend_host || str_starts_with(config->backend_host, "http://"))
		str_list_add_owned(&report->mistakes,
				   xasprintf("%s enrols this host with a berth-control: set "
					     "ECS_BACKEND_HOST to its https:// address",
					     name));
}

void config_check(struct agent_config *config, struct config_report *report)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		if (setting->required && **(char **)((char *)config + setting->offset) == '\0')
			str_list_add_owned(
				&report->mistakes,
				xasprintf("%s is not set%s: give the region, such as eu-central-1",
					  setting->name,
					  config->external
						  ? ", and with ECS_EXTERNAL it must be in "
						    "the environment or its file"
						  : ""));
	}
	if (config->access_key_id[0] && !config->secret_access_key[0])
		str_list_add(
			&report->mistakes,
			"AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: give both or "
			"neither");
	if (config->secret_access_key[0] && !config->access_key_id[0])
		str_list_add(
			&report->mistakes,
			"AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not: give both or "
			"neither");
	if (config->poll_metrics && config->polling_metrics_wait_ms < POLL_MIN_MS) {
		config->polling_metrics_wait_ms = POLL_MIN_MS;
		str_list_add(&report->warnings,
			     "ECS_POLLING_METRICS_WAIT_DURATION is below 5s; 5s is used");
	}
	if (config->poll_metrics && config->polling_metrics_wait_ms > POLL_MAX_MS) {
		config->polling_metrics_wait_ms = POLL_MAX_MS;
		str_list_add(&report->warnings,
			     "ECS_POLLING_METRICS_WAIT_DURATION is above 20s; 20s is used");
	}
	check_network_address(config, report);
	check_bridge(config, report);
	check_local_routes(config, report);
	check_token(config, report);
}
