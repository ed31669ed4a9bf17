/* SPDX-License-Identifier: Apache-2.0 */
/* ecs.config.json, and user data of EC2 that hold the same: then every setting is loaded from it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/settings.h"
#include "base/alloc.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read, each under a name of the table, is a text that its setting takes or refuses. */
static void take(const struct config_map *texts)
{
	struct agent_config *config = xcalloc(1, sizeof(*config));

	for (size_t i = 0; i < texts->count; i++) {
		const struct setting *setting = config_setting_find(texts->items[i].name);
		_cleanup_strbuf_ struct strbuf written = STRBUF_INIT;
		_cleanup_free_ char *note = NULL;
		struct error err = ERROR_INIT;

		if (!setting || !setting->json)
			abort();
		if (config_value_parse(setting, texts->items[i].value, config, &note, &err) < 0) {
			if (!strstr(err.text, setting->name))
				abort();
			continue;
		}
		(void)config_value_is_absent(setting, texts->items[i].value, config);
		config_value_format(setting, config, &written);
		if (setting->secret && written.length > strlen("(set)"))
			abort();
		config_value_free(setting, config);
	}
	free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	struct str_list mistakes = STR_LIST_INIT, warnings = STR_LIST_INIT, ignored = STR_LIST_INIT;
	struct config_map of_file = { .count = 0 }, of_user_data = { .count = 0 };
	struct error err = ERROR_INIT;

	if (config_json_read(text, strlen(text), "ecs.config.json", &of_file, &mistakes, &warnings,
			     &ignored, &err) < 0 &&
	    (of_file.count + mistakes.count + warnings.count + ignored.count > 0 || !*err.text))
		abort();
	config_user_data_read(text, strlen(text), &of_user_data, &warnings, &ignored);
	take(&of_file);
	take(&of_user_data);
	config_map_free(&of_file);
	config_map_free(&of_user_data);
	str_list_free(&mistakes);
	str_list_free(&warnings);
	str_list_free(&ignored);
	return 0;
}
