/* SPDX-License-Identifier: Apache-2.0 */
/* BerthNetworkMessage, without tasks: tests/e2e/test_network_sessions.py has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control-plane/store/attributes.h"
#include "place.h"
#include "wire/acs_network.h"

#define NETWORK "BerthNetworkMessage"
#define ACK                                                                                        \
	"{'type':'AckRequest','message':{'cluster':'c','containerInstance':'i','messageId':'%s'}}"

static void announce(struct place *place)
{
	assert_int_equal(
		attribute_put(place->store, "c", ID1, ACS_NETWORK_CAPABILITY, NULL, false, NULL),
		0);
}

static void only_who_announced_it_is_told_and_after_the_manifest(void **state)
{
	struct place place;
	struct agent *agent, *other;

	place_open(&place, NULL);
	announce(&place);
	agent = place_acs(&place, HOST1);
	other = place_acs(&place, HOST2);
	agent_wait(agent, NETWORK, 1);
	assert_string_equal(text_of(json_array_get(agent->messages, 0), "type"),
			    "TaskManifestMessage");
	assert_string_equal(text_of(json_array_get(agent->messages, 1), "type"), NETWORK);
	services_network_changed(place.services);
	agent_settle(other);
	assert_int_equal(agent_count(other, NETWORK), 0);
	place_close(&place);
}

static void what_is_the_same_is_not_told_again(void **state)
{
	struct place place;
	struct agent *agent;

	place_open(&place, NULL);
	announce(&place);
	agent = place_acs(&place, HOST1);
	agent_wait(agent, NETWORK, 1);
	services_network_changed(place.services);
	services_tell_network(place.services);
	agent_settle(agent);
	assert_int_equal(agent_count(agent, NETWORK), 1);
	place_close(&place);
}

static void it_comes_again_until_it_is_acknowledged(void **state)
{
	const struct sessions_config config = { .redeliver_ms = 20, .heartbeat_ms = 600000 };
	struct place place;
	struct agent *agent;
	json_t *first, *again;
	size_t count;

	place_open(&place, &config);
	announce(&place);
	agent = place_acs(&place, HOST1);
	first = agent_wait(agent, NETWORK, 1);
	again = agent_wait(agent, NETWORK, 2);
	assert_true(json_equal(first, again));
	agent_say(agent, ACK, text_of(first, "messageId"));
	agent_settle(agent);
	count = agent_count(agent, NETWORK);
	/* Another one's redelivery has passed twice by then. */
	place_run(&place);
	agent_wait(agent, "PayloadMessage", 3);
	assert_int_equal(agent_count(agent, NETWORK), count);
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_announced_it_is_told_and_after_the_manifest),
		cmocka_unit_test(what_is_the_same_is_not_told_again),
		cmocka_unit_test(it_comes_again_until_it_is_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
