/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/identity_document.h"
#include "agent/ecs/instance_tags.h"
#include "agent/ecs/registration_request.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "wire/api.h"

#define BUDGET_MS       (3600LL * 1000)
#define DEFAULT_CLUSTER "default"

static const struct backoff_policy policy = {
	.min_ms = 3000, .max_ms = 192000, .multiplier = 2, .jitter = 0.2
};

struct registration {
	struct registration_input input; /* saved_* are not looked at once it has begun */
	char *cluster;
	char *saved_arn; /* NULL: a new instance */
	struct registration_request request;
	bool last_series; /* no other one follows */
	struct backoff backoff;
	int64_t series_since_ms;
	struct instance_tags_call *tags;
	struct identity_call *identity;
	struct ecs_call *call;
	struct loop_timer *timer;
	bool begun;
	struct registration_result result; /* an exit code before it has begun: the end */
	registration_callback *callback;
	void *data;
};

static void registration_free(struct registration *registration)
{
	instance_tags_cancel(registration->tags);
	identity_document_cancel(registration->identity);
	ecs_call_cancel(registration->call);
	loop_timer_free(registration->timer);
	registration_request_clear(&registration->request);
	free(registration->cluster);
	free(registration->saved_arn);
	free(registration);
}

static void end(struct registration *registration)
{
	registration->callback(registration->data, &registration->result);
	registration_free(registration);
}

static void fail(struct registration *registration, enum ecs_exit exit_code,
		 const struct error *err)
{
	registration->result.exit_code = exit_code;
	registration->result.err = *err;
	error_prefix(&registration->result.err, "register this host in cluster %s",
		     registration->cluster);
	end(registration);
}

static void call_register(struct registration *registration);

static void begin_series(struct registration *registration)
{
	backoff_reset(&registration->backoff, &policy);
	registration->series_since_ms = clock_monotonic_ms();
	call_register(registration);
}

static void on_cluster_made(void *data, const struct ecs_response *response)
{
	struct registration *registration = data;

	registration->call = NULL;
	if (response->error) {
		struct error err = response->err;

		error_prefix(&err, "make the cluster");
		fail(registration, ECS_EXIT_ERROR, &err);
		return;
	}
	log_info("The cluster was made", "cluster", registration->cluster);
	begin_series(registration);
}

static bool is_transient(const struct ecs_response *response)
{
	return response->quota_exhausted || str_eq(response->failure.name, "ThrottlingException") ||
	       str_eq(response->failure.name, "ServerException") ||
	       str_eq(response->failure.name, "LimitExceededException");
}

static bool is_cluster_missing(const struct ecs_response *response)
{
	return str_eq(response->failure.name, "ClusterNotFoundException") ||
	       strstr(response->failure.message, "Cluster not found.") != NULL;
}

static enum ecs_exit exit_code_of(const struct registration *registration,
				  const struct ecs_response *response)
{
	if (str_eq(response->failure.name, "InvalidParameterException") ||
	    str_eq(response->failure.name, "ClientException"))
		return ECS_EXIT_TERMINAL;
	if (registration->saved_arn &&
	    strstr(response->failure.message, "Container instance type changes are not supported."))
		return ECS_EXIT_TERMINAL;
	return ECS_EXIT_ERROR;
}

static void series_failed(struct registration *registration, const struct ecs_response *response)
{
	if (registration->last_series) {
		fail(registration, exit_code_of(registration, response), &response->err);
		return;
	}
	registration->last_series = true;
	if (is_cluster_missing(response)) {
		_cleanup_free_ char *body = api_encode_create_cluster(registration->cluster);

		ecs_call(registration->input.client, "CreateCluster", body, ECS_RETRY_STANDARD,
			 on_cluster_made, registration, &registration->call);
		return;
	}
	log_warn("Registration failed and is tried once more", "error", response->err.text);
	begin_series(registration);
}

static void succeeded(struct registration *registration, const struct ecs_response *response)
{
	_cleanup_(api_registered_free_cleanup) struct api_registered *registered = NULL;
	struct error err = ERROR_INIT;

	if (api_decode_registered(response->body, response->size, &registered, &err) < 0) {
		fail(registration, ECS_EXIT_ERROR, &err);
		return;
	}
	if (registration_request_check(&registration->request, registered, &err) < 0) {
		fail(registration, ECS_EXIT_TERMINAL, &err);
		return;
	}
	registration->result = (struct registration_result){
		.exit_code = ECS_EXIT_OK,
		.container_instance = registration->saved_arn ? registration->saved_arn
							      : registered->container_instance_arn,
		.availability_zone = registered->availability_zone,
		.cluster = registration->cluster,
	};
	end(registration);
}

