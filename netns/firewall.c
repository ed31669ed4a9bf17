/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "netns/conntrack.h"
#include "netns/firewall_diff.h"
#include "netns/firewall_networks.h"
#include "netns/firewall_table.h"
#include "netns/firewall_tunnel.h"
#include "netns/nft_batch.h"

struct firewall {
	char *table;
	struct firewall_state *applied; /* NULL: what is there is not known */
	struct conntrack_end *gone;     /* what firewall_forget() is of */
	size_t gone_count;
};

struct firewall *firewall_new(const char *table)
{
	struct firewall *firewall = xcalloc(1, sizeof(*firewall));

	firewall->table = xstrdup(table);
	return firewall;
}

void firewall_free(struct firewall *firewall)
{
	if (!firewall)
		return;
	firewall_state_free(firewall->applied);
	free(firewall->gone);
	free(firewall->table);
	free(firewall);
}

/* From `old`; NULL: whatever is there. */
static int write_change(const struct firewall *firewall, const struct firewall_state *old,
			const struct firewall_state *wanted, struct error *err)
{
	struct nft_batch *batch = nft_batch_new();
	struct firewall_steps steps;
	int r;

	if (wanted->interface_count == 0) {
		firewall_write_none(batch, firewall->table);
	} else {
		firewall_diff(old, wanted, &steps);
		if (!old)
			firewall_write_table(batch, firewall->table);
		firewall_write_steps(batch, firewall->table, &steps);
		firewall_steps_free(&steps);
		if (!old && wanted->tunnel)
			firewall_write_tunnel(batch, firewall->table, wanted->tunnel);
		if (wanted->tunnel)
			firewall_write_tunnel_change(batch, firewall->table,
						     old ? old->tunnel : NULL, wanted->tunnel);
	}
	r = nft_batch_run(batch, "write the nftables rules of security groups", NULL, err);
	nft_batch_free(batch);
	return r;
}

/* Whether the change can be one of what is in the table. */
static bool has_same_skeleton(const struct firewall_state *old, const struct firewall_state *wanted)
{
	if (!old || !old->tunnel || !wanted->tunnel)
		return old && old->tunnel == wanted->tunnel;
	return old->tunnel->port == wanted->tunnel->port &&
	       old->tunnel->local.family == wanted->tunnel->local.family;
}

static bool is_empty(const struct firewall_state *state)
{
	return state && state->interface_count == 0;
}

/* --- addresses that go */

static void note_end(struct firewall *firewall, uint16_t zone, const struct ip_address *address)
{
	firewall->gone = xgrow(firewall->gone, firewall->gone_count, sizeof(*firewall->gone));
	firewall->gone[firewall->gone_count++] = (struct conntrack_end){ zone, *address };
}

/* One on another link is another task's; one that is on another host now goes on. */
static bool is_gone(const struct firewall_interface *was, const struct ip_address *address,
		    const struct firewall_state *wanted)
{
	const struct firewall_interface *is = firewall_state_at(wanted, was->vni, address);

	if (is)
		return was->link && !str_eq(was->link, is->link);
	return !wanted->tunnel || !tunnel_find_peer(wanted->tunnel, was->vni, address);
}

/* Of those the host, and the world, know one: it is not told which. */
static bool is_in_another(const struct firewall_state *wanted, uint32_t vni,
			  const struct ip_address *address)
{
	for (size_t i = 0; i < wanted->network_count; i++)
		if (wanted->networks[i] != vni &&
		    firewall_state_at(wanted, wanted->networks[i], address))
			return true;
	return vni && firewall_state_at(wanted, 0, address);
}

static void note_gone(struct firewall *firewall, const struct firewall_interface *was,
		      const struct firewall_state *wanted)
{
	for (size_t i = 0; i < was->addresses.count; i++) {
		const struct ip_address *address = &was->addresses.items[i];

		if (!is_gone(was, address, wanted))
			continue;
		if (was->vni)
			note_end(firewall, firewall_zone(was->vni), address);
		if (!is_in_another(wanted, was->vni, address))
			note_end(firewall, 0, address);
	}
}

int firewall_forget(struct firewall *firewall, struct error *err)
{
	_cleanup_free_ struct conntrack_end *gone = TAKE(firewall->gone);
	size_t count = firewall->gone_count;

	firewall->gone_count = 0;
	return count > 0 ? conntrack_forget_ends(gone, count, err) : 0;
}

/* --- */

int firewall_apply(struct firewall *firewall, struct firewall_state *state, struct error *err)
{
	const struct firewall_state *old = firewall->applied;
	struct error again = ERROR_INIT;
	int r = 0;

	for (size_t i = 0; old && i < old->interface_count; i++)
		note_gone(firewall, old->interfaces[i], state);
	if (!is_empty(old) || !is_empty(state))
		r = write_change(firewall,
				 is_empty(old) || !has_same_skeleton(old, state) ? NULL : old,
				 state, err);
	if (r < 0 && old) {
		r = write_change(firewall, NULL, state, &again);
		if (r == 0)
			r = 1;
		else if (err)
			*err = again;
	}
	firewall_state_free(firewall->applied);
	firewall->applied = r < 0 ? NULL : state;
	if (r < 0)
		firewall_state_free(state);
	return r;
}
