/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/attachments.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "wire/api.h"

/* More announcements at once than a host has room for interfaces: the rest is not taken. */
#define ATTACHMENTS_MAX 4096

static const struct backoff_policy policy = {
	.min_ms = 1000, .max_ms = 30000, .multiplier = 1.3, .jitter = 0.2
};

struct announced {
	struct attachments *attachments;
	char *mac, *arn, *task_arn;
	int64_t expires_at_ms;
	bool there; /* the device is */
	bool sent;
	struct ecs_call *call;
	struct backoff backoff;
	struct loop_timer *expiry, *retry;
};

struct attachments {
	struct loop *loop;
	struct ecs_client *client;
	const struct agent_config *config;
	const struct ecs_instance *instance;
	struct attachments_keeper keeper;
	struct map *announced; /* by attachment ARN */
};

static void announced_free(struct announced *announced)
{
	ecs_call_cancel(announced->call);
	loop_timer_free(announced->expiry);
	loop_timer_free(announced->retry);
	free(announced->mac);
	free(announced->arn);
	free(announced->task_arn);
	free(announced);
}

static int save(const struct announced *announced)
{
	const struct attachments_keeper *keeper = &announced->attachments->keeper;
	const struct attachment attachment = {
		.mac = announced->mac,
		.attachment_arn = announced->arn,
		.task_arn = announced->task_arn,
		.expires_at_ms = announced->expires_at_ms,
		.sent = announced->sent,
	};

	return keeper->save ? keeper->save(keeper->data, &attachment) : 0;
}

static void drop(struct announced *announced)
{
	map_remove(announced->attachments->announced, announced->arn);
	announced_free(announced);
}

static void forget(struct announced *announced)
{
	const struct attachments_keeper *keeper = &announced->attachments->keeper;

	if (keeper->forget)
		keeper->forget(keeper->data, announced->arn);
	drop(announced);
}

static void on_expiry(void *data)
{
	struct announced *announced = data;

	if (!announced->sent)
		log_warn("An announced network interface was not there in time, and is forgotten",
			 "attachment", announced->arn, "mac", announced->mac);
	forget(announced);
}

static void on_response(void *data, const struct ecs_response *response)
{
	struct announced *announced = data;

	announced->call = NULL;
	if (response->error) {
		log_warn("An attachment could not be reported and is tried again", "attachment",
			 announced->arn, "error", response->err.text);
		loop_timer_start(
			announced->retry,
			config_scaled_ms(announced->attachments->config,
					 backoff_next_ms(&announced->backoff, random_unit())));
		return;
	}
	/* It is remembered until its task is forgotten, or until it would have expired, so that a
	 * copy of the announcement is not reported again. */
	announced->sent = true;
	/* Not saved, it is reported once more after a restart. */
	(void)save(announced);
}

static void report(void *data)
{
	struct announced *announced = data;
	struct attachments *attachments = announced->attachments;
	const char *cluster = attachments->instance->cluster;
	_cleanup_free_ char *body = NULL;

	if (announced->task_arn)
		body = api_encode_task_attachment(cluster, announced->task_arn, announced->arn);
	else
		body = api_encode_attachment(cluster, announced->arn);
	ecs_call(attachments->client,
		 announced->task_arn ? "SubmitTaskStateChange" : "SubmitAttachmentStateChanges",
		 body, ECS_RETRY_NONE, on_response, announced, &announced->call);
}

static void is_there(struct announced *announced)
{
	if (announced->there || announced->sent)
		return;
	announced->there = true;
	/* In a turn of its own: what was announced is acknowledged first. */
	loop_timer_start(announced->retry, 0);
}

struct attachments *attachments_new(struct loop *loop, struct ecs_client *client,
				    const struct agent_config *config,
				    const struct ecs_instance *instance,
				    const struct attachments_keeper *keeper)
{
	struct attachments *attachments = xcalloc(1, sizeof(*attachments));

	attachments->loop = loop;
	attachments->client = client;
	attachments->config = config;
	attachments->instance = instance;
	if (keeper)
		attachments->keeper = *keeper;
	attachments->announced = map_new();
	return attachments;
}

void attachments_free(struct attachments *attachments)
{
	struct announced *announced;
	size_t cursor = 0;

	if (!attachments)
		return;
	while ((announced = map_next(attachments->announced, &cursor, NULL)))
		announced_free(announced);
	map_free(attachments->announced);
	free(attachments);
}

