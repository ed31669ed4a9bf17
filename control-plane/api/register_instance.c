/* SPDX-License-Identifier: Apache-2.0 */
/* RegisterContainerInstance. */
#include "control-plane/api/register_instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/api/instance_document.h"
#include "control-plane/api/member.h"
#include "control-plane/services/services.h"
#include "control-plane/store/attributes.h"
#include "control-plane/store/tags.h"

#define ID_BYTES         16
#define CLIENT_TOKEN_MAX 64
#define EC2_ID_DIGITS    17
#define DEVICES_MAX      256

/* What the request says of the instance; the strings of `row` that it sets are owned by it. */
static int read_row(struct api_call *call, struct container_instance_row *row)
{
	_cleanup_json_ json_t *resources = NULL;
	json_t *version = api_input_member(call, "versionInfo");
	json_t *devices = api_input_member(call, "platformDevices");

	if (instance_resources(call, &resources) < 0)
		return -EINVAL;
	if (json_array_size(devices) > DEVICES_MAX)
		return api_error(call, API_CLIENT, "platformDevices can have at most %d items.",
				 DEVICES_MAX);
	free(row->resources);
	free(row->version_info);
	free(row->devices);
	row->resources = json_dump_compact(resources);
	row->version_info = version ? json_dump_compact(version) : xstrdup("{}");
	row->devices = devices ? json_dump_compact(devices) : NULL;
	return 0;
}

