/* SPDX-License-Identifier: Apache-2.0 */
/* Who may open a session. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sigv4.h"
#include "base/str.h"
#include "control-plane/identity/guard.h"
#include "control-plane/sessions/private.h"
#include "control-plane/store/container_instances.h"
#include "wire/acs.h"
#include "wire/tcs.h"

#define ACS_INCOMING_LIMIT ((size_t)1024 * 1024)
#define CLOCK_SKEW_MS      (INT64_C(15) * 60 * 1000)

/* {"__type": "...", "message": "..."}: agents look for the name anywhere in it. */
static void refuse(struct web_request *request, int status, enum acs_type type, const char *text)
{
	_cleanup_json_ json_t *body =
		json_pack("{s:s, s:s}", "__type", acs_type_name(type), "message", text);
	_cleanup_free_ char *dump = json_dump_compact(body);

	log_warn("agent session refused", "exception", acs_type_name(type), "reason", text, "peer",
		 web_request_peer(request), "identity", web_request_identity(request));
	web_respond_text(request, status, "application/json", dump);
}

static const char *header_of(void *data, const char *name)
{
	return web_request_header(data, name);
}

static int check_signature(struct sessions *sessions, struct web_request *request,
			   struct error *err)
{
	const struct sigv4_incoming incoming = {
		.method = "GET",
		.path = web_request_path(request),
		.query = web_request_query(request),
		.header = header_of,
		.header_data = request,
		.payload = "",
		.service = "ecs",
		.wall_ms = clock_wall_ms(),
		.max_skew_ms = CLOCK_SKEW_MS,
	};

	if (!sessions->access_key || web_request_identity(request))
		return 0;
	return sigv4_verify(&incoming, sessions_secret_of, sessions, err);
}

/* The cluster parameter is the agent's configured text: a name or an ARN. */
static bool names_cluster(const char *reference, const char *name)
{
	struct arn arn = { 0 };
	bool same = str_eq(reference, name);

	if (arn_looks_like(reference) && arn_parse(reference, &arn, NULL) == 0)
		same = arn.type == ARN_CLUSTER && str_eq(arn.cluster, name);
	arn_clear(&arn);
	return same;
}

/*
 * Finds the instance. Answers the request and returns -EACCES when there is none that may connect.
 */
static int check_instance(struct sessions *sessions, struct web_request *request,
			  const char *instance_arn, const char *cluster, char **ret_cluster_arn)
{
	const struct arn_scope *scope = store_scope(sessions->store);
	struct container_instance_row row = { 0 };
	_cleanup_(arn_clear) struct arn arn = { 0 };
	struct error err = ERROR_INIT;
	const struct guard guard = { .store = sessions->store,
				     .required = sessions->require_identity };
	bool inactive;
	int r, allowed = 0;

	if (arn_parse(instance_arn, &arn, NULL) < 0 || arn.type != ARN_CONTAINER_INSTANCE ||
	    !arn.cluster || !arn_in_scope(&arn, scope)) {
		refuse(request, 400, ACS_INACTIVE_INSTANCE_EXCEPTION,
		       "This control plane has no such container instance.");
		return -EACCES;
	}
	if (!names_cluster(cluster, arn.cluster)) {
		refuse(request, 400, ACS_INVALID_CLUSTER_EXCEPTION,
		       "The container instance belongs to another cluster.");
		return -EACCES;
	}
	r = container_instance_get(sessions->store, arn.cluster, arn.id, &row, &err);
	if (r < 0 && r != -ENOENT) {
		log_error("container instance cannot be read", "error", err.text);
		refuse(request, 500, ACS_SERVER_EXCEPTION, "Try again later.");
		return -EACCES;
	}
	if (r == 0)
		allowed = guard_instance(&guard, web_request_identity(request), &row, &err);
	inactive = r == -ENOENT || str_eq(row.status, CONTAINER_INSTANCE_INACTIVE);
	container_instance_row_clear(&row);
	if (allowed < 0) {
		refuse(request, allowed == -EACCES ? 403 : 500,
		       allowed == -EACCES ? ACS_ACCESS_DENIED_EXCEPTION : ACS_SERVER_EXCEPTION,
		       allowed == -EACCES ? err.text : "Try again later.");
		return -EACCES;
	}
	if (inactive) {
		refuse(request, 400, ACS_INACTIVE_INSTANCE_EXCEPTION,
		       r == -ENOENT ? "This control plane has no such container instance."
				    : "The container instance has been deregistered.");
		return -EACCES;
	}
	*ret_cluster_arn = arn_cluster(scope, arn.cluster);
	return 0;
}

static void open_session(struct sessions *sessions, struct web_request *request,
			 enum session_kind kind, const char *instance_arn, char *cluster_arn)
{
	_cleanup_free_ char *send_credentials = web_request_param(request, "sendCredentials");
	struct session *session = xcalloc(1, sizeof(*session));

	session->sessions = sessions;
	session->kind = kind;
	session->instance_arn = xstrdup(instance_arn);
	session->identity = xstrdup_null(web_request_identity(request));
	session->cluster_arn = cluster_arn;
	session->path = xstrdup(web_request_path(request));
	session->query = xstrdup(web_request_query(request));
	session->send_credentials = str_eq(send_credentials, "true");
	session->pending = map_new();
	session->next = sessions->first;
	if (sessions->first)
		sessions->first->previous = session;
	sessions->first = session;
	session->ws = web_accept_ws(request, &session_callbacks, session,
				    kind == SESSION_ACS ? ACS_INCOMING_LIMIT : TCS_MESSAGE_LIMIT);
}

void sessions_upgrade(void *data, struct web_request *request)
{
	struct sessions *sessions = data;
	_cleanup_free_ char *acs_instance = web_request_param(request, "containerInstanceArn");
	_cleanup_free_ char *tcs_instance = web_request_param(request, "containerInstance");
	enum session_kind kind = acs_instance ? SESSION_ACS : SESSION_TCS;
	const char *instance = acs_instance ? acs_instance : tcs_instance;
	_cleanup_free_ char *cluster =
		web_request_param(request, kind == SESSION_ACS ? "clusterArn" : "cluster");
	struct error err = ERROR_INIT;
	char *cluster_arn;

	if (sessions->stop_timer) {
		refuse(request, 503, ACS_SERVER_EXCEPTION, "The control plane is going away.");
		return;
	}
	if (check_signature(sessions, request, &err) < 0) {
		refuse(request, 403, ACS_ACCESS_DENIED_EXCEPTION, err.text);
		return;
	}
	if (!instance) {
		refuse(request, 400, ACS_INVALID_INSTANCE_EXCEPTION,
		       "The query names no container instance: containerInstanceArn (ACS) or "
		       "containerInstance (TCS) is missing.");
		return;
	}
	if (check_instance(sessions, request, instance, str_is_empty(cluster) ? "default" : cluster,
			   &cluster_arn) == 0)
		open_session(sessions, request, kind, instance, cluster_arn);
}
