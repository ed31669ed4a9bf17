/* SPDX-License-Identifier: Apache-2.0 */
#include "simulation.h"

uint64_t sim_random(struct sim *sim)
{
	uint64_t x = (sim->random += UINT64_C(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

int64_t sim_between(struct sim *sim, int64_t low, int64_t high)
{
	return low + (int64_t)(sim_random(sim) % (uint64_t)(high - low + 1));
}

bool sim_chance(struct sim *sim, int percent)
{
	return sim_random(sim) % 100 < (uint64_t)percent;
}

bool sim_fault(struct sim *sim, int percent)
{
	bool hit = sim_chance(sim, percent);

	return hit && !sim->calm;
}
