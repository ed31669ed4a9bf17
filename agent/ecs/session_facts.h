/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_SESSION_FACTS_H
#define BERTH_AGENT_ECS_SESSION_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is known of a session, for who judges whether it is well. Times are monotonic.
 *
 * The peer was heard when a message came that shows that it takes part (of TCS: an
 * acknowledgement or heartbeat). A handshake counts as one only after a connection that brought
 * such a message: one that is accepted time and again, and never says anything, is not well.
 */
struct session_facts {
	bool open;
	bool heard;          /* ever */
	int64_t heard_ms;    /* last */
	int64_t well_ms;     /* since then it was never silent for longer than the bound */
	int64_t started_ms;  /* of the first attempt */
	int64_t bound_ms;    /* how long it may be silent */
	const char *trouble; /* why the last connection, or attempt, ended; "": none did */
};

#endif
