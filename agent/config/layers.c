/* SPDX-License-Identifier: Apache-2.0 */
/* The sources one above the other, and who hides whom. */
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/str.h"

static const char *text_of(const struct config_layers *layers, const struct setting *setting,
			   unsigned origin)
{
	const char *const names[] = { setting->name, setting->other_name };

	for (size_t i = 0; i < 2 && names[i]; i++) {
		const char *text = origin == ORIGIN_ENVIRONMENT
					   ? environment_get(layers->environment, names[i])
					   : config_map_get(&layers->texts[origin], names[i]);

		if (text && (*text || (setting->empty_counts && origin >= ORIGIN_VENDOR_FILE)))
			return text;
	}
	return NULL;
}

const char *config_layers_next(const struct config_layers *layers, const struct setting *setting,
			       unsigned *origin)
{
	/* Below one of these is what stands below all of them. */
	unsigned from = *origin <= ORIGIN_ENVIRONMENT && *origin > ORIGIN_VENDOR_FILE
				? ORIGIN_VENDOR_FILE
				: *origin;

	for (unsigned at = from; at-- > ORIGIN_DEFAULT + 1;) {
		const char *text = text_of(layers, setting, at);

		if (text) {
			*origin = at;
			return text;
		}
	}
	*origin = ORIGIN_DEFAULT;
	return NULL;
}

void config_layers_free(struct config_layers *layers)
{
	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		config_map_free(&layers->texts[i]);
}
