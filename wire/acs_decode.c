/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "wire/acs.h"
#include "wire/acs_body.h"
#include "wire/acs_type.h"
#include "wire/envelope.h"

bool acs_is_activity(int result)
{
	return result == 0 || result == -EINVAL;
}

void acs_message_free(struct acs_message *message)
{
	if (!message)
		return;
	if (message->type == ACS_PAYLOAD) {
		for (size_t i = 0; i < message->payload.task_count; i++) {
			task_spec_unref(message->payload.tasks[i].spec);
			task_credentials_clear(&message->payload.tasks[i].credentials);
		}
	}
	if (message->type == ACS_CREDENTIALS)
		role_credentials_free(message->credentials.credentials);
	arena_free(message->arena);
	free(message);
}

/* {"InactiveInstanceException": "gone"}: an error without an envelope. */
static bool bare_error(const json_t *root, enum acs_type *ret_type, const char **ret_text)
{
	const char *key;
	json_t *value;

	if (json_object_size(root) != 1)
		return false;
	json_object_foreach ((json_t *)root, key, value) {
		if (json_is_string(value) && acs_type_parse(key, ret_type) &&
		    acs_type_is_error(*ret_type)) {
			*ret_text = json_string_value(value);
			return true;
		}
	}
	return false;
}

int acs_decode(const char *text, size_t size, struct acs_message **ret_message, struct error *err)
{
	_cleanup_envelope_ struct envelope envelope = ENVELOPE_INIT;
	_cleanup_(acs_message_free_cleanup) struct acs_message *message = NULL;
	struct error why = ERROR_INIT;
	const char *bare = NULL;
	enum acs_type type;
	int result = envelope_parse(text, size, ACS_MESSAGE_LIMIT, &envelope, &why);

	if (result < 0)
		return error_say(err, -result, "%s", why.text);
	if (envelope.type && !acs_type_parse(envelope.type, &type))
		return error_say(err, ENOMSG, "unknown message type \"%s\"", envelope.type);
	if (!envelope.type && !bare_error(envelope.root, &type, &bare))
		return error_say(err, EBADMSG, "the message has no type");
	if (envelope.type && !envelope.message)
		return error_say(err, EBADMSG, "%s without a message", envelope.type);
	message = xcalloc(1, sizeof(*message));
	message->arena = arena_new();
	message->type = type;
	if (bare) {
		message->text = arena_strdup(message->arena, bare);
	} else {
		struct json_at at = json_root(envelope.message);

		result = acs_body_decode(&at, message, &why);
		if (result < 0)
			return error_say(err, -result, "%s: %s", envelope.type, why.text);
	}
	*ret_message = TAKE(message);
	return 0;
}

/* {"__type": "prefix#Name", "message": "..."}, as the API answers. */
static bool typed_error(const json_t *root, enum acs_type *ret_type, const char **ret_text)
{
	struct json_at at = json_root((json_t *)root);
	const char *type = NULL;
	const char *hash;

	if (json_get_string(&at, "__type", JSON_ANY_CASE | JSON_NULLABLE, &type, NULL) < 0 || !type)
		return false;
	hash = strrchr(type, '#');
	if (!acs_type_parse(hash ? hash + 1 : type, ret_type) || !acs_type_is_error(*ret_type))
		return false;
	*ret_text = "";
	json_get_string(&at, "message", JSON_ANY_CASE | JSON_NULLABLE, ret_text, NULL);
	return true;
}

int acs_decode_refusal(const char *body, size_t size, enum acs_type *ret_type, char **ret_text,
		       struct error *err)
{
	_cleanup_envelope_ struct envelope envelope = ENVELOPE_INIT;
	const char *text = "";
	enum acs_type type;
	struct json_at at = { .value = NULL };

	if (envelope_parse(body, size, ACS_MESSAGE_LIMIT, &envelope, err) < 0)
		return -EBADMSG;
	if (envelope.type && envelope.message && acs_type_parse(envelope.type, &type) &&
	    acs_type_is_error(type)) {
		at = json_root(envelope.message);
		if (json_get_string(&at, "message", JSON_ANY_CASE | JSON_NULLABLE, &text, NULL) < 0)
			text = "";
	} else if (!bare_error(envelope.root, &type, &text) &&
		   !typed_error(envelope.root, &type, &text)) {
		return error_say(err, EBADMSG, "the body is no error of the protocol");
	}
	*ret_type = type;
	*ret_text = xasprintf("%s: %s", acs_type_name(type), text);
	return 0;
}
