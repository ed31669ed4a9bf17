/* SPDX-License-Identifier: Apache-2.0 */
/* Values from text and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/number.h"
#include "base/str.h"

#define LIST_MAX 4096

static void *place_of(const struct setting *setting, const struct agent_config *config)
{
	return (char *)(uintptr_t)config + setting->offset;
}

/* The sentence that every refusal of a value ends in. */
static int refuse(const struct setting *setting, const char *text, struct error *err)
{
	_cleanup_strbuf_ struct strbuf allowed = STRBUF_INIT;

	config_value_allowed(setting, &allowed);
	if (setting->secret)
		return error_say(err, EINVAL, "%s: the value (not shown) is not allowed: give %s",
				 setting->name, strbuf_text(&allowed));
	return error_say(err, EINVAL, "%s: \"%.200s\" is not allowed: give %s", setting->name, text,
			 strbuf_text(&allowed));
}

static int bool_parse(const char *text, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
	_cleanup_free_ char *word = str_trim(text);

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_eq(word, yes[i])) {
			*ret = true;
			return 0;
		}
		if (str_eq(word, no[i])) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

/* The first JSON value in `text`, as the reference reads it: what follows does not matter. */
static json_t *first_json(const char *text)
{
	return json_loads(text, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, NULL);
}

static int ports_parse(const char *text, struct config_ports *ret)
{
	_cleanup_json_ json_t *json = first_json(text);
	struct config_ports ports = { 0 };
	json_t *item;
	size_t i;

	if (!json_is_array(json) || json_array_size(json) > LIST_MAX)
		return -EINVAL;
	ports.items = xcalloc(json_array_size(json) + 1, sizeof(*ports.items));
	json_array_foreach (json, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0 ||
		    json_integer_value(item) > UINT16_MAX) {
			free(ports.items);
			return -EINVAL;
		}
		ports.items[ports.count++] = (uint16_t)json_integer_value(item);
	}
	*ret = ports;
	return 0;
}

static int map_parse(const char *text, struct config_map *ret)
{
	_cleanup_json_ json_t *json = NULL;
	struct config_map map = { 0 };
	struct json_at root;
	const char *name;
	json_t *value;

	if (json_parse(text, strlen(text), NULL, &json, NULL) < 0)
		return -EINVAL;
	root = json_root(json);
	if (json_expect_object(&root, NULL) < 0 || json_object_size(json) > LIST_MAX)
		return -EINVAL;
	json_object_foreach (json, name, value) {
		if (!json_is_string(value) && !json_is_null(value)) {
			config_map_free(&map);
			return -EINVAL;
		}
		config_map_set(&map, name, json_is_string(value) ? json_string_value(value) : "");
	}
	*ret = map;
	return 0;
}

static bool is_choice(const struct setting *setting, const char *word)
{
	if (!setting->choices)
		return true;
	for (size_t i = 0; setting->choices[i]; i++)
		if (str_eq(setting->choices[i], word))
			return true;
	return false;
}

/* A name that is not known is a mistake (-ENOENT), a malformed
 * list is not. */
static int strings_parse(const struct setting *setting, const char *text, struct str_list *ret,
			 struct error *err)
{
	_cleanup_json_ json_t *json = first_json(text);
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	_cleanup_str_list_ struct str_list unknown = STR_LIST_INIT;
	json_t *item;
	size_t i;

	if (!json_is_array(json) || json_array_size(json) > LIST_MAX)
		return refuse(setting, text, err);
	json_array_foreach (json, i, item) {
		const char *word = json_string_value(item);

		if (!word)
			return refuse(setting, text, err);
		if (!is_choice(setting, word))
			str_list_add(&unknown, word);
		str_list_add(&list, word);
	}
	if (unknown.count > 0) {
		_cleanup_free_ char *names = str_list_join(&unknown, ", ");
		_cleanup_strbuf_ struct strbuf allowed = STRBUF_INIT;

		config_value_allowed(setting, &allowed);
		error_say(err, ENOENT, "%s: \"%.200s\" is not known: give %s", setting->name, names,
			  strbuf_text(&allowed));
		return -ENOENT;
	}
	*ret = list;
	list = (struct str_list)STR_LIST_INIT;
	return 0;
}

static void comma_list_parse(const char *text, struct str_list *ret)
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;

	str_list_split(&parts, text, ',', false);
	for (size_t i = 0; i < parts.count; i++) {
		char *part = str_trim(parts.items[i]);

		if (*part)
			str_list_add_owned(ret, part);
		else
			free(part);
	}
}

