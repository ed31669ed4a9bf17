/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include <errno.h>

#include "wire/reader.h"

int envelope_parse(const char *text, size_t size, size_t limit, struct envelope *ret,
		   struct error *err)
{
	const struct json_limits limits = { .size = limit };
	_cleanup_json_ json_t *root = NULL;
	struct json_at at = { .value = NULL };
	struct json_at message = { .value = NULL };
	const char *type = NULL;
	int result = json_parse(text, size, &limits, &root, err);

	if (result < 0)
		return error_say(err, EBADMSG, "%s", err ? err->text : "");
	at = json_root(root);
	result = read_is_object(&at, err);
	if (result < 0)
		return result;
	if (json_get_string(&at, "type", JSON_ANY_CASE | JSON_NULLABLE, &type, err) < 0)
		return error_say(err, EBADMSG, "%s", err ? err->text : "");
	message = json_member(&at, "message", JSON_ANY_CASE);
	if (json_is_null(message.value))
		ret->message = json_object();
	else if (json_is_object(message.value))
		ret->message = json_incref(message.value);
	else if (message.value && type)
		return error_say(err, EBADMSG, "message: must be an object");
	ret->type = type;
	ret->root = json_incref(root);
	return 0;
}

void envelope_clear(struct envelope *envelope)
{
	if (envelope->message)
		json_decref(envelope->message);
	if (envelope->root)
		json_decref(envelope->root);
	*envelope = (struct envelope)ENVELOPE_INIT;
}
