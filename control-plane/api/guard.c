/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the caller may speak for a container instance, with the error that the API knows. */
#include "control-plane/identity/guard.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "control-plane/api/api.h"

static struct guard guard_of(const struct api_call *call)
{
	return (struct guard){ .store = call->store,
			       .required = call->api->config.require_identity };
}

static int answer(struct api_call *call, int r, const struct error *err)
{
	if (r == 0)
		return 0;
	if (r != -EACCES)
		return api_server_error(call, err);
	log_warn("a call is refused: it is not the agent's whose instance it is for", "operation",
		 call->operation->name, "identity", call->identity, "reason", err->text);
	return api_error(call, API_ACCESS_DENIED, "%s", err->text);
}

int api_guard_cluster(struct api_call *call, const char *cluster)
{
	const struct guard guard = guard_of(call);
	struct error err = ERROR_INIT;

	return answer(call, guard_cluster(&guard, call->identity, cluster, &err), &err);
}

int api_guard_instance(struct api_call *call, const struct container_instance_row *row)
{
	const struct guard guard = guard_of(call);
	struct error err = ERROR_INIT;

	return answer(call, guard_instance(&guard, call->identity, row, &err), &err);
}

int api_guard_instance_arn(struct api_call *call, const char *arn)
{
	const struct guard guard = guard_of(call);
	struct error err = ERROR_INIT;

	if (str_is_empty(arn))
		return answer(call, guard_caller(&guard, call->identity, &err), &err);
	return answer(call, guard_instance_arn(&guard, call->identity, arn, &err), &err);
}