/* "steady,burst" */
static int rate_parse(const char *text, int64_t ret[2])
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	int64_t rate[2];

	str_list_split(&parts, text, ',', true);
	if (parts.count != 2)
		return -EINVAL;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *half = str_trim(parts.items[i]);

		if (number_parse_i64(half, 1, 1000000, &rate[i], NULL) < 0)
			return -EINVAL;
	}
	ret[0] = rate[0];
	ret[1] = rate[1];
	return 0;
}

static int port_range_parse(const char *text, int64_t ret[2])
{
	_cleanup_str_list_ struct str_list parts = STR_LIST_INIT;
	int64_t range[2];

	if (str_is_empty(text)) {
		ret[0] = ret[1] = 0;
		return 0;
	}
	str_list_split(&parts, text, '-', true);
	if (parts.count == 1)
		str_list_add(&parts, parts.items[0]);
	if (parts.count != 2)
		return -EINVAL;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *half = str_trim(parts.items[i]);

		if (number_parse_i64(half, 1, UINT16_MAX, &range[i], NULL) < 0)
			return -EINVAL;
	}
	if (range[0] > range[1])
		return -EINVAL;
	ret[0] = range[0];
	ret[1] = range[1];
	return 0;
}

static int duration_value_parse(const struct setting *setting, const char *text, int64_t *ret_ms,
				char **ret_note, struct error *err)
{
	_cleanup_free_ char *word = str_trim(text);
	_cleanup_strbuf_ struct strbuf allowed = STRBUF_INIT;
	int64_t ns, fallback_ns = 0;

	if (config_duration_parse(word, &ns, NULL) < 0)
		return refuse(setting, text, err);
	if (config_duration_parse(setting->fallback, &fallback_ns, NULL) < 0)
		return refuse(setting, setting->fallback, err);
	if (ns == 0) { /* as if it were not set */
		*ret_ms = fallback_ns / 1000000;
		return 0;
	}
	if (setting->max > 0 && ns > setting->max * 1000000)
		return refuse(setting, text, err);
	if (ns / 1000000 >= setting->min && ns > 0) {
		*ret_ms = ns / 1000000;
		return 0;
	}
	if (setting->below == BELOW_IS_BAD)
		return refuse(setting, text, err);
	*ret_ms = setting->below == BELOW_IS_MINIMUM ? setting->min : fallback_ns / 1000000;
	if (ret_note) {
		struct strbuf used = STRBUF_INIT;

		config_value_allowed(setting, &allowed);
		config_duration_format(*ret_ms, &used);
		*ret_note =
			xasprintf("%s: \"%.200s\" is too short: give %s; %s is used", setting->name,
				  text, strbuf_text(&allowed), strbuf_text(&used));
		strbuf_free(&used);
	}
	return 0;
}

static int choice_parse(const struct setting *setting, const char *text, int *ret,
			struct error *err)
{
	_cleanup_free_ char *word = str_trim(text);

	for (int i = 0; setting->choices[i]; i++) {
		bool same = setting->any_case ? str_eq_nocase(word, setting->choices[i])
					      : str_eq(word, setting->choices[i]);

		if (same) {
			*ret = i;
			return 0;
		}
	}
	return refuse(setting, text, err);
}

int config_value_parse(const struct setting *setting, const char *text, struct agent_config *config,
		       char **ret_note, struct error *err)
{
	void *place = place_of(setting, config);
	_cleanup_free_ char *word = NULL;

	switch (setting->type) {
	case SETTING_STRING:
		*(char **)place = xstrdup(text);
		return 0;
	case SETTING_TRIMMED:
		*(char **)place = str_trim(text);
		return 0;
	case SETTING_BOOL:
		return bool_parse(text, place) < 0 ? refuse(setting, text, err) : 0;
	case SETTING_DURATION:
		return duration_value_parse(setting, text, place, ret_note, err);
	case SETTING_INTEGER:
		word = str_trim(text);
		if (*word == '\0' && *setting->fallback == '\0') {
			*(int64_t *)place = 0;
			return 0;
		}
		if (number_parse_i64(word, setting->min, setting->max, place, NULL) < 0)
			return refuse(setting, text, err);
		return 0;
	case SETTING_NUMBER:
		word = str_trim(text);
		if (number_parse_double(word, (double)setting->min, (double)setting->max, place,
					NULL) < 0)
			return refuse(setting, text, err);
		return 0;
	case SETTING_CHOICE:
		return choice_parse(setting, text, place, err);
	case SETTING_PORTS:
		return ports_parse(text, place) < 0 ? refuse(setting, text, err) : 0;
	case SETTING_MAP:
		if (*text == '\0')
			return 0;
		return map_parse(text, place) < 0 ? refuse(setting, text, err) : 0;
	case SETTING_NAMES:
		if (*text == '\0')
			return 0;
		return strings_parse(setting, text, place, err);
	case SETTING_COMMA_LIST:
		comma_list_parse(text, place);
		return 0;
	case SETTING_RATE:
		return rate_parse(text, place) < 0 ? refuse(setting, text, err) : 0;
	case SETTING_PORT_RANGE:
		return port_range_parse(text, place) < 0 ? refuse(setting, text, err) : 0;
	}
	return error_say(err, EINVAL, "%s: the setting has no parser", setting->name);
}

