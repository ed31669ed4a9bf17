/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/warm_pool.h"

#include <stdlib.h>

#include "agent/ecs/metadata_question.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

#define PATH       "/latest/meta-data/autoscaling/target-lifecycle-state"
#define IN_SERVICE "InService"
#define POLL_MS    60000
#define POLLS      120 /* without any state */
#define STATE_MAX  64

struct warm_pool_wait {
	struct loop *loop;
	struct imds *imds;
	const struct agent_config *config;
	int polls;
	char *state; /* NULL: there was none yet */
	struct backoff backoff;
	struct metadata_question *question;
	struct loop_timer *timer;
	warm_pool_callback *callback;
	void *data;
};

void warm_pool_wait_cancel(struct warm_pool_wait *wait)
{
	if (!wait)
		return;
	metadata_question_cancel(wait->question);
	loop_timer_free(wait->timer);
	free(wait->state);
	free(wait);
}

static void end(struct warm_pool_wait *wait, const struct error *err)
{
	struct error copy = ERROR_INIT;
	warm_pool_callback *callback = wait->callback;
	void *data = wait->data;

	if (err) {
		copy = *err;
		error_prefix(&copy, "wait until this instance leaves its warm pool");
	}
	warm_pool_wait_cancel(wait);
	callback(data, err ? &copy : NULL);
}

/* Before the first state it may just not be there yet; after it a server may have a bad moment. */
static bool may_pass(const struct warm_pool_wait *wait, const struct imds_answer *answer)
{
	int status = answer->status;

	if (!wait->state)
		return status == 404 && wait->polls < POLLS;
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static void on_answer(void *data, const struct imds_answer *answer)
{
	struct warm_pool_wait *wait = data;

	wait->question = NULL;
	if (answer->error && !may_pass(wait, answer)) {
		end(wait, &answer->err);
		return;
	}
	if (!answer->error && *answer->body) {
		_cleanup_free_ char *state = xstrndup(answer->body, STATE_MAX);

		if (str_eq(state, IN_SERVICE)) {
			end(wait, NULL);
			return;
		}
		if (!str_eq(state, wait->state))
			log_info("This instance registers once it is in service", "state", state);
		str_replace(&wait->state, state);
	}
	loop_timer_start(wait->timer, config_scaled_ms(wait->config, POLL_MS));
}

static void on_timer(void *data)
{
	struct warm_pool_wait *wait = data;
	const struct metadata_patience patience = { .times = METADATA_TIMES,
						    .backoff = &wait->backoff };

	wait->polls++;
	backoff_reset(&wait->backoff, &metadata_backoff);
	wait->question = metadata_ask(wait->loop, wait->imds, wait->config, PATH, &patience,
				      on_answer, wait);
}

struct warm_pool_wait *warm_pool_wait_begin(struct loop *loop, struct imds *imds,
					    const struct agent_config *config,
					    warm_pool_callback *callback, void *data)
{
	struct warm_pool_wait *wait = xcalloc(1, sizeof(*wait));

	wait->loop = loop;
	wait->imds = imds;
	wait->config = config;
	wait->callback = callback;
	wait->data = data;
	wait->timer = loop_timer_new(loop, on_timer, wait);
	loop_timer_start(wait->timer, 0);
	return wait;
}
