/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the control plane's messages; nftables itself is in netns. */
#include "agent/network/network.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/strbuf.h"

/* What the pool's thread sees: apply() has no other way to the test. */
static struct {
	struct strbuf applied; /* the interfaces of each state, a line each */
	struct strbuf links;   /* that are routed by a table, the same */
	int result, forget_result, rules_result, tunnel_result;
	int forgets;
	bool gated, tells_withdrawn;
	sem_t entered, gate;
} pool;

struct place {
	struct loop *loop;
	struct network *network;
	struct strbuf acknowledged;
	const char *here, *over; /* MACs */
	int ready;
};

static int apply(struct firewall *firewall, struct firewall_state *state, struct error *err)
{
	if (pool.gated) {
		sem_post(&pool.entered);
		sem_wait(&pool.gate);
	}
	for (size_t i = 0; i < state->interface_count; i++)
		strbuf_appendf(&pool.applied, "%s ", state->interfaces[i]->name);
	strbuf_append(&pool.applied, "\n");
	firewall_state_free(state);
	return pool.result < 0 ? error_say(err, -pool.result, "refused") : pool.result;
}

static int forget(struct firewall *firewall, struct error *err)
{
	pool.forgets++;
	return pool.forget_result < 0 ? error_say(err, -pool.forget_result, "no memory") : 0;
}

static int apply_rules(struct vpc_rules *rules, const struct vpc_link *links, size_t count,
		       struct error *err)
{
	for (size_t i = 0; i < count; i++)
		strbuf_appendf(&pool.links, "%s %u, ", links[i].name, (unsigned)links[i].vni);
	strbuf_append(&pool.links, "\n");
	return pool.rules_result < 0 ? error_say(err, -pool.rules_result, "no rule") : 0;
}

static int withdraw(struct vxlan *vxlan, const struct tunnel *wanted, struct error *err)
{
	if (pool.tells_withdrawn)
		strbuf_appendf(&pool.applied, "tunnel: %zu networks stay\n", wanted->network_count);
	return 0;
}

/* Those of one that is, or ends, are a line, too. */
static int apply_tunnel(struct vxlan *vxlan, struct tunnel *tunnel, uint32_t *ret_mtu,
			struct error *err)
{
	if (tunnel->local.family)
		strbuf_appendf(&pool.applied, "tunnel: %zu networks, %zu peers\n",
			       tunnel->network_count, tunnel->peer_count);
	*ret_mtu = tunnel->network_count > 0 ? 1450 : 0;
	tunnel_free(tunnel);
	if (pool.tunnel_result < 0)
		return error_say(err, -pool.tunnel_result, "no tunnel");
	return 0;
}

static void interfaces(void *data,
		       void (*note)(void *to, const char *mac, const char *link, bool over),
		       void *to)
{
	const struct place *place = data;

	if (place->here)
		note(to, place->here, "ve01", false);
	if (place->over)
		note(to, place->over, "ve02", true);
}

static void in_force(void *data, const char *message_id)
{
	struct place *place = data;

	strbuf_appendf(&place->acknowledged, "%s ", message_id);
}

static int set_up_at(void **state, const char *address)
{
	struct place *place = xcalloc(1, sizeof(*place));
	struct network_config config = {
		.run_dir = "/run/berth",
		.address = address,
		.port = 4789,
		.interfaces = interfaces,
		.in_force = in_force,
		.apply = apply,
		.forget = forget,
		.apply_rules = apply_rules,
		.withdraw = withdraw,
		.apply_tunnel = apply_tunnel,
		.data = place,
	};

	assert_int_equal(loop_new(&place->loop, NULL), 0);
	config.loop = place->loop;
	place->network = network_new(&config);
	pool.result = pool.forget_result = pool.rules_result = pool.tunnel_result = 0;
	pool.forgets = 0;
	pool.gated = pool.tells_withdrawn = false;
	sem_init(&pool.entered, 0, 0);
	sem_init(&pool.gate, 0, 0);
	*state = place;
	return 0;
}

static int set_up(void **state)
{
	return set_up_at(state, "");
}

/* Other hosts reach this one. */
static int set_up_reached(void **state)
{
	return set_up_at(state, "192.0.2.1");
}

static int tear_down(void **state)
{
	struct place *place = *state;

	network_free(place->network);
	loop_free(place->loop);
	strbuf_free(&place->acknowledged);
	strbuf_free(&pool.applied);
	strbuf_free(&pool.links);
	sem_destroy(&pool.entered);
	sem_destroy(&pool.gate);
	free(place);
	return 0;
}

#define MAC_A "02:00:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"

