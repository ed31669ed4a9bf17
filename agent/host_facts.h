/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_HOST_FACTS_H
#define BERTH_AGENT_HOST_FACTS_H

#include "agent/config/config.h"

/*
 * What the settings need of the instance metadata service, asked once, before there is an agent,
 * and remembered: user data do not change while an instance runs. Blocks for five seconds at most.
 */
struct host_facts {
	bool asked;
	struct config_host_facts facts;
};

/* A config_ask_host; `data` is a struct host_facts, zeroed to begin with. */
void host_facts_ask(void *data, const struct agent_config *config, bool region,
		    struct config_host_facts *ret, struct str_list *warnings);
void host_facts_free(struct host_facts *facts);

#endif
