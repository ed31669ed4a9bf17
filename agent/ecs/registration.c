/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/capabilities.h"
#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "wire/acs_network.h"
#include "wire/api.h"
#include "wire/architecture.h"

#define BUDGET_MS       (3600LL * 1000)
#define DEFAULT_CLUSTER "default"

static const struct backoff_policy policy = {
	.min_ms = 3000, .max_ms = 192000, .multiplier = 2, .jitter = 0.2
};

struct registration {
	struct loop *loop;
	struct ecs_client *client;
	const struct agent_config *config;
	char *cluster;
	char *saved_arn; /* NULL: a new instance */
	bool enforces_network;
	struct ecs_attributes attributes;
	char *body;
	bool last_series; /* no other one follows */
	struct backoff backoff;
	int64_t series_since_ms;
	struct ecs_call *call;
	struct loop_timer *timer;
	bool ended; /* the timer brings the result */
	struct registration_result result;
	registration_callback *callback;
	void *data;
};

static void registration_free(struct registration *registration)
{
	ecs_call_cancel(registration->call);
	loop_timer_free(registration->timer);
	ecs_attributes_free(&registration->attributes);
	free(registration->cluster);
	free(registration->saved_arn);
	free(registration->body);
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

		ecs_call(registration->client, "CreateCluster", body, ECS_RETRY_STANDARD,
			 on_cluster_made, registration, &registration->call);
		return;
	}
	log_warn("Registration failed and is tried once more", "error", response->err.text);
	begin_series(registration);
}

static void succeeded(struct registration *registration, const struct ecs_response *response)
{
	_cleanup_(api_registered_free_cleanup) struct api_registered *registered = NULL;
	const struct ecs_attributes *own = &registration->attributes;
	_cleanup_free_ struct api_attribute *sent = xcalloc(own->count + 1, sizeof(*sent));
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < own->count; i++)
		sent[i] = (struct api_attribute){ .name = own->items[i].name,
						  .value = own->items[i].value };
	if (api_decode_registered(response->body, response->size, &registered, &err) < 0) {
		fail(registration, ECS_EXIT_ERROR, &err);
		return;
	}
	if (api_registered_check(registered, sent, own->count, &err) < 0) {
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
	const struct agent_config *config = registration->config;

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

static void call_register(struct registration *registration)
{
	ecs_call(registration->client, "RegisterContainerInstance", registration->body,
		 ECS_RETRY_STANDARD, on_registered, registration, &registration->call);
}

static void on_timer(void *data)
{
	struct registration *registration = data;

	if (registration->ended)
		end(registration);
	else
		call_register(registration);
}

/* In the order of the reference: one's own (not again), capabilities, the system. */
static void collect_attributes(struct registration *registration, const struct host_resources *host)
{
	const struct agent_config *config = registration->config;
	struct ecs_attributes *attributes = &registration->attributes;
	_cleanup_free_ char *architecture = NULL;

	if (!registration->saved_arn)
		for (size_t i = 0; i < config->instance_attributes.count; i++)
			ecs_attributes_add(attributes, config->instance_attributes.items[i].name,
					   config->instance_attributes.items[i].value);
	capabilities_list(config, host, attributes);
	if (registration->enforces_network)
		ecs_attributes_add(attributes, ACS_NETWORK_CAPABILITY, NULL);
	if (*config->network_address)
		ecs_attributes_add(attributes, ACS_NETWORK_ADDRESS, config->network_address);
	ecs_attributes_add(attributes, "ecs.os-type", "linux");
	ecs_attributes_add(attributes, "ecs.os-family", "LINUX");
	if (*config->detailed_os_family)
		ecs_attributes_add(attributes, "ecs.os-type-detailed", config->detailed_os_family);
	/* No identity document goes along, from which the control plane would know. */
	architecture = ecs_architecture_of_host();
	ecs_attributes_add(attributes, "ecs.cpu-architecture", architecture);
}

static struct text_list port_texts(const struct config_ports *ports)
{
	char **items = xcalloc(ports->count + 1, sizeof(*items));

	for (size_t i = 0; i < ports->count; i++)
		items[i] = xasprintf("%u", ports->items[i]);
	return (struct text_list){ .items = (const char *const *)items, .count = ports->count };
}

static void port_texts_free(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)(uintptr_t)list->items[i]);
	free((void *)(uintptr_t)list->items);
}

