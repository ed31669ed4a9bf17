/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/registration_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "wire/acs_network.h"
#include "wire/api.h"
#include "wire/architecture.h"

static void add_value(struct ecs_attributes *attributes, const char *name, const char *value)
{
	if (!str_is_empty(value))
		ecs_attributes_add(attributes, name, value);
}

static void collect_of_ec2(struct registration_request *request, const struct ec2_facts *facts)
{
	if (!request->config->task_eni)
		return;
	add_value(&request->attributes, "ecs.vpc-id", facts->vpc_id);
	add_value(&request->attributes, "ecs.subnet-id", facts->subnet_id);
}

/* In the order of the reference: one's own (not again), capabilities, the network, the system. */
static void collect_attributes(struct registration_request *request,
			       const struct registration_input *input)
{
	const struct agent_config *config = request->config;
	struct ecs_attributes *attributes = &request->attributes;
	_cleanup_free_ char *architecture = ecs_architecture_of_host();

	if (!request->saved_arn)
		for (size_t i = 0; i < config->instance_attributes.count; i++)
			ecs_attributes_add(attributes, config->instance_attributes.items[i].name,
					   config->instance_attributes.items[i].value);
	capabilities_list(config, request->host, attributes);
	if (input->enforces_network)
		ecs_attributes_add(attributes, ACS_NETWORK_CAPABILITY, NULL);
	add_value(attributes, ACS_NETWORK_ADDRESS, config->network_address);
	if (input->facts)
		collect_of_ec2(request, input->facts);
	ecs_attributes_add(attributes, "ecs.os-type", "linux");
	ecs_attributes_add(attributes, "ecs.os-family", "LINUX");
	add_value(attributes, "ecs.os-type-detailed", config->detailed_os_family);
	/* No identity document goes along, from which the control plane would know. */
	if (!input->facts)
		add_value(attributes, "ecs.cpu-architecture", architecture);
	if (input->facts)
		add_value(attributes, "ecs.outpost-arn", input->facts->outpost_arn);
}

void registration_request_prepare(struct registration_request *request,
				  const struct registration_input *input)
{
	request->config = input->config;
	request->host = input->host;
	collect_attributes(request, input);
	uuid4(request->token);
}

void registration_request_clear(struct registration_request *request)
{
	ecs_attributes_free(&request->attributes);
	ec2_tags_free(&request->ec2_tags);
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

static bool is_configured(const struct config_map *tags, const char *key)
{
	for (size_t i = 0; i < tags->count; i++)
		if (str_eq(tags->items[i].name, key))
			return true;
	return false;
}

/* The caller frees. */
static struct text_pair *tags_of(const struct registration_request *request, size_t *ret_count)
{
	const struct config_map *own = &request->config->instance_tags;
	const struct ec2_tags *of_ec2 = &request->ec2_tags;
	struct text_pair *tags = xcalloc(own->count + of_ec2->count + 1, sizeof(*tags));
	size_t count = 0;

	for (size_t i = 0; i < own->count; i++)
		tags[count++] = (struct text_pair){ .name = own->items[i].name,
						    .value = own->items[i].value };
	for (size_t i = 0; i < of_ec2->count; i++)
		if (!is_configured(own, of_ec2->items[i].key))
			tags[count++] = (struct text_pair){ .name = of_ec2->items[i].key,
							    .value = of_ec2->items[i].value };
	*ret_count = count;
	return tags;
}

/* The caller frees; the texts are the request's. */
static struct api_attribute *attributes_of(const struct registration_request *request)
{
	const struct ecs_attributes *own = &request->attributes;
	struct api_attribute *attributes = xcalloc(own->count + 1, sizeof(*attributes));

	for (size_t i = 0; i < own->count; i++)
		attributes[i] = (struct api_attribute){ .name = own->items[i].name,
							.value = own->items[i].value };
	return attributes;
}

char *registration_request_encode(const struct registration_request *request,
				  const struct identity_document *identity)
{
	const struct agent_config *config = request->config;
	_cleanup_free_ struct api_attribute *attributes = attributes_of(request);
	__attribute__((cleanup(port_texts_free))) struct text_list ports =
		port_texts(&config->reserved_ports);
	__attribute__((cleanup(port_texts_free))) struct text_list udp =
		port_texts(&config->reserved_ports_udp);
	size_t tag_count;
	_cleanup_free_ struct text_pair *tags = tags_of(request, &tag_count);

	return api_encode_register(&(struct api_register){
		.cluster = request->cluster,
		.container_instance_arn = request->saved_arn,
		.attributes = attributes,
		.attribute_count = request->attributes.count,
		.tags = tags,
		.tag_count = tag_count,
		.identity_document = identity ? identity->document : NULL,
		.identity_document_signature = identity ? identity->signature : NULL,
		.cpu = request->host->cpu_units,
		.memory_mib = request->host->memory_mib,
		.ports = ports,
		.ports_udp = udp,
		.client_token = request->token,
	});
}

int registration_request_check(const struct registration_request *request,
			       const struct api_registered *registered, struct error *err)
{
	_cleanup_free_ struct api_attribute *attributes = attributes_of(request);

	return api_registered_check(registered, attributes, request->attributes.count, err);
}
