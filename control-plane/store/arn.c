/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/store/arn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/str.h"

static const char *const type_names[ARN_TYPES] = {
	[ARN_CLUSTER] = "cluster",
	[ARN_SERVICE] = "service",
	[ARN_TASK] = "task",
	[ARN_CONTAINER_INSTANCE] = "container-instance",
	[ARN_CONTAINER] = "container",
	[ARN_TASK_DEFINITION] = "task-definition",
	[ARN_TASK_SET] = "task-set",
	[ARN_CAPACITY_PROVIDER] = "capacity-provider",
	[ARN_SERVICE_DEPLOYMENT] = "service-deployment",
	[ARN_SERVICE_REVISION] = "service-revision",
	[ARN_ATTACHMENT] = "attachment",
};

const char *arn_type_name(enum arn_type type)
{
	return type_names[type];
}

static char *build(const struct arn_scope *scope, enum arn_type type, const char *one,
		   const char *two, const char *three)
{
	return xasprintf("arn:aws:ecs:%s:%s:%s/%s%s%s%s%s", scope->region, scope->account,
			 type_names[type], one, two ? "/" : "", two ? two : "", three ? "/" : "",
			 three ? three : "");
}

char *arn_cluster(const struct arn_scope *scope, const char *cluster)
{
	return build(scope, ARN_CLUSTER, cluster, NULL, NULL);
}

char *arn_task(const struct arn_scope *scope, const char *cluster, const char *id)
{
	return build(scope, ARN_TASK, cluster, id, NULL);
}

char *arn_container_instance(const struct arn_scope *scope, const char *cluster, const char *id)
{
	return build(scope, ARN_CONTAINER_INSTANCE, cluster, id, NULL);
}

char *arn_container(const struct arn_scope *scope, const char *cluster, const char *task_id,
		    const char *uuid)
{
	return build(scope, ARN_CONTAINER, cluster, task_id, uuid);
}

char *arn_task_definition(const struct arn_scope *scope, const char *family, int64_t revision)
{
	return xasprintf("arn:aws:ecs:%s:%s:task-definition/%s:%" PRId64, scope->region,
			 scope->account, family, revision);
}

char *arn_attachment(const struct arn_scope *scope, const char *cluster, const char *uuid)
{
	return build(scope, ARN_ATTACHMENT, cluster, uuid, NULL);
}

char *arn_service(const struct arn_scope *scope, const char *cluster, const char *name)
{
	return build(scope, ARN_SERVICE, cluster, name, NULL);
}

char *arn_root_user(const struct arn_scope *scope)
{
	return xasprintf("arn:aws:iam::%s:root", scope->account);
}

bool arn_looks_like(const char *text)
{
	return str_starts_with(text, "arn:");
}

void arn_clear(struct arn *arn)
{
	free(arn->region);
	free(arn->account);
	free(arn->cluster);
	free(arn->id);
	free(arn->rest);
	*arn = (struct arn){ .revision = -1 };
}

/* How many parts the path of a type may have: from the short format to the long one. */
static const struct {
	size_t min, max;
} path_parts[ARN_TYPES] = {
	[ARN_CLUSTER] = { 1, 1 },
	[ARN_SERVICE] = { 1, 2 },
	[ARN_TASK] = { 1, 2 },
	[ARN_CONTAINER_INSTANCE] = { 1, 2 },
	[ARN_CONTAINER] = { 1, 3 },
	[ARN_TASK_DEFINITION] = { 1, 1 },
	[ARN_TASK_SET] = { 4, 4 },
	[ARN_CAPACITY_PROVIDER] = { 1, 1 },
	[ARN_SERVICE_DEPLOYMENT] = { 3, 3 },
	[ARN_SERVICE_REVISION] = { 3, 3 },
	[ARN_ATTACHMENT] = { 1, 2 },
};

