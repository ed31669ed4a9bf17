/* SPDX-License-Identifier: Apache-2.0 */
/* Where the agent's own keys come from, and how they are kept fresh. */
#include "agent/aws/credentials.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/aws/sts.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/web.h"
#include "fake_imds.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

/* Everything at once: instance metadata, the token service, a container's endpoint. */
struct place {
	struct fake_imds imds; /* its loop and web are everybody's */
	struct http_client *http, *direct;
	struct web_listener *listener;
	char directory[32];
	struct str_list environment;
	struct credential_sources sources;
	struct aws_credentials *credentials;
	/* what the listener answers, and was asked */
	int status;
	const char *answer;
	char *body, *path, *authorization, *type;
	int requests;
};

static void on_request(void *data, struct web_request *request)
{
	struct place *place = data;
	size_t size;

	place->requests++;
	str_replace(&place->body, web_request_body(request, &size));
	str_replace(&place->path, web_request_path(request));
	str_replace(&place->authorization, web_request_header(request, "authorization"));
	str_replace(&place->type, web_request_header(request, "content-type"));
	web_respond_text(request, place->status, "text/plain", place->answer);
}

static void variable(struct place *place, const char *format, const char *value)
{
	str_list_add_owned(&place->environment,
			   xasprintf("%s=%s", format, value)); /* NOLINT: no format */
	place->sources.environment = place->environment.items;
}

/* The linker puts this in the place of clock_monotonic_ms(): time passes when a test says so, too.
 */
int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);
static int64_t passed_ms;

int64_t __wrap_clock_monotonic_ms(void)
{
	return __real_clock_monotonic_ms() + passed_ms;
}

