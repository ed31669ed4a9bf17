/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the one table of settings: for the files that they are in, and settings.c. */
#ifndef BERTH_AGENT_CONFIG_SETTINGS_TABLE_H
#define BERTH_AGENT_CONFIG_SETTINGS_TABLE_H

#include <stddef.h>

#include "agent/config/settings.h"

struct setting_table {
	const struct setting *settings;
	size_t count;
};

#define SETTING_TABLE(array)                                                                       \
	{                                                                                          \
		.settings = (array), .count = sizeof(array) / sizeof((array)[0])                   \
	}

#define AT(field) offsetof(struct agent_config, field)
#define SECOND    1000
#define MINUTE    (60 * SECOND)

extern const struct setting_table config_settings_of_tasks;
extern const struct setting_table config_settings_of_endpoints;
extern const struct setting_table config_settings_of_network;
extern const struct setting_table config_settings_of_house;

#endif
