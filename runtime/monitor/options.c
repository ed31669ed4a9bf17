/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

#include "text.h"

const char *options_parse(char **argv, struct options *ret)
{
	*ret = (struct options){ .log_max_files = 1 };

	for (; *argv; argv++) {
		const char **text = NULL;
		const char *name = *argv;

		if (strcmp(name, "--stdin-open") == 0) {
			ret->stdin_open = true;
			continue;
		}
		if (strcmp(name, "--without-unified") == 0) {
			ret->without_unified = true;
			continue;
		}
		if (!argv[1])
			return name;
		argv++;
		if (strcmp(name, "--runtime") == 0)
			text = &ret->runtime;
		else if (strcmp(name, "--root") == 0)
			text = &ret->root;
		else if (strcmp(name, "--bundle") == 0)
			text = &ret->bundle;
		else if (strcmp(name, "--id") == 0)
			text = &ret->id;
		else if (strcmp(name, "--state") == 0)
			text = &ret->state;
		else if (strcmp(name, "--notify") == 0)
			text = &ret->notify;
		else if (strcmp(name, "--log") == 0)
			text = &ret->log;
		else if (strcmp(name, "--oom-events") == 0)
			text = &ret->oom_events;
		else if (strcmp(name, "--timeout") == 0)
			ret->timeout_ms = (int64_t)text_to_u64(*argv);
		else if (strcmp(name, "--log-max-bytes") == 0)
			ret->log_max_bytes = (int64_t)text_to_u64(*argv);
		else if (strcmp(name, "--log-max-files") == 0)
			ret->log_max_files = (unsigned)text_to_u64(*argv);
		else
			return name;
		if (text)
			*text = *argv;
	}

	if (!ret->runtime)
		return "--runtime";
	if (!ret->root)
		return "--root";
	if (!ret->bundle)
		return "--bundle";
	if (!ret->id)
		return "--id";
	if (!ret->state)
		return "--state";
	if (!ret->notify)
		return "--notify";
	if (!ret->timeout_ms)
		return "--timeout";
	return NULL;
}
