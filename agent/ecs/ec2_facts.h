/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_EC2_FACTS_H
#define BERTH_AGENT_ECS_EC2_FACTS_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "agent/ecs/exit_code.h"
#include "base/error.h"
#include "base/loop.h"

/*
 * What an instance of EC2 finds out about itself before it registers, and what may keep it from
 * that, in this order:
 *
 *	its id (without one it goes on)
 *	user data that was never carried out: the end (cloud_init.h)
 *	a warm pool that it is to leave first, with ECS_WARM_POOLS_CHECK (warm_pool.h)
 *	its network: MAC, VPC, subnet; all three must be there
 *	the id of its availability zone, and its outpost (without them it goes on)
 */
struct ec2_facts {
	char *instance_id;              /* "i-0abc"; NULL: unknown */
	char *mac, *vpc_id, *subnet_id; /* never NULL after success */
	char *zone_id;                  /* "usw2-az1"; NULL: unknown */
	char *outpost_arn;              /* NULL: on none */
};

struct ec2_facts_call;

struct ec2_facts_config {
	struct loop *loop;
	struct imds *imds;
	const struct agent_config *config;
	const char *instance_id;       /* NULL: to be asked for; copied, the rest is borrowed */
	const char *cloud_init_result; /* CLOUD_INIT_RESULT */
};

/* ECS_EXIT_OK, or how the agent ends, and why. All are valid during the callback. */
typedef void ec2_facts_callback(void *data, enum ecs_exit exit_code, struct ec2_facts *facts,
				const struct error *err);

/* The callback comes once, later, and may take out of `facts` what it wants. The call is valid
 * until then. */
struct ec2_facts_call *ec2_facts_get(const struct ec2_facts_config *config,
				     ec2_facts_callback *callback, void *data);
void ec2_facts_cancel(struct ec2_facts_call *call); /* NULL does nothing */
void ec2_facts_free(struct ec2_facts *facts);

/*
 * The instance's id alone. For the agent before it has begun, when nothing else can happen before
 * it is known: runs the loop until it is, half a minute at most. *ret is NULL when it cannot be
 * found out; the caller frees it.
 */
void ec2_instance_id(const struct ec2_facts_config *config, char **ret);

#endif
