/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

/* ---- attachments survive a restart ---- */

static int save_attachment(void *data, const struct attachment *attachment)
{
	struct agent *agent = data;
	const struct store_attachment row = {
		.arn = (char *)(uintptr_t)attachment->attachment_arn,
		.task_arn = (char *)(uintptr_t)attachment->task_arn,
		.mac = (char *)(uintptr_t)attachment->mac,
		.expires_at_ms = attachment->expires_at_ms,
		.sent = attachment->sent,
	};
	struct error err = ERROR_INIT;
	int r;

	crash_point(agent->crash_points, "save-before", "ATTACHMENT", NULL);
	/* Not acknowledged, it is announced again. */
	r = store_save_attachment(agent->store, &row, &err);
	if (r < 0)
		log_error("a network attachment cannot be saved", "attachment",
			  attachment->attachment_arn, "error", err.text);
	crash_point(agent->crash_points, "save-after", "ATTACHMENT", NULL);
	return r;
}

static void forget_attachment(void *data, const char *attachment_arn)
{
	struct agent *agent = data;
	struct error err = ERROR_INIT;

	crash_point(agent->crash_points, "forget-before", "ATTACHMENT", NULL);
	if (store_delete_attachment(agent->store, attachment_arn, &err) < 0)
		log_error("a network attachment cannot be forgotten", "attachment", attachment_arn,
			  "error", err.text);
	crash_point(agent->crash_points, "forget-after", "ATTACHMENT", NULL);
}

static void restore_attachments(struct agent *agent)
{
	struct store_attachments saved = { 0 };
	struct error err = ERROR_INIT;

	if (store_load_attachments(agent->store, &saved, &err) < 0) {
		log_error("the saved network attachments cannot be read", "error", err.text);
		return;
	}
	for (size_t i = 0; i < saved.count; i++) {
		const struct attachment attachment = {
			.mac = saved.items[i].mac,
			.attachment_arn = saved.items[i].arn,
			.task_arn = saved.items[i].task_arn,
			.expires_at_ms = saved.items[i].expires_at_ms,
			.sent = saved.items[i].sent,
		};

		attachments_restore(agent->attachments, &attachment);
	}
	store_attachments_free(&saved);
}

/* ---- sessions ---- */

void start_sessions(struct agent *agent)
{
	const struct acs_context acs = {
		.loop = agent->loop,
		.web = agent->web,
		.config = agent->config,
		.credentials = agent->credentials,
		.discover = agent->discover,
		.instance = &agent->instance,
		.handler = &agent->acs_handler,
	};
	struct tcs_context tcs = {
		.loop = agent->loop,
		.web = agent->web,
		.config = agent->config,
		.credentials = agent->credentials,
		.discover = agent->discover,
		.instance = &agent->instance,
	};

	watch_start(agent);
	tcs.telemetry = agent->telemetry;
	agent->tcs = tcs_session_new(&tcs);
	agent->acs = acs_session_new(&acs);
	restore_attachments(agent);
	devices_start(agent);
	tcs_session_start(agent->tcs);
	acs_session_start(agent->acs);
	watch_runtime(agent);
}

/* ---- life ---- */

/* What does not pass the host's own forwarding, and addresses that the control plane does not know,
 * cannot be filtered here. */
static void open_firewall(struct agent *agent)
{
	const struct network_config config = {
		.loop = agent->loop,
		.run_dir = agent->config->run_dir,
		.address = agent->config->network_address,
		.port = (uint16_t)agent->config->vxlan_port,
		.interfaces = drive_interfaces,
		.in_force = inbox_in_force,
		.data = agent,
	};

	if (agent->config->eni_driver != CONFIG_ENI_DEVICE &&
	    str_is_empty(agent->config->cni_config_dir))
		agent->network = network_new(&config);
}

static int open_network(struct agent *agent, struct error *err)
{
	const struct agent_config *config = agent->config;
	const struct ecs_identity_files *own =
		agent->own_identity ? ecs_identity_files(agent->own_identity) : NULL;
	const struct http_client_config http = {
		.ca_file = own                             ? own->authority
			   : str_is_empty(config->ca_file) ? NULL
							   : config->ca_file,
		.cert_file = own ? own->certificate : NULL,
		.key_file = own ? own->key : NULL,
		.insecure = !own && config->accept_insecure_certs,
		.use_proxy = true,
	};
	const struct http_client_config aws = { .use_proxy = true };
	int r;

	r = web_new(agent->loop, NULL, &agent->web, err);
	if (r == 0)
		r = http_client_new(agent->loop, &http, &agent->http, err);
	if (r == 0)
		r = http_client_new(agent->loop, &aws, &agent->aws_http, err);
	if (r == 0)
		r = http_client_new(agent->loop, NULL, &agent->direct_http, err);
	if (r == 0)
		r = ecs_imds_new(agent->loop, config, &agent->imds, err);
	if (r < 0)
		return r;
	agent->credentials = own ? ecs_credentials_of_identity(agent->loop, config)
				 : ecs_credentials_new(agent->loop, agent->aws_http,
						       agent->direct_http, agent->imds, config);
	agent->client = ecs_client_new(agent->loop, agent->http, agent->credentials, config,
				       agent->host.ipv6_only);
	agent->discover = discover_new(agent->loop, agent->client, config, &agent->instance);
	agent->keeper = (struct attachments_keeper){ save_attachment, forget_attachment, agent };
	agent->attachments = attachments_new(agent->loop, agent->client, config, &agent->instance,
					     &agent->keeper);
	agent->reporter = reporter_new(agent->loop, agent->client, config, &agent->host,
				       &agent->instance, inbox_reported, agent);
	open_firewall(agent);
	inbox_handler(agent, &agent->acs_handler);
	return 0;
}

