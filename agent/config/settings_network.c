/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of tasks. */
#include "agent/config/settings_table.h"

/* Order: that of the enumerations in config.h. */
static const char *const eni_drivers[] = { "veth", "eni", NULL };
static const char *const ip_compatibilities[] = { "", "ipv4", "ipv6", NULL };
static const char *const network_shapes[] = { "berth", "ec2", NULL };

#define NETWORK "Task networking"

static const struct setting settings[] = {
	{ .group = NETWORK,
	  .name = "ECS_ENABLE_TASK_ENI",
	  .json = "TaskENIEnabled",
	  .type = SETTING_BOOL,
	  .offset = AT(task_eni),
	  .fallback = "true",
	  .used_by = "registration",
	  .doc = "Offer the network mode awsvpc." },
	{ .group = NETWORK,
	  .name = "ECS_CNI_PLUGINS_PATH",
	  .json = "CNIPluginsPath",
	  .type = SETTING_TRIMMED,
	  .offset = AT(cni_plugins_path),
	  .fallback = "",
	  .used_by = "executor",
	  .doc = "Directory of the CNI plugins; `BERTH_LIBEXEC_DIR` when it is not set." },
	{ .group = NETWORK,
	  .name = "BERTH_CNI_CONFIG_DIR",
	  .type = SETTING_TRIMMED,
	  .offset = AT(cni_config_dir),
	  .fallback = "",
	  .used_by = "executor",
	  .doc = "Directory of a CNI configuration list of one's own for tasks of awsvpc mode. "
		 "When it is not set, Berth "
		 "makes one for its own plugins." },
	{ .group = NETWORK,
	  .name = "BERTH_ENI_DRIVER",
	  .type = SETTING_CHOICE,
	  .offset = AT(eni_driver),
	  .fallback = "veth",
	  .choices = eni_drivers,
	  .fatal = true,
	  .used_by = "executor, attachments",
	  .doc = "How a task gets its interface. `veth`: a pair whose host end is routed, on any "
		 "Linux host; `eni`: the "
		 "network device with the ENI's MAC address is moved into the task, as on EC2." },
	{ .group = NETWORK,
	  .name = "BERTH_ENI_LINK_KINDS",
	  .type = SETTING_COMMA_LIST,
	  .offset = AT(eni_link_kinds),
	  .fallback = "",
	  .used_by = "attachments",
	  .doc = "Kinds of links, as `veth,macvlan`, that count as devices with "
		 "`BERTH_ENI_DRIVER=eni`. Hardware always does." },
	{ .group = NETWORK,
	  .name = "BERTH_TASK_NETWORK_SHAPE",
	  .type = SETTING_CHOICE,
	  .offset = AT(network_shape),
	  .fallback = "berth",
	  .choices = network_shapes,
	  .fatal = true,
	  .used_by = "executor",
	  .doc = "What tasks of awsvpc mode have beside their interface. `berth`: the metadata "
		 "endpoint's address on `lo`; `ec2`: the second interface `ecs-eth0` with an "
		 "address of 169.254.172.0/22 on the host's bridge `ecs-bridge`, as with Amazon's "
		 "agent, which needs `berth-init`. One agent of a host may have it." },
	{ .group = NETWORK,
	  .name = "ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES",
	  .json = "AWSVPCAdditionalLocalRoutes",
	  .type = SETTING_NAMES,
	  .offset = AT(local_routes),
	  .fallback = "",
	  .fatal = true,
	  .used_by = "executor",
	  .doc = "IPv4 prefixes that tasks of awsvpc mode reach by way of the host, such as "
		 "`[\"10.1.0.0/16\"]`: by `ecs-eth0` in the shape `ec2`, by the host's end of "
		 "their pair with the driver `veth`." },
	{ .group = NETWORK,
	  .name = "ECS_ENABLE_HIGH_DENSITY_ENI",
	  .type = SETTING_BOOL,
	  .offset = AT(high_density_eni),
	  .fallback = "true",
	  .used_by = "registration",
	  .doc = "With the driver `eni`: offer to attach tasks by VLANs of a trunk interface." },
	{ .group = NETWORK,
	  .name = "BERTH_BRIDGE",
	  .type = SETTING_TRIMMED,
	  .offset = AT(bridge),
	  .fallback = "berth0",
	  .used_by = "executor",
	  .doc = "The host's bridge for tasks of bridge mode; made when it is missing. Two agents "
		 "on one host need two, with two subnets." },
	{ .group = NETWORK,
	  .name = "BERTH_BRIDGE_SUBNET",
	  .type = SETTING_TRIMMED,
	  .offset = AT(bridge_subnet),
	  .fallback = "172.29.0.0/16",
	  .used_by = "executor",
	  .doc = "Addresses of containers in bridge mode; the first one is the bridge's." },
	{ .group = NETWORK,
	  .name = "BERTH_BRIDGE_SUBNET_IPV6",
	  .type = SETTING_TRIMMED,
	  .offset = AT(bridge_subnet_ipv6),
	  .fallback = "",
	  .used_by = "executor",
	  .doc = "IPv6 addresses that containers in bridge mode have as well, such as "
		 "`fd00:172:29::/64`; the first one is the bridge's. When it is not set they have "
		 "IPv4 only." },
	{ .group = NETWORK,
	  .name = "ECS_INSTANCE_IP_COMPATIBILITY",
	  .type = SETTING_CHOICE,
	  .offset = AT(ip_compatibility),
	  .fallback = "",
	  .choices = ip_compatibilities,
	  .any_case = true,
	  .used_by = "reporter",
	  .doc = "`ipv4`, or `ipv6` for a host that is reached by IPv6 alone: published ports "
		 "are then reported with the address `::`. When it is not set the host's default "
		 "routes tell." },
	{ .group = NETWORK,
	  .name = "ECS_EXCLUDE_IPV6_PORTBINDING",
	  .json = "ShouldExcludeIPv6PortBinding",
	  .type = SETTING_BOOL,
	  .offset = AT(exclude_ipv6_port_bindings),
	  .fallback = "true",
	  .used_by = "reporter",
	  .doc = "Report published ports with the address `0.0.0.0` only, and not a second time "
		 "with `::` where they are reached by IPv6." },
	{ .group = NETWORK,
	  .name = "ECS_DYNAMIC_HOST_PORT_RANGE",
	  .type = SETTING_PORT_RANGE,
	  .offset = AT(dynamic_host_ports),
	  .fallback = "",
	  .used_by = "executor",
	  .doc = "Ports of the host for mappings in bridge mode that name none; one port alone is "
		 "a range too. When it is not set, those that the kernel chooses from "
		 "(`net.ipv4.ip_local_port_range`)." },
	{ .group = NETWORK,
	  .name = "ECS_AWSVPC_BLOCK_IMDS",
	  .json = "AWSVPCBlockInstanceMetdata",
	  .type = SETTING_BOOL,
	  .offset = AT(awsvpc_block_imds),
	  .fallback = "false",
	  .used_by = "executor",
	  .doc = "Keep tasks of awsvpc mode from 169.254.169.254." },
	{ .group = NETWORK,
	  .name = "BERTH_NETWORK_ADDRESS",
	  .type = SETTING_TRIMMED,
	  .offset = AT(network_address),
	  .fallback = "",
	  .used_by = "registration, network",
	  .doc = "IP address of this host by which the other hosts of the cluster reach it, one "
		 "that a link of it has. `berth-control` tells it to them, so that tasks of one "
		 "VPC reach each other across hosts, by VXLAN." },
	{ .group = NETWORK,
	  .name = "BERTH_VXLAN_PORT",
	  .type = SETTING_INTEGER,
	  .offset = AT(vxlan_port),
	  .fallback = "4789",
	  .min = 1,
	  .max = 65535,
	  .used_by = "network",
	  .doc = "UDP port of VXLAN, the same on all hosts." },
};

const struct setting_table config_settings_of_network = SETTING_TABLE(settings);
