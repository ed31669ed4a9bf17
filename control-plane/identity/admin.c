/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/store/identities.h"

#define LIFE_MAX_MS (INT64_C(366) * 24 * 3600 * 1000)
#define USES_MAX    100000

struct admin {
	struct admin_config config;
	struct web_listener *listener;
};

static void refuse(struct web_request *request, int r, const struct error *err)
{
	_cleanup_free_ char *text = xasprintf("%s\n", err->text);

	web_respond_text(request, r == -EINVAL || r == -ENOENT ? 400 : 500, "text/plain", text);
}

/* ---- tokens ---- */

static int read_number(const struct web_request *request, const char *name, int64_t max,
		       int64_t *ret, struct error *err)
{
	_cleanup_free_ char *text = web_request_param(request, name);

	if (!text)
		return error_say(err, EINVAL, "%s is missing", name);
	if (number_parse_i64(text, 1, max, ret, err) < 0) {
		error_prefix(err, "%s", name);
		return -EINVAL;
	}
	return 0;
}

static void create_token(struct admin *admin, struct web_request *request)
{
	_cleanup_free_ char *cluster = web_request_param(request, "cluster");
	_cleanup_free_ char *token = NULL;
	_cleanup_free_ char *id = NULL;
	_cleanup_free_ char *text = NULL;
	struct enroll_terms terms = { .cluster = str_is_empty(cluster) ? NULL : cluster };
	struct error err = ERROR_INIT;
	int r;

	r = read_number(request, "uses", USES_MAX, &terms.uses, &err);
	if (r == 0)
		r = read_number(request, "life_ms", LIFE_MAX_MS, &terms.life_ms, &err);
	if (r == 0)
		r = enroll_token_make(admin->config.enroll, &terms, clock_wall_ms(), &token, &id,
				      &err);
	if (r < 0 || !token) {
		refuse(request, r, &err);
		return;
	}
	log_info("a token was made", "token", id, "uses", LOG_NUM(terms.uses), "cluster", cluster);
	text = xasprintf("%s\n", token);
	web_respond_text(request, 200, "text/plain", text);
	explicit_bzero(text, strlen(text));
	explicit_bzero(token, strlen(token));
}

static const char *token_state(const struct enroll_token_row *row, int64_t now_ms)
{
	if (row->revoked_at_ms)
		return "revoked";
	if (row->expires_at_ms <= now_ms)
		return "expired";
	return row->uses_left > 0 ? "good" : "used";
}

static void list_tokens(struct admin *admin, struct web_request *request)
{
	_cleanup_(enroll_token_list_clear) struct enroll_token_list list = { 0 };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char expires[CLOCK_ISO8601_SIZE];
	int64_t now_ms = clock_wall_ms();
	int r = enroll_token_all(admin->config.enroll->store, &list, &err);

	if (r < 0) {
		refuse(request, r, &err);
		return;
	}
	strbuf_appendf(&out, "%-16s  %-7s  %9s  %-20s  %s\n", "TOKEN", "STATE", "USES LEFT",
		       "EXPIRES", "CLUSTER");
	for (size_t i = 0; i < list.count; i++) {
		const struct enroll_token_row *row = &list.items[i];

		strbuf_appendf(&out, "%-16s  %-7s  %9lld  %-20s  %s\n", row->id,
			       token_state(row, now_ms), (long long)row->uses_left,
			       format_iso8601(row->expires_at_ms, expires),
			       row->cluster ? row->cluster : "any");
	}
	web_respond_text(request, 200, "text/plain", strbuf_text(&out));
}

static void revoke_token(struct admin *admin, struct web_request *request)
{
	_cleanup_free_ char *id = web_request_param(request, "id");
	struct error err = ERROR_INIT;
	int r = enroll_token_revoke(admin->config.enroll->store, id ? id : "", clock_wall_ms(),
				    &err);

	if (r == -ENOENT)
		error_say(&err, ENOENT, "there is no token %s, or it is revoked already",
			  id ? id : "");
	if (r < 0) {
		refuse(request, r, &err);
		return;
	}
	log_info("a token was revoked", "token", id);
	web_respond_text(request, 200, "text/plain", "");
}

