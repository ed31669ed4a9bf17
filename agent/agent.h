/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AGENT_H
#define BERTH_AGENT_AGENT_H

#include "agent/config/config.h"
#include "agent/crash_point.h"
#include "agent/ecs/acs.h"
#include "agent/ecs/attachments.h"
#include "agent/ecs/capabilities.h"
#include "agent/ecs/client.h"
#include "agent/ecs/credentials.h"
#include "agent/ecs/discover.h"
#include "agent/ecs/host.h"
#include "agent/ecs/identity.h"
#include "agent/ecs/instance_metadata.h"
#include "agent/ecs/registration.h"
#include "agent/ecs/reporter.h"
#include "agent/ecs/spot.h"
#include "agent/ecs/tcs.h"
#include "agent/ecs/telemetry.h"
#include "agent/endpoints/credentials.h"
#include "agent/endpoints/endpoints.h"
#include "agent/engine/engine.h"
#include "agent/executor/executor.h"
#include "agent/network/network.h"
#include "agent/store/outbox.h"
#include "agent/store/store.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/web.h"
#include "netns/device_watch.h"

/* condition.c: what the agent knows of its own health. Times are monotonic. */
struct condition {
	int64_t started_ms;
	bool asked; /* who asked waits for the runtime */
	bool runtime_checked, runtime_answers;
	int64_t runtime_checked_ms, runtime_since_ms;
	int64_t store_tried_ms, store_since_ms;
	char *store_trouble; /* NULL: it can be written */
};

/* The wiring: every part of the agent, and who hands what to whom. Only the files beside this one
 * know it. */
struct agent {
	struct agent_config *config;
	const struct config_sources *sources; /* where it comes from; NULL: not to be read again */
	struct host_resources host;           /* as it was when the agent started */
	struct loop *loop;
	struct web *web;
	struct http_client *http;     /* of the control plane: its certificate, this agent's own */
	struct http_client *aws_http; /* of AWS's other services: STS, EC2 */
	struct http_client *direct_http; /* of this host, never by a proxy */
	struct imds *imds;               /* NULL: there is none to ask */
	struct store *store;
	struct crash_points *crash_points; /* NULL but in tests; borrowed */

	/* drive.c */
	struct engine *engine;
	struct outbox *outbox;
	struct loop_timer *wake;  /* when the engine wants to hear of the time */
	struct loop_timer *retry; /* when the disk refused */
	bool flush_deferred;
	char *new_boot_id; /* not NULL: to be saved after what was decided because of it */
	struct executor *executor;

	/* start.c, instance.c */
	struct ecs_identity *own_identity; /* NULL: the agent signs, as on AWS */
	struct aws_credentials *credentials;
	struct ecs_client *client;
	struct ec2_facts facts; /* nothing is known outside EC2 */
	struct ec2_facts_call *facts_call;
	struct registration *registration;
	struct ecs_instance instance;
	struct endpoints_identity identity;
	char *cluster, *container_instance, *availability_zone; /* behind the two above */
	struct discover *discover;
	struct acs_handler acs_handler;
	struct acs_session *acs;
	struct attachments_keeper keeper;
	struct attachments *attachments;
	struct reporter *reporter;
	struct spot_watch *spot; /* NULL: nobody is to drain this instance but its operator */
	struct network *network; /* NULL: this agent enforces no security groups */
	int exit_code;
	struct reload *reload; /* reload.c: that is under way, or NULL */
	bool reload_again;     /* asked for meanwhile */

	/* devices.c */
	struct device_watch *devices; /* NULL: this agent makes its interfaces itself */
	struct map *foreign_devices;  /* by MAC address: those that the log has named */

	/* watch.c */
	struct telemetry *telemetry;
	struct tcs_session *tcs;
	struct loop_timer *sampling;

	struct credentials_store *task_credentials;
	struct endpoints *endpoints;

	struct condition condition;
};

/* drive.c: events into the engine, effects out of it. */
int drive_new(struct agent *agent, struct error *err);
void drive_free(struct agent *agent);
void drive_post(struct agent *agent, const struct engine_event *event);
/* Saved tasks go back into the engine, with what the host says of each; then what nobody knows is
 * removed. */
int drive_recover(struct agent *agent, struct error *err);
/* The interfaces of the tasks that the engine knows. */
void drive_interfaces(void *data,
		      void (*tell)(void *to, const char *mac, const char *link, bool over),
		      void *to);
/* Now, not at the end of the turn. */
void drive_flush(struct agent *agent);
/* Those that may change while the agent runs. */
void drive_settings_changed(struct agent *agent);

/* inbox.c: what the control plane sends. */
void inbox_handler(struct agent *agent, struct acs_handler *ret);
void inbox_in_force(void *data, const char *message_id);
void inbox_reported(void *data, const char *task_arn, uint64_t serial, bool accepted);

/* devices.c: network devices, when interfaces are such. */
void devices_start(struct agent *agent);
/* For those that were there before they were announced. */
void devices_look(struct agent *agent);
void devices_free(struct agent *agent);

/* watch.c: metrics and health out. */
void watch_start(struct agent *agent);
void watch_free(struct agent *agent);
void watch_status(struct agent *agent, const struct engine_effect *effect);
void watch_health(struct agent *agent, const struct engine_effect *effect);
/* Asks the runtime whether it is well, and has it reported. */
void watch_runtime(struct agent *agent);

/* reload.c: the settings are read again, and what may change now does. */
void reload_begin(struct agent *agent);
void reload_free(struct agent *agent);

/* dump.c: all tasks and what they wait for, into the log, whatever its level. */
void dump_state(struct agent *agent);

/* instance.c: who this host is to the control plane. */
/* As it was saved. */
int instance_restore(struct agent *agent, struct error *err);
/*
 * The saved state of another instance of EC2, as an image of its disk brings along, says nothing of
 * this one: it begins anew. So its id is asked for before anything of that state is looked at, when
 * there is one.
 */
int instance_check(struct agent *agent, struct error *err);
/* An instance of EC2 looks around first. Sessions follow. */
void instance_register(struct agent *agent);
void instance_free(struct agent *agent);   /* what is under way */
void instance_forget(struct agent *agent); /* what is known: the last to go */

/* condition.c: whether the agent is well, for who asks (see health.h). */
void condition_start(struct agent *agent);
void condition_ask(void *data);
/* The runtime was asked. */
void condition_runtime(struct agent *agent, bool answers);
/* The state was written; or it was not, because of `trouble`. */
void condition_store(struct agent *agent, const char *trouble);

/* start.c: from configuration to sessions, and back. */
void start_sessions(struct agent *agent);
int agent_new(struct agent_config *config, struct agent **ret,
	      struct error *err); /* takes `config` over */
void agent_run(struct agent *agent);
/* Ends agent_run() with this exit code. Containers live on. */
void agent_stop(struct agent *agent, int exit_code);
void agent_free(struct agent *agent);

#endif
