/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/ec2_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ecs/cloud_init.h"
#include "agent/ecs/metadata_question.h"
#include "agent/ecs/warm_pool.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

#define META      "/latest/meta-data/"
#define WORD_MAX  255
#define MAC_CHARS "0123456789abcdefABCDEF:"

struct ec2_facts_call {
	struct ec2_facts_config config;
	struct ec2_facts facts;
	size_t step;
	struct backoff backoff;
	struct metadata_question *question;
	struct warm_pool_wait *wait;
	struct loop_timer *timer;
	ec2_facts_callback *callback;
	void *data;
};

void ec2_facts_free(struct ec2_facts *facts)
{
	free(facts->instance_id);
	free(facts->mac);
	free(facts->vpc_id);
	free(facts->subnet_id);
	free(facts->zone_id);
	free(facts->outpost_arn);
	*facts = (struct ec2_facts){ 0 };
}

void ec2_facts_cancel(struct ec2_facts_call *call)
{
	if (!call)
		return;
	metadata_question_cancel(call->question);
	warm_pool_wait_cancel(call->wait);
	loop_timer_free(call->timer);
	ec2_facts_free(&call->facts);
	free(call);
}

static void end(struct ec2_facts_call *call, enum ecs_exit exit_code, const struct error *err)
{
	call->callback(call->data, exit_code, &call->facts, err);
	ec2_facts_cancel(call);
}

/* One word of printable characters, as ids are. NULL: it is none. */
static char *word_of(const struct imds_answer *answer)
{
	size_t length = strlen(answer->body);

	while (length > 0 && (answer->body[length - 1] == '\n' || answer->body[length - 1] == '\r'))
		length--;
	if (answer->error || length == 0 || length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < length; i++)
		if (answer->body[i] <= ' ' || answer->body[i] > '~')
			return NULL;
	return xstrndup(answer->body, length);
}

static void ask(struct ec2_facts_call *call, const char *path, int times, imds_callback *callback)
{
	const struct metadata_patience patience = { .times = times, .backoff = &call->backoff };

	backoff_reset(&call->backoff, &metadata_backoff);
	call->question = metadata_ask(call->config.loop, call->config.imds, call->config.config,
				      path, &patience, callback, call);
}

static void next(struct ec2_facts_call *call);

/* A fact without which the agent goes on. */
static void keep(struct ec2_facts_call *call, const struct imds_answer *answer, char **fact,
		 const char *what)
{
	call->question = NULL;
	*fact = word_of(answer);
	if (!*fact && answer->error != -ENOENT)
		log_warn("Not all is known of this instance", "what", what, "error",
			 answer->error ? answer->err.text : "the answer is not one word");
	next(call);
}

/* One without which it ends. */
static void demand(struct ec2_facts_call *call, const struct imds_answer *answer, char **fact,
		   enum ecs_exit exit_code)
{
	struct error err = answer->err;

	call->question = NULL;
	*fact = word_of(answer);
	if (*fact) {
		next(call);
		return;
	}
	if (!answer->error)
		error_say(&err, EPROTO, "an answer of instance metadata is not one word");
	error_prefix(&err, "find out which network this instance is in (on a host that has no "
			   "instance metadata, set BERTH_INSTANCE_METADATA=never)");
	end(call, exit_code, &err);
}

static void on_instance_id(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;

	keep(call, answer, &call->facts.instance_id, "its id");
}

static void ask_instance_id(struct ec2_facts_call *call)
{
	if (call->facts.instance_id)
		next(call);
	else
		ask(call, META "instance-id", METADATA_TIMES, on_instance_id);
}

static void on_user_data(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;
	struct error err = ERROR_INIT;

	call->question = NULL;
	if (answer->error || answer->size == 0) {
		next(call);
		return;
	}
	error_say(&err, EINVAL,
		  "this instance has user data, and cloud-init has not carried it out (%s says "
		  "DataSourceNone): it may not be configured as it should be",
		  call->config.cloud_init_result);
	end(call, ECS_EXIT_TERMINAL, &err);
}

static void ask_user_data(struct ec2_facts_call *call)
{
	if (cloud_init_found_nothing(call->config.cloud_init_result))
		ask(call, "/latest/user-data", 1, on_user_data);
	else
		next(call);
}

