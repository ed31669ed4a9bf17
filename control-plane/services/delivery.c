/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/services/delivery.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/str.h"
#include "control-plane/services/payload.h"
#include "control-plane/services/private.h"
#include "control-plane/store/task_definitions.h"

/* Made-up credentials say what they are: nothing of AWS begins like this. */
#define MADE_UP_KEY_PREFIX "BERTHLOCAL"

enum delivery_need delivery_need(const struct task *task)
{
	if (task->state == TASK_STOPPED)
		return DELIVERY_NOTHING;
	if (task->desired == TASK_STOPPED)
		return task->stop_acknowledged ? DELIVERY_NOTHING : DELIVERY_STOP;
	return task->run_acknowledged ? DELIVERY_NOTHING : DELIVERY_RUN;
}

bool delivery_needs_attach(const struct task *task)
{
	return task->eni && task->desired == TASK_RUNNING && !task->attach_acknowledged &&
	       task->eni->state == ATTACHMENT_ATTACHING;
}

static struct task_role *role_of(struct task *task, enum credentials_role role)
{
	return role == CREDENTIALS_ROLE_TASK ? &task->role : &task->execution_role;
}

static char *made_up(const char *prefix, size_t random_size)
{
	char text[129];

	random_hex(text, random_size);
	return xasprintf("%s%s", prefix, text);
}

struct role_credentials *delivery_credentials(struct services *services, struct task *task,
					      enum credentials_role role)
{
	struct task_role *of = role_of(task, role);
	struct role_credentials *credentials;
	char expiration[CLOCK_ISO8601_SIZE];

	if (!of->role_arn)
		return NULL;
	of->expires_ms = clock_wall_ms() + services->credentials_ttl_ms;
	of->acknowledged = false;
	credentials = xcalloc(1, sizeof(*credentials));
	credentials->id = xstrdup(of->credentials_id);
	credentials->role_arn = xstrdup(of->role_arn);
	credentials->expiration = xstrdup(format_iso8601(of->expires_ms, expiration));
	if (services->access_key) {
		credentials->access_key_id = xstrdup(services->access_key);
		credentials->secret_access_key = xstrdup(services->secret_key);
		credentials->session_token =
			xstrdup(services->session_token ? services->session_token : "");
	} else {
		credentials->access_key_id = made_up(MADE_UP_KEY_PREFIX, 5);
		credentials->secret_access_key = made_up("berth-local-", 20);
		credentials->session_token = made_up("berth-local-", 48);
	}
	return credentials;
}

bool delivery_credentials_due(const struct services *services, const struct task *task,
			      enum credentials_role role)
{
	const struct task_role *of =
		role == CREDENTIALS_ROLE_TASK ? &task->role : &task->execution_role;

	/* A quarter of their life is left for an agent that is away or slow. */
	return of->role_arn && task->desired == TASK_RUNNING && task->run_acknowledged &&
	       (!of->acknowledged ||
		clock_wall_ms() > of->expires_ms - services->credentials_ttl_ms / 4);
}

void delivery_eni(const struct task *task, struct acs_eni_out *ret_eni)
{
	const struct task_eni *eni = task->eni;

	*ret_eni = (struct acs_eni_out){
		.attachment_arn = eni->arn,
		.ec2_id = eni->eni_id,
		.mac_address = eni->mac,
		.ipv4_address = eni->private_ip,
		.ipv4_gateway = eni->gateway,
		.ipv6_address = eni->ipv6,
		.ipv6_gateway = eni->ipv6_gateway,
		.private_dns_name = eni->private_dns_name,
		.dns_servers = (const char *const *)&task->eni->dns_server,
		.dns_server_count = eni->dns_server ? 1 : 0,
	};
}

static int read_document(struct services *services, const struct task *task,
			 json_t **ret_definition, json_t **ret_overrides, struct error *err)
{
	_cleanup_(task_definition_row_clear) struct task_definition_row row = { 0 };
	int r = task_definition_get(services->store, task->family, task->revision, &row, err);

	if (r == -ENOENT)
		return error_say(err, ENOENT, "task definition %s is not there any more",
				 task->definition_arn);
	if (r < 0)
		return r;
	r = json_parse(row.document, strlen(row.document), NULL, ret_definition, err);
	if (r == 0 && task->overrides)
		r = json_parse(task->overrides, strlen(task->overrides), NULL, ret_overrides, err);
	return r;
}

int delivery_task_text(struct services *services, struct task *task, char **ret_text,
		       struct error *err)
{
	_cleanup_(role_credentials_free_cleanup) struct role_credentials *role = NULL;
	_cleanup_(role_credentials_free_cleanup) struct role_credentials *execution = NULL;
	_cleanup_json_ json_t *definition = NULL;
	_cleanup_json_ json_t *overrides = NULL;
	_cleanup_json_ json_t *object = NULL;
	bool run = task->desired == TASK_RUNNING;
	int r = read_document(services, task, &definition, &overrides, err);

	if (r < 0) {
		error_prefix(err, "send task %s", task->arn);
		return r;
	}
	if (run) {
		role = delivery_credentials(services, task, CREDENTIALS_ROLE_TASK);
		execution = delivery_credentials(services, task, CREDENTIALS_ROLE_EXECUTION);
	}
	object = payload_task(task, run ? "RUNNING" : "STOPPED", definition, overrides, role,
			      execution);
	*ret_text = json_dump_compact(object);
	return 0;
}

/* The agent is asked to stop: from now on the task is STOPPING, whether it was running or about to.
 */
void delivery_sent(struct services *services, struct task *task)
{
	/* Not worth a write of its own: at worst a stop is sent to an agent that never heard of the
	 * task. */
	task->sent = true;
	if (task->desired == TASK_STOPPED && task->state < TASK_STOPPING) {
		services_set_state(task, TASK_STOPPING);
		services_write_later(services, task);
	}
}

void delivery_acknowledged(struct services *services, struct task *task, enum delivery_need need)
{
	if (task->state == TASK_STOPPED)
		return;
	if (!task->connected && services_agent_connected(services, task->instance_arn)) {
		task->connected = true;
		task->connectivity_ms = clock_wall_ms();
		task->version++;
	}
	task->run_acknowledged = true;
	if (need == DELIVERY_STOP)
		task->stop_acknowledged = true;
	services_write_later(services, task);
}

void delivery_attach_sent(struct services *services, struct task *task)
{
	(void)services;
	if (task->attach_sent_ms == 0)
		task->attach_sent_ms = clock_wall_ms();
}

void delivery_attach_acknowledged(struct services *services, struct task *task)
{
	if (task->attach_acknowledged || task->state == TASK_STOPPED)
		return;
	task->attach_acknowledged = true;
	services_write_later(services, task);
}

void delivery_credentials_acknowledged(struct services *services, struct task *task,
				       const char *credentials_id)
{
	struct task_role *roles[] = { &task->role, &task->execution_role };

	for (size_t i = 0; i < 2; i++)
		if (roles[i]->credentials_id && str_eq(roles[i]->credentials_id, credentials_id)) {
			roles[i]->acknowledged = true;
			services_write_later(services, task);
		}
}
