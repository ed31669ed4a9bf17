/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/network/network.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/network/wanted.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "netns/vxlan_link.h"

#define TABLE           "berth-firewall"
#define TABLE_SUFFIX    200 /* of 255 that the kernel takes in all */
#define DEFAULT_RUN_DIR "/run/berth"
#define RETRY_MIN_MS    1000
#define RETRY_MAX_MS    60000

struct waiter {
	uint64_t change; /* the number of the one that it waits for */
	void (*ready)(void *data, const struct error *err);
	void *data;
};

/* One change on its way through the pool. The network is there for as long as it is worked on. */
struct applying {
	struct network *network; /* NULL: freed since */
	struct firewall_state *state;
	struct vpc_link *links;
	size_t link_count;
	struct tunnel *tunnel;
	uint32_t mtu;
	struct str_list ids; /* messages that are in force when it is */
	int result, forget_result, rules_result, tunnel_result;
	struct error err, forget_err, rules_err, tunnel_err;
	sem_t worked;
};

struct network {
	struct network_config config;
	struct firewall *firewall;
	struct vpc_rules *rules;
	struct vxlan *vxlan;
	struct ip_address local; /* family 0: other hosts do not reach this one */
	uint32_t mtu;
	struct network_wanted *wanted; /* NULL: no message yet */
	int64_t version;
	struct str_list ids; /* messages that came since the last change was begun */
	bool stale;          /* what is wanted is perhaps another than what was begun last */
	uint64_t changes;    /* that were begun */
	struct applying *applying;
	struct map *links;        /* that the last change is of; without values */
	struct error refused;     /* why that is not in force; code 0: it is, or is not yet known */
	struct loop_timer *retry; /* of what was refused */
	int64_t retry_ms;
	struct waiter *waiters; /* in the order of their changes */
	size_t waiter_count;
	char *failure, *forget_failure, *tunnel_failure,
		*left_out; /* what went wrong last: it is said once */
};

char *network_table(const char *run_dir)
{
	size_t size = strlen(run_dir);

	if (str_eq(run_dir, DEFAULT_RUN_DIR))
		return xstrdup(TABLE);
	return xasprintf(TABLE "%s", size > TABLE_SUFFIX ? run_dir + size - TABLE_SUFFIX : run_dir);
}

static void try_again(void *data)
{
	network_changed(data);
}

struct network *network_new(const struct network_config *config)
{
	struct network *network = xcalloc(1, sizeof(*network));
	_cleanup_free_ char *table = network_table(config->run_dir);

	network->config = *config;
	if (!network->config.apply)
		network->config.apply = firewall_apply;
	if (!network->config.forget)
		network->config.forget = firewall_forget;
	if (!network->config.apply_rules)
		network->config.apply_rules = vpc_rules_apply;
	if (!network->config.withdraw)
		network->config.withdraw = vxlan_withdraw;
	if (!network->config.apply_tunnel)
		network->config.apply_tunnel = vxlan_apply;
	network->firewall = firewall_new(table);
	network->rules = vpc_rules_new(table);
	network->vxlan = vxlan_new(table);
	network->links = map_new();
	network->retry = loop_timer_new(config->loop, try_again, network);
	network->retry_ms = RETRY_MIN_MS;
	if (!str_is_empty(config->address))
		(void)ip_parse(config->address, &network->local, NULL);
	return network;
}

/* ---- which interfaces ---- */

/* What is known of each MAC of this host's tasks. */
struct known {
	bool over;
	char link[IFNAMSIZ];
};

static void note_interface(void *to, const char *mac, const char *link, bool over)
{
	struct map *known = to;
	struct known *item = map_get(known, mac);

	/* One that was given to the next task is here. */
	if (item && (over || !item->over))
		return;
	if (!item) {
		item = xcalloc(1, sizeof(*item));
		map_set(known, mac, item);
	}
	item->over = over;
	snprintf(item->link, sizeof(item->link), "%s", link);
}

static void known_free(struct map *known)
{
	struct known *item;
	size_t cursor = 0;

	while ((item = map_next(known, &cursor, NULL)))
		free(item);
	map_free(known);
}

