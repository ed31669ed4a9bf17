/* SPDX-License-Identifier: Apache-2.0 */
/* One way along the sources: each finds keys, says why not, or asks somebody and is heard later. */
#include "agent/aws/credential_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/aws/endpoint.h"
#include "agent/aws/profile.h"
#include "agent/aws/sts.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/random.h"
#include "base/sigv4.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/url.h"

#define FILE_LIMIT      (1024 * 1024)
#define TOKEN_LIMIT     (64 * 1024)
#define RESPONSE_LIMIT  (64 * 1024)
#define REQUEST_MS      5000
#define ATTEMPTS        3
#define WAIT_MS         1000
#define INSTANCE_MAX_MS (3600LL * 1000)
#define CONTAINER_HOST  "http://169.254.170.2"
#define ROLES_PATH      "/latest/meta-data/iam/security-credentials/"
#define ROLE_NAME_MAX   128
#define SESSION_NAME    "berth-agent"

struct credential_fetch {
	const struct credential_sources *sources;
	size_t position; /* in the order of the mode */
	struct strbuf causes;
	struct error err; /* of the source at `position` */
	struct profile profile;
	bool assumes; /* what is found next assumes the profile's role */
	bool in_call; /* within credential_fetch() */
	bool ended;

	/* of what is asked over HTTP */
	int attempt;
	void (*send)(struct credential_fetch *fetch);
	void (*heard)(struct credential_fetch *fetch, const struct http_response *response);
	struct credential_set with; /* signs the request for a role */
	struct http_call *http;
	struct loop_timer *timer;
	struct imds_call *imds;

	credential_callback *callback;
	void *data;
};

typedef void source(struct credential_fetch *fetch);

static void found(struct credential_fetch *fetch, struct credential_set *set, const char *from);
static void next(struct credential_fetch *fetch);

static const char *environment_of(const struct credential_fetch *fetch, const char *name)
{
	const char *value = environment_get(fetch->sources->environment, name);

	return value ? value : "";
}

/* ---- what is asked over HTTP ---- */

static void on_http(void *data, const struct http_response *response)
{
	struct credential_fetch *fetch = data;
	bool may_help = response->error || response->status >= 500 || response->status == 429;

	fetch->http = NULL;
	if (may_help && fetch->attempt < ATTEMPTS) {
		fetch->attempt++;
		loop_timer_start(fetch->timer, WAIT_MS / 2 + (int64_t)(random_unit() * WAIT_MS));
		return;
	}
	if (response->error) {
		fetch->err = response->err;
		next(fetch);
		return;
	}
	fetch->heard(fetch, response);
}

static void on_timer(void *data)
{
	struct credential_fetch *fetch = data;

	fetch->send(fetch);
}

static void ask(struct credential_fetch *fetch, void (*send)(struct credential_fetch *fetch),
		void (*heard)(struct credential_fetch *fetch, const struct http_response *response))
{
	fetch->attempt = 1;
	fetch->send = send;
	fetch->heard = heard;
	send(fetch);
}

static void send_request(struct credential_fetch *fetch, struct http_client *http,
			 const struct http_request *request)
{
	struct http_request bounded = *request;

	bounded.timeout_ms = REQUEST_MS;
	bounded.response_limit = RESPONSE_LIMIT;
	if (http_send(http, &bounded, on_http, fetch, &fetch->http, &fetch->err) < 0)
		next(fetch);
}

/* ---- roles, by the Security Token Service ---- */

static const char *first_of(const char *a, const char *b)
{
	return str_is_empty(a) ? b : a;
}

static struct sts_role role_of(const struct credential_fetch *fetch)
{
	const struct profile *profile = &fetch->profile;

	return (struct sts_role){ .arn = profile->role_arn,
				  .session_name =
					  first_of(profile->role_session_name, SESSION_NAME),
				  .external_id = profile->external_id,
				  .duration_s = profile->duration_s };
}

static char *sts_endpoint(const struct credential_fetch *fetch)
{
	_cleanup_free_ char *url =
		aws_endpoint_told(fetch->sources->environment, "sts", fetch->sources->region, 0);

	return xasprintf("%s%s", url, str_ends_with(url, "/") ? "" : "/");
}

