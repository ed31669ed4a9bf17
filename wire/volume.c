/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/volume.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "wire/attachment.h"
#include "wire/reader.h"

static int empty_configuration(struct error *err)
{
	return error_say(err, EINVAL, "invalid volume: empty volume configuration");
}

static int read_host(const struct json_at *at, struct arena *arena, struct volume_spec *volume,
		     struct error *err)
{
	struct json_at host = { .value = NULL };
	int result = read_object(at, "host", &host, err);

	if (result < 0)
		return result;
	if (!json_present(&host))
		return empty_configuration(err);
	volume->type = VOLUME_HOST;
	volume->source_path = "";
	return read_text(&host, "sourcePath", arena, &volume->source_path, err);
}

static int read_docker(const struct json_at *at, struct arena *arena, struct volume_spec *volume,
		       struct error *err)
{
	struct json_at docker = { .value = NULL };
	const char *scope = "task";
	int result = read_object(at, "dockerVolumeConfiguration", &docker, err);

	if (result < 0)
		return result;
	if (!json_present(&docker))
		return empty_configuration(err);
	volume->type = VOLUME_DOCKER;
	result = read_text(&docker, "scope", arena, &scope, err);
	if (result == 0)
		result = read_bool(&docker, "autoprovision", &volume->docker.autoprovision, err);
	if (result == 0)
		result = read_text(&docker, "driver", arena, &volume->docker.driver, err);
	if (result == 0)
		result =
			read_map(&docker, "driverOpts", arena, &volume->docker.driver_options, err);
	if (result == 0)
		result = read_map(&docker, "labels", arena, &volume->docker.labels, err);
	if (result < 0)
		return result;
	if (strcmp(scope, "shared") == 0)
		volume->docker.scope = DOCKER_VOLUME_SCOPE_SHARED;
	else if (strcmp(scope, "task") != 0)
		return json_fail(&docker, err, "scope: \"%s\" is neither \"task\" nor \"shared\"",
				 scope);
	return 0;
}

/* "ENABLED", "DISABLED" or absent. */
static int read_switch(const struct json_at *at, const char *name, struct arena *arena, bool *ret,
		       struct error *err)
{
	const char *text = "DISABLED";
	int result = read_text(at, name, arena, &text, err);

	if (result < 0)
		return result;
	if (strcmp(text, "ENABLED") != 0 && strcmp(text, "DISABLED") != 0)
		return json_fail(at, err, "%s: \"%s\" is neither \"ENABLED\" nor \"DISABLED\"",
				 name, text);
	*ret = strcmp(text, "ENABLED") == 0;
	return 0;
}

static int read_efs(const struct json_at *at, struct arena *arena, struct volume_spec *volume,
		    struct error *err)
{
	struct json_at efs = { .value = NULL };
	struct json_at authorization = { .value = NULL };
	int result = read_object(at, "efsVolumeConfiguration", &efs, err);

	if (result < 0)
		return result;
	if (!json_present(&efs))
		return empty_configuration(err);
	volume->type = VOLUME_EFS;
	result = read_text(&efs, "fileSystemId", arena, &volume->efs.file_system_id, err);
	if (result == 0)
		result = read_text(&efs, "rootDirectory", arena, &volume->efs.root_directory, err);
	if (result == 0)
		result = read_switch(&efs, "transitEncryption", arena,
				     &volume->efs.transit_encryption, err);
	if (result == 0)
		result = read_i64(&efs, "transitEncryptionPort", 0, UINT16_MAX,
				  &volume->efs.transit_encryption_port, err);
	if (result == 0)
		result = read_object(&efs, "authorizationConfig", &authorization, err);
	if (result < 0 || !json_present(&authorization))
		return result;
	result = read_text(&authorization, "accessPointId", arena, &volume->efs.access_point_id,
			   err);
	if (result == 0)
		result = read_switch(&authorization, "iam", arena, &volume->efs.iam, err);
	return result;
}

static int read_fsx(const struct json_at *at, struct volume_spec *volume, struct error *err)
{
	struct json_at fsx = { .value = NULL };
	int result = read_object(at, "fsxWindowsFileServerVolumeConfiguration", &fsx, err);

	if (result < 0)
		return result;
	if (!json_present(&fsx))
		return empty_configuration(err);
	volume->type = VOLUME_FSX_WINDOWS;
	return 0;
}

static const struct task_attachment *
attachment_of(const char *volume, const struct task_attachment *attachments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = text_map_get(&attachments[i].properties, "volumeName");

		if (strcmp(attachments[i].type, ATTACHMENT_EBS) != 0 &&
		    strcmp(attachments[i].type, ATTACHMENT_S3_FILES) != 0)
			continue;
		if (name && strcmp(name, volume) == 0)
			return &attachments[i];
	}
	return NULL;
}

int volume_spec_decode(const struct json_at *at, const struct task_attachment *attachments,
		       size_t attachment_count, struct arena *arena, struct volume_spec *ret,
		       struct error *err)
{
	struct volume_spec volume = { .type = VOLUME_HOST };
	const char *type = NULL;
	int result = read_is_object(at, err);

	if (result == 0)
		result = read_text(at, "name", arena, &volume.name, err);
	if (result == 0)
		result = read_text(at, "type", arena, &type, err);
	if (result < 0)
		return result;
	if (!volume.name)
		return error_say(err, EINVAL, "invalid Volume; must include a name");
	if (!type || strcmp(type, ATTACHMENT_EBS) == 0 || strcmp(type, ATTACHMENT_S3_FILES) == 0)
		volume.attachment = attachment_of(volume.name, attachments, attachment_count);
	if (volume.attachment)
		volume.type = strcmp(volume.attachment->type, ATTACHMENT_EBS) == 0
				      ? VOLUME_EBS
				      : VOLUME_S3_FILES;
	else if (!type || strcmp(type, "host") == 0)
		result = read_host(at, arena, &volume, err);
	else if (strcmp(type, "docker") == 0)
		result = read_docker(at, arena, &volume, err);
	else if (strcmp(type, "efs") == 0)
		result = read_efs(at, arena, &volume, err);
	else if (strcmp(type, "fsxWindowsFileServer") == 0)
		result = read_fsx(at, &volume, err);
	else
		result = error_say(err, EINVAL, "unrecognized volume type: \"%s\"", type);
	if (result == 0)
		*ret = volume;
	return result;
}