static bool is_not_over(void *data, const char *mac)
{
	const struct known *item = map_get(data, mac);

	return !item || !item->over;
}

static bool is_here(void *data, const char *mac)
{
	const struct known *item = map_get(data, mac);

	return item && !item->over;
}

static const char *link_of(void *data, const char *mac)
{
	const struct known *item = map_get(data, mac);

	return item && !item->over ? item->link : NULL;
}

static void add_link(struct applying *applying, const char *name, uint32_t vni,
		     const struct firewall_addresses *addresses)
{
	struct vpc_link *link = &applying->links[applying->link_count++];

	*link = (struct vpc_link){ .name = xstrdup(name), .vni = vni };
	if (!addresses)
		return;
	link->addresses = xmemdup(addresses->items, addresses->count * sizeof(*addresses->items));
	link->address_count = addresses->count;
}

/* Which links are routed by the table of a network. The state is not ours for long. */
static void build_links(struct applying *applying)
{
	const struct firewall_state *state = applying->state;
	const struct tunnel *tunnel = applying->tunnel;
	char device[IFNAMSIZ];

	applying->links = xcalloc(state->interface_count + tunnel->network_count + 1,
				  sizeof(*applying->links));
	for (size_t i = 0; i < state->interface_count; i++) {
		const struct firewall_interface *interface = state->interfaces[i];

		if (interface->link)
			add_link(applying, interface->link, interface->vni, &interface->addresses);
	}
	for (size_t i = 0; i < tunnel->network_count; i++)
		add_link(applying, vxlan_name(tunnel->networks[i].vni, device),
			 tunnel->networks[i].vni, NULL);
}

/* What is to be, for those interfaces: the firewall knows of the tunnel, which is made by another.
 */
static int build(const struct network *network, bool (*keep)(void *data, const char *mac),
		 struct applying *applying, struct error *left_out, struct error *err)
{
	struct map *known = map_new();
	int r;

	network->config.interfaces(network->config.data, note_interface, known);
	r = network_wanted_state(network->wanted, keep, link_of, known, &applying->state, left_out,
				 err);
	if (r == 0 && network->local.family) {
		applying->tunnel =
			network_wanted_tunnel(network->wanted, keep, known, applying->state,
					      &network->local, network->config.port, left_out);
	} else if (r == 0) {
		applying->tunnel = tunnel_new(NULL, 0);
	}
	if (r == 0)
		build_links(applying);
	known_free(known);
	return r;
}

/* ---- writing ---- */

static void say_failure(struct network *network, const char *text)
{
	if (!str_eq(text, network->failure))
		log_error("security groups are not enforced as the control plane wants them: what "
			  "was in force before is, and no task of theirs is started; "
			  "docs/networking.md says what this host needs",
			  "error", text);
	str_replace(&network->failure, text);
}

static void say_forget_failure(struct network *network, const char *text)
{
	if (text && !str_eq(text, network->forget_failure))
		log_warn("connections of a task that has ended are not forgotten: who has its "
			 "address next is reached by them",
			 "error", text);
	str_replace(&network->forget_failure, text);
}

static void say_tunnel_failure(struct network *network, const char *text)
{
	if (!str_eq(text, network->tunnel_failure))
		log_error("tasks of this host and those of others do not reach each other as the "
			  "control plane wants it; docs/networking.md says what is needed",
			  "error", text);
	str_replace(&network->tunnel_failure, text);
}

static void say_left_out(struct network *network, const struct error *left_out)
{
	const char *text = left_out->code ? left_out->text : NULL;

	if (text && !str_eq(text, network->left_out))
		log_warn("the network is not as the control plane wants it", "error", text);
	str_replace(&network->left_out, text);
}

static void forget_links(struct network *network)
{
	map_free(network->links);
	network->links = map_new();
}

/* What is not in force is not left at that: a task that runs may be without its rules. */
static void retry_later(struct network *network)
{
	loop_timer_start(network->retry, network->retry_ms);
	if (network->retry_ms < RETRY_MAX_MS)
		network->retry_ms *= 2;
}

