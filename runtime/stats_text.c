/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stats_text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "runtime/stats.h"

uint64_t stats_text_number(const char **at)
{
	uint64_t number = 0;

	while (**at >= '0' && **at <= '9') {
		uint64_t digit = (uint64_t)(**at - '0');

		if (number > (UINT64_MAX - digit) / 10)
			number = UINT64_MAX;
		else
			number = number * 10 + digit;
		(*at)++;
	}
	return number;
}

static void skip_spaces(const char **at)
{
	while (**at == ' ')
		(*at)++;
}

static void skip_line(const char **at)
{
	*at += strcspn(*at, "\n");
	if (**at == '\n')
		(*at)++;
}

uint64_t stats_text_find(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (*text) {
		if (strncmp(text, key, length) == 0 && text[length] == ' ') {
			text += length + 1;
			return stats_text_number(&text);
		}
		skip_line(&text);
	}
	return 0;
}

int stats_parse_memory_stat(const char *text, struct container_stats *ret, struct error *err)
{
	if (!strchr(text, ' '))
		return error_say(err, EINVAL, "memory.stat: it has no line of name and number");
	ret->memory_stats_count = 0;
	for (; *text; skip_line(&text)) {
		size_t length = strcspn(text, " \n");
		struct stats_named *entry;

		if (text[length] != ' ' || length >= sizeof(entry->name) ||
		    ret->memory_stats_count == STATS_MEMORY_ENTRIES_MAX)
			continue;
		entry = &ret->memory_stats[ret->memory_stats_count++];
		memcpy(entry->name, text, length);
		entry->name[length] = '\0';
		text += length + 1;
		entry->value = stats_text_number(&text);
	}
	return 0;
}

static bool parse_device(const char **at, struct stats_block_entry *entry)
{
	if (**at < '0' || **at > '9')
		return false;
	entry->major = stats_text_number(at);
	if (**at != ':')
		return false;
	(*at)++;
	entry->minor = stats_text_number(at);
	skip_spaces(at);
	return true;
}

/* "8:0 Read 4096"; the last line is "Total 4096". */
int stats_parse_blkio(const char *text, struct stats_block_list *ret, struct error *err)
{
	ret->count = 0;
	ret->present = true;
	for (; *text; skip_line(&text)) {
		struct stats_block_entry entry = { 0 };
		size_t length;

		if (ret->count == STATS_BLOCK_ENTRIES_MAX || !parse_device(&text, &entry))
			continue;
		length = strcspn(text, " \n");
		if (!length || length >= sizeof(entry.operation))
			return error_say(err, EINVAL, "blkio: a line without an operation");
		memcpy(entry.operation, text, length);
		text += length;
		skip_spaces(&text);
		entry.value = stats_text_number(&text);
		ret->entries[ret->count++] = entry;
	}
	return 0;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 ..."; Docker keeps the bytes only. */
int stats_parse_io_stat(const char *text, struct stats_block_list *ret, struct error *err)
{
	(void)err;
	ret->count = 0;
	ret->present = true;
	for (; *text; skip_line(&text)) {
		struct stats_block_entry entry = { 0 };

		if (!parse_device(&text, &entry))
			continue;
		while (*text && *text != '\n') {
			const char *operation = str_starts_with(text, "rbytes=")   ? "read"
						: str_starts_with(text, "wbytes=") ? "write"
										   : NULL;

			if (operation && ret->count < STATS_BLOCK_ENTRIES_MAX) {
				text += strlen("rbytes=");
				memcpy(entry.operation, operation, strlen(operation) + 1);
				entry.value = stats_text_number(&text);
				ret->entries[ret->count++] = entry;
			}
			text += strcspn(text, " \n");
			skip_spaces(&text);
		}
	}
	return 0;
}

/* Two lines of headings, then "  eth0: rx_bytes packets errs drop fifo frame compressed multicast
 * tx_bytes ...". */
int stats_parse_net_dev(const char *text, struct network_stats *ret, struct error *err)
{
	ret->count = 0;
	if (!str_starts_with(text, "Inter-"))
		return error_say(err, EINVAL, "net/dev: it does not start with its heading");
	skip_line(&text);
	skip_line(&text);
	for (; *text; skip_line(&text)) {
		struct stats_interface *entry = &ret->interfaces[ret->count];
		uint64_t numbers[16];
		size_t length, count;

		if (ret->count == STATS_INTERFACES_MAX)
			break;
		skip_spaces(&text);
		length = strcspn(text, ":\n");
		if (text[length] != ':' || length >= sizeof(entry->name))
			continue;
		memset(entry, 0, sizeof(*entry));
		memcpy(entry->name, text, length);
		text += length + 1;
		for (count = 0; count < 16; count++) {
			skip_spaces(&text);
			if (*text < '0' || *text > '9')
				break;
			numbers[count] = stats_text_number(&text);
		}
		if (count < 16)
			return error_say(err, EINVAL,
					 "net/dev: interface %s has %zu numbers instead of 16",
					 entry->name, count);
		if (str_eq(entry->name, "lo"))
			continue;
		entry->rx_bytes = numbers[0];
		entry->rx_packets = numbers[1];
		entry->rx_errors = numbers[2];
		entry->rx_dropped = numbers[3];
		entry->tx_bytes = numbers[8];
		entry->tx_packets = numbers[9];
		entry->tx_errors = numbers[10];
		entry->tx_dropped = numbers[11];
		ret->count++;
	}
	return 0;
}

/* "cpu  user nice system idle iowait irq softirq steal ...": Docker counts the first seven. */
int stats_parse_host_cpu(const char *text, uint64_t *ret_ns, struct error *err)
{
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK), total = 0;

	if (!str_starts_with(text, "cpu "))
		return error_say(err, EINVAL, "/proc/stat: its first line is not that of all CPUs");
	text += 4;
	for (size_t i = 0; i < 7; i++) {
		skip_spaces(&text);
		if (*text < '0' || *text > '9')
			return error_say(err, EINVAL,
					 "/proc/stat: fewer than 7 numbers for all CPUs");
		total += stats_text_number(&text);
	}
	*ret_ns = total * tick_ns;
	return 0;
}
