/* SPDX-License-Identifier: Apache-2.0 */
/* What clients call things: a name, an id or an ARN, wherever one is taken. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/str.h"
#include "control-plane/api/api.h"

#define NAME_MAX_LENGTH 255

int api_cluster_name(struct api_call *call, const char *reference, char **ret_name)
{
	_cleanup_(arn_clear) struct arn arn = { .revision = -1 };

	if (!arn_looks_like(reference)) {
		if (!api_is_name(reference, NAME_MAX_LENGTH))
			return -ENOENT;
		*ret_name = xstrdup(reference);
		return 0;
	}
	if (arn_parse(reference, &arn, NULL) < 0 || arn.type != ARN_CLUSTER ||
	    !arn_in_scope(&arn, store_scope(call->store)))
		return -ENOENT;
	*ret_name = TAKE(arn.id);
	return 0;
}

int api_cluster(struct api_call *call, struct cluster_row *ret_cluster)
{
	const char *reference = api_input_string(call, "cluster");
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	_cleanup_free_ char *name = NULL;
	struct error err = ERROR_INIT;
	int r;

	r = api_cluster_name(call, str_is_empty(reference) ? "default" : reference, &name);
	if (r == 0)
		r = cluster_get(call->store, name, &row, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	if (r == -ENOENT || !str_eq(row.status, "ACTIVE"))
		return api_error(call, API_CLUSTER_NOT_FOUND, "Cluster not found.");
	*ret_cluster = row;
	row = (struct cluster_row){ 0 };
	return 0;
}

static int check_id(struct api_call *call, const char *label, const char *id)
{
	size_t length = strlen(id);

	if (strpbrk(id, "/:"))
		return api_error(call, API_INVALID, "Unexpected number of separators");
	if (length != 32 && length != 36)
		return api_error(call, API_INVALID, "%s length should be one of [32,36]", label);
	return 0;
}

int api_object_id(struct api_call *call, enum arn_type type, const char *cluster,
		  const char *reference, const char *label, char **ret_id)
{
	_cleanup_(arn_clear) struct arn arn = { .revision = -1 };
	struct error err = ERROR_INIT;
	int r;

	if (!arn_looks_like(reference)) {
		r = check_id(call, label, reference);
		if (r < 0)
			return r;
		*ret_id = xstrdup(reference);
		return 0;
	}
	if (arn_parse(reference, &arn, &err) < 0)
		return api_error(call, API_INVALID, "%s", err.text);
	if (arn.type != type)
		return api_error(call, API_INVALID, "The ARN provided is invalid: %s is not a %s",
				 reference, arn_type_name(type));
	r = check_id(call, label, arn.id);
	if (r < 0)
		return r;
	if (!arn_in_scope(&arn, store_scope(call->store)) ||
	    (arn.cluster && !str_eq(arn.cluster, cluster)))
		return -ENOENT;
	*ret_id = TAKE(arn.id);
	return 0;
}

char *api_asked_arn(struct api_call *call, enum arn_type type, const char *cluster,
		    const char *reference)
{
	const struct arn_scope *scope = store_scope(call->store);

	if (arn_looks_like(reference))
		return xstrdup(reference);
	if (!cluster)
		return xasprintf("arn:aws:ecs:%s:%s:%s/%s", scope->region, scope->account,
				 arn_type_name(type), reference);
	return xasprintf("arn:aws:ecs:%s:%s:%s/%s/%s", scope->region, scope->account,
			 arn_type_name(type), cluster, reference);
}

int api_container_instance(struct api_call *call, const char *cluster, const char *reference,
			   struct container_instance_row *ret_instance)
{
	_cleanup_free_ char *id = NULL;
	struct error err = ERROR_INIT;
	int r;

	r = api_object_id(call, ARN_CONTAINER_INSTANCE, cluster, reference, "containerInstanceId",
			  &id);
	if (r < 0)
		return r;
	r = container_instance_get(call->store, cluster, id, ret_instance, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	return r;
}

int api_task_definition_reference(struct api_call *call, const char *reference, char **ret_family,
				  int64_t *ret_revision)
{
	_cleanup_(arn_clear) struct arn arn = { .revision = -1 };
	struct error err = ERROR_INIT;
	const char *colon;

	if (arn_looks_like(reference)) {
		if (arn_parse(reference, &arn, &err) < 0)
			return api_error(call, API_INVALID, "%s", err.text);
		if (arn.type != ARN_TASK_DEFINITION ||
		    !arn_in_scope(&arn, store_scope(call->store)))
			return -ENOENT;
		*ret_family = TAKE(arn.id);
		*ret_revision = arn.revision;
		return 0;
	}
	colon = strchr(reference, ':');
	*ret_revision = -1;
	if (!colon) {
		*ret_family = xstrdup(reference);
		return 0;
	}
	if (number_parse_i64(colon + 1, 1, INT32_MAX, ret_revision, NULL) < 0)
		return api_error(call, API_INVALID, "Invalid revision number. Number: %s",
				 colon + 1);
	*ret_family = xstrndup(reference, (size_t)(colon - reference));
	return 0;
}

int api_task_definition(struct api_call *call, const char *reference,
			struct task_definition_row *ret_definition)
{
	_cleanup_free_ char *family = NULL;
	struct error err = ERROR_INIT;
	int64_t revision = -1;
	int r;

	r = api_task_definition_reference(call, reference, &family, &revision);
	if (r < 0)
		return r;
	if (revision < 0)
		r = task_definition_newest(call->store, family, ret_definition, &err);
	else
		r = task_definition_get(call->store, family, revision, ret_definition, &err);
	if (r < 0 && r != -ENOENT)
		return api_server_error(call, &err);
	return r;
}
