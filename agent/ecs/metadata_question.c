/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/metadata_question.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

const struct backoff_policy metadata_backoff = {
	.min_ms = 1000, .max_ms = 5000, .multiplier = 1.3, .jitter = 0.2
};

struct metadata_question {
	struct imds *imds;
	const struct agent_config *config;
	char *path;
	struct metadata_patience patience;
	int asked;
	int64_t since_ms;
	struct imds_call *call;
	struct loop_timer *timer;
	imds_callback *callback;
	void *data;
};

static void question_free(struct metadata_question *question)
{
	imds_cancel(question->call);
	loop_timer_free(question->timer);
	free(question->path);
	free(question);
}

static bool may_wait(const struct metadata_question *question, int64_t wait_ms)
{
	const struct metadata_patience *patience = &question->patience;

	if (patience->times > 0 && question->asked >= patience->times)
		return false;
	return patience->budget_ms == 0 ||
	       clock_monotonic_ms() - question->since_ms + wait_ms <
		       config_scaled_ms(question->config, patience->budget_ms);
}

static void on_answer(void *data, const struct imds_answer *answer)
{
	struct metadata_question *question = data;
	imds_callback *callback = question->callback;
	void *asker = question->data;
	int64_t wait_ms;

	question->call = NULL;
	if (answer->error) {
		wait_ms = config_scaled_ms(
			question->config,
			backoff_next_ms(question->patience.backoff, random_unit()));
		if (may_wait(question, wait_ms)) {
			log_debug("Instance metadata is asked again", "error", answer->err.text);
			loop_timer_start(question->timer, wait_ms);
			return;
		}
	}
	question_free(question);
	callback(asker, answer);
}

static void on_timer(void *data)
{
	struct metadata_question *question = data;

	question->asked++;
	imds_get(question->imds, question->path, on_answer, question, &question->call);
}

struct metadata_question *metadata_ask(struct loop *loop, struct imds *imds,
				       const struct agent_config *config, const char *path,
				       const struct metadata_patience *patience,
				       imds_callback *callback, void *data)
{
	struct metadata_question *question = xcalloc(1, sizeof(*question));

	question->imds = imds;
	question->config = config;
	question->path = xstrdup(path);
	question->patience = *patience;
	question->since_ms = clock_monotonic_ms();
	question->callback = callback;
	question->data = data;
	question->timer = loop_timer_new(loop, on_timer, question);
	loop_timer_start(question->timer, 0);
	return question;
}

void metadata_question_cancel(struct metadata_question *question)
{
	if (question)
		question_free(question);
}