static void heard_sts(struct credential_fetch *fetch, const struct http_response *response)
{
	struct credential_set set = { 0 };
	int result;

	if (response->status == 200)
		result = sts_read_keys(response->body, response->size, &set, &fetch->err);
	else
		result = sts_read_failure(response->status, response->body, response->size,
					  &fetch->err);
	if (result < 0) {
		error_prefix(&fetch->err, "assume the role %.128s", fetch->profile.role_arn);
		next(fetch);
		return;
	}
	fetch->assumes = false;
	found(fetch, &set, "a role that was assumed");
}

static void send_sts(struct credential_fetch *fetch, char *body, bool is_signed)
{
	_cleanup_free_ char *url = sts_endpoint(fetch);
	const struct header type = { "Content-Type", STS_CONTENT_TYPE };
	_cleanup_header_list_ struct header_list headers = HEADER_LIST_INIT;
	int result = 0;

	header_list_add(&headers, type.name, type.value);
	if (is_signed)
		result = sigv4_sign_request(
			&(struct sigv4_credentials){ fetch->with.access_key, fetch->with.secret,
						     fetch->with.token },
			&(struct sigv4_request){ .region = fetch->sources->region,
						 .service = "sts",
						 .method = "POST",
						 .url = url,
						 .headers = &type,
						 .header_count = 1,
						 .payload = body,
						 .payload_size = strlen(body),
						 .wall_ms = clock_wall_ms() +
							    fetch->sources->skew_ms },
			&headers, &fetch->err);
	if (result == 0)
		send_request(fetch, fetch->sources->http,
			     &(struct http_request){ .method = "POST",
						     .url = url,
						     .headers = headers.items,
						     .header_count = headers.count,
						     .body = body,
						     .body_size = strlen(body) });
	else
		next(fetch);
	secret_free(body);
}

static void send_assume(struct credential_fetch *fetch)
{
	const struct sts_role role = role_of(fetch);

	send_sts(fetch, sts_assume_role(&role), true);
}

static void send_web_identity(struct credential_fetch *fetch)
{
	const struct sts_role role = role_of(fetch);
	char *token = NULL;
	size_t size;

	/* Read for each attempt: it is replaced from time to time. */
	if (file_read(AT_FDCWD, fetch->profile.web_identity_token_file, TOKEN_LIMIT, &token, &size,
		      &fetch->err) < 0) {
		next(fetch);
		return;
	}
	while (size > 0 && strchr(" \t\r\n", token[size - 1]))
		token[--size] = '\0';
	send_sts(fetch, sts_assume_role_with_web_identity(&role, token), false);
	secret_free(token);
}

/* ---- the sources ---- */

static void try_keys(struct credential_fetch *fetch)
{
	const struct credential_sources *sources = fetch->sources;
	struct credential_set set = { 0 };

	if (str_is_empty(sources->access_key) || str_is_empty(sources->secret)) {
		next(fetch);
		return;
	}
	set.access_key = xstrdup(sources->access_key);
	set.secret = xstrdup(sources->secret);
	set.token = str_is_empty(sources->token) ? NULL : xstrdup(sources->token);
	found(fetch, &set, "the configured keys");
}

