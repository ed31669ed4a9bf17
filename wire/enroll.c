/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"

#define PREFIX "berth1-"

/* `size` - 1 lower-case hex digits at *at, which moves behind them and one `end`. */
static bool take_hex(const char **at, char end, char *out, size_t size)
{
	size_t length = strspn(*at, "0123456789abcdef");

	if (length != size - 1 || (*at)[length] != end)
		return false;
	memcpy(out, *at, length);
	out[length] = '\0';
	*at += length + (end != '\0');
	return true;
}

int enroll_token_parse(const char *text, struct enroll_token *ret, struct error *err)
{
	_cleanup_free_ char *copy = NULL;
	struct enroll_token token = { .id = "" };
	const char *at;
	size_t length;
	bool ok;

	text += strspn(text, " \t\r\n");
	length = strcspn(text, " \t\r\n");
	ok = text[length + strspn(text + length, " \t\r\n")] == '\0';
	copy = xstrndup(text, length);
	at = copy;
	ok = ok && str_starts_with(at, PREFIX);
	if (ok) {
		at += strlen(PREFIX);
		ok = take_hex(&at, '-', token.id, sizeof(token.id)) &&
		     take_hex(&at, '-', token.secret, sizeof(token.secret)) &&
		     take_hex(&at, '\0', token.fingerprint, sizeof(token.fingerprint));
	}
	explicit_bzero(copy, length);
	if (!ok)
		return error_say(err, EINVAL,
				 "the token is none: berth-control token create prints one, which "
				 "begins with " PREFIX);
	*ret = token;
	explicit_bzero(&token, sizeof(token));
	return 0;
}

char *enroll_token_format(const struct enroll_token *token)
{
	return xasprintf(PREFIX "%s-%s-%s", token->id, token->secret, token->fingerprint);
}

char *enroll_encode_request(const struct enroll_request *request)
{
	_cleanup_json_ json_t *body =
		json_pack("{s:s, s:s}", "name", request->name, "request", request->request);

	if (*request->token_id) {
		json_object_set_new(body, "tokenId", json_string(request->token_id));
		json_object_set_new(body, "tokenSecret", json_string(request->token_secret));
	}
	return json_dump_compact(body);
}

void enroll_request_clear(struct enroll_request *request)
{
	explicit_bzero(request->token_secret, sizeof(request->token_secret));
	free(request->name);
	free(request->request);
	*request = (struct enroll_request){ .name = NULL };
}

/* For a log and a terminal. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static int read_hex(const struct json_at *root, const char *name, char *out, size_t size,
		    struct error *err)
{
	const char *text = NULL;
	int r = json_get_string(root, name, JSON_REQUIRED, &text, err);

	if (r == 0 && !take_hex(&text, '\0', out, size))
		r = error_say(err, EINVAL, "%s: must be %zu hex digits", name, size - 1);
	return r;
}

static int read_request(const struct json_at *root, bool with_token, struct enroll_request *request,
			struct error *err)
{
	const char *name = "";
	const char *text = NULL;
	int r = 0;

	if (with_token) {
		r = read_hex(root, "tokenId", request->token_id, sizeof(request->token_id), err);
		if (r == 0)
			r = read_hex(root, "tokenSecret", request->token_secret,
				     sizeof(request->token_secret), err);
	}
	if (r == 0)
		r = json_get_string(root, "name", JSON_OPTIONAL, &name, err);
	if (r == 0)
		r = json_get_string(root, "request", JSON_REQUIRED, &text, err);
	if (r < 0)
		return r;
	if (strlen(name) > ENROLL_NAME_MAX || !is_printable(name))
		return error_say(err, EINVAL, "name: must be at most %d printable characters",
				 ENROLL_NAME_MAX);
	if (!text || strlen(text) > CERTIFICATE_REQUEST_LIMIT)
		return error_say(err, EINVAL, "request: must be at most %zu characters",
				 CERTIFICATE_REQUEST_LIMIT);
	request->name = xstrdup(name);
	request->request = xstrdup(text);
	return 0;
}

int enroll_decode_request(const char *body, size_t size, bool with_token,
			  struct enroll_request *ret, struct error *err)
{
	static const struct json_limits limits = { .size = ENROLL_BODY_LIMIT, .depth = 4 };
	struct enroll_request request = { .name = NULL };
	_cleanup_json_ json_t *value = NULL;
	struct json_at root;
	int r = json_parse(body, size, &limits, &value, err);

	if (r == 0 && !json_is_object(value))
		r = error_say(err, EINVAL, "the body is no JSON object");
	if (r == 0) {
		root = json_root(value);
		r = read_request(&root, with_token, &request, err);
	}
	if (r < 0) {
		enroll_request_clear(&request);
		return -EINVAL;
	}
	*ret = request;
	return 0;
}

char *enroll_encode_answer(const char *identity, const char *certificate)
{
	_cleanup_json_ json_t *body =
		json_pack("{s:s, s:s}", "identity", identity, "certificate", certificate);

	return json_dump_compact(body);
}

int enroll_decode_answer(const char *body, size_t size, char **ret_certificate, struct error *err)
{
	static const struct json_limits limits = { .size = 2 * CERTIFICATE_TEXT_LIMIT, .depth = 4 };
	_cleanup_json_ json_t *value = NULL;
	const char *text = NULL;
	struct error why = ERROR_INIT;
	struct json_at root;
	int r = json_parse(body, size, &limits, &value, &why);

	if (r == 0 && !json_is_object(value))
		r = error_say(&why, EINVAL, "it is no JSON object");
	if (r == 0) {
		root = json_root(value);
		r = json_get_string(&root, "certificate", JSON_REQUIRED, &text, &why);
	}
	if (r < 0)
		return error_say(err, EBADMSG, "the answer to the enrolment: %s", why.text);
	*ret_certificate = xstrdup(text);
	return 0;
}
