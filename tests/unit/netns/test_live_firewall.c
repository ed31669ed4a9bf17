/* SPDX-License-Identifier: Apache-2.0 */
/* Security groups on the real kernel: net-T57, net-T62. */
#include "netns/firewall.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "firewall_place.h"
#include "firewall_text.h"
#include "live.h"
#include "netns/nft.h"

#include <nftables/libnftables.h>

#define TABLE "berth-firewall"

/* Two tasks that are filtered, and one that no state names. */
static struct place_task web, client, other;
static struct firewall *firewall;

static int make_tasks(void **state)
{
	web = place_task_new(2);
	client = place_task_new(3);
	other = place_task_new(4);
	return 0;
}

static int free_tasks(void **state)
{
	place_task_free(&web);
	place_task_free(&client);
	place_task_free(&other);
	return 0;
}

static int make_firewall(void **state)
{
	firewall = firewall_new(TABLE);
	return 0;
}

static int free_firewall(void **state)
{
	firewall_free(firewall);
	return nft_delete_table("inet", TABLE, NULL);
}

static void apply(const char *lines)
{
	struct error err = ERROR_INIT;
	int r = firewall_apply(firewall, firewall_text(lines), &err);

	if (r != 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
}

/* sg-web with these rules, sg-client that lets everything out; each task is in its group. */
#define GROUPS(rules)                                                                              \
	"group sg-web\n member 10.0.1.2\n member fd00:1::2\n" rules                                \
	"group sg-client\n member 10.0.1.3\n member fd00:1::3\n"                                   \
	"out -1 -1 -1 0.0.0.0/0\n out -1 -1 -1 ::/0\n"
#define INTERFACES "interface 10.0.1.2 fd00:1::2 sg-web\n interface 10.0.1.3 fd00:1::3 sg-client\n"

static void nothing_passes_that_no_rule_lets_in(void **state)
{
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_true(place_reaches(client.netns, web.netns, web.v6, 80));
	apply(GROUPS("") INTERFACES);
	assert_false(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_false(place_reaches(client.netns, web.netns, web.v6, 80));
	assert_false(place_pings(client.netns, web.v4));
	/* Nor out. */
	assert_false(place_reaches(web.netns, other.netns, other.v4, 80));
	/* Who is not named is left alone. */
	assert_false(place_reaches(other.netns, web.netns, web.v4, 80));
	assert_true(place_reaches(client.netns, other.netns, other.v4, 80));
	assert_true(place_reaches(other.netns, -1, PLACE_HOST, 80));
	assert_true(place_reaches(-1, other.netns, other.v4, 80));
	/* No group at all is no rule at all. */
	apply("interface 10.0.1.4\n");
	assert_false(place_reaches(-1, other.netns, other.v4, 80));
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
}

static void a_group_is_let_in_by_its_members(void **state)
{
	apply(GROUPS("in 6 80 80 sg-client\n") INTERFACES);
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_true(place_reaches(client.netns, web.netns, web.v6, 80));
	assert_false(place_reaches(client.netns, web.netns, web.v4, 81));
	assert_false(place_reaches(other.netns, web.netns, web.v4, 80));
	/* A member more, which may be on another host; then a member less. */
	apply(GROUPS("in 6 80 80 sg-client\n") "member 10.0.1.4\n" INTERFACES);
	assert_true(place_reaches(other.netns, web.netns, web.v4, 80));
	apply(GROUPS("in 6 80 80 sg-client\n") INTERFACES);
	assert_false(place_reaches(other.netns, web.netns, web.v4, 80));
}

static void an_established_flow_outlives_its_rule(void **state)
{
	int listener = place_listen(web.netns, web.v4, 80), flow, served;

	apply(GROUPS("in 6 80 80 10.0.0.0/8\n") INTERFACES);
	flow = place_connect(client.netns, web.v4, 80);
	assert_true(flow >= 0);
	served = accept(listener, NULL, NULL);
	assert_true(place_talks(flow, served));
	apply(GROUPS("") INTERFACES);
	assert_int_equal(place_connect(client.netns, web.v4, 80), -ETIMEDOUT);
	assert_true(place_talks(flow, served));
	/* Also when a table is written anew, as after a restart. */
	firewall_free(firewall);
	firewall = firewall_new(TABLE);
	apply(GROUPS("") INTERFACES);
	assert_int_equal(place_connect(client.netns, web.v4, 80), -ETIMEDOUT);
	assert_true(place_talks(flow, served));
	close(listener);
	close(flow);
	close(served);
}

static void errors_come_back_and_echoes_need_a_rule(void **state)
{
	apply(GROUPS("in 17 53 53 0.0.0.0/0\n in 17 53 53 ::/0\n") INTERFACES);
	assert_int_equal(place_send(client.netns, web.v4, 53), -ECONNREFUSED);
	assert_int_equal(place_send(client.netns, web.v6, 53), -ECONNREFUSED);
	assert_int_equal(place_send(client.netns, web.v4, 54), -ETIMEDOUT);
	assert_false(place_pings(client.netns, web.v4));
	apply(GROUPS("in 1 8 -1 0.0.0.0/0\n in 58 128 0 sg-client\n") INTERFACES);
	assert_true(place_pings(client.netns, web.v4));
	assert_true(place_pings(client.netns, web.v6));
	apply(GROUPS("in 1 8 1 0.0.0.0/0\n in 58 129 -1 ::/0\n") INTERFACES);
	assert_false(place_pings(client.netns, web.v4));
	assert_false(place_pings(client.netns, web.v6));
	apply(GROUPS("in 1 -1 -1 0.0.0.0/0\n in 58 -1 -1 ::/0\n") INTERFACES);
	assert_true(place_pings(client.netns, web.v4));
	assert_true(place_pings(client.netns, web.v6));
}

static void ranges_end_where_they_end(void **state)
{
	apply(GROUPS("in 6 1000 1002 10.0.1.3/32\n in 6 0 65535 fd00:1::/64\n") INTERFACES);
	assert_false(place_reaches(client.netns, web.netns, web.v4, 999));
	assert_true(place_reaches(client.netns, web.netns, web.v4, 1000));
	assert_true(place_reaches(client.netns, web.netns, web.v4, 1002));
	assert_false(place_reaches(client.netns, web.netns, web.v4, 1003));
	assert_false(place_reaches(other.netns, web.netns, web.v4, 1001));
	assert_true(place_reaches(client.netns, web.netns, web.v6, 999));
	assert_int_equal(place_send(client.netns, web.v6, 999), -ETIMEDOUT);
	/* Protocols by number, and any. */
	apply(GROUPS("in 132 -1 -1 0.0.0.0/0\n") INTERFACES);
	assert_false(place_reaches(client.netns, web.netns, web.v4, 80));
	apply(GROUPS("in -1 -1 -1 sg-client\n") INTERFACES);
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_int_equal(place_send(client.netns, web.v6, 999), -ECONNREFUSED);
}

static void what_goes_out_needs_a_rule_too(void **state)
{
	apply("group sg-a\n member 10.0.1.2\n out 6 80 80 sg-b\n"
	      "group sg-b\n member 10.0.1.3\n in -1 -1 -1 0.0.0.0/0\n"
	      "interface 10.0.1.2 sg-a\n interface 10.0.1.3 sg-b\n");
	assert_true(place_reaches(web.netns, client.netns, client.v4, 80));
	assert_false(place_reaches(web.netns, client.netns, client.v4, 81));
	assert_false(place_reaches(web.netns, other.netns, other.v4, 80));
	/* Both ends must agree. */
	apply("group sg-a\n member 10.0.1.2\n out 6 80 81 10.0.0.0/8\n"
	      "group sg-b\n member 10.0.1.3\n in 6 81 82 0.0.0.0/0\n"
	      "interface 10.0.1.2 sg-a\n interface 10.0.1.3 sg-b\n");
	assert_false(place_reaches(web.netns, client.netns, client.v4, 80));
	assert_true(place_reaches(web.netns, client.netns, client.v4, 81));
	assert_false(place_reaches(web.netns, client.netns, client.v4, 82));
	/* One of several groups is enough. */
	apply("group sg-a\n out 6 80 80 10.0.0.0/8\n group sg-c\n out 6 90 90 10.0.0.0/8\n"
	      "interface 10.0.1.2 sg-a sg-c\n");
	assert_true(place_reaches(web.netns, other.netns, other.v4, 80));
	assert_true(place_reaches(web.netns, other.netns, other.v4, 90));
	assert_false(place_reaches(web.netns, other.netns, other.v4, 85));
}

/* Services of the host are not for tasks, by whichever of its addresses. */
static void the_host_is_another_end_to_tasks(void **state)
{
	int listener = place_listen(-1, PLACE_HOST, 80), flow, served;

	apply(GROUPS("") INTERFACES);
	assert_false(place_reaches(-1, web.netns, web.v4, 80));
	assert_false(place_reaches(-1, web.netns, web.v6, 80));
	assert_int_equal(place_connect(client.netns, PLACE_HOST, 80), -ETIMEDOUT);
	assert_int_equal(place_connect(client.netns, PLACE_HOST, 81), -ETIMEDOUT);
	assert_int_equal(place_send(client.netns, PLACE_HOST_V6, 81), -ETIMEDOUT);
	assert_int_equal(place_send(client.netns, "fe80::1", 81), -ETIMEDOUT);
	assert_int_equal(place_send(other.netns, PLACE_HOST_V6, 81), -ECONNREFUSED);
	/* But a resolver: there is none here, and that is said. */
	assert_int_equal(place_connect(client.netns, PLACE_HOST, 53), -ECONNREFUSED);
	assert_int_equal(place_send(client.netns, PLACE_HOST_V6, 53), -ECONNREFUSED);
	assert_true(place_pings(client.netns, PLACE_HOST));
	assert_true(place_pings(client.netns, PLACE_HOST_V6));
	apply(GROUPS("in 6 80 80 0.0.0.0/0\n in 6 80 80 ::/0\n") INTERFACES);
	assert_true(place_reaches(-1, web.netns, web.v4, 80));
	assert_true(place_reaches(-1, web.netns, web.v6, 80));
	assert_false(place_reaches(-1, web.netns, web.v4, 81));
	close(listener);
	/* What the host began is answered. */
	listener = place_listen(web.netns, web.v4, 80);
	flow = place_connect(-1, web.v4, 80);
	served = accept(listener, NULL, NULL);
	assert_true(place_talks(flow, served));
	close(listener);
	close(flow);
	close(served);
}

static void a_foreign_source_is_dropped(void **state)
{
	apply(GROUPS(
		"in 17 0 65535 sg-client\n out -1 -1 -1 0.0.0.0/0\n") "member "
								      "fd00:1::77\n" INTERFACES);
	assert_true(place_spoofs(client.netns, client.v6, web.netns, web.v6));
	/* fd00:1::77 is a member, and not here. */
	assert_false(place_spoofs(client.netns, "fd00:1::77", web.netns, web.v6));
	assert_false(place_spoofs(other.netns, client.v6, web.netns, web.v6));
	assert_false(place_spoofs(other.netns, client.v4, web.netns, web.v4));
}

static char *ruleset(void)
{
	char *text = NULL;

	assert_int_equal(nft_query("list ruleset", &text, NULL), 0);
	return text;
}

static void a_change_that_is_refused_is_none(void **state)
{
	struct error err = ERROR_INIT;
	char *before, *after;

	apply(GROUPS("in 6 80 80 sg-client\n") INTERFACES);
	/* Another program has been at it: the member that comes is there, in the middle. */
	assert_int_equal(nft_run("add element inet " TABLE " sg-client-4 { 10.0.1.4 }", NULL), 0);
	assert_int_equal(
		firewall_apply(firewall,
			       firewall_text(GROUPS(
				       "in 6 81 81 sg-client\n") "member 10.0.1.4\n" INTERFACES),
			       &err),
		1);
	assert_string_equal(err.text, "write the nftables rules of security groups: File exists");
	assert_true(place_reaches(other.netns, web.netns, web.v4, 81));
	/* Of somebody else, who alone may write it: nothing can be done, and nothing is. */
	before = ruleset();
	struct nft_ctx *owner = nft_ctx_new(NFT_CTX_DEFAULT);
	struct firewall *second = firewall_new("owned");

	nft_ctx_buffer_error(owner);
	if (nft_run_cmd_from_buffer(owner, "table inet owned { flags owner; }") == 0) {
		free(before);
		before = ruleset();
		assert_true(
			firewall_apply(second,
				       firewall_text(GROUPS("in 6 80 80 sg-client\n") INTERFACES),
				       &err) < 0);
		assert_string_equal(
			err.text,
			"write the nftables rules of security groups: Operation not permitted");
		after = ruleset();
		assert_string_equal(before, after);
		free(after);
	} else {
		print_message("tables have no owner here: %s", nft_ctx_get_error_buffer(owner));
	}
	nft_ctx_free(owner);
	/* The next one tries again, from what is there. */
	assert_int_equal(firewall_apply(second, firewall_text("interface 10.0.1.4\n"), &err), 0);
	assert_int_equal(firewall_apply(second, firewall_text(""), &err), 0);
	firewall_free(second);
	free(before);
}

/* tests/faults: the kernel refuses the message of this number. Whether there was one. */
static int apply_refused(const char *lines, int number, bool *ret_was_one)
{
	char log[] = "/tmp/berth-refused.XXXXXX", text[16];
	int fd = mkstemp(log), r;
	struct error err = ERROR_INIT;

	snprintf(text, sizeof(text), "%d", number);
	setenv("REFUSE_NETLINK_LOG", log, 1);
	setenv("REFUSE_NETLINK", text, 1);
	r = firewall_apply(firewall, firewall_text(lines), &err);
	unsetenv("REFUSE_NETLINK");
	*ret_was_one = lseek(fd, 0, SEEK_END) > 0;
	close(fd);
	unlink(log);
	return r;
}

/* net-T28, of the firewall: from nothing, nothing is done; from what is there, all is written anew.
 */
static void whatever_is_refused_there_is_no_half(void **state)
{
	static const char first[] = GROUPS("in 6 80 80 sg-client\n") INTERFACES;
	static const char second[] = GROUPS("in 6 81 81 sg-client\n"
					    "in 17 53 53 10.0.0.0/8\n") INTERFACES;
	char *nothing = ruleset(), *expected, *after;
	bool was_one = true;
	int number;

	for (number = 0; was_one; number++) {
		int r = apply_refused(first, number, &was_one);

		assert_int_equal(r < 0, was_one);
		after = ruleset();
		assert_int_equal(strcmp(after, nothing) == 0, was_one);
		free(after);
	}
	assert_true(number > 10);
	apply("");
	apply(second);
	expected = ruleset();
	for (number = 0, was_one = true; was_one; number++) {
		int r;

		apply("");
		apply(first);
		r = apply_refused(second, number, &was_one);
		assert_int_equal(r, was_one);
		after = ruleset();
		/* Where all was done at once, chains stand in another order. */
		if (was_one)
			assert_string_equal(after, expected);
		free(after);
	}
	assert_true(number > 2);
	free(expected);
	free(nothing);
}

static void without_interfaces_there_is_no_table(void **state)
{
	char *before = ruleset(), *after;

	apply(GROUPS("in 6 80 80 sg-client\n"));
	after = ruleset();
	assert_string_equal(before, after);
	free(after);
	apply(GROUPS("in 6 80 80 sg-client\n") INTERFACES);
	after = ruleset();
	assert_string_not_equal(before, after);
	free(after);
	apply("");
	after = ruleset();
	assert_string_equal(before, after);
	free(after);
	free(before);
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		found++;
	return found;
}

/* `count` interfaces of a host in twenty groups, from 10.1.0.0 on. */
static char *many(unsigned interfaces)
{
	struct strbuf text = STRBUF_INIT;

	for (unsigned g = 0; g < 20; g++)
		strbuf_appendf(&text, "group sg-%u\nin 6 80 80 sg-%u\nout -1 -1 -1 0.0.0.0/0\n", g,
			       (g + 1) % 20);
	for (unsigned i = 0; i < interfaces; i++)
		strbuf_appendf(&text, "interface 10.1.%u.%u sg-%u\n", i / 250, i % 250 + 1, i % 20);
	return strbuf_take(&text);
}

static void apply_owned(char *lines)
{
	apply(lines);
	free(lines);
}

static char *with_one_more(unsigned interfaces)
{
	char *lines = many(interfaces);
	char *more = xasprintf("%sinterface 10.2.0.1 sg-0\n", lines);

	free(lines);
	return more;
}

/* One task comes, and goes: the mean of a change. Without the text, which only the test has. */
static double microseconds_of_a_change(unsigned interfaces)
{
	enum { ROUNDS = 50 };
	struct firewall_state *states[2 * ROUNDS];
	struct error err = ERROR_INIT;
	int64_t began_ns;
	double taken;

	apply_owned(many(interfaces));
	for (unsigned i = 0; i < ROUNDS; i++) {
		char *more = with_one_more(interfaces), *less = many(interfaces);

		states[2 * i] = firewall_text(more);
		states[2 * i + 1] = firewall_text(less);
		free(more);
		free(less);
	}
	began_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < 2 * ROUNDS; i++)
		assert_int_equal(firewall_apply(firewall, states[i], &err), 0);
	taken = (double)(clock_monotonic_ns() - began_ns) / 1000 / (2 * ROUNDS);
	print_message("a change with %u interfaces: %.0f us\n", interfaces, taken);
	return taken;
}

static void a_change_costs_the_same_however_many_there_are(void **state)
{
	double few = microseconds_of_a_change(1), some = microseconds_of_a_change(200),
	       most = microseconds_of_a_change(1000);

	assert_true(some < 10 * few + 20000);
	assert_true(most < 20 * few + 40000);
}

/* T62 */
static void a_thousand_tasks_leave_nothing(void **state)
{
	char *before, *after;

	apply_owned(many(5));
	before = ruleset();
	for (unsigned i = 0; i < 1000; i++) {
		apply_owned(with_one_more(5));
		apply_owned(many(5));
	}
	after = ruleset();
	assert_int_equal(count(before, "chain "), count(after, "chain "));
	assert_int_equal(count(before, "\tset "), count(after, "\tset "));
	assert_int_equal(count(before, "accept"), count(after, "accept"));
	assert_string_equal(before, after);
	free(before);
	free(after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_firewall, free_firewall)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_passes_that_no_rule_lets_in),
		TEST(a_group_is_let_in_by_its_members),
		TEST(an_established_flow_outlives_its_rule),
		TEST(errors_come_back_and_echoes_need_a_rule),
		TEST(ranges_end_where_they_end),
		TEST(what_goes_out_needs_a_rule_too),
		TEST(the_host_is_another_end_to_tasks),
		TEST(a_foreign_source_is_dropped),
		TEST(a_change_that_is_refused_is_none),
		TEST(whatever_is_refused_there_is_no_half),
		TEST(without_interfaces_there_is_no_table),
		TEST(a_change_costs_the_same_however_many_there_are),
		TEST(a_thousand_tasks_leave_nothing),
	};
	int failed;

	place_enter();
	failed = cmocka_run_group_tests(tests, make_tasks, free_tasks);
	live_leave();
	return failed;
}
