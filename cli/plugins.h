/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CLI_PLUGINS_H
#define BERTH_CLI_PLUGINS_H

#include "base/str.h"
#include "cli/settings.h"

/*
 * The CNI plugins that the agent runs with these settings, by name. Those that an operator's own
 * lists name (BERTH_CNI_CONFIG_DIR), in place of Berth's, are not among them. Pure.
 */
void plugins_needed(const struct cli_settings *settings, struct str_list *ret);

#endif