/* Packets of tasks are not filtered, or not routed, as they must be. */
static void refuse(struct network *network, const struct error *err)
{
	network->refused = *err;
	forget_links(network);
	retry_later(network);
}

/* What the pool has found. */
static void take_result(struct network *network, const struct applying *applying)
{
	if (applying->result < 0) {
		say_failure(network, applying->err.text);
		refuse(network, &applying->err);
		return;
	}
	if (applying->result > 0)
		log_warn("the nftables rules of security groups were not as they had been written; "
			 "they are written anew",
			 "error", applying->err.text);
	str_replace(&network->failure, NULL);
	say_forget_failure(network, applying->forget_result < 0 ? applying->forget_err.text : NULL);
	if (applying->rules_result < 0) {
		say_tunnel_failure(network, applying->rules_err.text);
		refuse(network, &applying->rules_err);
		return;
	}
	if (applying->tunnel_result < 0) {
		say_tunnel_failure(network, applying->tunnel_err.text);
		retry_later(network);
		return;
	}
	str_replace(&network->tunnel_failure, NULL);
	network->retry_ms = RETRY_MIN_MS;
	network->mtu = applying->mtu;
	for (size_t i = 0; i < applying->ids.count; i++)
		network->config.in_force(network->config.data, applying->ids.items[i]);
}

static void applying_free(struct applying *applying)
{
	firewall_state_free(applying->state);
	tunnel_free(applying->tunnel);
	for (size_t i = 0; i < applying->link_count; i++) {
		free((char *)(uintptr_t)applying->links[i].name);
		free((void *)(uintptr_t)applying->links[i].addresses);
	}
	free(applying->links);
	str_list_free(&applying->ids);
	sem_destroy(&applying->worked);
	free(applying);
}

/* The table of a network is not asked without the rules that keep networks apart. */
static void apply_routing(struct applying *applying)
{
	struct network *network = applying->network;

	applying->rules_result = network->config.apply_rules(
		network->rules, applying->links, applying->link_count, &applying->rules_err);
	if (applying->rules_result >= 0)
		applying->tunnel_result =
			network->config.apply_tunnel(network->vxlan, TAKE(applying->tunnel),
						     &applying->mtu, &applying->tunnel_err);
}

/* There is no tunnel without the rules that guard it, neither before nor after. */
static void apply_both(struct applying *applying)
{
	struct network *network = applying->network;

	/* The rules are of it, too. */
	if (applying->tunnel->local.family)
		applying->state->tunnel = tunnel_copy(applying->tunnel);
	applying->result =
		network->config.withdraw(network->vxlan, applying->tunnel, &applying->err);
	if (applying->result >= 0)
		applying->result = network->config.apply(network->firewall, TAKE(applying->state),
							 &applying->err);
	if (applying->result < 0)
		return;
	apply_routing(applying);
	/* Nobody waits for it but who may get one of the addresses. */
	applying->forget_result = network->config.forget(network->firewall, &applying->forget_err);
}

static void work(void *data)
{
	struct applying *applying = data;

	apply_both(applying);
	sem_post(&applying->worked);
}

static const struct error *refusal(const struct network *network)
{
	return network->refused.code ? &network->refused : NULL;
}

/* Of the change that is over. More may be on their way by then, for tasks that come later. */
static void release_waiters(struct network *network)
{
	const struct error refused = network->refused;
	_cleanup_free_ struct waiter *waiters = TAKE(network->waiters);
	size_t count = network->waiter_count, released = 0;

	while (released < count && waiters[released].change <= network->changes)
		released++;
	network->waiter_count = count - released;
	if (count > released)
		network->waiters =
			xmemdup(&waiters[released], (count - released) * sizeof(*waiters));
	for (size_t i = 0; i < released; i++)
		waiters[i].ready(waiters[i].data, refused.code ? &refused : NULL);
}

static void advance(struct network *network);

static void done(void *data)
{
	struct applying *applying = data;
	struct network *network = applying->network;

	if (!network) {
		applying_free(applying);
		return;
	}
	network->applying = NULL;
	take_result(network, applying);
	applying_free(applying);
	release_waiters(network);
	advance(network);
}