/* ---- identities ---- */

static const char *identity_state(const struct identity_row *row, int64_t now_ms)
{
	if (row->revoked_at_ms)
		return "revoked";
	return row->expires_at_ms <= now_ms ? "expired" : "good";
}

static void list_identities(struct admin *admin, struct web_request *request)
{
	_cleanup_(identity_list_clear) struct identity_list list = { 0 };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char expires[CLOCK_ISO8601_SIZE];
	int64_t now_ms = clock_wall_ms();
	int r = identity_all(admin->config.enroll->store, &list, &err);

	if (r < 0) {
		refuse(request, r, &err);
		return;
	}
	strbuf_appendf(&out, "%-32s  %-7s  %-20s  %-12s  %s\n", "IDENTITY", "STATE", "EXPIRES",
		       "CLUSTER", "NAME");
	for (size_t i = 0; i < list.count; i++) {
		const struct identity_row *row = &list.items[i];

		strbuf_appendf(&out, "%-32s  %-7s  %-20s  %-12s  %s\n", row->id,
			       identity_state(row, now_ms),
			       format_iso8601(row->expires_at_ms, expires),
			       row->cluster ? row->cluster : "any", row->name);
	}
	web_respond_text(request, 200, "text/plain", strbuf_text(&out));
}

static void revoke_identity(struct admin *admin, struct web_request *request)
{
	_cleanup_free_ char *id = web_request_param(request, "id");
	struct error err = ERROR_INIT;
	int r = identity_revoke(admin->config.enroll->store, id ? id : "", clock_wall_ms(), &err);

	if (r == -ENOENT)
		error_say(&err, ENOENT, "there is no identity %s, or it is revoked already",
			  id ? id : "");
	if (r < 0) {
		refuse(request, r, &err);
		return;
	}
	log_info("an identity was revoked", "identity", id);
	admin->config.revoked(admin->config.data, id);
	web_respond_text(request, 200, "text/plain", "");
}

static void on_request(void *data, struct web_request *request)
{
	static const struct {
		const char *method;
		const char *path;
		void (*act)(struct admin *admin, struct web_request *request);
	} actions[] = {
		{ "POST", "/token/create", create_token },
		{ "GET", "/token/list", list_tokens },
		{ "POST", "/token/revoke", revoke_token },
		{ "GET", "/identity/list", list_identities },
		{ "POST", "/identity/revoke", revoke_identity },
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (str_eq(web_request_method(request), actions[i].method) &&
		    str_eq(web_request_path(request), actions[i].path)) {
			actions[i].act(data, request);
			return;
		}
	}
	web_respond_text(request, 404, "text/plain", "this control plane knows no such command\n");
}

/* ---- the socket ---- */

/* What is there is of one that is gone: the authority's directory is locked. */
static int open_socket(const char *path, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_say(err, ENAMETOOLONG,
				 "listen on %s: the path of a socket has at most %zu characters",
				 path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, errno, "open a socket for %s", path);
	unlink(path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (r < 0 || listen(fd, 16) < 0)
		return error_set(err, errno, "listen on %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int admin_new(const struct admin_config *config, struct admin **ret, struct error *err)
{
	struct admin *admin = xcalloc(1, sizeof(*admin));
	struct web_listener_config listener = {
		.has_listen_fd = true,
		.listen_fd = -1,
		.on_request = on_request,
		.data = admin,
	};
	int r;

	admin->config = *config;
	r = open_socket(authority_socket(config->enroll->authority), &listener.listen_fd, err);
	if (r == 0)
		r = web_listen(config->web, &listener, &admin->listener, err);
	if (r < 0) {
		if (listener.listen_fd >= 0)
			close(listener.listen_fd);
		free(admin);
		return r;
	}
	*ret = admin;
	return 0;
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	web_listener_free(admin->listener);
	unlink(authority_socket(admin->config.enroll->authority));
	free(admin);
}
