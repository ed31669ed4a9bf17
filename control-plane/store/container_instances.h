/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_STORE_CONTAINER_INSTANCES_H
#define BERTH_CONTROL_STORE_CONTAINER_INSTANCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control-plane/store/store.h"

#define CONTAINER_INSTANCE_ACTIVE   "ACTIVE"
#define CONTAINER_INSTANCE_DRAINING "DRAINING"
#define CONTAINER_INSTANCE_INACTIVE "INACTIVE"

/* One host. Its attributes are in attributes.h, its tags in tags.h (by ARN), what runs on it in the
 * tasks' tables. */
struct container_instance_row {
	char *id; /* 32 hex digits: the last part of the ARN */
	char *cluster;
	char *status;
	char *status_reason;   /* may be NULL */
	char *ec2_instance_id; /* may be NULL */
	char *client_token;    /* of the first registration; may be NULL */
	char *version_info;    /* JSON object: agentVersion, agentHash, dockerVersion */
	char *resources; /* JSON array: registeredResources, each complete as the API shows it */
	char *devices;   /* JSON array: platformDevices; may be NULL */
	char *health_status;  /* overallStatus of healthStatus; NULL: never published */
	char *health_details; /* JSON array: its details; NULL with it */
	char *identity;       /* of the agent that it is bound to; NULL: anybody's */
	bool agent_connected;
	int64_t version; /* 1, and one more with each change that a client can see */
	int64_t registered_at_ms;
};

struct container_instance_list {
	struct container_instance_row *items;
	size_t count;
};

void container_instance_row_clear(struct container_instance_row *row);
void container_instance_list_clear(struct container_instance_list *list);

/* -ENOENT when there is none of that id in the cluster (err untouched then). */
int container_instance_get(struct store *store, const char *cluster, const char *id,
			   struct container_instance_row *ret_row, struct error *err);

/* By client token, whatever the status but INACTIVE; -ENOENT when there is none. */
int container_instance_get_by_token(struct store *store, const char *cluster,
				    const char *client_token,
				    struct container_instance_row *ret_row, struct error *err);

int container_instance_add(struct store *store, const struct container_instance_row *row,
			   struct error *err);

/* Re-registration: version_info, resources, devices and ec2_instance_id are replaced, the version
 * grows. */
int container_instance_replace(struct store *store, const struct container_instance_row *row,
			       struct error *err);

int container_instance_set_status(struct store *store, const char *cluster, const char *id,
				  const char *status, const char *reason, struct error *err);

/* From now on it is this identity's only. */
int container_instance_bind(struct store *store, const char *cluster, const char *id,
			    const char *identity, struct error *err);

/* Follows the ACS session. The version grows only when the value changes. */
int container_instance_set_connected(struct store *store, const char *cluster, const char *id,
				     bool connected, struct error *err);

/* As the agent publishes it: a status, and the details as a JSON array. The version grows only when
 * the status changes. */
int container_instance_set_health(struct store *store, const char *cluster, const char *id,
				  const char *status, const char *details, struct error *err);

/* At start: nobody is connected yet. */
int container_instance_disconnect_all(struct store *store, struct error *err);

/* A change outside of the row (a task placed, an attribute put): the version grows. */
int container_instance_touch(struct store *store, const char *cluster, const char *id,
			     struct error *err);

/*
 * Instances of a cluster by id, after `after` (NULL: from the first), at most `limit` (-1: all).
 * status NULL: all but INACTIVE.
 */
int container_instance_find(struct store *store, const char *cluster, const char *status,
			    const char *after, int64_t limit,
			    struct container_instance_list *ret_list, struct error *err);

/* ACTIVE and DRAINING ones. */
int container_instance_count(struct store *store, const char *cluster, int64_t *ret_count,
			     struct error *err);

#endif