static struct announced *announce(struct attachments *attachments,
				  const struct attachment *attachment)
{
	struct announced *announced = xcalloc(1, sizeof(*announced));
	int64_t left_ms = attachment->expires_at_ms - clock_wall_ms();

	announced->attachments = attachments;
	announced->mac = xstrdup(attachment->mac);
	announced->arn = xstrdup(attachment->attachment_arn);
	announced->task_arn = xstrdup_null(attachment->task_arn);
	announced->expires_at_ms = attachment->expires_at_ms;
	announced->sent = attachment->sent;
	backoff_reset(&announced->backoff, &policy);
	announced->expiry = loop_timer_new(attachments->loop, on_expiry, announced);
	announced->retry = loop_timer_new(attachments->loop, report, announced);
	map_set(attachments->announced, announced->arn, announced);
	loop_timer_start(announced->expiry, left_ms > 0 ? left_ms : 0);
	/* The veth driver makes the device itself, when the task is set up. */
	if (attachments->config->eni_driver == CONFIG_ENI_VETH)
		is_there(announced);
	return announced;
}

/* The one that waits for the device with this MAC. */
static const struct announced *waiting_for(const struct attachments *attachments, const char *mac)
{
	const struct announced *announced;
	size_t cursor = 0;

	while ((announced = map_next(attachments->announced, &cursor, NULL)))
		if (!announced->sent && str_eq_nocase(announced->mac, mac))
			return announced;
	return NULL;
}

/* Only one can get the device. */
static bool is_taken(const struct attachments *attachments, const char *mac, const char *arn)
{
	const struct announced *other = waiting_for(attachments, mac);

	if (other)
		log_error("Two network interfaces are announced with the same MAC address; the "
			  "second one is not taken",
			  "mac", mac, "attachment", arn, "first", other->arn);
	return other != NULL;
}

int attachments_add(struct attachments *attachments, const struct acs_attach_interfaces *attach)
{
	int64_t now_ms = clock_wall_ms(), expires_at_ms;
	int result = 0;

	if (__builtin_add_overflow(now_ms, attach->wait_timeout_ms, &expires_at_ms))
		expires_at_ms = INT64_MAX;
	for (size_t i = 0; i < attach->eni_count; i++) {
		const struct eni_spec *eni = &attach->enis[i];
		const char *arn = eni->attachment_arn ? eni->attachment_arn : eni->mac_address;
		struct announced *announced;
		int r;

		if (map_get(attachments->announced, arn) ||
		    is_taken(attachments, eni->mac_address, arn))
			continue;
		if (map_count(attachments->announced) >= ATTACHMENTS_MAX) {
			log_error(
				"Too many network interfaces are announced; one more is not taken",
				"attachment", arn);
			continue;
		}
		announced = announce(attachments, &(struct attachment){
							  .mac = eni->mac_address,
							  .attachment_arn = arn,
							  .task_arn = attach->task_arn,
							  .expires_at_ms = expires_at_ms,
						  });
		r = save(announced);
		if (r < 0) {
			drop(announced);
			result = r;
		}
	}
	return result;
}

void attachments_restore(struct attachments *attachments, const struct attachment *attachment)
{
	if (map_get(attachments->announced, attachment->attachment_arn))
		return;
	if (attachment->expires_at_ms <= clock_wall_ms()) {
		if (attachments->keeper.forget)
			attachments->keeper.forget(attachments->keeper.data,
						   attachment->attachment_arn);
		return;
	}
	announce(attachments, attachment);
}

bool attachments_link_appeared(struct attachments *attachments, const char *mac)
{
	struct announced *announced;
	bool known = false;
	size_t cursor = 0;

	while ((announced = map_next(attachments->announced, &cursor, NULL))) {
		if (!str_eq_nocase(announced->mac, mac))
			continue;
		known = true;
		is_there(announced);
	}
	return known;
}

void attachments_forget_task(struct attachments *attachments, const char *task_arn)
{
	struct announced *announced;
	size_t cursor = 0;

	while ((announced = map_next(attachments->announced, &cursor, NULL))) {
		if (!str_eq(announced->task_arn, task_arn))
			continue;
		forget(announced);
		cursor = 0;
	}
}

size_t attachments_count(const struct attachments *attachments)
{
	return map_count(attachments->announced);
}
