/* SPDX-License-Identifier: Apache-2.0 */
/* Two networks with the same addresses on one host, on the real kernel: net-T59. */
#include "netns/vpc_rules.h"

#include <errno.h>
#include <poll.h>
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
#include "base/strbuf.h"
#include "firewall_place.h"
#include "firewall_text.h"
#include "fragments.h"
#include "live.h"
#include "netns/firewall.h"
#include "netns/nft.h"

#define TABLE "berth-firewall"
#define OTHER 8
#define GROUPS                                                                                     \
	"group sg-all\n in -1 -1 -1 0.0.0.0/0\n in -1 -1 -1 ::/0\n"                                \
	" out -1 -1 -1 0.0.0.0/0\n out -1 -1 -1 ::/0\n"                                            \
	"group sg-none\n out -1 -1 -1 0.0.0.0/0\n out -1 -1 -1 ::/0\n"

/* Of the network PLACE_VNI, and of the other: the second pair has the addresses of the first. */
static struct place_task web, client, other_web, other_client;
static struct firewall *firewall;
static struct vpc_rules *rules;

static int make_tasks(void **state)
{
	web = place_task_new(2);
	client = place_task_new(3);
	other_web = place_task_in(2, OTHER);
	other_client = place_task_in(3, OTHER);
	return 0;
}

static int free_tasks(void **state)
{
	place_task_free(&web);
	place_task_free(&client);
	place_task_free(&other_web);
	place_task_free(&other_client);
	return 0;
}

static void add_interface(struct strbuf *lines, const struct place_task *task, const char *group)
{
	char link[16];

	strbuf_appendf(lines, "interface vpc=%u link=%s %s %s %s\n", (unsigned)task->vni,
		       place_task_link(task, link), task->v4, task->v6, group);
}

