/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/json.h"

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	assert_ok(json_parse(text, strlen(text), NULL, &value, why));
	return value;
}

static void texts_that_are_no_json_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{ "", "line 1" },
		{ "{\"a\":1", "line 1, column 6" },
		{ "{\"a\":1} x", "line 1" },
		{ "{a:1}", "line 1" },
		{ "[1,]", "line 1" },
		{ "\"\\u0000\"", "line 1" },
		{ "\"\xff\"", "unable to decode byte 0xff" },
		{ "[99999999999999999999]", "too big integer" },
		{ "\n\n{]", "line 3" },
		{ "nul", "line 1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		json_t *value = NULL;

		assert_int_equal(
			json_parse(cases[i].text, strlen(cases[i].text), NULL, &value, &err),
			-EINVAL);
		assert_contains(err.text, cases[i].says);
		assert_null(value);
	}
}

static void size_and_depth_are_bounded(void **state)
{
	struct json_limits limits = { .size = 10, .depth = 3 };
	struct error err = ERROR_INIT;
	_cleanup_json_ json_t *taken = NULL;
	json_t *value = NULL;
	char deep[202];

	assert_int_equal(json_parse("[1234567890]", 12, &limits, &value, &err), -EFBIG);
	assert_contains(err.text, "12 bytes: at most 10");
	assert_int_equal(json_parse("[[[[]]]]", 8, &limits, &value, &err), -EFBIG);
	assert_contains(err.text, "deeper than 3");
	/* brackets within strings do not nest */
	assert_int_equal(json_parse("[\"[[\\\"[\"]", 9, &limits, &taken, &err), 0);

	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	assert_int_equal(json_parse(deep, 200, NULL, &value, &err), -EFBIG);
	assert_int_equal(json_parse(deep + 36, 128, NULL, &value, &err), 0);
	json_decref(value);
}

static void fields_are_read(void **state)
{
	_cleanup_json_ json_t *value = parse("{\"s\":\"x\",\"n\":-3,\"d\":2.5,\"b\":true,"
					     "\"l\":[\"a\",\"b\"],\"o\":{\"k\":1}}");
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	struct json_at root = json_root(value), child;
	const char *text = NULL;
	int64_t number = 0;
	double decimal = 0;
	bool flag = false;

	assert_ok(json_get_string(&root, "s", JSON_REQUIRED, &text, why));
	assert_string_equal(text, "x");
	assert_ok(json_get_i64(&root, "n", JSON_REQUIRED, -10, 10, &number, why));
	assert_int_equal(number, -3);
	assert_ok(json_get_double(&root, "d", JSON_REQUIRED, 0, 10, &decimal, why));
	assert_true(decimal == 2.5);
	assert_ok(json_get_double(&root, "n", JSON_REQUIRED, -10, 10, &decimal, why));
	assert_true(decimal == -3);
	assert_ok(json_get_bool(&root, "b", JSON_REQUIRED, &flag, why));
	assert_true(flag);
	assert_ok(json_get_string_list(&root, "l", JSON_REQUIRED, 2, &list, why));
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[1], "b");
	assert_ok(json_get_object(&root, "o", JSON_REQUIRED, &child, why));
	assert_ok(json_get_i64(&child, "k", JSON_REQUIRED, 0, 1, &number, why));
	assert_int_equal(number, 1);
}

static void absent_members_leave_what_was_preset(void **state)
{
	_cleanup_json_ json_t *value = parse("{\"null\":null}");
	struct json_at root = json_root(value), child = { .value = value };
	const char *text = "preset";
	int64_t number = 42;
	bool flag = true;

	assert_ok(json_get_string(&root, "none", JSON_OPTIONAL, &text, why));
	assert_ok(json_get_string(&root, "null", JSON_NULLABLE, &text, why));
	assert_ok(json_get_i64(&root, "none", JSON_OPTIONAL, 0, 1, &number, why));
	assert_ok(json_get_bool(&root, "null", JSON_NULLABLE, &flag, why));
	assert_ok(json_get_array(&root, "none", JSON_OPTIONAL, 1, &child, why));
	assert_string_equal(text, "preset");
	assert_int_equal(number, 42);
	assert_true(flag);
	assert_false(json_present(&child));
	assert_int_equal(json_count(&child), 0);
}

