/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/firewall.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "netns/firewall_diff.h"
#include "netns/firewall_table.h"
#include "netns/firewall_tunnel.h"
#include "netns/nft_batch.h"

struct firewall {
	char *table;
	struct firewall_state *applied; /* NULL: what is there is not known */
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

int firewall_apply(struct firewall *firewall, struct firewall_state *state, struct error *err)
{
	const struct firewall_state *old = firewall->applied;
	struct error again = ERROR_INIT;
	int r = 0;

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
