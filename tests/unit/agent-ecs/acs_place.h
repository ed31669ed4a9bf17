/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_UNIT_AGENT_ECS_ACS_PLACE_H
#define BERTH_TESTS_UNIT_AGENT_ECS_ACS_PLACE_H

#include "agent/ecs/acs.h"
#include "fake_control_plane.h"

#define REAL     "BERTH_TIME_SCALE=1"
#define INSTANCE "\"clusterArn\":\"C\",\"containerInstanceArn\":\"I\""
#define TASK     "arn:aws:ecs:us-west-2:1:task/demo/5b1c"

/* An ACS session with a control plane that is a test, and what its handler was called with. */
struct acs_place {
	struct fake fake;
	struct discover *discover;
	struct acs_handler handler;
	struct acs_session *acs;
	int payloads, manifests, verified, credentials, attached, heartbeats, inactive, opened,
		closed, networks;
	size_t tasks, refused;
	char message_id[64];
	bool ack_at_once;
	int credentials_result, attach_result;
};

/* `scale`: BERTH_TIME_SCALE=...; `path`: of the endpoint. The session is not started. */
void acs_set_up(struct acs_place *f, char *scale, const char *path);
void acs_tear_down(struct acs_place *f);

/* The connection that is open now. */
struct fake_upgrade *acs_connected(struct acs_place *f);
struct fake_upgrade *acs_start(struct acs_place *f, char *scale);

/* Sends, and returns the answer. */
const char *acs_ask(struct acs_place *f, struct fake_upgrade *peer, const char *text);
/* Sends what must have no answer, proves it by a heartbeat that is answered after it. */
void acs_ask_in_vain(struct acs_place *f, struct fake_upgrade *peer, const char *text);

#endif