/* Two interfaces, 10.0.0.1 with MAC_A, and `second` with MAC_B. */
static void tell(struct place *place, const char *id, int64_t version, const char *second)
{
	static const char *const one[] = { "10.0.0.1" }, *const cidr[] = { "10.0.0.0/24" };
	const struct acs_network message = {
		.message_id = id,
		.version = version,
		.interfaces =
			(struct acs_network_interface[]){
				{ MAC_A, "subnet-a", .addresses = { one, 1 } },
				{ MAC_B, "subnet-a", .addresses = { &second, 1 } },
			},
		.interface_count = 2,
		.subnets = (struct acs_network_subnet[]){ { "subnet-a", 7, { cidr, 1 } } },
		.subnet_count = 1,
		.peers = (struct acs_network_peer[]){ { "10.0.0.9", 7, "192.0.2.2" } },
		.peer_count = 1,
	};

	network_take(place->network, &message);
}

static void note_outcome(void *data, const struct error *err)
{
	int *outcome = data;

	*outcome = err ? -err->code : 0;
}

/* What was told is in force: 0, or was refused. */
static int outcome(struct place *place)
{
	int result = 1;

	if (!network_wait(place->network, note_outcome, &result))
		return 0;
	while (result > 0)
		loop_run_once(place->loop, true);
	return result;
}

static void settle(struct place *place)
{
	if (place->network)
		(void)outcome(place);
	else
		while (loop_run_once(place->loop, true))
			continue;
}

static void expect(struct place *place, const char *applied, const char *acknowledged)
{
	assert_string_equal(strbuf_text(&pool.applied), applied);
	assert_string_equal(strbuf_text(&place->acknowledged), acknowledged);
}

static void a_message_is_acknowledged_when_it_is_in_force(void **state)
{
	struct place *place = *state;

	pool.gated = true;
	tell(place, "m1", 1, "10.0.0.2");
	sem_wait(&pool.entered);
	loop_run_once(place->loop, false);
	expect(place, "", "");
	sem_post(&pool.gate);
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \n", "m1 ");
	pool.gated = false;
}

static void the_newest_wins(void **state)
{
	struct place *place = *state;

	pool.gated = true;
	tell(place, "m1", 1, "10.0.0.2");
	sem_wait(&pool.entered);
	tell(place, "m2", 2, "10.0.0.3");
	tell(place, "m3", 3, "10.0.0.4");
	pool.gated = false;
	sem_post(&pool.gate);
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \nif-7-10.0.0.1 if-7-10.0.0.4 \n", "m1 m2 m3 ");
}

/* With each change; that something is not forgotten keeps nothing from being in force. */
static void what_has_gone_is_forgotten(void **state)
{
	struct place *place = *state;

	tell(place, "first", 1, "10.0.0.2");
	settle(place);
	assert_int_equal(pool.forgets, 1);
	pool.forget_result = -ENOMEM;
	tell(place, "second", 2, "10.0.0.3");
	assert_int_equal(outcome(place), 0);
	assert_int_equal(pool.forgets, 2);
	assert_non_null(strstr(place->acknowledged.data, "second "));
	pool.result = -EPERM;
	tell(place, "third", 3, "10.0.0.2");
	assert_int_equal(outcome(place), -EPERM);
	assert_int_equal(pool.forgets, 2);
}

static void an_older_message_changes_nothing_within_a_session(void **state)
{
	struct place *place = *state;

	tell(place, "m7", 7, "10.0.0.2");
	settle(place);
	tell(place, "m6", 6, "10.0.0.3");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \n", "m7 ");
	/* The same once more: it was not heard that it is in force. */
	tell(place, "m7", 7, "10.0.0.2");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \nif-7-10.0.0.1 if-7-10.0.0.2 \n", "m7 m7 ");
	/* A control plane that has forgotten all begins to count anew. */
	network_begin(place->network);
	tell(place, "n1", 1, "10.0.0.3");
	settle(place);
	assert_non_null(strstr(strbuf_text(&place->acknowledged), "n1"));
}

static void what_is_refused_is_not_acknowledged(void **state)
{
	struct place *place = *state;

	pool.result = -EPERM;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	assert_string_equal(strbuf_text(&place->acknowledged), "");
	/* Written anew counts. */
	pool.result = 1;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	assert_string_equal(strbuf_text(&place->acknowledged), "m1 ");
}

static void a_group_without_a_proper_name_is_refused(void **state)
{
	struct place *place = *state;
	const struct acs_network message = {
		.message_id = "m1",
		.version = 1,
		.groups = &(struct acs_security_group){ .id = "web; drop" },
		.group_count = 1,
	};

	network_take(place->network, &message);
	assert_int_equal(outcome(place), -EINVAL);
	expect(place, "", "");
}

