/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_line.h"

#include <errno.h>

#include "base/str.h"

int log_line_parse(const char *data, size_t size, struct log_line *ret, struct error *err)
{
	json_error_t why;
	/* Not by base/json.h, which refuses NUL: a container may write any byte. */
	json_t *value = json_loadb(data, size, JSON_ALLOW_NUL, &why);
	const json_t *text = json_object_get(value, "log");
	const char *stream = json_string_value(json_object_get(value, "stream"));
	const char *time = json_string_value(json_object_get(value, "time"));

	if (!json_is_string(text) || !(str_eq(stream, "stdout") || str_eq(stream, "stderr"))) {
		error_say(err, EINVAL, "a line of the log is no record of text and stream%s%s",
			  value ? "" : ": ", value ? "" : why.text);
		json_decref(value);
		return -EINVAL;
	}
	*ret = (struct log_line){
		.value = value,
		.text = json_string_value(text),
		.size = json_string_length(text),
		.is_stderr = str_eq(stream, "stderr"),
		.time = time ? time : "",
	};
	return 0;
}

void log_line_free(struct log_line *line)
{
	json_decref(line->value);
	*line = (struct log_line){ 0 };
}
