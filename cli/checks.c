/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/checks.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/strbuf.h"

#define ROOM_BYTES   ((uint64_t)512 << 20)
#define ROOM_PERCENT 5

#define GREEN  "\033[32m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define OFF    "\033[0m"

static const char *const state_names[] = { "ok", "failed", "skipped" };
static const char *const state_colours[] = { GREEN, RED, YELLOW };

void checks_add(struct checks *checks, const char *name, enum check_state state, char *found,
		const char *advice)
{
	checks->items = xreallocarray(checks->items, checks->count + 1, sizeof(*checks->items));
	checks->items[checks->count++] =
		(struct check){ .name = name, .state = state, .found = found, .advice = advice };
}

bool checks_failed(const struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++) {
		if (checks->items[i].state == CHECK_FAILED)
			return true;
	}
	return false;
}

char *checks_text(const struct checks *checks, bool colours)
{
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < checks->count; i++) {
		const struct check *check = &checks->items[i];

		strbuf_appendf(
			&text, "%s%-7s%s  %-12s  %s\n", colours ? state_colours[check->state] : "",
			state_names[check->state], colours ? OFF : "", check->name, check->found);
		if (!str_is_empty(check->advice))
			strbuf_appendf(&text, "%-7s  %-12s  -> %s\n", "", "", check->advice);
	}
	return strbuf_take(&text);
}

char *checks_json(const struct checks *checks)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_appendf(&text, "{\"healthy\":%s,\"checks\":[",
		       checks_failed(checks) ? "false" : "true");
	for (size_t i = 0; i < checks->count; i++) {
		const struct check *check = &checks->items[i];

		strbuf_appendf(&text, "%s{\"name\":", i > 0 ? "," : "");
		strbuf_append_json(&text, check->name);
		strbuf_appendf(&text, ",\"status\":\"%s\",\"found\":", state_names[check->state]);
		strbuf_append_json(&text, check->found);
		strbuf_append(&text, ",\"advice\":");
		strbuf_append_json(&text, check->advice);
		strbuf_append_char(&text, '}');
	}
	strbuf_append(&text, "]}");
	return strbuf_take(&text);
}

void checks_free(struct checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		free(checks->items[i].found);
	free(checks->items);
	*checks = (struct checks){ 0 };
}

bool disk_has_room(uint64_t size, uint64_t available)
{
	return available >= ROOM_BYTES && available >= size / 100 * ROOM_PERCENT;
}

char *size_text(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double number = (double)bytes / 1024;
	size_t unit = 0;

	while (number >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		number /= 1024;
		unit++;
	}
	return xasprintf("%.1f %s", number, units[unit]);
}