static int parse_path(struct arn *arn, const struct str_list *path, struct error *err)
{
	size_t count = path->count;

	if (count < path_parts[arn->type].min || count > path_parts[arn->type].max)
		return error_say(err, EINVAL, "Unexpected number of separators");
	switch (arn->type) {
	case ARN_CLUSTER:
		arn->cluster = xstrdup(path->items[0]);
		arn->id = xstrdup(path->items[0]);
		break;
	case ARN_TASK_SET:
		arn->cluster = xstrdup(path->items[0]);
		arn->id = xstrdup(path->items[1]);
		arn->rest = xasprintf("%s/%s", path->items[2], path->items[3]);
		break;
	case ARN_CONTAINER:
	case ARN_SERVICE_DEPLOYMENT:
	case ARN_SERVICE_REVISION:
		if (count == 1) {
			arn->id = xstrdup(path->items[0]);
			break;
		}
		arn->cluster = xstrdup(path->items[0]);
		arn->id = xstrdup(path->items[1]);
		arn->rest = count == 3 ? xstrdup(path->items[2]) : NULL;
		break;
	default:
		if (count == 2)
			arn->cluster = xstrdup(path->items[0]);
		arn->id = xstrdup(path->items[count - 1]);
	}
	return 0;
}

/* "family:7" becomes family and 7; "family" has no revision. */
static int parse_revision(struct arn *arn, struct error *err)
{
	char *colon = strchr(arn->id, ':');

	if (!colon)
		return 0;
	if (number_parse_i64(colon + 1, 1, INT32_MAX, &arn->revision, NULL) < 0)
		return error_say(err, EINVAL, "Invalid revision number. Number: %s", colon + 1);
	*colon = '\0';
	return 0;
}

static int parse_parts(const struct str_list *parts, const char *resource, struct arn *arn,
		       struct error *err)
{
	_cleanup_str_list_ struct str_list path = STR_LIST_INIT;
	const char *slash = strchr(resource, '/');
	_cleanup_free_ char *type = NULL;
	int known = 0;

	if (!slash || !str_eq(parts->items[0], "arn") || !str_starts_with(parts->items[1], "aws") ||
	    !str_eq(parts->items[2], "ecs"))
		return error_say(err, EINVAL, "The ARN provided is invalid.");
	type = xstrndup(resource, (size_t)(slash - resource));
	while (known < ARN_TYPES && !str_eq(type, type_names[known]))
		known++;
	if (known == ARN_TYPES)
		return error_say(err, EINVAL, "The ARN provided is invalid.");

	arn->type = (enum arn_type)known;
	arn->region = xstrdup(parts->items[3]);
	arn->account = xstrdup(parts->items[4]);
	str_list_split(&path, slash + 1, '/', true);
	for (size_t i = 0; i < path.count; i++)
		if (str_is_empty(path.items[i]))
			return error_say(err, EINVAL, "Unexpected number of separators");
	if (parse_path(arn, &path, err) < 0)
		return -EINVAL;
	return arn->type == ARN_TASK_DEFINITION ? parse_revision(arn, err) : 0;
}

int arn_parse(const char *text, struct arn *ret_arn, struct error *err)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	_cleanup_(arn_clear) struct arn arn = { .revision = -1 };
	const char *resource = text;
	int r;

	/* The first five colons separate; the resource may hold more of them. */
	for (int i = 0; i < 5; i++) {
		const char *colon = strchr(resource, ':');

		if (!colon)
			return error_say(err, EINVAL, "The ARN provided is invalid.");
		str_list_add_owned(&parts, xstrndup(resource, (size_t)(colon - resource)));
		resource = colon + 1;
	}
	r = parse_parts(&parts, resource, &arn, err);
	if (r < 0)
		return r;
	*ret_arn = arn;
	arn = (struct arn){ .revision = -1 };
	return 0;
}

bool arn_in_scope(const struct arn *arn, const struct arn_scope *scope)
{
	return str_eq(arn->region, scope->region) && str_eq(arn->account, scope->account);
}
