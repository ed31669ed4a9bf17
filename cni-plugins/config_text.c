/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/config_text.h"

#include <string.h>

#include "base/number.h"
#include "base/str.h"

int cni_config_text(const struct json_at *at, const char *name, const char **ret,
		    struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (json_get_string(at, name, JSON_NULLABLE, &text, &why) < 0)
		return cni_fail_with(err, CNI_INVALID_CONFIG, &why);
	*ret = str_is_empty(text) ? NULL : text;
	return 0;
}

int cni_config_missing(const char *name, struct cni_error *err)
{
	return cni_fail(err, CNI_INVALID_CONFIG, "missing required parameter in config named: '%s'",
			name);
}

int cni_config_number(const struct json_at *at, const char *name, bool must, uint64_t min,
		      uint64_t max, uint64_t *ret, struct cni_error *err)
{
	const char *text = NULL;
	struct error why;

	if (cni_config_text(at, name, &text, err) < 0)
		return -1;
	if (!text)
		return must ? cni_config_missing(name, err) : 0;
	if (number_parse_u64(text, min, max, ret, &why) < 0)
		return cni_fail(err, CNI_INVALID_CONFIG, "%s: %s", name, why.text);
	return 0;
}

int cni_config_owner(const struct json_at *at, bool must, uid_t *ret_uid, gid_t *ret_gid,
		     struct cni_error *err)
{
	uint64_t uid = 0, gid = 0;

	/* The largest number says "nobody". */
	if (cni_config_number(at, "uid", must, 0, UINT32_MAX - 1, &uid, err) < 0 ||
	    cni_config_number(at, "gid", must, 0, UINT32_MAX - 1, &gid, err) < 0)
		return -1;
	*ret_uid = (uid_t)uid;
	*ret_gid = (gid_t)gid;
	return 0;
}

static json_t *list_of(const char *text)
{
	_cleanup_str_list_ struct str_list items = STR_LIST_INIT;
	json_t *list = json_array();

	str_list_split(&items, text, ',', false);
	for (size_t i = 0; i < items.count; i++)
		json_array_append_new(list, json_string(items.items[i]));
	return list;
}

/* As Go's strconv.ParseBool; NULL: it is neither. */
static json_t *flag_of(const char *text)
{
	static const char *const words[2][6] = { { "0", "f", "F", "false", "False", "FALSE" },
						 { "1", "t", "T", "true", "True", "TRUE" } };

	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < 6; i++)
			if (str_eq(words[value][i], text))
				return json_boolean(value);
	return NULL;
}

static int override(const struct cni_override *by, const char *text, json_t *values,
		    struct cni_error *err)
{
	json_t *value = by->type == CNI_OVERRIDE_LIST   ? list_of(text)
			: by->type == CNI_OVERRIDE_FLAG ? flag_of(text)
							: json_string(text);

	if (!value)
		return cni_fail(err, CNI_BAD_ENVIRONMENT,
				"CNI_ARGS: %s: \"%.32s\" is neither true nor false", by->arg, text);
	json_object_set_new(values, by->key, value);
	return 0;
}

int cni_config_override(const char *args, const struct cni_override *overrides, size_t count,
			json_t *values, struct cni_error *err)
{
	_cleanup_str_list_ struct str_list pairs = STR_LIST_INIT;

	str_list_split(&pairs, args ? args : "", ';', false);
	for (size_t i = 0; i < pairs.count; i++) {
		char *equals = strchr(pairs.items[i], '=');

		if (!equals || strchr(equals + 1, '='))
			return cni_fail(err, CNI_BAD_ENVIRONMENT,
					"CNI_ARGS: invalid pair \"%.64s\"", pairs.items[i]);
		*equals = '\0';
		for (size_t n = 0; n < count; n++)
			if (str_eq(overrides[n].arg, pairs.items[i]) && equals[1] != '\0' &&
			    override(&overrides[n], equals + 1, values, err) < 0)
				return -1;
	}
	return 0;
}

int cni_config_read_text(const struct cni_request *request, const struct cni_override *overrides,
			 size_t count,
			 int (*read)(const struct json_at *at, bool whole, void *data,
				     struct cni_error *err),
			 void *data, json_t **ret_values, struct cni_error *err)
{
	bool is_del = request->command == CNI_COMMAND_DEL;
	struct json_at at = request->config;
	struct cni_error unused;
	int r;

	at.value = *ret_values = json_copy(request->config.value);
	r = cni_config_override(request->args, overrides, count, *ret_values,
				is_del ? &unused : err);
	if (r == 0)
		r = read(&at, cni_wants_whole(request), data, is_del ? &unused : err);
	return is_del ? 0 : r;
}
