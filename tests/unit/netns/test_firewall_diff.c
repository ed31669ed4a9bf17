/* SPDX-License-Identifier: Apache-2.0 */
/* What changes between two states of the firewall, and in which order. */
#include "netns/firewall_diff.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "firewall_text.h"

static void expect(const char *old, const char *wanted, const char *steps)
{
	struct firewall_state *from = old ? firewall_text(old) : NULL;
	struct firewall_state *to = firewall_text(wanted);
	struct firewall_steps found;
	char *text;

	firewall_diff(from, to, &found);
	text = firewall_steps_text(&found);
	assert_string_equal(text, steps);
	free(text);
	firewall_steps_free(&found);
	firewall_state_free(from);
	firewall_state_free(to);
}

#define TWO                                                                                        \
	"group sg-a\n member 10.0.1.1\n in 6 80 80 sg-b\n out -1 -1 -1 0.0.0.0/0\n"                \
	"group sg-b\n member 10.0.1.2\n"                                                           \
	"interface 10.0.1.1 sg-a\n interface 10.0.1.2 fd00:1::2 sg-b sg-a\n"

static void everything_is_there_before_it_is_named(void **state)
{
	expect(NULL, TWO,
	       "group+ sg-a\ngroup+ sg-b\n"
	       "member+ sg-a 10.0.1.1\nin sg-a\nout sg-a\nmember+ sg-b 10.0.1.2\n"
	       "interface+ if-10.0.1.1\ngroups if-10.0.1.1\naddress+ if-10.0.1.1 10.0.1.1\n"
	       "interface+ if-10.0.1.2\ngroups if-10.0.1.2\naddress+ if-10.0.1.2 10.0.1.2\n"
	       "address+ if-10.0.1.2 fd00:1::2\n");
}

static void the_same_state_changes_nothing(void **state)
{
	expect(TWO, TWO, "");
	/* In another order, but for the rules and the groups of an interface. */
	expect("group sg-a\n member 10.0.1.1\n member 10.0.1.2\ngroup sg-b\n"
	       "interface 10.0.1.1 sg-a\ninterface 10.0.1.2 sg-b\n",
	       "group sg-b\ngroup sg-a\n member 10.0.1.2\n member 10.0.1.1\n member 10.0.1.2\n"
	       "interface 10.0.1.2 sg-b\ninterface 10.0.1.1 sg-a\n",
	       "");
}

static void members_come_and_go_without_a_rule(void **state)
{
	expect("group sg-a\n member 10.0.1.1\n member fd00::1\n in 6 80 80 sg-a\n",
	       "group sg-a\n member 10.0.1.2\n member fd00::1\n in 6 80 80 sg-a\n",
	       "member+ sg-a 10.0.1.2\nmember- sg-a 10.0.1.1\n");
}

static void only_the_direction_that_is_another_is_written(void **state)
{
	static const char *const others[] = {
		"in 17 80 80 10.0.0.0/8", "in 6 79 80 10.0.0.0/8", "in 6 80 81 10.0.0.0/8",
		"in 6 80 80 10.0.0.0/9",  "in 6 80 80 fd00::/8",   "in 6 80 80 sg-a",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char wanted[256];

		snprintf(wanted, sizeof(wanted), "group sg-a\n%s\nout -1 -1 -1 ::/0\n", others[i]);
		expect("group sg-a\nin 6 80 80 10.0.0.0/8\nout -1 -1 -1 ::/0\n", wanted,
		       "in sg-a\n");
	}
	expect("group sg-a\nout -1 -1 -1 ::/0\n", "group sg-a\n", "out sg-a\n");
}

static void addresses_go_before_chains_and_chains_before_sets(void **state)
{
	expect(TWO, "group sg-b\n member 10.0.1.2\ninterface 10.0.1.2 fd00:1::2 sg-b\n",
	       "address- if-10.0.1.1 10.0.1.1\n"
	       "groups if-10.0.1.2\n"
	       "interface- if-10.0.1.1\nchains- sg-a\nsets- sg-a\n");
	/* The rules of one name the sets of the other. */
	expect(TWO, "",
	       "address- if-10.0.1.1 10.0.1.1\n"
	       "address- if-10.0.1.2 10.0.1.2\naddress- if-10.0.1.2 fd00:1::2\n"
	       "interface- if-10.0.1.1\ninterface- if-10.0.1.2\n"
	       "chains- sg-a\nchains- sg-b\nsets- sg-a\nsets- sg-b\n");
}

