/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/run_network.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "control-plane/store/security_groups.h"

static int read_subnets(struct services *services, const struct run_request *request,
			struct run_network *network, struct error *err)
{
	if (request->subnet_count > RUN_SUBNETS_MAX)
		return error_say(err, EINVAL, "subnets can have at most %d items.",
				 RUN_SUBNETS_MAX);
	for (size_t i = 0; i < request->subnet_count; i++) {
		struct subnet *subnet = services_find_subnet(services, request->subnets[i]);

		if (!subnet)
			return error_say(err, EINVAL,
					 "Error retrieving subnet information for [%s]: The subnet "
					 "ID '%s' does not exist (ErrorCode: "
					 "InvalidSubnetID.NotFound)",
					 request->subnets[i], request->subnets[i]);
		if (i > 0 && !str_eq(subnet_vpc(subnet), subnet_vpc(network->subnets[0])))
			return error_say(err, EINVAL,
					 "Subnets %s and %s belong to different VPCs: a task is in "
					 "one.",
					 request->subnets[0], request->subnets[i]);
		network->subnets[network->count++] = subnet;
	}
	return 0;
}

static int check_group(struct services *services, const char *id, const char *vpc,
		       struct error *err)
{
	_cleanup_(security_group_list_clear) struct security_group_list groups = { 0 };
	int r = security_group_find(services->store, id, &groups, err);

	if (r < 0)
		return r;
	if (groups.count == 0)
		return error_say(err, EINVAL,
				 "Error retrieving security group information for [%s]: The "
				 "security group '%s' does not exist (ErrorCode: "
				 "InvalidGroup.NotFound)",
				 id, id);
	if (!str_eq(groups.items[0].vpc, vpc))
		return error_say(err, EINVAL,
				 "Security group %s and the subnets belong to different VPCs (%s "
				 "and %s).",
				 id, groups.items[0].vpc, vpc);
	return 0;
}

int run_network_read(struct services *services, const struct run_request *request,
		     struct run_network *ret_network, struct error *err)
{
	struct run_network network = { .count = 0 };
	const char *vpc;
	int r = read_subnets(services, request, &network, err);

	if (r == 0 && network.count > 0) {
		vpc = subnet_vpc(network.subnets[0]);
		for (size_t i = 0; r == 0 && i < request->security_group_count; i++)
			r = check_group(services, request->security_groups[i], vpc, err);
		if (r == 0 && request->security_group_count == 0)
			r = security_group_default(services->store, vpc, &network.default_group,
						   err);
	}
	if (r == 0)
		*ret_network = network;
	return r;
}

void run_network_clear(struct run_network *network)
{
	free(network->default_group);
	network->default_group = NULL;
}
