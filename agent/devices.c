/* SPDX-License-Identifier: Apache-2.0 */
/* The host's network devices, for interfaces that have been announced. */
#include "agent/agent.h"
#include "base/log.h"

#define LOOK_INTERVAL_MS 30000

/* Told once each; after so many, once more. */
#define FOREIGN_MAX 4096

static void appeared(void *data, const struct mac_address *mac)
{
	struct agent *agent = data;
	char text[MAC_TEXT_SIZE];

	mac_format(mac, text);
	if (attachments_link_appeared(agent->attachments, text) ||
	    map_get(agent->foreign_devices, text))
		return;
	if (map_count(agent->foreign_devices) >= FOREIGN_MAX) {
		map_free(agent->foreign_devices);
		agent->foreign_devices = map_new();
	}
	map_set(agent->foreign_devices, text, agent);
	log_debug("A network device is there that has not been announced", "mac", text);
}

void devices_start(struct agent *agent)
{
	const struct device_watch_config config = {
		.loop = agent->loop,
		.interval_ms = config_scaled_ms(agent->config, LOOK_INTERVAL_MS),
		.kinds = &agent->config->eni_link_kinds,
		.appeared = appeared,
		.data = agent,
	};
	struct error err = ERROR_INIT;

	if (agent->config->eni_driver != CONFIG_ENI_DEVICE)
		return;
	agent->foreign_devices = map_new();
	if (device_watch_new(&config, &agent->devices, &err) < 0)
		log_error("The host's network devices cannot be watched: no announced interface "
			  "will be reported as attached",
			  "error", err.text);
}

void devices_look(struct agent *agent)
{
	if (agent->devices)
		device_watch_look(agent->devices);
}

void devices_free(struct agent *agent)
{
	device_watch_free(agent->devices);
	agent->devices = NULL;
	map_free(agent->foreign_devices);
	agent->foreign_devices = NULL;
}
