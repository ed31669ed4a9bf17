/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about the instance. Those about tasks are in api_encode_change.c. */
#include "wire/api.h"
#include "wire/writer.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void write_integer_resource(struct writer *writer, const char *name, int64_t value)
{
	write_object(writer, NULL);
	if (value != 0)
		write_i64(writer, "integerValue", value);
	write_text(writer, "name", name);
	write_text(writer, "type", "INTEGER");
	write_object_end(writer);
}

static void write_set_resource(struct writer *writer, const char *name, const struct text_list *set)
{
	write_object(writer, NULL);
	write_text(writer, "name", name);
	write_texts(writer, "stringSetValue", set->items, set->count);
	write_text(writer, "type", "STRINGSET");
	write_object_end(writer);
}

static void write_lists_of_register(struct writer *writer, const struct api_register *request)
{
	if (request->platform_devices) {
		write_list(writer, "platformDevices");
		for (size_t i = 0; i < request->platform_device_count; i++) {
			write_object(writer, NULL);
			write_text(writer, "id", request->platform_devices[i].id);
			write_text(writer, "type", request->platform_devices[i].type);
			write_object_end(writer);
		}
		write_list_end(writer);
	}
	if (request->tag_count > 0) {
		write_list(writer, "tags");
		for (size_t i = 0; i < request->tag_count; i++) {
			write_object(writer, NULL);
			write_text(writer, "key", request->tags[i].name);
			write_text(writer, "value", request->tags[i].value);
			write_object_end(writer);
		}
		write_list_end(writer);
	}
	write_list(writer, "totalResources");
	write_integer_resource(writer, "CPU", request->cpu);
	write_integer_resource(writer, "MEMORY", request->memory_mib);
	write_set_resource(writer, "PORTS", &request->ports);
	write_set_resource(writer, "PORTS_UDP", &request->ports_udp);
	write_list_end(writer);
}

char *api_encode_register(const struct api_register *request)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_list(&writer, "attributes");
	for (size_t i = 0; i < request->attribute_count; i++) {
		write_object(&writer, NULL);
		write_text(&writer, "name", request->attributes[i].name);
		write_text(&writer, "value", request->attributes[i].value);
		write_object_end(&writer);
	}
	write_list_end(&writer);
	write_text(&writer, "clientToken", request->client_token);
	write_text(&writer, "cluster", request->cluster);
	write_text(&writer, "containerInstanceArn", request->container_instance_arn);
	write_text(&writer, "instanceIdentityDocument", or_empty(request->identity_document));
	write_text(&writer, "instanceIdentityDocumentSignature",
		   or_empty(request->identity_document_signature));
	write_lists_of_register(&writer, request);
	write_object_end(&writer);
	return strbuf_take(&buffer);
}

char *api_encode_create_cluster(const char *cluster_name)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_text(&writer, "clusterName", cluster_name);
	write_object_end(&writer);
	return strbuf_take(&buffer);
}

char *api_encode_discover_poll_endpoint(const char *cluster, const char *container_instance,
					const char *zone_id)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_text(&writer, "cluster", cluster);
	write_text(&writer, "containerInstance", container_instance);
	write_text(&writer, "zoneId", or_empty(zone_id));
	write_object_end(&writer);
	return strbuf_take(&buffer);
}

char *api_encode_update_instances_state(const char *cluster, const char *container_instance_arn,
					const char *status)
{
	struct strbuf buffer = STRBUF_INIT;
	struct writer writer = writer_to(&buffer);

	write_object(&writer, NULL);
	write_text(&writer, "cluster", cluster);
	write_texts(&writer, "containerInstances", &container_instance_arn, 1);
	write_text(&writer, "status", status);
	write_object_end(&writer);
	return strbuf_take(&buffer);
}