static void encode(struct registration *registration, const struct host_resources *host)
{
	const struct agent_config *config = registration->config;
	const struct ecs_attributes *own = &registration->attributes;
	_cleanup_free_ struct api_attribute *attributes =
		xcalloc(own->count + 1, sizeof(*attributes));
	_cleanup_free_ struct text_pair *tags =
		xcalloc(config->instance_tags.count + 1, sizeof(*tags));
	__attribute__((cleanup(port_texts_free))) struct text_list ports =
		port_texts(&config->reserved_ports);
	__attribute__((cleanup(port_texts_free))) struct text_list udp =
		port_texts(&config->reserved_ports_udp);
	char token[UUID_SIZE];

	for (size_t i = 0; i < own->count; i++)
		attributes[i] = (struct api_attribute){ .name = own->items[i].name,
							.value = own->items[i].value };
	for (size_t i = 0; i < config->instance_tags.count; i++)
		tags[i] = (struct text_pair){ .name = config->instance_tags.items[i].name,
					      .value = config->instance_tags.items[i].value };
	uuid4(token);
	registration->body = api_encode_register(&(struct api_register){
		.cluster = registration->cluster,
		.container_instance_arn = registration->saved_arn,
		.attributes = attributes,
		.attribute_count = own->count,
		.tags = tags,
		.tag_count = config->instance_tags.count,
		.cpu = host->cpu_units,
		.memory_mib = host->memory_mib,
		.ports = ports,
		.ports_udp = udp,
		.client_token = token,
	});
}

/* What must be right before anything is sent. */
static enum ecs_exit prepare(struct registration *registration,
			     const struct registration_input *input, struct error *err)
{
	const char *saved_cluster = input->saved_cluster;

	if (!str_is_empty(saved_cluster) && strcmp(saved_cluster, registration->cluster) != 0) {
		error_say(err, EINVAL,
			  "the saved state belongs to cluster %s: set ECS_CLUSTER to it, or empty "
			  "the data directory to "
			  "join another as a new instance",
			  saved_cluster);
		return ECS_EXIT_TERMINAL;
	}
	collect_attributes(registration, input->host);
	encode(registration, input->host);
	return ECS_EXIT_OK;
}

struct registration *registration_start(struct loop *loop, struct ecs_client *client,
					const struct agent_config *config,
					const struct registration_input *input,
					registration_callback *callback, void *data)
{
	struct registration *registration = xcalloc(1, sizeof(*registration));
	enum ecs_exit exit_code;

	registration->loop = loop;
	registration->client = client;
	registration->config = config;
	registration->cluster = xstrdup(*config->cluster ? config->cluster : DEFAULT_CLUSTER);
	registration->saved_arn = str_is_empty(input->saved_arn) ? NULL : xstrdup(input->saved_arn);
	registration->enforces_network = input->enforces_network;
	registration->last_series = *config->cluster != '\0';
	registration->callback = callback;
	registration->data = data;
	registration->timer = loop_timer_new(loop, on_timer, registration);

	exit_code = prepare(registration, input, &registration->result.err);
	if (exit_code == ECS_EXIT_OK) {
		begin_series(registration);
		return registration;
	}
	registration->result.exit_code = exit_code;
	registration->ended = true;
	loop_timer_start(registration->timer, 0);
	return registration;
}

void registration_cancel(struct registration *registration)
{
	if (registration)
		registration_free(registration);
}
