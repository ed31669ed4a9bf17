/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/ec2/find.h"

#include "control-plane/services/networks.h"
#include "control-plane/services/services.h"

int ec2_find_vpc(struct ec2_call *call, const char *id, struct vpc_list *ret_list)
{
	struct error err = ERROR_INIT;

	if (vpc_find(call->store, id, ret_list, &err) < 0)
		return ec2_server_error(call, &err);
	if (ret_list->count == 0)
		return ec2_error(call, EC2_VPC_NOT_FOUND, "The vpc ID '%s' does not exist", id);
	return 0;
}

int ec2_find_subnet(struct ec2_call *call, const char *id, struct vpc_subnet_list *ret_list)
{
	struct error err = ERROR_INIT;

	if (vpc_subnet_find(call->store, id, ret_list, &err) < 0)
		return ec2_server_error(call, &err);
	if (ret_list->count == 0)
		return ec2_error(call, EC2_SUBNET_NOT_FOUND, "The subnet ID '%s' does not exist",
				 id);
	return 0;
}

int ec2_find_group(struct ec2_call *call, const char *id, struct security_group_list *ret_list)
{
	struct error err = ERROR_INIT;

	if (!str_starts_with(id, "sg-"))
		return ec2_error(call, "InvalidGroupId.Malformed",
				 "Invalid id: \"%s\" (expecting \"sg-...\")", id);
	if (security_group_find(call->store, id, ret_list, &err) < 0)
		return ec2_server_error(call, &err);
	if (ret_list->count == 0)
		return ec2_error(call, EC2_GROUP_NOT_FOUND,
				 "The security group '%s' does not exist", id);
	return 0;
}

int ec2_find_group_in(struct ec2_call *call, const char *vpc, const char *name,
		      struct security_group_list *ret_list)
{
	_cleanup_(security_group_list_clear) struct security_group_list all = { 0 };
	struct error err = ERROR_INIT;

	if (security_group_find(call->store, NULL, &all, &err) < 0)
		return ec2_server_error(call, &err);
	for (size_t i = 0; i < all.count; i++)
		if (str_eq(all.items[i].vpc, vpc) && str_eq(all.items[i].name, name))
			return ec2_find_group(call, all.items[i].id, ret_list);
	return ec2_error(call, EC2_GROUP_NOT_FOUND,
			 "The security group '%s' does not exist in VPC '%s'", name, vpc);
}

int ec2_find_named_group(struct ec2_call *call, struct security_group_list *ret_list)
{
	const char *id = ec2_param(call, "GroupId");
	const char *name = ec2_param(call, "GroupName");

	if (id)
		return ec2_find_group(call, id, ret_list);
	if (name)
		return ec2_find_group_in(call, NETWORKS_VPC, name, ret_list);
	return ec2_error(call, EC2_MISSING,
			 "The request must contain the parameter groupName or groupId");
}

static bool has_group(const struct task_eni *eni, const char *group)
{
	for (size_t i = 0; i < eni->security_group_count; i++)
		if (str_eq(eni->security_groups[i], group))
			return true;
	return false;
}

bool ec2_is_in_use(const struct ec2_call *call, const char *subnet, const char *group)
{
	const struct task *task;
	size_t cursor = 0;

	while ((task = services_next_task(call->ec2->services, &cursor)))
		if (task->eni && task->state != TASK_STOPPED &&
		    (!subnet || str_eq(task->eni->subnet_id, subnet)) &&
		    (!group || has_group(task->eni, group)))
			return true;
	return false;
}
