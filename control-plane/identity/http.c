/* SPDX-License-Identifier: Apache-2.0 */
/* What agents ask for over HTTPS to get an identity, and to keep it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "control-plane/identity/enroll.h"

static void refuse(struct web_request *request, int status, const char *type, const char *message)
{
	_cleanup_json_ json_t *body = json_pack("{s:s, s:s}", "__type", type, "message", message);
	_cleanup_free_ char *text = json_dump_compact(body);

	web_respond_text(request, status, "application/json", text);
}

static void answer(struct web_request *request, int r, const char *text, const struct error *err)
{
	const char *path = web_request_path(request);

	if (r == 0) {
		web_respond_text(request, 200, "application/json", text);
		return;
	}
	log_warn(str_eq(path, ENROLL_PATH) ? "an enrolment is refused" : "a renewal is refused",
		 "peer", web_request_peer(request), "identity", web_request_identity(request),
		 "reason", err->text);
	if (r == -EINVAL)
		refuse(request, 400, "InvalidParameterException", err->text);
	else if (r == -EACCES)
		refuse(request, 403, "AccessDeniedException", err->text);
	else
		refuse(request, 500, "ServerException", "Try again later.");
}

static void enroll_agent(const struct enroll *enroll, struct web_request *request)
{
	struct enroll_request decoded = { .name = NULL };
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	size_t size = 0;
	const char *body = web_request_body(request, &size);
	int r = enroll_decode_request(body, size, true, &decoded, &err);

	if (r == 0)
		r = enroll_with_token(enroll, &decoded, clock_wall_ms(), &text, &err);
	enroll_request_clear(&decoded);
	answer(request, r, text, &err);
}

static void renew_agent(const struct enroll *enroll, struct web_request *request)
{
	const char *identity = web_request_identity(request);
	struct enroll_request decoded = { .name = NULL };
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	size_t size = 0;
	const char *body = web_request_body(request, &size);
	int r = enroll_decode_request(body, size, false, &decoded, &err);

	if (r == 0 && !identity)
		r = error_say(&err, EACCES,
			      "A certificate is renewed for who shows the one that is there.");
	if (r == 0)
		r = enroll_renew(enroll, identity, &decoded, clock_wall_ms(), &text, &err);
	enroll_request_clear(&decoded);
	answer(request, r, text, &err);
}

bool enroll_http_request(const struct enroll *enroll, struct web_request *request)
{
	const char *method = web_request_method(request);
	const char *path = web_request_path(request);

	if (str_eq(path, ENROLL_AUTHORITY_PATH) && str_eq(method, "GET"))
		web_respond_text(request, 200, "application/x-pem-file",
				 authority_pem(enroll->authority));
	else if (str_eq(path, ENROLL_PATH) && str_eq(method, "POST"))
		enroll_agent(enroll, request);
	else if (str_eq(path, ENROLL_RENEW_PATH) && str_eq(method, "POST"))
		renew_agent(enroll, request);
	else
		return false;
	return true;
}
