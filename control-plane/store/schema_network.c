/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/schema.h"

const char store_schema_network_1[] =
	"CREATE TABLE vpcs ("
	"	id TEXT NOT NULL UNIQUE,"
	"	cidrs TEXT NOT NULL,"
	"	vni INTEGER NOT NULL UNIQUE,"
	"	built_in INTEGER NOT NULL"
	");"

	"CREATE TABLE subnets ("
	"	id TEXT NOT NULL UNIQUE,"
	"	vpc TEXT NOT NULL REFERENCES vpcs (id),"
	"	cidr TEXT NOT NULL,"
	"	zone TEXT,"
	"	gateway TEXT,"
	"	dns_server TEXT,"
	"	built_in INTEGER NOT NULL"
	");"

	"CREATE TABLE security_groups ("
	"	id TEXT NOT NULL UNIQUE,"
	"	vpc TEXT NOT NULL REFERENCES vpcs (id),"
	"	name TEXT NOT NULL,"
	"	description TEXT NOT NULL,"
	"	UNIQUE (vpc, name)"
	");"

	/* One row for each other end: target is a CIDR or the id of a group. */
	"CREATE TABLE security_rules ("
	"	id TEXT NOT NULL UNIQUE,"
	"	group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,"
	"	egress INTEGER NOT NULL,"
	"	protocol TEXT NOT NULL,"
	"	from_port INTEGER NOT NULL,"
	"	to_port INTEGER NOT NULL,"
	"	target TEXT NOT NULL,"
	"	description TEXT,"
	"	UNIQUE (group_id, egress, protocol, from_port, to_port, target)"
	");"
	"CREATE INDEX security_rules_by_target ON security_rules (target);";

/* A subnet of IPv6 alone has '' as its CIDR. */
const char store_schema_network_2[] =
	"ALTER TABLE vpcs ADD COLUMN ipv6_cidrs TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE subnets ADD COLUMN ipv6_cidr TEXT;"
	"ALTER TABLE subnets ADD COLUMN assigns_ipv6 INTEGER NOT NULL DEFAULT 0;";
