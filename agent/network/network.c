/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/network/network.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "agent/network/wanted.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

#define TABLE           "berth-firewall"
#define TABLE_SUFFIX    200 /* of 255 that the kernel takes in all */
#define DEFAULT_RUN_DIR "/run/berth"

struct waiter {
	uint64_t change; /* the number of the one that it waits for */
	void (*ready)(void *data);
	void *data;
};

/* One change on its way through the pool. */
struct applying {
	struct network *network; /* NULL: freed meanwhile */
	struct firewall *firewall;
	int (*apply)(struct firewall *firewall, struct firewall_state *state, struct error *err);
	struct firewall_state *state;
	struct str_list ids; /* messages that are in force when it is */
	int result;
	struct error err;
	sem_t worked;
};

struct network {
	struct network_config config;
	struct firewall *firewall;
	struct network_wanted *wanted; /* NULL: no message yet */
	int64_t version;
	struct str_list ids; /* messages that came since the last change was begun */
	bool stale;          /* what is wanted is perhaps another than what was begun last */
	uint64_t changes;    /* that were begun */
	struct applying *applying;
	struct waiter *waiters; /* in the order of their changes */
	size_t waiter_count;
	char *failure, *left_out; /* what went wrong last: it is said once */
};

char *network_table(const char *run_dir)
{
	size_t size = strlen(run_dir);

	if (str_eq(run_dir, DEFAULT_RUN_DIR))
		return xstrdup(TABLE);
	return xasprintf(TABLE "%s", size > TABLE_SUFFIX ? run_dir + size - TABLE_SUFFIX : run_dir);
}

struct network *network_new(const struct network_config *config)
{
	struct network *network = xcalloc(1, sizeof(*network));
	_cleanup_free_ char *table = network_table(config->run_dir);

	network->config = *config;
	if (!network->config.apply)
		network->config.apply = firewall_apply;
	network->firewall = firewall_new(table);
	return network;
}

/* ---- which interfaces ---- */

/* Of each MAC of this host's tasks. */
enum presence { UNKNOWN, HERE, OVER };

static enum presence presence_of(const struct map *known, const char *mac)
{
	return (enum presence)(uintptr_t)map_get(known, mac);
}

static void note_interface(void *to, const char *mac, bool over)
{
	struct map *known = to;

	/* One that was given to the next task is here. */
	if (!over || presence_of(known, mac) != HERE)
		map_set(known, mac, (void *)(uintptr_t)(over ? OVER : HERE));
}

static bool is_not_over(void *data, const char *mac)
{
	return presence_of(data, mac) != OVER;
}

static bool is_here(void *data, const char *mac)
{
	return presence_of(data, mac) == HERE;
}

static int build(const struct network *network, bool (*keep)(void *data, const char *mac),
		 struct firewall_state **ret, struct error *left_out, struct error *err)
{
	struct map *known = map_new();
	int r;

	network->config.interfaces(network->config.data, note_interface, known);
	r = network_wanted_state(network->wanted, keep, known, ret, left_out, err);
	map_free(known);
	return r;
}

/* ---- writing ---- */

static void say_failure(struct network *network, const char *text)
{
	if (!str_eq(text, network->failure))
		log_error(
			"security groups are not enforced as the control plane wants them: what "
			"was in force before is, and tasks run; docs/networking.md says what this "
			"host needs",
			"error", text);
	str_replace(&network->failure, text);
}

static void say_left_out(struct network *network, const struct error *left_out)
{
	const char *text = left_out->code ? left_out->text : NULL;

	if (text && !str_eq(text, network->left_out))
		log_warn("an interface is left out of the security groups", "error", text);
	str_replace(&network->left_out, text);
}

/* What the pool has found. */
static void take_result(struct network *network, const struct applying *applying)
{
	if (applying->result < 0) {
		say_failure(network, applying->err.text);
		return;
	}
	if (applying->result > 0)
		log_warn("the nftables rules of security groups were not as they had been written; "
			 "they are written anew",
			 "error", applying->err.text);
	str_replace(&network->failure, NULL);
	for (size_t i = 0; i < applying->ids.count; i++)
		network->config.in_force(network->config.data, applying->ids.items[i]);
}

static void applying_free(struct applying *applying)
{
	firewall_state_free(applying->state);
	str_list_free(&applying->ids);
	sem_destroy(&applying->worked);
	free(applying);
}

static void work(void *data)
{
	struct applying *applying = data;

	applying->result =
		applying->apply(applying->firewall, TAKE(applying->state), &applying->err);
	sem_post(&applying->worked);
}

/* Of the change that is over. More may be on their way by then, for tasks that come later. */
static void release_waiters(struct network *network)
{
	_cleanup_free_ struct waiter *waiters = TAKE(network->waiters);
	size_t count = network->waiter_count, released = 0;

	while (released < count && waiters[released].change <= network->changes)
		released++;
	network->waiter_count = count - released;
	if (count > released)
		network->waiters =
			xmemdup(&waiters[released], (count - released) * sizeof(*waiters));
	for (size_t i = 0; i < released; i++)
		waiters[i].ready(waiters[i].data);
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

static void begin(struct network *network, struct firewall_state *state)
{
	struct applying *applying = xcalloc(1, sizeof(*applying));

	*applying = (struct applying){
		.network = network,
		.firewall = network->firewall,
		.apply = network->config.apply,
		.state = state,
		.ids = network->ids,
	};
	network->ids = (struct str_list)STR_LIST_INIT;
	sem_init(&applying->worked, 0, 0);
	network->applying = applying;
	loop_work(network->config.loop, work, done, applying);
}

static void advance(struct network *network)
{
	struct error err = ERROR_INIT, left_out = ERROR_INIT;
	struct firewall_state *state = NULL;

	if (network->applying || !network->stale)
		return;
	network->stale = false;
	network->changes++;
	if (build(network, is_not_over, &state, &left_out, &err) < 0) {
		str_list_free(&network->ids);
		say_failure(network, err.text);
		release_waiters(network);
		return;
	}
	say_left_out(network, &left_out);
	begin(network, state);
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

bool network_wait(struct network *network, void (*ready)(void *data), void *data)
{
	if (!network->applying)
		return false;
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
	struct firewall_state *state = NULL;

	if (!network->wanted || build(network, is_here, &state, &left_out, &err) < 0)
		return;
	if (network->config.apply(network->firewall, state, &err) < 0)
		say_failure(network, err.text);
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
	str_list_free(&network->ids);
	free(network->waiters);
	free(network->failure);
	free(network->left_out);
	free(network);
}
