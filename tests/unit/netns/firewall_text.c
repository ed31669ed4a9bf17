/* SPDX-License-Identifier: Apache-2.0 */
#include "firewall_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/strbuf.h"

#define ITEMS 64

struct reading {
	struct firewall_state *state;
	bool in_group;
	struct firewall_group group;
	struct firewall_rule in[ITEMS], out[ITEMS];
	struct ip_address members[ITEMS];
	char id[128];
};

static void end_group(struct reading *reading)
{
	struct error err = ERROR_INIT;

	if (!reading->in_group)
		return;
	reading->group.id = reading->id;
	reading->group.in.items = reading->in;
	reading->group.out.items = reading->out;
	reading->group.members.items = reading->members;
	assert_int_equal(firewall_state_add_group(reading->state, &reading->group, &err), 0);
	reading->group = (struct firewall_group){ 0 };
	reading->in_group = false;
}

static void read_rule(struct firewall_rule *rule, const struct str_list *words)
{
	assert_int_equal(words->count, 5);
	rule->protocol = atoi(words->items[1]);
	rule->from = atoi(words->items[2]);
	rule->to = atoi(words->items[3]);
	rule->group = str_starts_with(words->items[4], "sg-") ? strdup(words->items[4]) : NULL;
	if (!rule->group)
		assert_int_equal(ip_prefix_parse(words->items[4], &rule->prefix, NULL), 0);
}

static void free_rules(struct reading *reading)
{
	for (size_t i = 0; i < ITEMS; i++) {
		free((char *)(uintptr_t)reading->in[i].group);
		free((char *)(uintptr_t)reading->out[i].group);
		reading->in[i].group = reading->out[i].group = NULL;
	}
}

static void read_interface(struct reading *reading, const struct str_list *words)
{
	struct ip_address addresses[ITEMS];
	struct firewall_interface interface = { .addresses = { addresses, 0 } };
	struct error err = ERROR_INIT;
	size_t i = 1;

	for (; i < words->count && strchr(words->items[i], '='); i++) {
		if (str_starts_with(words->items[i], "vpc="))
			interface.vni = (uint32_t)atoi(words->items[i] + strlen("vpc="));
		else
			interface.link = words->items[i] + strlen("link=");
	}
	while (i < words->count && !str_starts_with(words->items[i], "sg-"))
		assert_int_equal(
			ip_parse(words->items[i++], &addresses[interface.addresses.count++], NULL),
			0);
	interface.groups = (const char *const *)&words->items[i];
	interface.group_count = words->count - i;
	assert_int_equal(firewall_state_add_interface(reading->state, &interface, &err), 0);
}

static void read_line(struct reading *reading, const char *line)
{
	_cleanup_str_list_ struct str_list words = STR_LIST_INIT;

	str_list_split(&words, line, ' ', false);
	if (words.count == 0)
		return;
	if (str_eq(words.items[0], "group")) {
		end_group(reading);
		free_rules(reading);
		reading->in_group = true;
		strcpy(reading->id, words.items[1]);
	} else if (str_eq(words.items[0], "in")) {
		read_rule(&reading->in[reading->group.in.count++], &words);
	} else if (str_eq(words.items[0], "out")) {
		read_rule(&reading->out[reading->group.out.count++], &words);
	} else if (str_eq(words.items[0], "member")) {
		assert_int_equal(ip_parse(words.items[1],
					  &reading->members[reading->group.members.count++], NULL),
				 0);
	} else {
		assert_string_equal(words.items[0], "interface");
		end_group(reading);
		read_interface(reading, &words);
	}
}

struct firewall_state *firewall_text(const char *lines)
{
	_cleanup_str_list_ struct str_list list = STR_LIST_INIT;
	struct reading reading = { .state = firewall_state_new() };

	str_list_split(&list, lines, '\n', false);
	for (size_t i = 0; i < list.count; i++)
		read_line(&reading, list.items[i]);
	end_group(&reading);
	free_rules(&reading);
	return reading.state;
}

char *firewall_steps_text(const struct firewall_steps *steps)
{
	static const char *const names[] = {
		[FIREWALL_ADD_GROUP] = "group+",        [FIREWALL_ADD_MEMBER] = "member+",
		[FIREWALL_DELETE_MEMBER] = "member-",   [FIREWALL_SET_RULES_IN] = "in",
		[FIREWALL_SET_RULES_OUT] = "out",       [FIREWALL_ADD_INTERFACE] = "interface+",
		[FIREWALL_SET_GROUPS] = "groups",       [FIREWALL_ADD_ADDRESS] = "address+",
		[FIREWALL_DELETE_ADDRESS] = "address-", [FIREWALL_DELETE_INTERFACE] = "interface-",
		[FIREWALL_DELETE_CHAINS] = "chains-",   [FIREWALL_DELETE_SETS] = "sets-",
		[FIREWALL_ADD_NETWORK] = "network+",    [FIREWALL_DELETE_NETWORK] = "network-",
		[FIREWALL_ADD_LINK] = "link+",          [FIREWALL_DELETE_LINK] = "link-",
	};
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < steps->count; i++) {
		const struct firewall_step *step = &steps->items[i];
		char address[IP_TEXT_SIZE] = "";

		strbuf_appendf(&text, "%s ", names[step->type]);
		if (step->vni)
			strbuf_appendf(&text, "%u", (unsigned)step->vni);
		else
			strbuf_append(&text, step->group ? step->group->id : step->interface->name);
		if (step->type == FIREWALL_ADD_LINK || step->type == FIREWALL_DELETE_LINK)
			strbuf_appendf(&text, " %s", step->interface->link);
		if (step->address)
			strbuf_appendf(&text, " %s", ip_format(step->address, address));
		strbuf_append_char(&text, '\n');
	}
	strbuf_append(&text, "");
	return strbuf_take(&text);
}
