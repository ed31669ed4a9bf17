/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void elements_stand_in_each_other(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	xml_open(&out, "a");
	xml_text(&out, "b", "text");
	xml_text(&out, "left-out", NULL);
	xml_text(&out, "empty", "");
	xml_i64(&out, "n", -7);
	xml_bool(&out, "yes", true);
	xml_close(&out, "a");
	assert_string_equal(strbuf_text(&out),
			    "<a><b>text</b><empty></empty><n>-7</n><yes>true</yes></a>");
}

static void text_cannot_become_markup(void **state)
{
	static const char *const cases[][2] = {
		{ "<b>&\"'", "&lt;b&gt;&amp;&quot;'" },
		{ "]]>", "]]&gt;" },
		{ "a\tb\nc\rd", "a\tb\nc&#13;d" },
		{ "\x01", "\xef\xbf\xbd" },
		{ "a\xff", "a\xef\xbf\xbd" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xef\xbf\xbe", "\xef\xbf\xbd" }, /* U+FFFE */
		{ "\xc3\xbc\xf0\x9f\x98\x80", "\xc3\xbc\xf0\x9f\x98\x80" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
		_cleanup_strbuf_ struct strbuf expected = STRBUF_INIT;

		xml_text(&out, "v", cases[i][0]);
		strbuf_appendf(&expected, "<v>%s</v>", cases[i][1]);
		assert_string_equal(strbuf_text(&out), strbuf_text(&expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_stand_in_each_other),
		cmocka_unit_test(text_cannot_become_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