bool config_value_is_absent(const struct setting *setting, const char *text,
			    const struct agent_config *config)
{
	const void *place = place_of(setting, config);
	_cleanup_free_ char *word = str_trim(text);
	int64_t ns;

	switch (setting->type) {
	case SETTING_PORTS:
		return ((const struct config_ports *)place)->count == 0;
	case SETTING_NAMES:
	case SETTING_COMMA_LIST:
		return ((const struct str_list *)place)->count == 0;
	case SETTING_MAP:
		return ((const struct config_map *)place)->count == 0;
	case SETTING_DURATION:
		return config_duration_parse(word, &ns, NULL) == 0 && ns == 0;
	case SETTING_BOOL:
		return setting->plain && !*(const bool *)place;
	case SETTING_INTEGER:
		return setting->json && *(const int64_t *)place == 0;
	case SETTING_TRIMMED:
		/* What must be given is not looked for further down. */
		return *word == '\0' && !setting->empty_counts && !setting->required;
	default:
		return false;
	}
}

static size_t size_of(enum setting_type type)
{
	switch (type) {
	case SETTING_STRING:
	case SETTING_TRIMMED:
		return sizeof(char *);
	case SETTING_BOOL:
		return sizeof(bool);
	case SETTING_DURATION:
	case SETTING_INTEGER:
		return sizeof(int64_t);
	case SETTING_NUMBER:
		return sizeof(double);
	case SETTING_CHOICE:
		return sizeof(int);
	case SETTING_PORTS:
		return sizeof(struct config_ports);
	case SETTING_NAMES:
	case SETTING_COMMA_LIST:
		return sizeof(struct str_list);
	case SETTING_MAP:
		return sizeof(struct config_map);
	case SETTING_RATE:
	case SETTING_PORT_RANGE:
		return 2 * sizeof(int64_t);
	}
	return 0;
}

void config_value_swap(const struct setting *setting, struct agent_config *a,
		       struct agent_config *b)
{
	unsigned char *one = place_of(setting, a), *other = place_of(setting, b);

	for (size_t i = 0; i < size_of(setting->type); i++) {
		unsigned char byte = one[i];

		one[i] = other[i];
		other[i] = byte;
	}
}

bool config_value_equal(const struct setting *setting, const struct agent_config *a,
			const struct agent_config *b)
{
	_cleanup_strbuf_ struct strbuf one = STRBUF_INIT, other = STRBUF_INIT;

	if (setting->type == SETTING_STRING || setting->type == SETTING_TRIMMED)
		return str_eq(*(char **)place_of(setting, a), *(char **)place_of(setting, b));
	config_value_format(setting, a, &one);
	config_value_format(setting, b, &other);
	return str_eq(strbuf_text(&one), strbuf_text(&other));
}

void config_value_free(const struct setting *setting, struct agent_config *config)
{
	void *place = place_of(setting, config);

	switch (setting->type) {
	case SETTING_STRING:
	case SETTING_TRIMMED:
		if (setting->secret && *(char **)place)
			explicit_bzero(*(char **)place, strlen(*(char **)place));
		free(*(char **)place);
		*(char **)place = NULL;
		return;
	case SETTING_PORTS:
		free(((struct config_ports *)place)->items);
		*(struct config_ports *)place = (struct config_ports){ 0 };
		return;
	case SETTING_MAP:
		config_map_free(place);
		return;
	case SETTING_NAMES:
	case SETTING_COMMA_LIST:
		str_list_free(place);
		return;
	default:
		return;
	}
}
