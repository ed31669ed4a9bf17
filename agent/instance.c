/* SPDX-License-Identifier: Apache-2.0 */
/* Who this host is to the control plane: saved, found out, registered. */
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/ecs/cloud_init.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"

/* What runs the containers, in the place where the protocol says Docker's version. */
#define ENGINE_VERSION "containerd"

static void set_instance(struct agent *agent, const char *cluster, const char *arn,
			 const char *zone)
{
	str_replace(&agent->cluster, cluster);
	str_replace(&agent->container_instance, arn);
	str_replace(&agent->availability_zone, zone);
	agent->instance = (struct ecs_instance){
		.cluster = agent->cluster,
		.container_instance = agent->container_instance ? agent->container_instance : "",
		.availability_zone = agent->availability_zone ? agent->availability_zone : "",
		.agent_version = berth_version(),
		.agent_hash = berth_commit(),
		.engine_version = ENGINE_VERSION,
		.identity = agent->own_identity ? ecs_identity_files(agent->own_identity) : NULL,
	};
	agent->identity = (struct endpoints_identity){
		.cluster = agent->cluster,
		.container_instance_arn = agent->container_instance,
		.availability_zone = agent->availability_zone,
		.availability_zone_id = agent->facts.zone_id,
		.vpc_id = agent->facts.vpc_id,
	};
}

static const char *configured_cluster(const struct agent *agent)
{
	return str_is_empty(agent->config->cluster) ? "default" : agent->config->cluster;
}

int instance_restore(struct agent *agent, struct error *err)
{
	_cleanup_free_ char *arn = NULL;
	_cleanup_free_ char *cluster = NULL;
	_cleanup_free_ char *zone = NULL;
	int r = store_get_fact(agent->store, STORE_CONTAINER_INSTANCE, &arn, err);

	if (r == 0)
		r = store_get_fact(agent->store, STORE_CLUSTER, &cluster, err);
	if (r == 0)
		r = store_get_fact(agent->store, STORE_AVAILABILITY_ZONE, &zone, err);
	if (r == 0)
		set_instance(agent, cluster ? cluster : configured_cluster(agent), arn, zone);
	return r;
}

int instance_check(struct agent *agent, struct error *err)
{
	const struct ec2_facts_config config = { .loop = agent->loop,
						 .imds = agent->imds,
						 .config = agent->config };
	_cleanup_free_ char *saved = NULL;
	int r = store_get_fact(agent->store, STORE_EC2_INSTANCE, &saved, err);

	if (r < 0 || !saved || !agent->imds)
		return r;
	ec2_instance_id(&config, &agent->facts.instance_id);
	if (!agent->facts.instance_id || str_eq(agent->facts.instance_id, saved))
		return 0;
	log_warn("The saved state is of another EC2 instance: this one registers as a new one, "
		 "and tasks of that one are forgotten",
		 "saved", saved, "instance", agent->facts.instance_id);
	r = store_clear(agent->store, err);
	if (r == 0)
		set_instance(agent, configured_cluster(agent), NULL, NULL);
	return r;
}

static void watch_spot(struct agent *agent)
{
	const struct spot_config config = {
		.loop = agent->loop,
		.imds = agent->imds,
		.client = agent->client,
		.instance = &agent->instance,
		.interval_ms = SPOT_INTERVAL_MS,
	};

	if (agent->config->spot_draining && agent->imds)
		agent->spot = spot_watch_new(&config);
	else if (agent->config->spot_draining)
		log_warn("ECS_ENABLE_SPOT_INSTANCE_DRAINING has no effect: this host has no "
			 "instance metadata that would tell of it");
}

static int save(struct agent *agent, struct error *err)
{
	int r = store_set_fact(agent->store, STORE_CONTAINER_INSTANCE, agent->container_instance,
			       err);

	if (r == 0)
		r = store_set_fact(agent->store, STORE_CLUSTER, agent->cluster, err);
	if (r == 0)
		r = store_set_fact(agent->store, STORE_AVAILABILITY_ZONE, agent->availability_zone,
				   err);
	/* What is not known now may be known at another start. */
	if (r == 0 && agent->facts.instance_id)
		r = store_set_fact(agent->store, STORE_EC2_INSTANCE, agent->facts.instance_id, err);
	return r;
}

static void registered(void *data, const struct registration_result *result)
{
	struct agent *agent = data;
	struct error err = ERROR_INIT;

	agent->registration = NULL;
	if (result->exit_code != ECS_EXIT_OK) {
		log_critical("this host cannot be registered", "cluster", agent->config->cluster,
			     "error", result->err.text);
		agent_stop(agent, (int)result->exit_code);
		return;
	}
	set_instance(agent, result->cluster, result->container_instance, result->availability_zone);
	if (save(agent, &err) < 0)
		log_error("the registration cannot be saved: after a restart this host registers "
			  "as a new one",
			  "error", err.text);
	log_info("registered", "cluster", agent->cluster, "container_instance",
		 agent->container_instance);
	start_sessions(agent);
	watch_spot(agent);
}

static void register_instance(struct agent *agent)
{
	const struct registration_input input = {
		.loop = agent->loop,
		.client = agent->client,
		.config = agent->config,
		.host = &agent->host,
		.saved_arn = agent->container_instance,
		.saved_cluster = agent->container_instance ? agent->cluster : NULL,
		.enforces_network = agent->acs_handler.network != NULL,
		.imds = agent->imds,
		.facts = agent->imds ? &agent->facts : NULL,
		.http = agent->aws_http,
		.credentials = agent->credentials,
	};

	agent->registration = registration_start(&input, registered, agent);
}

static void found_out(void *data, enum ecs_exit exit_code, struct ec2_facts *facts,
		      const struct error *err)
{
	struct agent *agent = data;

	agent->facts_call = NULL;
	if (exit_code != ECS_EXIT_OK) {
		log_critical("this host cannot be registered", "error", err->text);
		agent_stop(agent, (int)exit_code);
		return;
	}
	ec2_facts_free(&agent->facts);
	agent->facts = *facts;
	*facts = (struct ec2_facts){ 0 };
	register_instance(agent);
}

static void look_around(struct agent *agent)
{
	const struct ec2_facts_config config = {
		.loop = agent->loop,
		.imds = agent->imds,
		.config = agent->config,
		.instance_id = agent->facts.instance_id,
		.cloud_init_result = CLOUD_INIT_RESULT,
	};

	if (agent->imds)
		agent->facts_call = ec2_facts_get(&config, found_out, agent);
	else
		register_instance(agent);
}

static void enrolled(void *data, enum ecs_exit exit_code, const struct error *err)
{
	struct agent *agent = data;

	if (exit_code == ECS_EXIT_OK) {
		look_around(agent);
		return;
	}
	log_critical("this host has no identity", "error", err->text);
	agent_stop(agent, (int)exit_code);
}

void instance_register(struct agent *agent)
{
	if (agent->own_identity)
		ecs_identity_start(agent->own_identity, enrolled, agent);
	else
		look_around(agent);
}

void instance_free(struct agent *agent)
{
	ec2_facts_cancel(agent->facts_call);
	registration_cancel(agent->registration);
	spot_watch_free(agent->spot);
}

void instance_forget(struct agent *agent)
{
	ec2_facts_free(&agent->facts);
	free(agent->cluster);
	free(agent->container_instance);
	free(agent->availability_zone);
}