static int read_stats(void *data, const char *task_id, const char *container,
		      struct container_stats *ret, struct network_stats *ret_network,
		      struct error *err)
{
	struct agent *agent = data;

	return executor_read_stats(agent->executor, task_id, container, ret, ret_network, err);
}

static int open_endpoints(struct agent *agent, struct error *err)
{
	const struct endpoints_config config = {
		.loop = agent->loop,
		.web = agent->web,
		.config = agent->config,
		.engine = agent->engine,
		.credentials = agent->task_credentials,
		.identity = &agent->identity,
		.read_stats = read_stats,
		.ask_health = condition_ask,
		.data = agent,
	};

	return endpoints_new(&config, &agent->endpoints, err);
}

int agent_new(struct agent_config *config, struct agent **ret, struct error *err)
{
	struct agent *agent = xcalloc(1, sizeof(*agent));
	int r;

	agent->config = config;
	condition_start(agent);
	agent->task_credentials = credentials_store_new();
	r = loop_new(&agent->loop, err);
	if (r == 0)
		r = host_resources_read(config, &agent->host, err);
	if (r == 0)
		r = ecs_identity_new(agent->loop, config, &agent->own_identity, err);
	if (r == 0)
		r = store_open(config->checkpoint ? config->data_dir : NULL, &agent->store, err);
	if (r == 0)
		r = instance_restore(agent, err);
	if (r == 0)
		r = open_network(agent, err);
	if (r == 0)
		r = instance_check(agent, err);
	if (r == 0)
		r = drive_new(agent, err);
	if (r == 0)
		r = open_endpoints(agent, err);
	if (r == 0)
		r = drive_recover(agent, err);
	if (r < 0) {
		agent_free(agent);
		return r;
	}
	instance_register(agent);
	*ret = agent;
	return 0;
}

static void told_to_stop(void *data, int signum)
{
	struct agent *agent = data;

	log_info("told to stop; containers go on", "signal", strsignal(signum));
	agent_stop(agent, ECS_EXIT_OK);
}

static void told_to_reload(void *data, int signum)
{
	(void)signum;
	reload_begin(data);
}

static void told_to_explain(void *data, int signum)
{
	(void)signum;
	dump_state(data);
}

void agent_run(struct agent *agent)
{
	static const struct {
		int signum;
		void (*callback)(void *data, int signum);
	} watched[] = {
		{ SIGTERM, told_to_stop },
		{ SIGINT, told_to_stop },
		{ SIGHUP, told_to_reload },
		{ SIGUSR1, told_to_explain },
	};
	struct loop_signal *signals[4] = { NULL };
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 4; i++)
		if (loop_signal_new(agent->loop, watched[i].signum, watched[i].callback, agent,
				    &signals[i], &err) < 0)
			log_error("signals cannot be watched", "error", err.text);
	loop_run(agent->loop);
	for (size_t i = 0; i < 4; i++)
		if (signals[i])
			loop_signal_free(signals[i]);
}

void agent_stop(struct agent *agent, int exit_code)
{
	agent->exit_code = exit_code;
	drive_flush(agent);
	loop_stop(agent->loop);
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	reload_free(agent);
	instance_free(agent);
	ecs_identity_free(agent->own_identity);
	if (agent->acs)
		acs_session_free(agent->acs);
	if (agent->tcs)
		tcs_session_free(agent->tcs);
	watch_free(agent);
	devices_free(agent);
	if (agent->reporter)
		reporter_free(agent->reporter);
	if (agent->attachments)
		attachments_free(agent->attachments);
	if (agent->endpoints)
		endpoints_free(TAKE(agent->endpoints));
	network_free(agent->network);
	agent->network = NULL;
	drive_free(agent);
	if (agent->discover)
		discover_free(agent->discover);
	if (agent->client)
		ecs_client_free(agent->client);
	if (agent->credentials)
		aws_credentials_free(agent->credentials);
	credentials_store_free(agent->task_credentials);
	imds_free(agent->imds);
	if (agent->http)
		http_client_free(agent->http);
	if (agent->aws_http)
		http_client_free(agent->aws_http);
	if (agent->direct_http)
		http_client_free(agent->direct_http);
	if (agent->web)
		web_free(agent->web);
	if (agent->store)
		store_close(agent->store);
	if (agent->loop)
		loop_free(agent->loop);
	instance_forget(agent);
	host_resources_free(&agent->host);
	free(agent->condition.store_trouble);
	config_free(agent->config);
	free(agent);
}
