/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/attachment.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "wire/reader.h"

#define PROPERTY_LIMIT 1000

static int read_properties(const struct json_at *at, struct arena *arena, struct text_map *ret,
			   struct error *err)
{
	struct json_at list = { .value = NULL };
	struct text_pair *items;
	int result = read_list(at, "attachmentProperties", PROPERTY_LIMIT, &list, err);

	if (result < 0)
		return result;
	items = arena_calloc(arena, json_count(&list), sizeof(*items));
	for (size_t i = 0; i < json_count(&list); i++) {
		struct json_at item = json_item(&list, i);

		items[i].name = "";
		items[i].value = "";
		result = read_is_object(&item, err);
		if (result == 0)
			result = read_text(&item, "name", arena, &items[i].name, err);
		if (result == 0)
			result = read_text(&item, "value", arena, &items[i].value, err);
		if (result < 0)
			return result;
	}
	ret->items = items;
	ret->count = json_count(&list);
	return 0;
}

int task_attachment_decode(const struct json_at *at, struct arena *arena,
			   struct task_attachment *ret, struct error *err)
{
	struct task_attachment attachment = { .type = "" };
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "attachmentArn", arena, &attachment.arn, err);
	if (result == 0)
		result = read_text(at, "attachmentType", arena, &attachment.type, err);
	if (result == 0)
		result = read_properties(at, arena, &attachment.properties, err);
	if (result == 0)
		*ret = attachment;
	return result;
}

static int demand(const struct json_at *at, const struct task_attachment *attachment,
		  const char *const *names, struct error *err)
{
	for (; *names; names++) {
		const char *value = text_map_get(&attachment->properties, *names);

		if (!value || !value[0])
			return json_fail(at, err, "attachmentProperties: %s is missing or empty",
					 *names);
	}
	return 0;
}

int task_attachment_check(const struct json_at *at, const struct task_attachment *attachment,
			  struct error *err)
{
	static const char *const ebs[] = { "volumeId", "volumeName", "sourceVolumeHostPath", NULL };
	static const char *const s3_files[] = { "volumeId", "volumeName", NULL };

	if (strcmp(attachment->type, ATTACHMENT_EBS) == 0) {
		for (size_t i = 0; i < attachment->properties.count; i++) {
			if (!attachment->properties.items[i].value[0])
				return json_fail(at, err, "attachmentProperties: %s is empty",
						 attachment->properties.items[i].name);
		}
		return demand(at, attachment, ebs, err);
	}
	if (strcmp(attachment->type, ATTACHMENT_S3_FILES) == 0)
		return demand(at, attachment, s3_files, err);
	return 0;
}

bool looks_like_arn(const char *text)
{
	size_t colons = 0;

	for (const char *at = text; *at; at++)
		colons += *at == ':';
	return str_starts_with(text, "arn:") && colons >= 5;
}

static int check_file_system(const struct json_at *at, const struct task_attachment *attachment,
			     struct error *err)
{
	static const char *const known[] = { "xfs", "ext2", "ext3", "ext4", "ntfs" };
	const char *file_system = text_map_get(&attachment->properties, "fileSystem");

	if (!file_system)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i], file_system) == 0)
			return 0;
	}
	return json_fail(at, err,
			 "attachmentProperties: fileSystem \"%s\" is none of xfs, ext2, ext3, ext4 "
			 "and ntfs",
			 file_system);
}

int task_attachment_check_confirm(const struct json_at *at,
				  const struct task_attachment *attachment, struct error *err)
{
	static const char *const ebs[] = { "volumeId",   "volumeSizeGib",
					   "deviceName", "sourceVolumeHostPath",
					   "volumeName", NULL };
	static const char *const ephemeral[] = { "volumeID",        "deviceName",
						 "volumeSizeInGiB", "requestedSizeInGiB",
						 "resourceID",      NULL };
	static const char *const elastic_block[] = { "volumeID", "deviceName", NULL };
	const char *resource;
	int result;

	if (!attachment->arn || !looks_like_arn(attachment->arn))
		return json_fail(at, err, "attachmentArn is missing or no ARN");
	for (size_t i = 0; i < attachment->properties.count; i++) {
		if (!attachment->properties.items[i].name[0] ||
		    !attachment->properties.items[i].value[0])
			return json_fail(
				at, err,
				"attachmentProperties[%zu]: name and value must not be empty", i);
	}
	if (strcmp(attachment->type, ATTACHMENT_EBS) == 0) {
		result = demand(at, attachment, ebs, err);
		return result < 0 ? result : check_file_system(at, attachment, err);
	}
	resource = text_map_get(&attachment->properties, "resourceType");
	if (resource && strcmp(resource, "EphemeralStorage") == 0)
		return demand(at, attachment, ephemeral, err);
	if (resource && strcmp(resource, "ElasticBlockStorage") == 0)
		return demand(at, attachment, elastic_block, err);
	return json_fail(at, err,
			 "attachmentType \"%s\" with resourceType \"%s\" is not known: it must be "
			 "amazonebs, or have resourceType EphemeralStorage or ElasticBlockStorage",
			 attachment->type, resource ? resource : "");
}
