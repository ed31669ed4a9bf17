/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"

static void tell(const struct setting *setting, const struct agent_config *before,
		 const struct agent_config *after, struct str_list *ret)
{
	_cleanup_strbuf_ struct strbuf old = STRBUF_INIT, new = STRBUF_INIT;

	config_value_format(setting, before, &old);
	config_value_format(setting, after, &new);
	str_list_add_owned(ret, xasprintf("%s: %s -> %s", setting->name, strbuf_text(&old),
					  strbuf_text(&new)));
}

void config_reload(struct agent_config *config, struct agent_config *from,
		   struct config_changes *ret)
{
	for (size_t i = 0; i < config_setting_count(); i++) {
		const struct setting *setting = config_setting_at(i);

		if (config_value_equal(setting, config, from))
			continue;
		tell(setting, config, from, setting->reloads ? &ret->applied : &ret->waiting);
		if (setting->reloads) {
			config_value_swap(setting, config, from);
			config->origins[i] = from->origins[i];
		}
	}
}

void config_changes_free(struct config_changes *changes)
{
	str_list_free(&changes->applied);
	str_list_free(&changes->waiting);
}
