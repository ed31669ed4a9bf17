/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_REGISTRATION_H
#define BERTH_AGENT_ECS_REGISTRATION_H

#include <stdbool.h>

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "agent/ecs/client.h"
#include "agent/ecs/ec2_facts.h"
#include "agent/ecs/exit_code.h"
#include "agent/ecs/host.h"
#include "base/error.h"
#include "base/http.h"
#include "base/loop.h"

struct registration_result {
	enum ecs_exit exit_code;        /* ECS_EXIT_OK: registered */
	const char *container_instance; /* ARN; borrowed, valid during the callback */
	const char *availability_zone;  /* may be "" */
	const char *cluster; /* the name that was used: "default" when none is configured */
	struct error err;    /* what went wrong, when it did */
};

typedef void registration_callback(void *data, const struct registration_result *result);

struct registration;

/* What a registration is made with. All is borrowed until it has ended. */
struct registration_input {
	struct loop *loop;
	struct ecs_client *client;
	const struct agent_config *config;
	const struct host_resources *host;
	const char *saved_arn;     /* NULL: a new instance, else this one again */
	const char *saved_cluster; /* NULL: none; otherwise it must be the configured one */
	/* Security groups are enforced here: BerthNetworkMessage is wanted. */
	bool enforces_network;

	/* On an instance of EC2; else NULL both. */
	struct imds *imds;
	const struct ec2_facts *facts;
	/* For its tags. */
	struct http_client *http;
	struct aws_credentials *credentials;
};

/*
 * Registers this instance. Makes the default cluster when none is configured and it is
 * missing. Throttling and server errors are retried for an hour. An instance of EC2 shows its
 * identity document, which is asked for anew for each call, and brings its tags when that is
 * configured.
 *
 * The callback comes exactly once, later; the registration is freed after it.
 */
struct registration *registration_start(const struct registration_input *input,
					registration_callback *callback, void *data);
void registration_cancel(struct registration *registration); /* NULL does nothing */

#endif
