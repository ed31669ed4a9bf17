/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/spot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "wire/api.h"

#define PATH "/latest/meta-data/spot/instance-action"

struct spot_watch {
	struct spot_config config;
	struct loop_timer *timer;
	struct imds_call *question;
	struct ecs_call *call;
	bool noticed;
	char *passed_over; /* the last notice that is none, which the log has */
};

/* *ret_action is one of three. */
static int read_notice(const struct imds_answer *answer, const char **ret_action, struct error *err)
{
	static const char *const known[] = { "terminate", "stop", "hibernate" };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	const char *action = NULL;
	int r = json_parse(answer->body, answer->size, NULL, &value, err);

	if (r == 0) {
		root = json_root(value);
		r = json_expect_object(&root, err);
	}
	if (r == 0)
		r = json_get_string(&root, "action", JSON_REQUIRED | JSON_ANY_CASE, &action, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(action, known[i])) {
			*ret_action = known[i];
			return 0;
		}
	return error_say(err, EINVAL, "action: must be terminate, stop or hibernate, not %.64s",
			 action);
}

static void again(struct spot_watch *watch)
{
	loop_timer_start(watch->timer, watch->config.interval_ms);
}

static void on_drained(void *data, const struct ecs_response *response)
{
	struct spot_watch *watch = data;

	watch->call = NULL;
	if (!response->error) {
		log_info("This instance is draining");
		return;
	}
	log_error("The control plane does not let this instance drain; it is asked again", "error",
		  response->err.text);
	again(watch);
}

static void on_notice(void *data, const struct imds_answer *answer)
{
	struct spot_watch *watch = data;
	const struct ecs_instance *instance = watch->config.instance;
	_cleanup_free_ char *body = NULL;
	const char *action = "";
	struct error err = ERROR_INIT;

	watch->question = NULL;
	if (answer->error) {
		again(watch);
		return;
	}
	if (read_notice(answer, &action, &err) < 0) {
		if (!str_eq(answer->body, watch->passed_over))
			log_error("A notice for spot instances is passed over", "error", err.text);
		str_replace(&watch->passed_over, answer->body);
		again(watch);
		return;
	}
	if (!watch->noticed)
		log_warn("This spot instance is about to be taken away: it drains", "action",
			 action);
	watch->noticed = true;
	body = api_encode_update_instances_state(instance->cluster, instance->container_instance,
						 "DRAINING");
	ecs_call(watch->config.client, "UpdateContainerInstancesState", body, ECS_RETRY_STANDARD,
		 on_drained, watch, &watch->call);
}

static void on_timer(void *data)
{
	struct spot_watch *watch = data;

	imds_get(watch->config.imds, PATH, on_notice, watch, &watch->question);
}

struct spot_watch *spot_watch_new(const struct spot_config *config)
{
	struct spot_watch *watch = xcalloc(1, sizeof(*watch));

	watch->config = *config;
	watch->timer = loop_timer_new(config->loop, on_timer, watch);
	again(watch);
	return watch;
}

void spot_watch_free(struct spot_watch *watch)
{
	if (!watch)
		return;
	imds_cancel(watch->question);
	ecs_call_cancel(watch->call);
	loop_timer_free(watch->timer);
	free(watch->passed_over);
	free(watch);
}