/* The groups of the servers; clients let nobody in. */
static void filter(const char *group, const char *other_group)
{
	struct strbuf lines = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int r;

	strbuf_append(&lines, GROUPS);
	add_interface(&lines, &web, group);
	add_interface(&lines, &client, "sg-none");
	add_interface(&lines, &other_web, other_group);
	add_interface(&lines, &other_client, "sg-none");
	r = firewall_apply(firewall, firewall_text(lines.data), &err);
	if (r != 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
	strbuf_free(&lines);
}

static void route(size_t count)
{
	const struct place_task *const tasks[] = { &web, &client, &other_web, &other_client };
	struct vpc_link links[4];
	char names[4][16];
	struct error err = ERROR_INIT;
	int r;

	for (size_t i = 0; i < count; i++)
		links[i] = (struct vpc_link){ .name = place_task_link(tasks[i], names[i]),
					      .vni = tasks[i]->vni };
	r = vpc_rules_apply(rules, links, count, &err);
	if (r != 0)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
}

static int begin(void **state)
{
	firewall = firewall_new(TABLE);
	rules = vpc_rules_new("test");
	filter("sg-all", "sg-all");
	route(4);
	return 0;
}

/* What `ip` shows of one family. */
static char *listing(const char *family)
{
	_cleanup_free_ char *command = xasprintf("ip %s rule show", family);
	struct strbuf text = STRBUF_INIT;
	FILE *pipe = popen(command, "re");
	char line[256];

	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (strstr(line, " iif "))
			strbuf_append(&text, line);
	assert_int_equal(pclose(pipe), 0);
	strbuf_append(&text, "");
	return strbuf_take(&text);
}

static int end(void **state)
{
	_cleanup_free_ char *v4 = NULL, *v6 = NULL;

	route(0);
	v4 = listing("-4");
	v6 = listing("-6");
	assert_string_equal(v4, "");
	assert_string_equal(v6, "");
	vpc_rules_free(rules);
	firewall_free(firewall);
	return nft_delete_table("inet", TABLE, NULL);
}

/* The one that it comes to does not listen. */
static bool reaches_another(int from, const struct place_task *than)
{
	int listener = place_listen(than->netns, than->v4, 80);
	int listener6 = place_listen(than->netns, than->v6, 80);
	bool other = place_connect(from, than->v4, 80) == -ECONNREFUSED &&
		     place_connect(from, than->v6, 80) == -ECONNREFUSED;

	close(listener);
	close(listener6);
	return other;
}

static void each_reaches_its_own(void **state)
{
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_true(place_reaches(client.netns, web.netns, web.v6, 80));
	assert_true(place_reaches(other_client.netns, other_web.netns, web.v4, 80));
	assert_true(place_reaches(other_client.netns, other_web.netns, web.v6, 80));
	assert_true(reaches_another(client.netns, &other_web));
	assert_true(reaches_another(other_client.netns, &web));
	/* Errors find their way, too. */
	assert_int_equal(place_send(other_client.netns, web.v4, 53), -ECONNREFUSED);
	assert_int_equal(place_send(client.netns, web.v6, 53), -ECONNREFUSED);
}

static void each_has_its_own_groups(void **state)
{
	filter("sg-all", "sg-none");
	assert_true(place_reaches(client.netns, web.netns, web.v4, 80));
	assert_false(place_reaches(other_client.netns, other_web.netns, web.v4, 80));
	filter("sg-none", "sg-all");
	assert_false(place_reaches(client.netns, web.netns, web.v6, 80));
	assert_true(place_reaches(other_client.netns, other_web.netns, web.v6, 80));
}

/* The host has one way to an address. */
static void the_host_reaches_the_first(void **state)
{
	assert_true(place_reaches(-1, web.netns, web.v4, 80));
	assert_true(place_reaches(-1, web.netns, web.v6, 80));
	assert_true(reaches_another(-1, &other_web));
}

static void nobody_is_believed_to_be_another(void **state)
{
	static const char *const sources[] = { "10.0.1.2", "10.0.1.9", "10.9.9.7" };
	static const char *const sources6[] = { "fd00:1::2", "fd00:1::9", "fd00:9::7" };

	assert_true(place_spoofs(client.netns, client.v4, web.netns, web.v4));
	assert_true(place_spoofs(other_client.netns, client.v4, other_web.netns, web.v4));
	assert_true(place_spoofs(other_client.netns, client.v6, other_web.netns, web.v6));
	for (size_t i = 0; i < 3; i++) {
		assert_false(place_spoofs(client.netns, sources[i], web.netns, web.v4));
		assert_false(place_spoofs(client.netns, sources6[i], web.netns, web.v6));
		assert_false(place_spoofs(other_client.netns, sources[i], other_web.netns, web.v4));
		assert_false(
			place_spoofs(other_client.netns, sources6[i], other_web.netns, web.v6));
	}
}

/* Addresses that one network has, and the other has not: the main table leads there, and back. */
static void no_way_leads_from_one_to_the_other(void **state)
{
	struct place_task only = place_task_new(5), stranger = place_task_in(6, OTHER);
	struct strbuf lines = STRBUF_INIT;
	struct error err = ERROR_INIT;

	strbuf_append(&lines, GROUPS);
	add_interface(&lines, &only, "sg-all");
	add_interface(&lines, &client, "sg-none");
	add_interface(&lines, &other_client, "sg-none");
	add_interface(&lines, &stranger, "sg-none");
	assert_int_equal(firewall_apply(firewall, firewall_text(lines.data), &err), 0);
	assert_true(place_reaches(client.netns, only.netns, only.v4, 80));
	assert_false(place_reaches(other_client.netns, only.netns, only.v4, 80));
	assert_false(place_reaches(other_client.netns, only.netns, only.v6, 80));
	assert_false(place_reaches(stranger.netns, only.netns, only.v4, 80));
	assert_false(place_reaches(stranger.netns, only.netns, only.v6, 80));
	strbuf_free(&lines);
	place_task_free(&only);
	place_task_free(&stranger);
}

static void rules_follow_and_what_is_stale_goes(void **state)
{
	_cleanup_free_ char *all = listing("-4"), *all6 = listing("-6");
	_cleanup_free_ char *two = NULL, *two6 = NULL, *again = NULL;
	struct vpc_rules *another = vpc_rules_new("another");
	const struct vpc_link theirs = { .name = "ve0000ffff", .vni = 9 };

	assert_non_null(strstr(all, "iif ve00000002 lookup 3959422983 proto 236"));
	assert_non_null(strstr(all6, "iif ve00000802 lookup 3959422984 proto 236"));
	/* One that was there before it, and is not wanted any more; another's are left alone. */
	assert_int_equal(vpc_rules_apply(another, &theirs, 1, NULL), 0);
	vpc_rules_free(rules);
	rules = vpc_rules_new("test");
	route(2);
	two = listing("-4");
	two6 = listing("-6");
	assert_null(strstr(two, "ve00000802"));
	assert_null(strstr(two6, "ve00000802"));
	assert_non_null(strstr(two, "ve00000002"));
	assert_non_null(strstr(two, "ve0000ffff"));
	assert_int_equal(vpc_rules_apply(another, NULL, 0, NULL), 0);
	vpc_rules_free(another);
	/* What somebody took away is noticed when more is changed. */
	assert_int_equal(system("ip rule flush && ip rule add from all lookup main pref 32766"), 0);
	vpc_rules_free(rules);
	rules = vpc_rules_new("test");
	route(4);
	again = listing("-4");
	assert_string_equal(again, all);
}

/* --- who is not in a network */

/* Behind a link of another program, of which nobody checks the sources. */
static struct place_task stranger_new(void)
{
	struct place_task stranger = place_task_in(9, 9);
	char link[16];
	_cleanup_free_ char *command = NULL;

	place_task_link(&stranger, link);
	command =
		xasprintf("ip link set %s group default && sysctl -qw net.ipv4.conf.all.rp_filter=0"
			  " net.ipv4.conf.%s.rp_filter=0",
			  link, link);
	assert_int_equal(system(command), 0);
	return stranger;
}

/* A task on another host, with the addresses 10.0.1.8 and fd00:1::8. */
static struct tunnel *tunnel_to_another_host(void)
{
	struct ip_address host, other_host;
	struct tunnel_peer peer = { .vni = PLACE_VNI };
	const struct tunnel_network network = { .vni = PLACE_VNI };
	struct tunnel *tunnel;

	ip_parse(PLACE_HOST, &host, NULL);
	ip_parse("10.9.9.1", &other_host, NULL);
	tunnel = tunnel_new(&host, 4789);
	tunnel_add_network(tunnel, &network);
	peer.host = other_host;
	ip_parse("10.0.1.8", &peer.address, NULL);
	assert_int_equal(tunnel_add_peer(tunnel, &peer, NULL), 0);
	ip_parse("fd00:1::8", &peer.address, NULL);
	assert_int_equal(tunnel_add_peer(tunnel, &peer, NULL), 0);
	return tunnel;
}

static void nobody_else_says_to_be_of_a_network(void **state)
{
	struct place_task stranger = stranger_new();
	struct strbuf lines = STRBUF_INIT;
	struct firewall_state *wanted;

	strbuf_append(&lines, GROUPS);
	add_interface(&lines, &web, "sg-all");
	add_interface(&lines, &client, "sg-none");
	wanted = firewall_text(lines.data);
	wanted->tunnel = tunnel_to_another_host();
	assert_int_equal(firewall_apply(firewall, wanted, NULL), 0);
	assert_true(place_spoofs(client.netns, client.v4, web.netns, web.v4));
	assert_true(place_spoofs(client.netns, client.v6, web.netns, web.v6));
	/* Whatever else it says is a matter of the groups. */
	assert_true(place_spoofs(stranger.netns, "10.0.1.77", web.netns, web.v4));
	assert_true(place_spoofs(stranger.netns, "fd00:1::77", web.netns, web.v6));
	assert_false(place_spoofs(stranger.netns, client.v4, web.netns, web.v4));
	assert_false(place_spoofs(stranger.netns, client.v6, web.netns, web.v6));
	assert_false(place_spoofs(stranger.netns, "10.0.1.8", web.netns, web.v4));
	assert_false(place_spoofs(stranger.netns, "fd00:1::8", web.netns, web.v6));
	strbuf_free(&lines);
	place_task_free(&stranger);
}

/* --- connections of a task that has ended */

struct connection {
	int client, server;
};

static struct connection connection_new(int from, const struct place_task *to, const char *address)
{
	int listener = place_listen(to->netns, address, 80);
	struct connection made = { .client = place_connect(from, address, 80) };

	assert_true(made.client >= 0);
	made.server = accept(listener, NULL, NULL);
	close(listener);
	assert_true(place_talks(made.client, made.server));
	return made;
}

/* Whether what it says still arrives, where nothing new would. */
static bool ends_open(const struct connection *connection)
{
	struct pollfd wait = { .fd = connection->server, .events = POLLIN };
	bool open = send(connection->client, "x", 1, MSG_NOSIGNAL) == 1 &&
		    poll(&wait, 1, PLACE_TIMEOUT_MS) == 1;

	close(connection->client);
	close(connection->server);
	return open;
}

/* As many others come and go with it as the kernel is not asked for one by one. */
static void add_others(struct strbuf *lines, int count)
{
	for (int i = 0; i < count; i++)
		strbuf_appendf(lines, "interface vpc=7 link=ve0000ff%02d 10.0.2.%d sg-none\n", i,
			       i);
}

/* Web, and with it `others`, come and go. */
static void change_without_web(int others, bool other_network)
{
	struct strbuf lines = STRBUF_INIT;
	struct error err = ERROR_INIT;

	for (int there = 1; there >= 0; there--) {
		strbuf_reset(&lines);
		strbuf_append(&lines, GROUPS);
		add_interface(&lines, &client, "sg-none");
		if (there) {
			add_interface(&lines, &web, "sg-none");
			add_others(&lines, others);
		}
		if (other_network) {
			add_interface(&lines, &other_web, "sg-none");
			add_interface(&lines, &other_client, "sg-none");
		}
		assert_int_equal(firewall_apply(firewall, firewall_text(lines.data), &err), 0);
		if (firewall_forget(firewall, &err) != 0)
			fail_msg("%s", err.text);
	}
	strbuf_free(&lines);
}

/* Whoever has its address next is not reached by them; the other network has the same one. */
static void connections_end_with_their_task(void **state)
{
	static const int others[] = { 0, 20 };

	for (size_t i = 0; i < 2; i++) {
		const struct connection own = connection_new(client.netns, &web, web.v4),
					own6 = connection_new(client.netns, &web, web.v6),
					of_other = connection_new(other_client.netns, &other_web,
								  web.v4);

		change_without_web(others[i], true);
		filter("sg-none", "sg-none");
		assert_false(ends_open(&own));
		assert_false(ends_open(&own6));
		assert_true(ends_open(&of_other));
		filter("sg-all", "sg-all");
	}
}

/* They are in the common zone, where an address is perhaps that of another network's task. */
static void connections_with_the_host_end_with_the_last(void **state)
{
	for (int other_network = 0; other_network < 2; other_network++) {
		const struct connection made = connection_new(-1, &web, web.v4);

		change_without_web(0, other_network);
		filter("sg-none", "sg-none");
		assert_int_equal(ends_open(&made), other_network);
		filter("sg-all", "sg-all");
	}
}

/* --- fragments */

/* Alike in all that fragments are known by, and one of each network's after the other. */
static void fragments_of_two_networks_are_not_mixed(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < 2; i++) {
		bool v6 = families[i] == AF_INET6;
		const char *from = v6 ? client.v6 : client.v4, *to = v6 ? web.v6 : web.v4;
		int fd = fragments_open(web.netns, families[i]),
		    other_fd = fragments_open(other_web.netns, families[i]);
		_cleanup_free_ char *text = NULL, *other_text = NULL;

		fragments_send(client.netns, from, to, 0, 'a');
		fragments_send(other_client.netns, from, to, 1, 'b');
		fragments_send(client.netns, from, to, 1, 'a');
		fragments_send(other_client.netns, from, to, 0, 'b');
		text = fragments_receive(fd, families[i]);
		other_text = fragments_receive(other_fd, families[i]);
		assert_string_equal(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		assert_string_equal(other_text, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
		close(fd);
		close(other_fd);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_reaches_its_own),
		TEST(each_has_its_own_groups),
		TEST(the_host_reaches_the_first),
		TEST(nobody_is_believed_to_be_another),
		TEST(no_way_leads_from_one_to_the_other),
		TEST(nobody_else_says_to_be_of_a_network),
		TEST(connections_end_with_their_task),
		TEST(connections_with_the_host_end_with_the_last),
		TEST(fragments_of_two_networks_are_not_mixed),
		TEST(rules_follow_and_what_is_stale_goes),
	};
	int failed;

	place_enter();
	failed = cmocka_run_group_tests(tests, make_tasks, free_tasks);
	live_leave();
	return failed;
}
