/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/guard.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "control-plane/store/identities.h"

static int get_caller(const struct guard *guard, const char *caller, struct identity_row *ret,
		      struct error *err)
{
	int r = identity_get(guard->store, caller, ret, err);

	if (r == -ENOENT)
		return error_say(err, EACCES,
				 "The identity %s is not known to this control plane: enrol the "
				 "host again with a new token (berth-control token create).",
				 caller);
	if (r == 0 && ret->revoked_at_ms) {
		identity_row_clear(ret);
		return error_say(err, EACCES,
				 "The identity %s was revoked: remove the state of its agent, and "
				 "enrol the host with a new token (berth-control token create).",
				 caller);
	}
	return r;
}

int guard_caller(const struct guard *guard, const char *caller, struct error *err)
{
	struct identity_row row = { 0 };
	int r;

	if (!caller && guard->required)
		return error_say(err, EACCES,
				 "This control plane takes agents with an identity only: enrol the "
				 "host with a token (berth-control token create, and "
				 "BERTH_ENROLL_TOKEN of its agent).");
	if (!caller)
		return 0;
	r = get_caller(guard, caller, &row, err);
	identity_row_clear(&row);
	return r;
}

int guard_cluster(const struct guard *guard, const char *caller, const char *cluster,
		  struct error *err)
{
	struct identity_row row = { 0 };
	int r = guard_caller(guard, caller, err);

	if (r < 0 || !caller)
		return r;
	r = get_caller(guard, caller, &row, err);
	if (r == 0 && row.cluster && !str_eq(row.cluster, cluster))
		r = error_say(err, EACCES,
			      "The identity %s was enrolled for the cluster %s, not for %s.",
			      caller, row.cluster, cluster);
	identity_row_clear(&row);
	return r;
}

int guard_instance(const struct guard *guard, const char *caller,
		   const struct container_instance_row *row, struct error *err)
{
	int r = guard_caller(guard, caller, err);

	if (r < 0)
		return r;
	if (row->identity && !str_eq(row->identity, caller))
		return error_say(err, EACCES,
				 "The container instance %s is bound to the identity of another "
				 "agent.",
				 row->id);
	/* It becomes the caller's when it registers again. */
	if (!row->identity && guard->required)
		return error_say(err, EACCES,
				 "The container instance %s has no identity yet: its agent has to "
				 "register it again.",
				 row->id);
	return 0;
}

int guard_instance_arn(const struct guard *guard, const char *caller, const char *arn,
		       struct error *err)
{
	struct container_instance_row row = { 0 };
	struct arn parsed = { 0 };
	int r = guard_caller(guard, caller, err);

	if (r < 0)
		return r;
	if (arn_parse(arn, &parsed, NULL) == 0 && parsed.type == ARN_CONTAINER_INSTANCE &&
	    parsed.cluster) {
		r = container_instance_get(guard->store, parsed.cluster, parsed.id, &row, err);
		if (r == 0)
			r = guard_instance(guard, caller, &row, err);
		else if (r == -ENOENT)
			r = 0;
	}
	container_instance_row_clear(&row);
	arn_clear(&parsed);
	return r;
}