static void try_web_identity(struct credential_fetch *fetch)
{
	const char *file = environment_of(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *role = environment_of(fetch, "AWS_ROLE_ARN");
	const char *name = environment_of(fetch, "AWS_ROLE_SESSION_NAME");

	if (*file == '\0') {
		next(fetch);
		return;
	}
	if (*role == '\0') {
		error_say(&fetch->err, EINVAL,
			  "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
		next(fetch);
		return;
	}
	profile_free(&fetch->profile);
	fetch->profile.web_identity_token_file = xstrdup(file);
	fetch->profile.role_arn = xstrdup(role);
	fetch->profile.role_session_name = *name ? xstrdup(name) : NULL;
	ask(fetch, send_web_identity, heard_sts);
}

static void read_shared_file(const struct credential_fetch *fetch, const char *variable,
			     const char *in_home, enum profile_file kind, const char *name,
			     struct profile *profile, struct error *err)
{
	const char *given = environment_of(fetch, variable);
	const char *home = environment_of(fetch, "HOME");
	_cleanup_free_ char *path = *given ? xstrdup(given) : xasprintf("%s/%s", home, in_home);
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (*given == '\0' && *home == '\0')
		error_say(err, ENOENT, "HOME is not set");
	else if (file_read(AT_FDCWD, path, FILE_LIMIT, &text, &size, err) == 0)
		profile_read(text, size, kind, name, profile);
}

static struct profile read_profile(const struct credential_fetch *fetch, const char *name,
				   struct error *err)
{
	struct profile profile = { 0 };

	read_shared_file(fetch, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials",
			 PROFILE_CREDENTIALS, name, &profile, err);
	read_shared_file(fetch, "AWS_CONFIG_FILE", ".aws/config", PROFILE_CONFIG, name, &profile,
			 NULL);
	return profile;
}

/* Its own keys, as a set that takes them out of it. */
static bool take_keys(struct profile *profile, struct credential_set *ret)
{
	if (str_is_empty(profile->access_key) || str_is_empty(profile->secret))
		return false;
	*ret = (struct credential_set){ .access_key = profile->access_key,
					.secret = profile->secret,
					.token = profile->token };
	profile->access_key = profile->secret = profile->token = NULL;
	return true;
}

static void try_container(struct credential_fetch *fetch);
static void try_instance(struct credential_fetch *fetch);

/* What the profile's role is assumed with. */
static void try_role(struct credential_fetch *fetch)
{
	const char *from = fetch->profile.credential_source;
	_cleanup_profile_ struct profile other = { 0 };
	struct credential_set set;

	fetch->assumes = true;
	if (str_eq(from, "Environment")) {
		try_keys(fetch);
	} else if (str_eq(from, "EcsContainer")) {
		try_container(fetch);
	} else if (str_eq(from, "Ec2InstanceMetadata")) {
		try_instance(fetch);
	} else if (!str_is_empty(fetch->profile.source_profile)) {
		other = read_profile(fetch, fetch->profile.source_profile, NULL);
		if (take_keys(&other, &set)) {
			found(fetch, &set, "");
			return;
		}
		error_say(&fetch->err, ENOKEY, "the profile %.64s, whose keys it names, has none",
			  fetch->profile.source_profile);
		next(fetch);
	} else {
		error_say(&fetch->err, ENOKEY,
			  "it has role_arn, and neither source_profile nor credential_source");
		next(fetch);
	}
}

static void try_profile(struct credential_fetch *fetch)
{
	const char *name = first_of(first_of(environment_of(fetch, "AWS_PROFILE"),
					     environment_of(fetch, "AWS_DEFAULT_PROFILE")),
				    "default");
	struct credential_set set;

	profile_free(&fetch->profile);
	fetch->profile = read_profile(fetch, name, &fetch->err);
	if (fetch->profile.role_arn) {
		error_clear(&fetch->err);
		if (fetch->profile.web_identity_token_file)
			ask(fetch, send_web_identity, heard_sts);
		else
			try_role(fetch);
		return;
	}
	if (take_keys(&fetch->profile, &set)) {
		found(fetch, &set, "the shared credentials file");
		return;
	}
	if (fetch->profile.credential_process)
		error_say(&fetch->err, ENOTSUP,
			  "it has credential_process: the agent runs no program that a file names");
	else if (fetch->profile.sso_start_url)
		error_say(&fetch->err, ENOTSUP, "single sign-on is for people");
	else if (fetch->profile.found)
		error_say(&fetch->err, ENOKEY, "it has no keys");
	else if (!fetch->err.code)
		error_say(&fetch->err, ENOENT, "there is no profile [%.64s]", name);
	next(fetch);
}

static void try_rotating(struct credential_fetch *fetch)
{
	const struct credential_sources *sources = fetch->sources;
	_cleanup_profile_ struct profile profile = { 0 };
	_cleanup_free_ char *text = NULL;
	struct credential_set set;
	size_t size;
	int result;

	result = file_read(AT_FDCWD, sources->rotating_file, FILE_LIMIT, &text, &size, &fetch->err);
	/* Where there is none there is no activation: nothing to say, but of an external instance.
	 */
	if (result == -ENOENT && !sources->external)
		error_clear(&fetch->err);
	if (result == 0)
		profile_read(text, size, PROFILE_CREDENTIALS, sources->rotating_profile, &profile);
	if (take_keys(&profile, &set)) {
		found(fetch, &set, "the file of the activation");
		return;
	}
	if (result == 0)
		error_say(&fetch->err, ENOKEY, "%s has no keys under [%.64s]",
			  sources->rotating_file, sources->rotating_profile);
	next(fetch);
}

static void heard_document(struct credential_fetch *fetch, const struct http_response *response)
{
	struct credential_set set;

	if (response->status != 200) {
		error_say(&fetch->err, EACCES, "HTTP %d", response->status);
		next(fetch);
	} else if (credential_document_parse(response->body, response->size, &set, &fetch->err) <
		   0) {
		next(fetch);
	} else {
		found(fetch, &set, "the container's role");
	}
}

/* Keys go over plain HTTP to this host, and to what stands for it, only. */
static bool may_be_plain(const char *host)
{
	static const char *const others[] = { "localhost", "169.254.170.2", "169.254.170.23",
					      "fd00:ec2::23" };
	struct ip_address address;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (str_eq(host, others[i]))
			return true;
	return ip_parse(host, &address, NULL) == 0 && ip_is_loopback(&address);
}

static char *container_url(struct credential_fetch *fetch)
{
	const char *full = environment_of(fetch, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *relative = environment_of(fetch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	_cleanup_url_ struct url url = { 0 };

	if (*relative)
		return xasprintf(CONTAINER_HOST "%s", relative);
	if (url_parse(full, &url, &fetch->err) < 0)
		return NULL;
	if (!url.tls && !may_be_plain(url.host)) {
		error_say(&fetch->err, EINVAL,
			  "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or of this host");
		return NULL;
	}
	return xstrdup(full);
}

static void send_container(struct credential_fetch *fetch)
{
	_cleanup_free_ char *url = container_url(fetch);
	const char *file = environment_of(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	char *token = NULL;
	struct header header = { "Authorization", NULL };
	size_t size;

	if (!url) {
		next(fetch);
		return;
	}
	if (*file == '\0') {
		token = xstrdup(environment_of(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
	} else if (file_read(AT_FDCWD, file, TOKEN_LIMIT, &token, &size, &fetch->err) < 0) {
		next(fetch);
		return;
	}
	header.value = token;
	send_request(fetch,
		     str_starts_with(url, "http://") ? fetch->sources->direct
						     : fetch->sources->http,
		     &(struct http_request){
			     .url = url, .headers = &header, .header_count = *token ? 1 : 0 });
	secret_free(token);
}

static void try_container(struct credential_fetch *fetch)
{
	if (*environment_of(fetch, "AWS_CONTAINER_CREDENTIALS_FULL_URI") == '\0' &&
	    *environment_of(fetch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == '\0') {
		if (fetch->assumes)
			error_say(&fetch->err, ENOKEY, "this is no container with a role");
		next(fetch);
		return;
	}
	ask(fetch, send_container, heard_document);
}

static void on_instance_keys(void *data, const struct imds_answer *answer)
{
	struct credential_fetch *fetch = data;
	int64_t latest_ms = clock_wall_ms() + fetch->sources->skew_ms + INSTANCE_MAX_MS;
	struct credential_set set;

	fetch->imds = NULL;
	if (answer->error) {
		fetch->err = answer->err;
		next(fetch);
		return;
	}
	if (credential_document_parse(answer->body, answer->size, &set, &fetch->err) < 0) {
		next(fetch);
		return;
	}
	if (set.expires_ms == 0 || set.expires_ms > latest_ms)
		set.expires_ms = latest_ms;
	found(fetch, &set, "the role of this instance");
}

static bool is_role_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_+=,.@-");

	return length > 0 && length <= ROLE_NAME_MAX && name[length] == '\0';
}

static void on_role(void *data, const struct imds_answer *answer)
{
	struct credential_fetch *fetch = data;
	_cleanup_free_ char *name = xstrndup(answer->body, strcspn(answer->body, "\r\n"));
	_cleanup_free_ char *path = NULL;

	fetch->imds = NULL;
	if (answer->error == -ENOENT) {
		error_say(&fetch->err, ENOKEY, "this instance has no role");
		next(fetch);
	} else if (answer->error) {
		fetch->err = answer->err;
		next(fetch);
	} else if (!is_role_name(name)) {
		error_say(&fetch->err, EINVAL, "the instance's role has a name that is none");
		next(fetch);
	} else {
		path = xasprintf(ROLES_PATH "%s", name);
		imds_get(fetch->sources->imds, path, on_instance_keys, fetch, &fetch->imds);
	}
}

static void try_instance(struct credential_fetch *fetch)
{
	if (!fetch->sources->imds) {
		if (fetch->assumes)
			error_say(&fetch->err, ENOKEY, "this is no instance of EC2");
		next(fetch);
		return;
	}
	imds_get(fetch->sources->imds, ROLES_PATH, on_role, fetch, &fetch->imds);
}

/* ---- one after the other ---- */

static const struct {
	source *try;
	const char *name;
} normal_order[] = {
	{ try_keys, "keys" },
	{ try_web_identity, "web identity" },
	{ try_profile, "shared files" },
	{ try_container, "container" },
	{ try_instance, "instance" },
	{ try_rotating, "activation" },
	{ NULL, NULL },
}, external_order[] = {
	{ try_keys, "keys" },
	{ try_rotating, "activation" },
	{ try_profile, "shared files" },
	{ NULL, NULL },
};

static void fetch_free(struct credential_fetch *fetch)
{
	if (fetch->http)
		http_cancel(fetch->http);
	imds_cancel(fetch->imds);
	loop_timer_free(fetch->timer);
	profile_free(&fetch->profile);
	credential_set_free(&fetch->with);
	strbuf_free(&fetch->causes);
	free(fetch);
}

static void end(struct credential_fetch *fetch, const struct credential_result *result)
{
	fetch->ended = true;
	fetch->callback(fetch->data, result);
	if (!fetch->in_call)
		fetch_free(fetch);
}

static void found(struct credential_fetch *fetch, struct credential_set *set, const char *from)
{
	struct credential_result result = { .set = set, .from = from };

	if (fetch->assumes) {
		credential_set_free(&fetch->with);
		fetch->with = *set;
		ask(fetch, send_assume, heard_sts);
		return;
	}
	result.is_fixed = fetch->position == 0;
	end(fetch, &result);
	credential_set_free(set);
}

static void go(struct credential_fetch *fetch)
{
	source *try = fetch->sources->external ? external_order[fetch->position].
	try : normal_order
		[fetch->position].try;
	struct credential_result result = { .set = NULL };

	if (try) {
		try(fetch);
		return;
	}
	error_say(&result.err, ENOKEY,
		  "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
		  "put keys under [default] in ~/.aws/credentials, or give this host a role%s%s",
		  fetch->causes.length ? " - " : "", strbuf_text(&fetch->causes));
	end(fetch, &result);
}

static void next(struct credential_fetch *fetch)
{
	const char *name = fetch->sources->external ? external_order[fetch->position].name
						    : normal_order[fetch->position].name;

	if (fetch->err.code)
		strbuf_appendf(&fetch->causes, "%s%s: %s", fetch->causes.length ? "; " : "", name,
			       fetch->err.text);
	error_clear(&fetch->err);
	fetch->assumes = false;
	fetch->position++;
	go(fetch);
}

struct credential_fetch *credential_fetch(const struct credential_sources *sources,
					  credential_callback *callback, void *data)
{
	struct credential_fetch *fetch = xcalloc(1, sizeof(*fetch));

	fetch->sources = sources;
	fetch->timer = loop_timer_new(sources->loop, on_timer, fetch);
	fetch->callback = callback;
	fetch->data = data;
	fetch->in_call = true;
	go(fetch);
	fetch->in_call = false;
	if (!fetch->ended)
		return fetch;
	fetch_free(fetch);
	return NULL;
}

void credential_fetch_cancel(struct credential_fetch *fetch)
{
	if (fetch)
		fetch_free(fetch);
}