static void the_first_of_two_with_one_address_is_filtered(void **state)
{
	struct place *place = *state;

	tell(place, "m1", 1, "10.0.0.1");
	settle(place);
	expect(place, "if-7-10.0.0.1 \n", "m1 ");
}

static void the_interface_of_a_stopped_task_goes(void **state)
{
	struct place *place = *state;

	network_changed(place->network);
	expect(place, "", "");
	place->here = MAC_A;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	place->here = NULL;
	place->over = MAC_A;
	network_changed(place->network);
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \nif-7-10.0.0.2 \n", "m1 ");
	/* Its address is the next task's, while it is not forgotten. */
	tell(place, "m2", 2, "10.0.0.1");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \nif-7-10.0.0.2 \nif-7-10.0.0.1 \n", "m1 m2 ");
	/* And so is its MAC. */
	place->here = MAC_A;
	network_changed(place->network);
	settle(place);
	assert_non_null(strstr(strbuf_text(&pool.applied), "\nif-7-10.0.0.1 \nif-7-10.0.0.1 \n"));
}

/* The name of its link comes with the task. */
static void what_a_link_sends_is_routed_by_the_table_of_its_network(void **state)
{
	struct place *place = *state;

	assert_int_equal(network_routing_table(place->network, MAC_A), 0);
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	place->here = MAC_A;
	network_changed(place->network);
	settle(place);
	assert_string_equal(strbuf_text(&pool.links), "vx7 7, \nve01 7, vx7 7, \n");
	assert_int_equal(network_routing_table(place->network, MAC_A), vpc_table(7));
	assert_int_equal(network_routing_table(place->network, "02:00:00:00:00:0c"), 0);
}

static void count_ready(void *data, const struct error *err)
{
	struct place *place = data;

	place->ready++;
}

/* The message is in force, the change that brings the link of a task is not: the task must know,
 * and it is tried again. */
static void what_brings_a_link_is_refused_and_tried_again(void **state)
{
	struct place *place = *state;

	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	assert_string_equal(strbuf_text(&place->acknowledged), "m1 ");
	pool.result = -EPERM;
	place->here = MAC_A;
	network_link_comes(place->network, MAC_A, "ve01");
	assert_int_equal(outcome(place), -EPERM);
	/* Also who asks later, and for as long as it is refused. */
	assert_int_equal(outcome(place), -EPERM);
	network_link_comes(place->network, MAC_A, "ve01");
	assert_int_equal(outcome(place), -EPERM);
	assert_string_equal(strbuf_text(&pool.links), "vx7 7, \n");
	pool.result = 0;
	while (!strstr(strbuf_text(&pool.links), "ve01 7"))
		loop_run_once(place->loop, true);
	assert_int_equal(outcome(place), 0);
}

/* So is what only the routing refuses. */
static void a_link_is_not_ready_without_its_rule(void **state)
{
	struct place *place = *state;

	place->here = MAC_A;
	pool.rules_result = -EPERM;
	tell(place, "m1", 1, "10.0.0.2");
	assert_int_equal(outcome(place), -EPERM);
	assert_string_equal(strbuf_text(&place->acknowledged), "");
	pool.rules_result = 0;
	network_link_comes(place->network, MAC_A, "ve01");
	assert_int_equal(outcome(place), 0);
}

static void what_was_written_with_a_link_is_not_written_for_it(void **state)
{
	struct place *place = *state;

	place->here = MAC_A;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	network_link_comes(place->network, MAC_A, "ve01");
	/* Of one that no message names nothing can be written. */
	network_link_comes(place->network, "02:00:00:00:00:0c", "ve03");
	assert_false(network_wait(place->network, count_ready, place));
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \ntunnel: 1 networks, 1 peers\n", "m1 ");
	network_link_comes(place->network, MAC_B, "ve02");
	assert_true(network_wait(place->network, count_ready, place));
	settle(place);
}

static void a_task_waits_for_what_was_told_before_it(void **state)
{
	struct place *place = *state;

	assert_false(network_wait(place->network, count_ready, place));
	pool.gated = true;
	tell(place, "m1", 1, "10.0.0.2");
	sem_wait(&pool.entered);
	assert_true(network_wait(place->network, count_ready, place));
	tell(place, "m2", 2, "10.0.0.3");
	assert_true(network_wait(place->network, count_ready, place));
	sem_post(&pool.gate);
	while (sem_trywait(&pool.entered) < 0)
		loop_run_once(place->loop, false);
	assert_int_equal(place->ready, 1);
	pool.gated = false;
	sem_post(&pool.gate);
	settle(place);
	assert_int_equal(place->ready, 2);
	assert_false(network_wait(place->network, count_ready, place));
	/* Nobody waits longer for what is refused. */
	pool.result = -EPERM;
	tell(place, "m3", 3, "10.0.0.3");
	assert_true(network_wait(place->network, count_ready, place));
	settle(place);
	assert_int_equal(place->ready, 3);
}

