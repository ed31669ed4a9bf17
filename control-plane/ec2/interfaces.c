/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeNetworkInterfaces: those of tasks. */
#include <stdlib.h>

#include "base/alloc.h"
#include "control-plane/ec2/describe.h"
#include "control-plane/ec2/find.h"
#include "control-plane/services/services.h"

static const char *const filters_known[] = {
	"network-interface-id",
	"subnet-id",
	"vpc-id",
	"availability-zone",
	"group-id",
	"group-name",
	"private-ip-address",
	"addresses.private-ip-address",
	"ipv6-addresses.ipv6-address",
	"private-dns-name",
	"mac-address",
	"description",
	"status",
	"owner-id",
	"requester-managed",
	"interface-type",
	NULL,
};

/* Groups of a task from before they meant anything may not be there: their id is all that is known.
 */
static int write_groups(struct ec2_call *call, const struct task_eni *eni, struct ec2_facts *facts)
{
	struct strbuf *out = &call->out;

	xml_open(out, "groupSet");
	for (size_t i = 0; i < eni->security_group_count; i++) {
		_cleanup_(security_group_list_clear) struct security_group_list one = { 0 };
		const char *id = eni->security_groups[i];
		struct error err = ERROR_INIT;

		if (security_group_find(call->store, id, &one, &err) < 0)
			return ec2_server_error(call, &err);
		xml_open(out, "item");
		xml_text(out, "groupId", id);
		xml_text(out, "groupName", one.count > 0 ? one.items[0].name : NULL);
		xml_close(out, "item");
		ec2_fact(facts, "group-id", id);
		ec2_fact(facts, "group-name", one.count > 0 ? one.items[0].name : NULL);
	}
	xml_close(out, "groupSet");
	return 0;
}

static void write_addresses(struct ec2_call *call, const struct task_eni *eni)
{
	struct strbuf *out = &call->out;

	xml_text(out, "macAddress", eni->mac);
	xml_text(out, "privateIpAddress", eni->private_ip);
	xml_text(out, "privateDnsName", eni->private_dns_name);
	xml_open(out, "privateIpAddressesSet");
	if (eni->private_ip) {
		xml_open(out, "item");
		xml_text(out, "privateIpAddress", eni->private_ip);
		xml_text(out, "privateDnsName", eni->private_dns_name);
		xml_bool(out, "primary", true);
		xml_close(out, "item");
	}
	xml_close(out, "privateIpAddressesSet");
	xml_open(out, "ipv6AddressesSet");
	if (eni->ipv6) {
		xml_open(out, "item");
		xml_text(out, "ipv6Address", eni->ipv6);
		xml_bool(out, "isPrimaryIpv6", false);
		xml_close(out, "item");
	}
	xml_close(out, "ipv6AddressesSet");
}

static void write_attachment(struct ec2_call *call, const struct task *task)
{
	struct strbuf *out = &call->out;

	xml_open(out, "attachment");
	xml_text(out, "attachmentId", task->eni->id);
	xml_text(out, "instanceOwnerId", ec2_account(call));
	xml_text(out, "status", task->eni->state == ATTACHMENT_ATTACHED ? "attached" : "attaching");
	xml_bool(out, "deleteOnTermination", true);
	xml_close(out, "attachment");
}

static int write_subnet(struct ec2_call *call, const struct task *task, struct ec2_facts *facts)
{
	_cleanup_(vpc_subnet_list_clear) struct vpc_subnet_list subnet = { 0 };
	const char *vpc, *id = task->eni->subnet_id;
	struct error err = ERROR_INIT;

	if (vpc_subnet_find(call->store, id, &subnet, &err) < 0)
		return ec2_server_error(call, &err);
	vpc = subnet.count > 0 ? subnet.items[0].vpc : NULL;
	xml_text(&call->out, "subnetId", id);
	xml_text(&call->out, "vpcId", vpc);
	xml_text(&call->out, "availabilityZone", task->zone);
	ec2_fact(facts, "subnet-id", id);
	ec2_fact(facts, "vpc-id", vpc);
	ec2_fact(facts, "availability-zone", task->zone);
	return 0;
}

static void add_facts(struct ec2_call *call, const struct task_eni *eni, const char *status,
		      struct ec2_facts *facts)
{
	ec2_fact(facts, "network-interface-id", eni->eni_id);
	ec2_fact(facts, "private-ip-address", eni->private_ip);
	ec2_fact(facts, "addresses.private-ip-address", eni->private_ip);
	ec2_fact(facts, "ipv6-addresses.ipv6-address", eni->ipv6);
	ec2_fact(facts, "private-dns-name", eni->private_dns_name);
	ec2_fact(facts, "mac-address", eni->mac);
	ec2_fact(facts, "description", eni->arn);
	ec2_fact(facts, "status", status);
	ec2_fact(facts, "owner-id", ec2_account(call));
	ec2_fact(facts, "requester-managed", "true");
	ec2_fact(facts, "interface-type", "interface");
}

static int write_interface(struct ec2_call *call, const void *data, struct ec2_facts *facts)
{
	const struct task *task = data;
	const struct task_eni *eni = task->eni;
	struct strbuf *out = &call->out;
	int r;

	xml_text(out, "networkInterfaceId", eni->eni_id);
	r = write_subnet(call, task, facts);
	if (r == 0)
		r = write_groups(call, eni, facts);
	xml_text(out, "description", eni->arn);
	xml_text(out, "ownerId", ec2_account(call));
	xml_bool(out, "requesterManaged", true);
	xml_text(out, "interfaceType", "interface");
	xml_text(out, "status", "in-use");
	xml_bool(out, "sourceDestCheck", true);
	write_addresses(call, eni);
	write_attachment(call, task);
	xml_open(out, "tagSet");
	xml_close(out, "tagSet");
	add_facts(call, eni, "in-use", facts);
	return r;
}

static int show_all(struct ec2_call *call, struct ec2_selection *selection)
{
	const struct task *task;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && (task = services_next_task(call->ec2->services, &cursor)))
		if (task->eni && task->eni->eni_id && task->state != TASK_STOPPED)
			r = ec2_show(call, selection, task->eni->eni_id, write_interface, task);
	return r;
}

static int describe_interfaces(struct ec2_call *call)
{
	static const struct ec2_description description = {
		.set = "networkInterfaceSet",
		.id_param = "NetworkInterfaceId",
		.filters = filters_known,
		.missing_code = "InvalidNetworkInterfaceID.NotFound",
		.missing_text = "The networkInterface ID '%s' does not exist",
		.show_all = show_all,
	};

	return ec2_describe(call, &description);
}

const struct ec2_action ec2_interface_actions[] = {
	{ "DescribeNetworkInterfaces", describe_interfaces, false },
	{ 0 },
};