enum reader { STRING, INTEGER, DOUBLE, BOOLEAN, OBJECT, ARRAY, STRINGS };

static int read_as(enum reader reader, const struct json_at *root, unsigned flags,
		   struct error *err)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	struct json_at child;
	const char *text;
	int64_t number;
	double decimal;
	bool flag;

	switch (reader) {
	case STRING:
		return json_get_string(root, "f", flags, &text, err);
	case INTEGER:
		return json_get_i64(root, "f", flags, 1, 9, &number, err);
	case DOUBLE:
		return json_get_double(root, "f", flags, 1, 9, &decimal, err);
	case BOOLEAN:
		return json_get_bool(root, "f", flags, &flag, err);
	case OBJECT:
		return json_get_object(root, "f", flags, &child, err);
	case ARRAY:
		return json_get_array(root, "f", flags, 2, &child, err);
	case STRINGS:
		return json_get_string_list(root, "f", flags, 2, &list, err);
	}
	return 0;
}

static void refusals_name_the_field_and_the_reason(void **state)
{
	static const struct {
		const char *text;
		enum reader reader;
		unsigned flags;
		const char *says;
	} cases[] = {
		{ "{}", STRING, JSON_REQUIRED, "f: is missing" },
		{ "{\"f\":1}", STRING, 0, "f: must be a string, got a number" },
		{ "{\"f\":null}", STRING, 0, "f: must be a string, got null" },
		{ "{\"f\":\"\"}", STRING, JSON_NOT_EMPTY, "f: must not be empty" },
		{ "{\"f\":\"1\"}", INTEGER, 0, "f: must be a number, got a string" },
		{ "{\"f\":1.5}", INTEGER, 0, "f: must be a whole number, got 1.5" },
		{ "{\"f\":10}", INTEGER, 0, "f: must be between 1 and 9, got 10" },
		{ "{\"f\":true}", DOUBLE, 0, "f: must be a number, got a boolean" },
		{ "{\"f\":9.5}", DOUBLE, 0, "f: must be between 1 and 9, got 9.5" },
		{ "{\"f\":0}", BOOLEAN, 0, "f: must be a boolean, got a number" },
		{ "{\"f\":[]}", OBJECT, 0, "f: must be an object, got an array" },
		{ "{\"f\":{}}", OBJECT, JSON_NOT_EMPTY, "f: must not be empty" },
		{ "{\"f\":{}}", ARRAY, 0, "f: must be an array, got an object" },
		{ "{\"f\":[1,2,3]}", ARRAY, 0, "f: has 3 items, at most 2 are taken" },
		{ "{\"f\":[]}", ARRAY, JSON_NOT_EMPTY, "f: must not be empty" },
		{ "{\"f\":[\"a\",{}]}", STRINGS, 0, "f[1]: must be a string, got an object" },
		{ "[]", STRING, JSON_REQUIRED, "must be an object, got an array" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ json_t *value = parse(cases[i].text);
		struct json_at root = json_root(value);
		struct error err = ERROR_INIT;

		assert_int_equal(read_as(cases[i].reader, &root, cases[i].flags, &err), -EINVAL);
		assert_string_equal(err.text, cases[i].says);
	}
}

static void paths_name_every_step(void **state)
{
	_cleanup_json_ json_t *value =
		parse("{\"containers\":[{},{},{\"ports\":[{\"p\":\"x\"}]}]}");
	struct json_at root = json_root(value), containers, container, ports, port;
	struct error err = ERROR_INIT;
	int64_t number;

	assert_ok(json_get_array(&root, "containers", 0, 9, &containers, why));
	container = json_item(&containers, 2);
	assert_ok(json_get_array(&container, "ports", 0, 9, &ports, why));
	port = json_item(&ports, 0);
	assert_int_equal(json_get_i64(&port, "p", 0, 0, 9, &number, &err), -EINVAL);
	assert_string_equal(err.text, "containers[2].ports[0].p: must be a number, got a string");
}

/* acs 1.10: member names are matched case-insensitively */
static void names_match_in_any_case_when_asked(void **state)
{
	_cleanup_json_ json_t *value = parse("{\"MESSAGEID\":\"m\",\"messageid\":\"n\"}");
	struct json_at root = json_root(value);
	const char *text = NULL;

	assert_ok(json_get_string(&root, "messageid", JSON_ANY_CASE, &text, why));
	assert_string_equal(text, "n");
	text = NULL;
	assert_ok(json_get_string(&root, "messageId", JSON_ANY_CASE, &text, why));
	assert_non_null(text);
	text = NULL;
	assert_ok(json_get_string(&root, "messageId", 0, &text, why));
	assert_null(text);
}

static int collect(void *data, const char *key, const char *value)
{
	strbuf_appendf(data, "%s=%s;", key, value);
	return 0;
}

static int stop_at_once(void *data, const char *key, const char *value)
{
	strbuf_append(data, key);
	return -ECANCELED;
}

static void maps_are_given_in_order_or_not_at_all(void **state)
{
	_cleanup_json_ json_t *value =
		parse("{\"m\":{\"b\":\"1\",\"a\":\"2\"},\"bad\":{\"x\":\"1\",\"y\":2}}");
	_cleanup_strbuf_ struct strbuf seen = STRBUF_INIT;
	struct json_at root = json_root(value);
	struct error err = ERROR_INIT;

	assert_ok(json_get_string_map(&root, "m", 0, 2, collect, &seen, why));
	assert_string_equal(seen.data, "b=1;a=2;");
	strbuf_reset(&seen);
	assert_int_equal(json_get_string_map(&root, "bad", 0, 2, collect, &seen, &err), -EINVAL);
	assert_string_equal(err.text, "bad.y: must be a string, got a number");
	assert_int_equal(json_get_string_map(&root, "m", 0, 1, collect, &seen, &err), -EINVAL);
	assert_string_equal(err.text, "m: has 2 members, at most 1 are taken");
	assert_string_equal(strbuf_text(&seen), "");
	assert_int_equal(json_get_string_map(&root, "m", 0, 2, stop_at_once, &seen, &err),
			 -ECANCELED);
	assert_string_equal(strbuf_text(&seen), "b");
}

static void what_is_written_reads_back(void **state)
{
	_cleanup_json_ json_t *value = parse("{\"z\":[1,-2.5,1700000000.12,true,false,null],\"a\":{"
					     "\"t\":\"<\\n\\u00e9>\"},\"e\":{}}");
	_cleanup_free_ char *as_is = json_dump_compact(value);
	_cleanup_free_ char *sorted = json_dump_sorted(value);
	_cleanup_json_ json_t *again = parse(sorted);

	assert_string_equal(as_is, "{\"z\":[1,-2.5,1700000000.12,true,false,null],"
				   "\"a\":{\"t\":\"\\u003c\\n\xc3\xa9\\u003e\"},\"e\":{}}");
	assert_string_equal(sorted, "{\"a\":{\"t\":\"\\u003c\\n\xc3\xa9\\u003e\"},\"e\":{},"
				    "\"z\":[1,-2.5,1700000000.12,true,false,null]}");
	assert_true(json_equal(value, again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_are_no_json_are_refused),
		cmocka_unit_test(size_and_depth_are_bounded),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(absent_members_leave_what_was_preset),
		cmocka_unit_test(refusals_name_the_field_and_the_reason),
		cmocka_unit_test(paths_name_every_step),
		cmocka_unit_test(names_match_in_any_case_when_asked),
		cmocka_unit_test(maps_are_given_in_order_or_not_at_all),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