static void at_the_end_only_what_is_here_stays(void **state)
{
	struct place *place = *state;

	place->here = MAC_B;
	pool.gated = true;
	tell(place, "m1", 1, "10.0.0.2");
	sem_wait(&pool.entered);
	assert_true(network_wait(place->network, count_ready, place));
	/* It is awaited, and calls nobody any more. */
	pool.gated = false;
	sem_post(&pool.gate);
	network_free(TAKE(place->network));
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \nif-7-10.0.0.2 \n", "");
	assert_int_equal(place->ready, 0);
}

static void without_a_message_nothing_is_touched(void **state)
{
	struct place *place = *state;

	place->over = MAC_A;
	network_changed(place->network);
	network_free(TAKE(place->network));
	settle(place);
	expect(place, "", "");
}

static void a_tunnel_comes_after_its_rules_and_goes_before_them(void **state)
{
	struct place *place = *state;

	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \ntunnel: 1 networks, 1 peers\n", "m1 ");
	assert_int_equal(network_mtu(place->network), 1450);
	strbuf_free(&pool.applied);
	pool.tells_withdrawn = true;
	network_free(TAKE(place->network));
	expect(place, "tunnel: 0 networks stay\n\ntunnel: 0 networks, 0 peers\n", "m1 ");
}

/* Its rules are in force all the same, and it is tried again when the message comes again. */
static void a_tunnel_that_is_refused_is_not_acknowledged(void **state)
{
	struct place *place = *state;

	pool.tunnel_result = -EEXIST;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \ntunnel: 1 networks, 1 peers\n", "");
	assert_int_equal(network_mtu(place->network), 0);
	strbuf_free(&pool.applied);
	pool.tunnel_result = 0;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \ntunnel: 1 networks, 1 peers\n", "m1 ");
	assert_int_equal(network_mtu(place->network), 1450);
}

static void there_is_no_tunnel_without_its_rules(void **state)
{
	struct place *place = *state;

	pool.result = -EPERM;
	tell(place, "m1", 1, "10.0.0.2");
	settle(place);
	expect(place, "if-7-10.0.0.1 if-7-10.0.0.2 \n", "");
	assert_int_equal(network_mtu(place->network), 0);
}

static void each_agent_of_a_host_has_a_table(void **state)
{
	char path[400], *table = network_table("/run/berth");

	assert_string_equal(table, "berth-firewall");
	free(table);
	table = network_table("/run/second");
	assert_string_equal(table, "berth-firewall/run/second");
	free(table);
	memset(path, 'x', sizeof(path));
	memcpy(path + sizeof(path) - 5, "/end", 5);
	table = network_table(path);
	assert_int_equal(strlen(table), strlen("berth-firewall") + 200);
	assert_string_equal(table + strlen(table) - 4, "/end");
	free(table);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define REACHED(name) cmocka_unit_test_setup_teardown(name, set_up_reached, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_acknowledged_when_it_is_in_force),
		TEST(the_newest_wins),
		TEST(what_has_gone_is_forgotten),
		TEST(an_older_message_changes_nothing_within_a_session),
		TEST(what_is_refused_is_not_acknowledged),
		TEST(a_group_without_a_proper_name_is_refused),
		TEST(the_first_of_two_with_one_address_is_filtered),
		TEST(the_interface_of_a_stopped_task_goes),
		REACHED(what_brings_a_link_is_refused_and_tried_again),
		REACHED(a_link_is_not_ready_without_its_rule),
		REACHED(what_was_written_with_a_link_is_not_written_for_it),
		TEST(a_task_waits_for_what_was_told_before_it),
		TEST(at_the_end_only_what_is_here_stays),
		TEST(without_a_message_nothing_is_touched),
		REACHED(a_tunnel_comes_after_its_rules_and_goes_before_them),
		REACHED(a_tunnel_that_is_refused_is_not_acknowledged),
		REACHED(there_is_no_tunnel_without_its_rules),
		REACHED(what_a_link_sends_is_routed_by_the_table_of_its_network),
		cmocka_unit_test(each_agent_of_a_host_has_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