static void write_file(struct place *place, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", place->directory, name);
	_cleanup_free_ char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(file_mkdirs(folder, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(-1, path, text, strlen(text), 0600, false, NULL), 0);
}

static struct place *begin_with(const struct fake_imds_file *files)
{
	const struct web_listener_config listen = { .address = "127.0.0.1",
						    .on_request = on_request };
	struct place *place = xcalloc(1, sizeof(*place));
	struct web_listener_config mine = listen;
	_cleanup_free_ char *url = NULL;

	place->imds.files = files;
	fake_imds_start(&place->imds, false);
	mine.data = place;
	assert_int_equal(web_listen(place->imds.web, &mine, &place->listener, NULL), 0);
	assert_int_equal(http_client_new(place->imds.loop, NULL, &place->http, NULL), 0);
	assert_int_equal(http_client_new(place->imds.loop, NULL, &place->direct, NULL), 0);
	strcpy(place->directory, "/tmp/berth-keys-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	place->status = 200;
	place->answer = "";
	place->sources = (struct credential_sources){
		.loop = place->imds.loop,
		.http = place->http,
		.direct = place->direct,
		.imds = files ? place->imds.imds : NULL,
		.region = "us-west-2",
		.access_key = "",
		.secret = "",
		.token = "",
		.rotating_file = "/nonexistent/rotating",
		.rotating_profile = "default",
	};
	variable(place, "HOME", place->directory);
	url = xasprintf("http://127.0.0.1:%u", web_listener_port(place->listener));
	variable(place, "AWS_ENDPOINT_URL_STS", url);
	return place;
}

static struct place *begin(void)
{
	return begin_with(NULL);
}

static void end(struct place *place)
{
	aws_credentials_free(place->credentials);
	http_client_free(place->http);
	http_client_free(place->direct);
	web_listener_free(place->listener);
	fake_imds_stop(&place->imds);
	file_remove_tree(-1, place->directory, NULL);
	str_list_free(&place->environment);
	free(place->body);
	free(place->path);
	free(place->authorization);
	free(place->type);
	free(place);
}

static void start(struct place *place)
{
	aws_credentials_free(place->credentials);
	place->credentials = aws_credentials_new(&place->sources);
}

static bool is_known(void *data)
{
	struct place *place = data;
	struct sigv4_credentials got;

	return aws_credentials_get(place->credentials, &got, NULL) != -EAGAIN;
}

/* What they are, "key/secret/token", or the error. The caller frees. */
static char *keys(struct place *place)
{
	struct sigv4_credentials got = { 0 };
	struct error err = ERROR_INIT;

	if (!place->credentials)
		start(place);
	fake_imds_run_until(&place->imds, is_known, place);
	if (aws_credentials_get(place->credentials, &got, &err) < 0)
		return xasprintf("%d %s", err.code, err.text);
	return xasprintf("%s/%s/%s", got.access_key, got.secret, got.token ? got.token : "-");
}

#define assert_keys(place, expected)                                                               \
	do {                                                                                       \
		char *text = keys(place);                                                          \
		assert_string_equal(text, expected);                                               \
		free(text);                                                                        \
	} while (0)

static void configured_keys_go_first(void **state)
{
	struct place *place = begin();
	struct sigv4_credentials got;

	write_file(place, ".aws/credentials",
		   "[default]\naws_access_key_id=F\naws_secret_access_key=G\n");
	place->sources.access_key = "A";
	place->sources.secret = "B";
	place->sources.token = "C";
	start(place);
	/* Nobody is asked: they are there at once. */
	assert_int_equal(aws_credentials_get(place->credentials, &got, NULL), 0);
	assert_keys(place, "A/B/C");
	end(place);
}

static void shared_files_are_read_by_profile(void **state)
{
	struct place *place = begin();

	write_file(place, ".aws/credentials",
		   "[default]\naws_access_key_id = D\naws_secret_access_key=E\n\n"
		   "# comment\n[ work ]\r\naws_access_key_id=W\r\naws_secret_access_key = X = \r\n"
		   "aws_session_token=T\n[other]\naws_access_key_id=no\n");
	write_file(place, ".aws/config",
		   "[default]\nregion = r\n[profile in-config]\naws_access_key_id=P\n"
		   "s3 =\n  aws_secret_access_key = nested\naws_secret_access_key=Q\n"
		   "[profile work]\naws_access_key_id=not\naws_secret_access_key=this\n");
	assert_keys(place, "D/E/-");
	variable(place, "AWS_PROFILE", "work");
	start(place);
	assert_keys(place, "W/X =/T");
	free(place->environment.items[--place->environment.count]);
	variable(place, "AWS_PROFILE", "in-config");
	start(place);
	assert_keys(place, "P/Q/-");
	end(place);
}

static void a_file_elsewhere_is_read_again_after_a_minute(void **state)
{
	struct place *place = begin();
	_cleanup_free_ char *path = xasprintf("%s/keys", place->directory);

	write_file(place, "keys", "[default]\naws_access_key_id=1\naws_secret_access_key=2\n");
	variable(place, "AWS_SHARED_CREDENTIALS_FILE", path);
	assert_keys(place, "1/2/-");
	write_file(place, "keys", "[default]\naws_access_key_id=3\naws_secret_access_key=4\n");
	assert_keys(place, "1/2/-");
	/* What the control plane refuses is looked for at once. */
	aws_credentials_refused(place->credentials);
	assert_keys(place, "3/4/-");
	/* While it is being replaced, the last ones are good. */
	assert_int_equal(unlink(path), 0);
	aws_credentials_refused(place->credentials);
	assert_keys(place, "3/4/-");
	end(place);
}

static void without_any_every_source_is_named(void **state)
{
	struct place *place = begin();
	char *text;

	write_file(place, ".aws/credentials", "[other]\naws_access_key_id=x\n");
	text = keys(place);
	assert_non_null(strstr(text, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
	assert_non_null(strstr(text, "shared files: there is no profile [default]"));
	free(text);
	write_file(place, ".aws/config", "[default]\ncredential_process = /bin/evil\n");
	start(place);
	text = keys(place);
	assert_non_null(strstr(text, "the agent runs no program that a file names"));
	free(text);
	end(place);
}

#define STS_ANSWER(key, expires)                                                                   \
	"<R xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Result><Credentials>"             \
	"<AccessKeyId>" key "</AccessKeyId><SecretAccessKey>s&amp;1</SecretAccessKey>"             \
	"<SessionToken>t</SessionToken><Expiration>" expires                                       \
	"</Expiration></Credentials></Result></R>"

static void a_web_identity_becomes_a_role(void **state)
{
	struct place *place = begin();
	_cleanup_free_ char *path = xasprintf("%s/token", place->directory);

	write_file(place, "token", "ey.J-h+b\n");
	variable(place, "AWS_WEB_IDENTITY_TOKEN_FILE", path);
	place->answer = STS_ANSWER("ASIA1", "2100-01-02T03:04:05Z");
	start(place);
	assert_int_equal(place->requests, 0);
	{
		char *text = keys(place);

		assert_non_null(strstr(text, "AWS_ROLE_ARN is not"));
		free(text);
	}
	variable(place, "AWS_ROLE_ARN", "arn:aws:iam::1:role/r w");
	variable(place, "AWS_ROLE_SESSION_NAME", "me");
	start(place);
	assert_keys(place, "ASIA1/s&1/t");
	assert_string_equal(place->body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
					 "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr%20w"
					 "&RoleSessionName=me&WebIdentityToken=ey.J-h%2Bb");
	assert_string_equal(place->type, "application/x-www-form-urlencoded");
	assert_null(place->authorization);
	end(place);
}

static void a_profile_assumes_a_role_with_the_keys_of_another(void **state)
{
	struct place *place = begin();

	write_file(place, ".aws/credentials",
		   "[base]\naws_access_key_id=B\naws_secret_access_key=C\n");
	write_file(place, ".aws/config",
		   "[default]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\n"
		   "external_id=e\nduration_seconds=900\n");
	place->answer = STS_ANSWER("ASIA2", "2100-01-02T03:04:05Z");
	assert_keys(place, "ASIA2/s&1/t");
	assert_string_equal(place->body,
			    "Action=AssumeRole&Version=2011-06-15"
			    "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=berth-agent"
			    "&ExternalId=e&DurationSeconds=900");
	assert_true(str_starts_with(place->authorization, "AWS4-HMAC-SHA256 Credential=B/"));
	assert_non_null(strstr(place->authorization, "/us-west-2/sts/aws4_request"));
	end(place);
}

static void a_refused_role_says_so(void **state)
{
	struct place *place = begin();
	char *text;

	write_file(place, ".aws/config",
		   "[default]\nrole_arn=arn:aws:iam::1:role/r\ncredential_source=Environment\n");
	place->sources.access_key = "";
	place->status = 403;
	place->answer = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
			"<Message>not you</Message></Error></ErrorResponse>";
	text = keys(place);
	assert_int_equal(place->requests, 0); /* there were no keys to sign with */
	free(text);
	write_file(place, ".aws/config",
		   "[default]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\n"
		   "[profile base]\naws_access_key_id=B\naws_secret_access_key=C\n");
	start(place);
	text = keys(place);
	assert_non_null(strstr(text, "assume the role arn:aws:iam::1:role/r: HTTP 403: "
				     "AccessDenied: not you"));
	free(text);
	end(place);
}

static void xml_that_is_none_is_no_key(void **state)
{
	static const char *const answers[] = {
		"",
		"<a>",
		"<a/>",
		"{}",
		"<!DOCTYPE a [<!ENTITY b \"c\">]><AccessKeyId>&b;</AccessKeyId>",
		"<R><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey></R>",
		STS_ANSWER("a", "soon"),
	};
	struct credential_set set;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		assert_int_equal(sts_read_keys(answers[i], strlen(answers[i]), &set, &err),
				 -EINVAL);
}

#define DOCUMENT(key, expires)                                                                     \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"" key                                             \
	"\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"" expires "\"}"

static void a_container_has_an_endpoint(void **state)
{
	struct place *place = begin();
	_cleanup_free_ char *url =
		xasprintf("http://127.0.0.1:%u/v2/c", web_listener_port(place->listener));
	_cleanup_free_ char *path = xasprintf("%s/token", place->directory);

	variable(place, "AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
	variable(place, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic x");
	place->sources.http = NULL; /* that may lead by a proxy */
	place->answer = DOCUMENT("ASIA3", "2100-01-02T03:04:05Z");
	assert_keys(place, "ASIA3/s/t");
	assert_string_equal(place->path, "/v2/c");
	assert_string_equal(place->authorization, "Basic x");
	write_file(place, "token", "from-file");
	variable(place, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
	start(place);
	assert_keys(place, "ASIA3/s/t");
	assert_string_equal(place->authorization, "from-file");
	end(place);
}

static void keys_do_not_go_over_plain_http_to_others(void **state)
{
	struct place *place = begin();
	char *text;

	variable(place, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/keys");
	text = keys(place);
	assert_non_null(strstr(text, "must be https, or of this host"));
	free(text);
	end(place);
}

static void an_instance_has_a_role(void **state)
{
	static const struct fake_imds_file files[] = {
		{ ROLES, 200, "my-role\nother", 0 },
		{ ROLES "my-role", 200, DOCUMENT("ASIA4", "2100-01-02T03:04:05Z"), 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place *place = begin_with(files);
	struct sigv4_credentials got;

	start(place);
	assert_int_equal(aws_credentials_get(place->credentials, &got, NULL), -EAGAIN);
	assert_keys(place, "ASIA4/s/t");
	end(place);
}

static void an_instance_without_a_role_is_no_error_of_the_service(void **state)
{
	static const struct fake_imds_file none[] = { { NULL, 0, NULL, 0 } };
	static const struct fake_imds_file odd[] = { { ROLES, 200, "../../user-data", 0 },
						     { NULL, 0, NULL, 0 } };
	struct place *place = begin_with(none);
	char *text = keys(place);

	assert_non_null(strstr(text, "instance: this instance has no role"));
	free(text);
	end(place);
	place = begin_with(odd);
	text = keys(place);
	assert_non_null(strstr(text, "instance: the instance's role has a name that is none"));
	free(text);
	end(place);
}

static bool is_second(void *data)
{
	char *text = keys(data);
	bool is = str_eq(text, "SECOND/s/t");

	free(text);
	return is;
}

static void what_expires_is_renewed_before(void **state)
{
	char soon[CLOCK_ISO8601_SIZE];
	char *first;
	struct fake_imds_file files[] = {
		{ ROLES, 200, "r", 0 },
		{ ROLES "r", 200, NULL, 1 },
		{ ROLES "r", 200, DOCUMENT("SECOND", "2100-01-02T03:04:05Z"), 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place *place;

	format_iso8601(clock_wall_ms() + 60000, soon);
	first = xasprintf("{\"AccessKeyId\":\"FIRST\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
			  "\"Expiration\":\"%s\"}",
			  soon);
	files[1].body = first;
	place = begin_with(files);
	assert_keys(place, "FIRST/s/t");
	/* Within its last five minutes it is renewed, at most every ten seconds, while it is used.
	 */
	passed_ms += 5000;
	assert_keys(place, "FIRST/s/t");
	assert_int_equal(place->imds.used[1], 1);
	passed_ms += 5000;
	fake_imds_run_until(&place->imds, is_second, place);
	end(place);
	free(first);
}

static void what_has_expired_is_not_used(void **state)
{
	static const struct fake_imds_file files[] = {
		{ ROLES, 200, "r", 0 },
		{ ROLES "r", 200, DOCUMENT("OLD", "2001-01-02T03:04:05Z"), 0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place *place = begin_with(files);
	char *text = keys(place);

	assert_non_null(strstr(text, "the AWS credentials have expired at 2001-01-02T03:04:05Z"));
	free(text);
	end(place);
}

static void a_refusal_in_the_document_is_told(void **state)
{
	static const struct fake_imds_file files[] = {
		{ ROLES, 200, "r", 0 },
		{ ROLES "r", 200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}",
		  0 },
		{ NULL, 0, NULL, 0 },
	};
	struct place *place = begin_with(files);
	char *text = keys(place);

	assert_non_null(strstr(text, "the answer has the code AssumeRoleUnauthorizedAccess: no"));
	free(text);
	end(place);
}

/* cfg-R35 for what is signed with; the order of the sources of an external instance. */
static void an_external_instance_has_the_keys_of_its_activation(void **state)
{
	static const struct fake_imds_file files[] = { { ROLES, 200, "r", 0 },
						       { NULL, 0, NULL, 0 } };
	struct place *place = begin_with(files);
	_cleanup_free_ char *path = xasprintf("%s/rotating", place->directory);

	write_file(place, ".aws/credentials",
		   "[default]\naws_access_key_id=F\naws_secret_access_key=G\n");
	write_file(place, "rotating",
		   "[default]\naws_access_key_id=no\naws_secret_access_key=no\n"
		   "[mi]\naws_access_key_id=R\naws_secret_access_key=S\naws_session_token=T\n");
	place->sources.external = true;
	place->sources.rotating_file = path;
	place->sources.rotating_profile = "mi";
	assert_keys(place, "R/S/T");
	assert_int_equal(place->imds.token_requests, 0);
	/* The activation replaces it: a minute later at the latest the new keys are used. */
	write_file(place, "rotating", "[mi]\naws_access_key_id=R2\naws_secret_access_key=S2\n");
	passed_ms += 30000;
	assert_keys(place, "R/S/T");
	passed_ms += 30000;
	assert_keys(place, "R2/S2/-");
	/* Elsewhere it is the last source, and so the shared file counts. */
	place->sources.external = false;
	start(place);
	assert_keys(place, "F/G/-");
	end(place);
}

static void the_clock_of_the_control_plane_counts(void **state)
{
	struct place *place = begin();
	char date[64];
	time_t there;

	place->sources.access_key = "A";
	place->sources.secret = "B";
	start(place);
	assert_false(aws_credentials_heard_date(place->credentials, NULL));
	assert_false(aws_credentials_heard_date(place->credentials, "yesterday or so"));
	there = time(NULL) + 30;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&there));
	assert_false(aws_credentials_heard_date(place->credentials, date));
	assert_int_equal(aws_credentials_skew_ms(place->credentials), 0);
	there = time(NULL) - 7200;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&there));
	assert_true(aws_credentials_heard_date(place->credentials, date));
	assert_false(aws_credentials_heard_date(place->credentials, date));
	assert_in_range(aws_credentials_wall_ms(place->credentials), (uint64_t)(there - 5) * 1000,
			(uint64_t)(there + 30) * 1000);
	there = time(NULL);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&there));
	assert_true(aws_credentials_heard_date(place->credentials, date));
	assert_int_equal(aws_credentials_skew_ms(place->credentials), 0);
	end(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configured_keys_go_first),
		cmocka_unit_test(shared_files_are_read_by_profile),
		cmocka_unit_test(a_file_elsewhere_is_read_again_after_a_minute),
		cmocka_unit_test(without_any_every_source_is_named),
		cmocka_unit_test(a_web_identity_becomes_a_role),
		cmocka_unit_test(a_profile_assumes_a_role_with_the_keys_of_another),
		cmocka_unit_test(a_refused_role_says_so),
		cmocka_unit_test(xml_that_is_none_is_no_key),
		cmocka_unit_test(a_container_has_an_endpoint),
		cmocka_unit_test(keys_do_not_go_over_plain_http_to_others),
		cmocka_unit_test(an_instance_has_a_role),
		cmocka_unit_test(an_instance_without_a_role_is_no_error_of_the_service),
		cmocka_unit_test(what_expires_is_renewed_before),
		cmocka_unit_test(what_has_expired_is_not_used),
		cmocka_unit_test(a_refusal_in_the_document_is_told),
		cmocka_unit_test(an_external_instance_has_the_keys_of_its_activation),
		cmocka_unit_test(the_clock_of_the_control_plane_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
