/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_ECS_METADATA_QUESTION_H
#define BERTH_AGENT_ECS_METADATA_QUESTION_H

#include "agent/aws/imds.h"
#include "agent/config/config.h"
#include "base/backoff.h"
#include "base/loop.h"

/*
 * A question to the instance metadata service that is asked again, whatever was wrong with the
 * answer, until it succeeds or patience is at its end. Each time has the attempts of imds_get().
 */
struct metadata_patience {
	int times;               /* how often it is asked at most; 0: budget_ms decides */
	int64_t budget_ms;       /* no wait goes beyond it; 0: `times` decides */
	struct backoff *backoff; /* of the waits; borrowed, and goes on where it stands */
};

/* Five times, with waits of one to five seconds: for what is asked once, when the agent starts. */
#define METADATA_TIMES 5
extern const struct backoff_policy metadata_backoff;

struct metadata_question;

/* The callback comes once, later, with the last answer. The question is valid until then. */
struct metadata_question *metadata_ask(struct loop *loop, struct imds *imds,
				       const struct agent_config *config, const char *path,
				       const struct metadata_patience *patience,
				       imds_callback *callback, void *data);
void metadata_question_cancel(struct metadata_question *question); /* NULL does nothing */

#endif
