/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include <cmocka.h>

#include "runtime/capability.h"

#define LIST(...)       ((const char *const[]){ __VA_ARGS__, NULL })
#define BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t everything = (UINT64_C(1) << (CAP_LAST_CAP + 1)) - 1;

static uint64_t choose(const char *const *add, const char *const *drop, uint64_t host)
{
	struct error err = ERROR_INIT;
	uint64_t set;

	if (capability_choose(add, drop, false, host, &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

static void the_default_is_dockers(void **state)
{
	(void)state;
	assert_true(capability_default_set() == UINT64_C(0xa80425fb));
	assert_true(choose(NULL, NULL, everything) == UINT64_C(0xa80425fb));
}

static void adding_and_dropping(void **state)
{
	(void)state;
	uint64_t set = choose(LIST("NET_ADMIN", "cap_sys_time"), LIST("KILL"), everything);

	assert_true(set == ((UINT64_C(0xa80425fb) | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_TIME)) &
			    ~BIT(CAP_KILL)));
	/* ALL, either way. */
	assert_true(choose(LIST("ALL"), NULL, everything) == everything);
	assert_true(choose(LIST("ALL"), LIST("SYS_ADMIN"), everything) ==
		    (everything & ~BIT(CAP_SYS_ADMIN)));
	assert_true(choose(NULL, LIST("ALL"), everything) == 0);
	assert_true(choose(LIST("CHOWN"), LIST("all"), everything) == BIT(CAP_CHOWN));
}

/* A host that may not give CAP_SYS_RESOURCE: what was asked for by name is refused, what came with
 * "all" is left out. */
static void a_host_gives_only_what_it_has(void **state)
{
	(void)state;
	uint64_t host = everything & ~BIT(CAP_SYS_RESOURCE) & ~BIT(CAP_MKNOD), set;
	struct error err = ERROR_INIT;

	assert_true(choose(LIST("ALL"), NULL, host) == host);
	assert_true(choose(NULL, NULL, host) == (UINT64_C(0xa80425fb) & ~BIT(CAP_MKNOD)));
	assert_int_equal(capability_choose(NULL, NULL, true, host, &set, &err), 0);
	assert_true(set == host);
	assert_int_equal(capability_choose(LIST("SYS_RESOURCE"), NULL, false, host, &set, &err),
			 -EPERM);
	assert_non_null(strstr(err.text, "cap_sys_resource"));
}

static void unknown_names_are_refused(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	uint64_t set;

	assert_int_equal(capability_choose(LIST("FLY"), NULL, false, everything, &set, &err),
			 -EINVAL);
	assert_string_equal(err.text, "invalid CapAdd: unknown capability: \"CAP_FLY\"");
	assert_int_equal(capability_choose(NULL, LIST("21"), false, everything, &set, &err),
			 -EINVAL);
	assert_string_equal(err.text, "invalid CapDrop: unknown capability: \"CAP_21\"");
	assert_int_equal(capability_choose(LIST(""), NULL, false, everything, &set, &err), -EINVAL);
}

static void sets_are_written_by_name(void **state)
{
	(void)state;
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	capability_append_json(&sb, BIT(CAP_CHOWN) | BIT(CAP_NET_BIND_SERVICE));
	assert_string_equal(sb.data, "[\"CAP_CHOWN\",\"CAP_NET_BIND_SERVICE\"]");
	strbuf_reset(&sb);
	capability_append_json(&sb, 0);
	assert_string_equal(sb.data, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_dockers),
		cmocka_unit_test(adding_and_dropping),
		cmocka_unit_test(a_host_gives_only_what_it_has),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(sets_are_written_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