/* The type of a host is what it was; -EINVAL when its identity document says otherwise. */
static int check_type(struct api_call *call, const struct container_instance_row *row)
{
	_cleanup_free_ char *now = instance_identity(call, "instanceType");
	_cleanup_free_ char *before = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (!now)
		return 0;
	r = attribute_get(call->store, row->cluster, row->id, "ecs.instance-type", &before, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (before && !str_eq(before, now))
		return api_error(call, API_CLIENT,
				 "Container instance type changes are not supported.");
	return 0;
}

/* An instance that is known already: its ARN and status stay, its resources are those of the
 * request. */
static int register_again(struct api_call *call, struct container_instance_row *row)
{
	struct error err = ERROR_INIT;

	if (check_type(call, row) < 0 || read_row(call, row) < 0)
		return -EINVAL;
	if (container_instance_replace(call->store, row, &err) < 0 ||
	    attribute_delete_registered(call->store, row->cluster, row->id, &err) < 0)
		return api_server_error(call, &err);
	row->version++;
	return instance_attributes_write(call, row->cluster, row->id);
}

static int register_new(struct api_call *call, const char *cluster,
			struct container_instance_row *row)
{
	_cleanup_free_ char *arn = NULL;
	struct error err = ERROR_INIT;
	char id[2 * ID_BYTES + 1];

	random_hex(id, ID_BYTES);
	row->id = xstrdup(id);
	row->cluster = xstrdup(cluster);
	row->status = xstrdup(CONTAINER_INSTANCE_ACTIVE);
	row->client_token = xstrdup_null(api_input_string(call, "clientToken"));
	row->version = 1;
	row->registered_at_ms = call->now_ms;
	row->identity = xstrdup_null(call->identity);
	if (read_row(call, row) < 0)
		return -EINVAL;
	/* A host that is none of Amazon's gets an id that looks like theirs: clients count on one.
	 */
	row->ec2_instance_id = instance_identity(call, "instanceId");
	if (!row->ec2_instance_id)
		row->ec2_instance_id = xasprintf("i-%.*s", EC2_ID_DIGITS, id);
	if (container_instance_add(call->store, row, &err) < 0)
		return api_server_error(call, &err);
	if (instance_attributes_write(call, cluster, id) < 0)
		return -EINVAL;
	arn = arn_container_instance(store_scope(call->store), cluster, id);
	return api_tags_write(call, arn, api_input_member(call, "tags"));
}

/* By the ARN or the client token of the request; -ENOENT: it is new. */
static int find_known(struct api_call *call, const char *cluster,
		      struct container_instance_row *row)
{
	const char *arn = api_input_string(call, "containerInstanceArn");
	const char *token = api_input_string(call, "clientToken");
	struct error err = ERROR_INIT;
	int r;

	if (!str_is_empty(arn)) {
		r = api_container_instance(call, cluster, arn, row);
		if (r == -ENOENT)
			return api_error(call, API_CLIENT,
					 "The container instance %s is not known to cluster %s.",
					 arn, cluster);
		if (r == 0 && str_eq(row->status, CONTAINER_INSTANCE_INACTIVE))
			return api_error(call, API_CLIENT,
					 "The container instance %s is INACTIVE: it was "
					 "deregistered. Remove the agent's state to register it as "
					 "a new one.",
					 arn);
		return r;
	}
	if (str_is_empty(token))
		return -ENOENT;
	if (strlen(token) > CLIENT_TOKEN_MAX)
		return api_error(call, API_INVALID, "clientToken can have at most %d characters.",
				 CLIENT_TOKEN_MAX);
	r = container_instance_get_by_token(call->store, cluster, token, row, &err);
	return r < 0 && r != -ENOENT ? api_server_error(call, &err) : r;
}

/* One that nobody is bound to is the caller's from now on. */
static int guard_known(struct api_call *call, struct container_instance_row *row)
{
	struct error err = ERROR_INIT;

	if (row->identity || !call->identity)
		return api_guard_instance(call, row);
	if (container_instance_bind(call->store, row->cluster, row->id, call->identity, &err) < 0)
		return api_server_error(call, &err);
	row->identity = xstrdup(call->identity);
	log_info("a container instance is bound to an identity", "cluster", row->cluster,
		 "instance", row->id, "identity", call->identity);
	return 0;
}

int register_container_instance(struct api_call *call, json_t **ret_output)
{
	_cleanup_(container_instance_row_clear) struct container_instance_row row = { 0 };
	_cleanup_(cluster_row_clear) struct cluster_row cluster = { 0 };
	json_t *object = NULL;
	int r;

	if (api_cluster(call, &cluster) < 0 || instance_attributes_check(call) < 0 ||
	    api_tags_check(call, api_input_member(call, "tags")) < 0)
		return -EINVAL;
	r = find_known(call, cluster.name, &row);
	if (r < 0 && r != -ENOENT)
		return r;
	if (api_guard_cluster(call, cluster.name) < 0 || (r == 0 && guard_known(call, &row) < 0))
		return -EACCES;
	r = r == 0 ? register_again(call, &row) : register_new(call, cluster.name, &row);
	if (r < 0)
		return r;
	r = api_container_instance_json(call, &row, true, &object);
	if (r < 0)
		return r;
	log_info("container instance registered", "cluster", cluster.name, "instance", row.id,
		 "ec2InstanceId", row.ec2_instance_id, "version", LOG_NUM(row.version), "identity",
		 row.identity);
	/* Other instances are told its address. */
	if (call->api->services)
		services_network_changed(call->api->services);
	*ret_output = json_pack("{s:o}", "containerInstance", object);
	return 0;
}

static const struct api_member resource[] = {
	{ "name", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	{ "doubleValue", API_DOUBLE, NULL },
	{ "longValue", API_LONG, NULL },
	{ "integerValue", API_INTEGER, NULL },
	{ "stringSetValue", API_STRINGS, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member version_info[] = {
	{ "agentVersion", API_STRING, NULL },
	{ "agentHash", API_STRING, NULL },
	{ "dockerVersion", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member attribute[] = {
	{ "name", API_STRING, NULL },
	{ "value", API_STRING, NULL },
	{ NULL, 0, NULL },
};

static const struct api_member device[] = {
	{ "id", API_STRING, NULL },
	{ "type", API_STRING, NULL },
	{ NULL, 0, NULL },
};

const struct api_member register_instance_members[] = {
	{ "cluster", API_STRING, NULL },
	{ "instanceIdentityDocument", API_STRING, NULL },
	{ "instanceIdentityDocumentSignature", API_STRING, NULL },
	{ "totalResources", API_STRUCTS, resource },
	{ "versionInfo", API_STRUCT, version_info },
	{ "containerInstanceArn", API_STRING, NULL },
	{ "attributes", API_STRUCTS, attribute },
	{ "platformDevices", API_STRUCTS, device },
	{ "tags", API_STRUCTS, api_tag_members },
	{ "clientToken", API_STRING, NULL },
	{ NULL, 0, NULL },
};
