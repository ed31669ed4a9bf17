/* SPDX-License-Identifier: Apache-2.0 */
/* logConfiguration and firelensConfiguration of a container. */
#include <errno.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/api/member.h"
#include "control-plane/api/task_definition.h"

static const char *const drivers[] = {
	"json-file", "syslog", "journald",    "gelf", "fluentd",
	"awslogs",   "splunk", "awsfirelens", NULL,
};

static int check_awslogs(struct api_call *call, const json_t *options)
{
	static const char *const required[] = { "awslogs-region", "awslogs-group" };
	_cleanup_strbuf_ struct strbuf missing = STRBUF_INIT;

	for (size_t i = 0; i < 2; i++)
		if (str_is_empty(member_string(options, required[i])))
			strbuf_appendf(&missing, "%s%s", missing.length > 0 ? ", " : "",
				       required[i]);
	if (missing.length > 0)
		return api_error(call, API_CLIENT, "Log driver awslogs requires options: %s",
				 strbuf_text(&missing));
	return 0;
}

static bool has_router(const json_t *definition)
{
	size_t i;
	json_t *container;

	json_array_foreach (member_list(definition, "containerDefinitions"), i, container)
		if (member_has(container, "firelensConfiguration"))
			return true;
	return false;
}

static int check_secret_options(struct api_call *call, const json_t *definition, const json_t *log)
{
	size_t i;
	json_t *secret;

	json_array_foreach (member_list(log, "secretOptions"), i, secret) {
		if (str_is_empty(member_string(definition, "executionRoleArn")))
			return api_error(call, API_CLIENT,
					 "When you are specifying container secrets, you must also "
					 "specify a value for 'executionRoleArn'.");
		if (str_is_empty(member_string(secret, "name")) ||
		    str_is_empty(member_string(secret, "valueFrom")))
			return api_error(call, API_CLIENT,
					 "name and valueFrom of logConfiguration.secretOptions can "
					 "not be blank.");
	}
	return 0;
}

int container_logs_check(struct api_call *call, const json_t *definition, const json_t *container)
{
	static const char *const routers[] = { "fluentd", "fluentbit", NULL };
	const json_t *log = json_object_get(container, "logConfiguration");
	const json_t *firelens = json_object_get(container, "firelensConfiguration");
	const char *driver = member_string(log, "logDriver");

	if (firelens && api_check_enum(call, API_CLIENT, "firelensConfiguration.type",
				       member_string(firelens, "type"), routers) < 0)
		return -EINVAL;
	if (!log)
		return 0;
	if (api_check_enum(call, API_CLIENT, "logDriver", driver, drivers) < 0)
		return -EINVAL;
	if (str_eq(driver, "awslogs") && check_awslogs(call, json_object_get(log, "options")) < 0)
		return -EINVAL;
	if (str_eq(driver, "awsfirelens") && !has_router(definition))
		return api_error(call, API_CLIENT,
				 "When a container uses the awsfirelens log driver, one container "
				 "of the task definition must have a firelensConfiguration.");
	return check_secret_options(call, definition, log);
}
