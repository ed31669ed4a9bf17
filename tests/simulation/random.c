/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <string.h>

#include "simulation.h"

uint64_t mix_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9E3779B97F4A7C15));

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

uint64_t sim_random(struct sim *sim)
{
	return mix_random(&sim->random);
}

int64_t sim_between(struct sim *sim, int64_t low, int64_t high)
{
	return low + (int64_t)(sim_random(sim) % (uint64_t)(high - low + 1));
}

bool sim_chance(struct sim *sim, int percent)
{
	return sim_random(sim) % 100 < (uint64_t)percent;
}

bool sim_chance_in(struct sim *sim, int one_in)
{
	return sim_random(sim) % (uint64_t)one_in == 0;
}

bool sim_fault(struct sim *sim, int percent)
{
	bool hit = sim_chance(sim, percent);

	return hit && !sim->calm;
}

/* In the place of base/random_source.c. */
void random_bytes(void *out, size_t size)
{
	unsigned char *bytes = out;

	while (size > 0) {
		uint64_t value = sim_random(sim_world);
		size_t some = size < sizeof(value) ? size : sizeof(value);

		memcpy(bytes, &value, some);
		bytes += some;
		size -= some;
	}
}
