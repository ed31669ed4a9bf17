/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_GUARD_H
#define BERTH_CONTROL_IDENTITY_GUARD_H

#include <stdbool.h>

#include "base/error.h"
#include "control-plane/store/container_instances.h"
#include "control-plane/store/store.h"

/*
 * Who may speak for a container instance. One that has registered with an identity is that
 * identity's: nobody else registers it again, opens its sessions or reports for it. One without is
 * anybody's, as it is with signatures alone, unless identities are required.
 *
 * `caller` is the identity that TLS has verified, NULL: none. All return 0, -EACCES with a sentence
 * for the caller, or what the store says.
 */
struct guard {
	struct store *store;
	bool required;
};

/* That it is known, and not revoked; NULL: that none is required. */
int guard_caller(const struct guard *guard, const char *caller, struct error *err);
/* That it may register something in the cluster. */
int guard_cluster(const struct guard *guard, const char *caller, const char *cluster,
		  struct error *err);
/* That it may speak for the instance. */
int guard_instance(const struct guard *guard, const char *caller,
		   const struct container_instance_row *row, struct error *err);
/* The same, by ARN; an ARN that is none of ours is nobody's: whoever looks it up says so. */
int guard_instance_arn(const struct guard *guard, const char *caller, const char *arn,
		       struct error *err);

#endif
