/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_REGISTRATION_H
#define BERTH_AGENT_ECS_REGISTRATION_H

#include <stdbool.h>

#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/host.h"
#include "base/error.h"
#include "base/loop.h"

/* Exit codes of the agent: what its supervisor does next. */
enum ecs_exit {
	ECS_EXIT_OK = 0,       /* stop, and stay stopped */
	ECS_EXIT_ERROR = 1,    /* start again, with back-off */
	ECS_EXIT_TERMINAL = 5, /* stay stopped: starting again cannot help */
	ECS_EXIT_UPDATE = 42
};

struct registration_result {
	enum ecs_exit exit_code;        /* ECS_EXIT_OK: registered */
	const char *container_instance; /* ARN; borrowed, valid during the callback */
	const char *availability_zone;  /* may be "" */
	const char *cluster; /* the name that was used: "default" when none is configured */
	struct error err;    /* what went wrong, when it did */
};

typedef void registration_callback(void *data, const struct registration_result *result);

struct registration;

/* What a registration says beside the configuration. */
struct registration_input {
	const struct host_resources *host; /* needed until registration_start() returns */
	const char *saved_arn;             /* NULL: a new instance, else this one again */
	const char *saved_cluster;         /* NULL: none; otherwise it must be the configured one */
	/* Security groups are enforced here: BerthNetworkMessage is wanted. */
	bool enforces_network;
};

/*
 * Registers this instance. Makes the default cluster when none is configured and it is
 * missing. Throttling and server errors are retried for an hour.
 *
 * The callback comes exactly once, later; the registration is freed after it.
 */
struct registration *registration_start(struct loop *loop, struct ecs_client *client,
					const struct agent_config *config,
					const struct registration_input *input,
					registration_callback *callback, void *data);
void registration_cancel(struct registration *registration);

#endif
