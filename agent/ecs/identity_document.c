/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ecs/identity_document.h"

#include <stdlib.h>

#include "agent/ecs/metadata_question.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

#define DOCUMENT  "/latest/dynamic/instance-identity/document"
#define SIGNATURE "/latest/dynamic/instance-identity/signature"
#define BUDGET_MS 30000

static const struct backoff_policy policy = {
	.min_ms = 100, .max_ms = 5000, .multiplier = 2, .jitter = 0.2
};

struct identity_call {
	struct loop *loop;
	struct imds *imds;
	const struct agent_config *config;
	struct backoff backoff; /* one for both */
	char *document, *signature;
	struct metadata_question *question;
	identity_callback *callback;
	void *data;
};

void identity_document_cancel(struct identity_call *call)
{
	if (!call)
		return;
	metadata_question_cancel(call->question);
	free(call->document);
	free(call->signature);
	free(call);
}

static char *text_of(const struct imds_answer *answer)
{
	if (!answer->error)
		return xstrdup(answer->body);
	log_warn("This host registers without a part of its identity", "error", answer->err.text);
	return xstrdup("");
}

static void ask(struct identity_call *call, const char *path, imds_callback *callback)
{
	const struct metadata_patience patience = { .budget_ms = BUDGET_MS,
						    .backoff = &call->backoff };

	call->question =
		metadata_ask(call->loop, call->imds, call->config, path, &patience, callback, call);
}

static void on_signature(void *data, const struct imds_answer *answer)
{
	struct identity_call *call = data;

	call->question = NULL;
	call->signature = text_of(answer);
	call->callback(call->data, &(struct identity_document){ call->document, call->signature });
	identity_document_cancel(call);
}

static void on_document(void *data, const struct imds_answer *answer)
{
	struct identity_call *call = data;

	call->document = text_of(answer);
	ask(call, SIGNATURE, on_signature);
}

struct identity_call *identity_document_get(struct loop *loop, struct imds *imds,
					    const struct agent_config *config,
					    identity_callback *callback, void *data)
{
	struct identity_call *call = xcalloc(1, sizeof(*call));

	call->loop = loop;
	call->imds = imds;
	call->config = config;
	call->callback = callback;
	call->data = data;
	backoff_reset(&call->backoff, &policy);
	ask(call, DOCUMENT, on_document);
	return call;
}