static void on_in_service(void *data, const struct error *err)
{
	struct ec2_facts_call *call = data;

	call->wait = NULL;
	if (err)
		end(call, ECS_EXIT_TERMINAL, err);
	else
		next(call);
}

static void wait_for_service(struct ec2_facts_call *call)
{
	if (call->config.config->warm_pools_check)
		call->wait = warm_pool_wait_begin(call->config.loop, call->config.imds,
						  call->config.config, on_in_service, call);
	else
		next(call);
}

static void on_mac(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;
	struct imds_answer checked = *answer;
	_cleanup_free_ char *word = word_of(answer);

	/* It becomes part of a path. */
	if (word && word[strspn(word, MAC_CHARS)])
		checked.error = error_say(&checked.err, EPROTO,
					  "what instance metadata calls the MAC address is none");
	demand(call, &checked, &call->facts.mac, ECS_EXIT_ERROR);
}

static void ask_mac(struct ec2_facts_call *call)
{
	ask(call, META "mac", 1, on_mac);
}

static void on_vpc(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;

	/* An instance without a VPC will never have one. */
	demand(call, answer, &call->facts.vpc_id, ECS_EXIT_TERMINAL);
}

static void ask_vpc(struct ec2_facts_call *call)
{
	_cleanup_free_ char *path =
		xasprintf(META "network/interfaces/macs/%s/vpc-id", call->facts.mac);

	ask(call, path, 1, on_vpc);
}

static void on_subnet(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;

	demand(call, answer, &call->facts.subnet_id, ECS_EXIT_ERROR);
}

static void ask_subnet(struct ec2_facts_call *call)
{
	_cleanup_free_ char *path =
		xasprintf(META "network/interfaces/macs/%s/subnet-id", call->facts.mac);

	ask(call, path, 1, on_subnet);
}

static void on_zone(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;

	keep(call, answer, &call->facts.zone_id, "the id of its availability zone");
}

static void ask_zone(struct ec2_facts_call *call)
{
	ask(call, META "placement/availability-zone-id", METADATA_TIMES, on_zone);
}

static void on_outpost(void *data, const struct imds_answer *answer)
{
	struct ec2_facts_call *call = data;

	keep(call, answer, &call->facts.outpost_arn, "its outpost");
}

static void ask_outpost(struct ec2_facts_call *call)
{
	ask(call, META "outpost-arn", 1, on_outpost);
}

static void next(struct ec2_facts_call *call)
{
	static void (*const steps[])(struct ec2_facts_call * call) = {
		ask_instance_id, ask_user_data, wait_for_service, ask_mac,
		ask_vpc,         ask_subnet,    ask_zone,         ask_outpost,
	};

	if (call->step < sizeof(steps) / sizeof(steps[0]))
		steps[call->step++](call);
	else
		end(call, ECS_EXIT_OK, NULL);
}

static void on_timer(void *data)
{
	next(data);
}

struct ec2_facts_call *ec2_facts_get(const struct ec2_facts_config *config,
				     ec2_facts_callback *callback, void *data)
{
	struct ec2_facts_call *call = xcalloc(1, sizeof(*call));

	call->config = *config;
	call->config.instance_id = NULL;
	call->facts.instance_id = xstrdup_null(config->instance_id);
	call->callback = callback;
	call->data = data;
	call->timer = loop_timer_new(config->loop, on_timer, call);
	loop_timer_start(call->timer, 0);
	return call;
}

struct id_question {
	struct loop *loop;
	char *id;
};

static void on_id_alone(void *data, const struct imds_answer *answer)
{
	struct id_question *question = data;

	question->id = word_of(answer);
	loop_stop(question->loop);
}

void ec2_instance_id(const struct ec2_facts_config *config, char **ret)
{
	struct id_question question = { .loop = config->loop };
	struct backoff backoff;
	const struct metadata_patience patience = { .times = METADATA_TIMES, .backoff = &backoff };

	backoff_reset(&backoff, &metadata_backoff);
	metadata_ask(config->loop, config->imds, config->config, META "instance-id", &patience,
		     on_id_alone, &question);
	loop_run(config->loop);
	*ret = question.id;
}
