/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_STORE_BINDINGS_H
#define BERTH_AGENT_STORE_BINDINGS_H

#include "agent/engine/state.h"
#include "base/error.h"

/*
 * The published ports of a container as they are saved: "tcp 49153 80 1 0;udp 5000 53 3 1", which
 * is protocol, host port, container port, how many, and whether they are a range.
 */

/* The caller frees; NULL: there are none. */
char *bindings_encode(const struct connection_state *connection);
/* `text` NULL: none. -EINVAL. */
int bindings_decode(const char *text, struct connection_state *connection, struct error *err);

#endif