static struct applying *applying_new(struct network *network)
{
	struct applying *applying = xcalloc(1, sizeof(*applying));

	applying->network = network;
	sem_init(&applying->worked, 0, 0);
	return applying;
}

static void begin(struct network *network, struct applying *applying)
{
	applying->ids = network->ids;
	network->ids = (struct str_list)STR_LIST_INIT;
	network->applying = applying;
	for (size_t i = 0; i < applying->link_count; i++)
		map_set(network->links, applying->links[i].name, network);
	loop_work(network->config.loop, work, done, applying);
}

static void advance(struct network *network)
{
	struct error err = ERROR_INIT, left_out = ERROR_INIT;
	struct applying *applying;

	if (network->applying || !network->stale)
		return;
	network->stale = false;
	network->changes++;
	network->refused = (struct error)ERROR_INIT;
	forget_links(network);
	loop_timer_stop(network->retry);
	applying = applying_new(network);
	if (build(network, is_not_over, applying, &left_out, &err) < 0) {
		applying_free(applying);
		str_list_free(&network->ids);
		say_failure(network, err.text);
		/* Until another message comes: there is nothing to try again. */
		network->refused = err;
		release_waiters(network);
		return;
	}
	say_left_out(network, &left_out);
	begin(network, applying);
}

/* ---- what happens ---- */

void network_begin(struct network *network)
{
	network->version = 0;
}

void network_take(struct network *network, const struct acs_network *message)
{
	if (message->version < network->version)
		return;
	network->version = message->version;
	network_wanted_free(network->wanted);
	network->wanted = network_wanted_new(message);
	str_list_add(&network->ids, message->message_id);
	network->stale = true;
	log_debug("security groups came", "message", message->message_id, "groups",
		  LOG_NUM(message->group_count), "interfaces", LOG_NUM(message->interface_count));
	advance(network);
}

void network_changed(struct network *network)
{
	if (!network->wanted)
		return;
	network->stale = true;
	advance(network);
}

void network_link_comes(struct network *network, const char *mac, const char *link)
{
	if (network_routing_table(network, mac) && !map_get(network->links, link))
		network_changed(network);
}

bool network_wait(struct network *network, void (*ready)(void *data, const struct error *err),
		  void *data)
{
	if (!network->applying) {
		if (!refusal(network))
			return false;
		ready(data, refusal(network));
		return true;
	}
	network->waiters = xreallocarray(network->waiters, network->waiter_count + 1,
					 sizeof(*network->waiters));
	network->waiters[network->waiter_count++] =
		(struct waiter){ network->changes + network->stale, ready, data };
	return true;
}

/* The agent ends: what nobody here has any more must not stay for as long as it is away. */
static void leave(struct network *network)
{
	struct error err = ERROR_INIT, left_out = ERROR_INIT;
	struct applying *applying;

	if (!network->wanted)
		return;
	applying = applying_new(network);
	if (build(network, is_here, applying, &left_out, &err) == 0) {
		apply_both(applying);
		take_result(network, applying);
	}
	applying_free(applying);
}

uint32_t network_mtu(const struct network *network)
{
	return network->mtu;
}

uint32_t network_routing_table(const struct network *network, const char *mac)
{
	uint32_t vni = network->wanted ? network_wanted_vni(network->wanted, mac) : 0;

	return vni ? vpc_table(vni) : 0;
}

void network_free(struct network *network)
{
	if (!network)
		return;
	if (network->applying) {
		while (sem_wait(&network->applying->worked) < 0)
			continue;
		network->applying->network = NULL;
	}
	leave(network);
	network_wanted_free(network->wanted);
	firewall_free(network->firewall);
	vpc_rules_free(network->rules);
	vxlan_free(network->vxlan);
	loop_timer_free(network->retry);
	map_free(network->links);
	str_list_free(&network->ids);
	free(network->waiters);
	free(network->failure);
	free(network->forget_failure);
	free(network->tunnel_failure);
	free(network->left_out);
	free(network);
}
