/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/host_facts.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/ecs/instance_metadata.h"
#include "base/alloc.h"
#include "base/loop.h"
#include "base/str.h"

#define USER_DATA "/latest/user-data"
#define REGION    "/latest/meta-data/placement/region"

struct asking {
	struct loop *loop;
	unsigned waits;
	struct config_host_facts *facts;
	struct str_list *warnings;
};

static void answered(struct asking *asking, const struct imds_answer *answer, char **ret)
{
	if (answer->error == 0)
		*ret = xstrndup(answer->body, answer->size);
	else if (answer->error != -ENOENT) /* most instances have no user data */
		str_list_add(asking->warnings, answer->err.text);
	if (--asking->waits == 0)
		loop_stop(asking->loop);
}

static void on_user_data(void *data, const struct imds_answer *answer)
{
	struct asking *asking = data;

	answered(asking, answer, &asking->facts->user_data);
}

static void on_region(void *data, const struct imds_answer *answer)
{
	struct asking *asking = data;

	answered(asking, answer, &asking->facts->region);
}

static void ask(const struct agent_config *config, bool region, struct config_host_facts *ret,
		struct str_list *warnings)
{
	struct asking asking = { .facts = ret, .warnings = warnings };
	struct imds *imds = NULL;
	struct error err = ERROR_INIT;

	if (loop_new(&asking.loop, &err) < 0 || ecs_imds_new(asking.loop, config, &imds, &err) < 0)
		str_list_add(warnings, err.text);
	if (imds) {
		asking.waits = region ? 2 : 1;
		imds_get(imds, USER_DATA, on_user_data, &asking, NULL);
		if (region)
			imds_get(imds, REGION, on_region, &asking, NULL);
		loop_run(asking.loop);
	}
	imds_free(imds);
	if (asking.loop)
		loop_free(asking.loop);
}

void host_facts_ask(void *data, const struct agent_config *config, bool region,
		    struct config_host_facts *ret, struct str_list *warnings)
{
	struct host_facts *facts = data;

	if (!facts->asked)
		ask(config, region, &facts->facts, warnings);
	facts->asked = true;
	ret->user_data = facts->facts.user_data ? xstrdup(facts->facts.user_data) : NULL;
	ret->region = facts->facts.region ? xstrdup(facts->facts.region) : NULL;
}

void host_facts_free(struct host_facts *facts)
{
	free(facts->facts.user_data);
	free(facts->facts.region);
}