static void an_address_goes_from_one_interface_to_another(void **state)
{
	expect("group sg-a\ninterface 10.0.1.1 10.0.1.3 sg-a\n",
	       "group sg-a\ninterface 10.0.1.1 sg-a\ninterface 10.0.1.3 sg-a\n",
	       "address- if-10.0.1.1 10.0.1.3\n"
	       "interface+ if-10.0.1.3\ngroups if-10.0.1.3\naddress+ if-10.0.1.3 10.0.1.3\n");
}

static void groups_of_an_interface_are_exchanged(void **state)
{
	expect("group sg-a\ngroup sg-b\ninterface 10.0.1.1 sg-a\n",
	       "group sg-a\ngroup sg-b\ninterface 10.0.1.1 sg-b\n", "groups if-10.0.1.1\n");
}

/* The link is known when its task has come. */
static void what_is_of_a_link_follows_the_link(void **state)
{
	expect(NULL, "interface vpc=7 10.0.1.1\n",
	       "network+ 7\ninterface+ if-7-10.0.1.1\ngroups if-7-10.0.1.1\n"
	       "address+ if-7-10.0.1.1 10.0.1.1\n");
	expect("interface vpc=7 10.0.1.1\n", "interface vpc=7 link=ve01 10.0.1.1\n",
	       "address- if-7-10.0.1.1 10.0.1.1\n"
	       "address+ if-7-10.0.1.1 10.0.1.1\nlink+ if-7-10.0.1.1 ve01\n");
	expect("interface vpc=7 link=ve01 10.0.1.1\n", "interface vpc=7 link=ve01 10.0.1.1\n", "");
	expect("interface vpc=7 link=ve01 10.0.1.1\ninterface vpc=8 link=ve02 10.0.1.1\n",
	       "interface vpc=8 link=ve02 10.0.1.1\n",
	       "address- if-7-10.0.1.1 10.0.1.1\nlink- if-7-10.0.1.1 ve01\n"
	       "interface- if-7-10.0.1.1\nnetwork- 7\n");
}

static void what_cannot_be_a_name_is_refused(void **state)
{
	static const char *const ids[] = {
		"",       "web",
		"sg-a b", "sg-a;",
		"sg-\n",  "sg-0123456789012345678901234567890123456789012345678901234567890",
	};
	struct firewall_state *built = firewall_state_new();
	struct error err;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct firewall_group group = { .id = ids[i] };

		assert_int_equal(firewall_state_add_group(built, &group, &err), -EINVAL);
		assert_non_null(strstr(err.text, "an id must be sg- and letters"));
	}
	assert_int_equal(
		firewall_state_add_group(built, &(struct firewall_group){ .id = "sg-a" }, &err), 0);
	assert_int_equal(
		firewall_state_add_group(built, &(struct firewall_group){ .id = "sg-a" }, &err),
		-EEXIST);
	assert_string_equal(err.text, "security group sg-a is there twice");
	firewall_state_free(built);
}

static void an_address_is_that_of_one_interface(void **state)
{
	struct firewall_state *built = firewall_text("interface 10.0.1.1 10.0.1.2\n");
	struct ip_address addresses[2];
	struct firewall_interface second = { .addresses = { addresses, 2 } };
	struct error err;

	ip_parse("10.0.1.3", &addresses[0], NULL);
	ip_parse("10.0.1.2", &addresses[1], NULL);
	assert_int_equal(firewall_state_add_interface(built, &second, &err), -EEXIST);
	assert_string_equal(err.text, "two interfaces have the address 10.0.1.2");
	assert_int_equal(built->interface_count, 1);
	/* In another network it is another one; a link is in one of them. */
	second.vni = 8;
	second.link = "ve01";
	assert_int_equal(firewall_state_add_interface(built, &second, &err), 0);
	assert_ptr_equal(firewall_state_at(built, 8, &addresses[1]), built->interfaces[1]);
	second.vni = 9;
	assert_int_equal(firewall_state_add_interface(built, &second, &err), -EEXIST);
	assert_string_equal(err.text, "two interfaces have the link ve01");
	second.addresses.count = 0;
	assert_int_equal(firewall_state_add_interface(built, &second, &err), -EINVAL);
	assert_string_equal(err.text, "an interface has no address");
	firewall_state_free(built);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_there_before_it_is_named),
		cmocka_unit_test(the_same_state_changes_nothing),
		cmocka_unit_test(members_come_and_go_without_a_rule),
		cmocka_unit_test(only_the_direction_that_is_another_is_written),
		cmocka_unit_test(addresses_go_before_chains_and_chains_before_sets),
		cmocka_unit_test(an_address_goes_from_one_interface_to_another),
		cmocka_unit_test(groups_of_an_interface_are_exchanged),
		cmocka_unit_test(what_is_of_a_link_follows_the_link),
		cmocka_unit_test(what_cannot_be_a_name_is_refused),
		cmocka_unit_test(an_address_is_that_of_one_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