static void on_registered(void *data, const struct ecs_response *response)
{
	struct registration *registration = data;
	const struct agent_config *config = registration->input.config;

	registration->call = NULL;
	if (!response->error) {
		succeeded(registration, response);
		return;
	}
	if (is_transient(response) && clock_monotonic_ms() - registration->series_since_ms <
					      config_scaled_ms(config, BUDGET_MS)) {
		log_warn("Registration is tried again", "error", response->err.text);
		loop_timer_start(registration->timer,
				 config_scaled_ms(config, backoff_next_ms(&registration->backoff,
									  random_unit())));
		return;
	}
	series_failed(registration, response);
}

static void on_identity(void *data, const struct identity_document *identity)
{
	struct registration *registration = data;

	_cleanup_free_ char *body = registration_request_encode(&registration->request, identity);

	registration->identity = NULL;
	ecs_call(registration->input.client, "RegisterContainerInstance", body, ECS_RETRY_STANDARD,
		 on_registered, registration, &registration->call);
}

static void call_register(struct registration *registration)
{
	const struct registration_input *input = &registration->input;

	if (input->imds && !input->config->no_identity_document)
		registration->identity = identity_document_get(
			input->loop, input->imds, input->config, on_identity, registration);
	else
		on_identity(registration, NULL);
}

static void on_tags(void *data, const struct ec2_tags *tags, const struct error *err)
{
	struct registration *registration = data;

	registration->tags = NULL;
	if (!tags) {
		fail(registration, ECS_EXIT_ERROR, err);
		return;
	}
	ec2_tags_copy(tags, &registration->request.ec2_tags);
	begin_series(registration);
}

/* Its tags first, when EC2 has some of them. */
static void begin(struct registration *registration)
{
	const struct registration_input *input = &registration->input;
	const struct instance_tags_config tags = {
		.loop = input->loop,
		.http = input->http,
		.credentials = input->credentials,
		.config = input->config,
		.ipv6_only = input->host->ipv6_only,
		.instance_id = input->facts ? input->facts->instance_id : NULL,
	};
	struct error err = ERROR_INIT;

	registration->begun = true;
	if (input->config->tag_source != CONFIG_TAGS_OF_EC2) {
		begin_series(registration);
		return;
	}
	if (tags.instance_id) {
		registration->tags = instance_tags_get(&tags, on_tags, registration);
		return;
	}
	error_say(&err, ENODEV,
		  "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM asks for the tags of an EC2 "
		  "instance, and this host does not know of one that it is");
	fail(registration, ECS_EXIT_ERROR, &err);
}

static void on_timer(void *data)
{
	struct registration *registration = data;

	if (registration->result.exit_code != ECS_EXIT_OK)
		end(registration);
	else if (registration->begun)
		call_register(registration);
	else
		begin(registration);
}

/* What must be right before anything is sent. */
static enum ecs_exit prepare(struct registration *registration, struct error *err)
{
	const struct registration_input *input = &registration->input;

	if (!str_is_empty(input->saved_cluster) &&
	    strcmp(input->saved_cluster, registration->cluster) != 0) {
		error_say(err, EINVAL,
			  "the saved state belongs to cluster %s: set ECS_CLUSTER to it, or empty "
			  "the data directory to "
			  "join another as a new instance",
			  input->saved_cluster);
		return ECS_EXIT_TERMINAL;
	}
	registration_request_prepare(&registration->request, input);
	return ECS_EXIT_OK;
}

struct registration *registration_start(const struct registration_input *input,
					registration_callback *callback, void *data)
{
	struct registration *registration = xcalloc(1, sizeof(*registration));
	const struct agent_config *config = input->config;

	registration->input = *input;
	registration->cluster = xstrdup(*config->cluster ? config->cluster : DEFAULT_CLUSTER);
	registration->saved_arn = str_is_empty(input->saved_arn) ? NULL : xstrdup(input->saved_arn);
	registration->last_series = *config->cluster != '\0';
	registration->callback = callback;
	registration->data = data;
	registration->request.cluster = registration->cluster;
	registration->request.saved_arn = registration->saved_arn;
	registration->timer = loop_timer_new(input->loop, on_timer, registration);
	registration->result.exit_code = prepare(registration, &registration->result.err);
	loop_timer_start(registration->timer, 0);
	return registration;
}

void registration_cancel(struct registration *registration)
{
	if (registration)
		registration_free(registration);
}
