/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "control-plane/ec2/call.h"
#include "control-plane/services/networks.h"
#include "control-plane/services/services.h"

#define NAMESPACE "http://ec2.amazonaws.com/doc/2016-11-15/"
#define VERSION   "2016-11-15"
#define HEAD      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static const struct ec2_action *find_action(const char *name)
{
	static const struct ec2_action *const tables[] = {
		ec2_vpc_actions,  ec2_subnet_actions,    ec2_association_actions, ec2_group_actions,
		ec2_rule_actions, ec2_interface_actions, ec2_tag_actions,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct ec2_action *action = tables[i]; action->name; action++)
			if (str_eq(action->name, name))
				return action;
	return NULL;
}

/* A parameter that means nothing here might have been a rule: it is not passed over. */
static int check_params(struct ec2_call *call)
{
	const char *unasked = form_unasked(call->form);

	if (unasked)
		return ec2_error(call, "UnknownParameter",
				 "The parameter %s is not recognized by %s of this control plane",
				 unasked, call->action);
	return 0;
}

static int run_checked(struct ec2_call *call, const struct ec2_action *action)
{
	bool dry_run = false;
	int r = ec2_param_bool(call, "DryRun", &dry_run);

	if (r == 0)
		r = action->handler(call);
	if (r == 0)
		r = check_params(call);
	if (r == 0 && dry_run)
		r = ec2_error(call, EC2_DRY_RUN,
			      "Request would have succeeded, but DryRun flag is set.");
	return r;
}

static int change(struct ec2_call *call, const struct ec2_action *action)
{
	struct services *services = call->ec2->services;
	struct error err = ERROR_INIT;
	int r;

	services_begin(services);
	if (store_begin(call->store, &err) < 0)
		return ec2_server_error(call, &err);
	r = run_checked(call, action);
	if (r == 0 && (networks_changed(services, &err) < 0 || store_commit(call->store, &err) < 0))
		r = ec2_server_error(call, &err);
	if (r < 0) {
		store_rollback(call->store);
		services_rolled_back(services);
	}
	return r;
}

static int answer(struct ec2_call *call, const char *body, size_t size)
{
	static const struct form_limits limits = { EC2_BODY_LIMIT, EC2_PARAMS_LIMIT };
	const struct ec2_action *action;
	struct error err = ERROR_INIT;
	const char *version;

	if (form_parse(body ? body : "", size, &limits, &call->form, &err) < 0)
		return ec2_error(call, "MalformedQueryString", "%s", err.text);
	call->action = ec2_param(call, "Action");
	version = ec2_param(call, "Version");
	if (!call->action)
		return ec2_error(call, "MissingAction",
				 "The request must contain the parameter Action");
	action = find_action(call->action);
	if (!action)
		return ec2_error(call, "InvalidAction",
				 "The action %s is not implemented by this control plane",
				 call->action);
	if (version && !str_eq(version, VERSION))
		return ec2_error(call, "InvalidParameterValue",
				 "The version %s is not there: " VERSION " is", version);
	return action->changes ? change(call, action) : run_checked(call, action);
}

static char *error_body(const char *code, const char *message, const char *request_id)
{
	struct strbuf out = STRBUF_INIT;

	strbuf_append(&out, HEAD);
	xml_open(&out, "Response");
	xml_open(&out, "Errors");
	xml_open(&out, "Error");
	xml_text(&out, "Code", code);
	xml_text(&out, "Message", message);
	xml_close(&out, "Error");
	xml_close(&out, "Errors");
	xml_text(&out, "RequestID", request_id);
	xml_close(&out, "Response");
	return strbuf_take(&out);
}

static char *success_body(const struct ec2_call *call)
{
	struct strbuf out = STRBUF_INIT;

	strbuf_appendf(&out, HEAD "<%sResponse xmlns=\"" NAMESPACE "\">", call->action);
	xml_text(&out, "requestId", call->request_id);
	strbuf_append(&out, strbuf_text(&call->out));
	strbuf_appendf(&out, "</%sResponse>", call->action);
	return strbuf_take(&out);
}

static int status_of(const char *code)
{
	if (str_eq(code, EC2_INTERNAL))
		return 500;
	return str_eq(code, EC2_DRY_RUN) ? 412 : 400;
}

void ec2_dispatch(const struct ec2 *ec2, const char *body, size_t size,
		  struct ec2_response *ret_response)
{
	struct ec2_call call = { .ec2 = ec2, .store = ec2->store, .out = STRBUF_INIT };
	int r;

	uuid4(call.request_id);
	r = answer(&call, body, size);
	*ret_response = (struct ec2_response){
		.status = r == 0 ? 200 : status_of(call.error_code),
		.body = r == 0 ? success_body(&call)
			       : error_body(call.error_code, call.error_message, call.request_id),
	};
	memcpy(ret_response->request_id, call.request_id, sizeof(call.request_id));
	log_debug("EC2 call", "action", call.action, "status", LOG_NUM(ret_response->status),
		  "error", call.error_code, "message", call.error_message, "request",
		  call.request_id);
	form_free(call.form);
	strbuf_free(&call.out);
	free(call.error_message);
}

void ec2_refuse(int status, const char *code, const char *message,
		struct ec2_response *ret_response)
{
	*ret_response = (struct ec2_response){ .status = status };
	uuid4(ret_response->request_id);
	ret_response->body = error_body(code, message, ret_response->request_id);
}

void ec2_response_clear(struct ec2_response *response)
{
	free(response->body);
	response->body = NULL;
}
