/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/executor/task_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "wire/service_connect.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define FILE_LIMIT  (64 * 1024)

char *task_hostname(const struct task_spec *task, const struct container_spec *container)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (container && !str_is_empty(container->docker.hostname))
		return xstrdup(container->docker.hostname);
	if (task->network_mode == NETWORK_MODE_AWSVPC && task->eni_count > 0 &&
	    !str_is_empty(task->enis[0].private_dns_name))
		return xstrndup(task->enis[0].private_dns_name, HOST_NAME_MAX);
	if (task->network_mode == NETWORK_MODE_HOST && gethostname(name, sizeof(name) - 1) == 0 &&
	    name[0])
		return xstrdup(name);
	return xstrndup(task->id, 12);
}

/* "name:address", where an IPv6 address has colons of its own. */
static void append_extra_host(struct strbuf *text, const char *entry)
{
	const char *colon = strchr(entry, ':');

	if (colon)
		strbuf_appendf(text, "%s\t%.*s\n", colon + 1, (int)(colon - entry), entry);
}

/* "name" or "name:alias". */
static void append_link(struct strbuf *text, const struct task_state *task, const char *link)
{
	const char *colon = strchr(link, ':');
	_cleanup_free_ char *name = colon ? xstrndup(link, (size_t)(colon - link)) : xstrdup(link);
	const struct container_state *to = task_state_container(task, name);
	const char *addresses[] = { to ? to->connection.address : NULL,
				    to ? to->connection.ipv6_address : NULL };

	for (size_t i = 0; i < 2; i++) {
		if (!addresses[i])
			continue;
		strbuf_appendf(text, "%s\t%s", addresses[i], colon ? colon + 1 : name);
		if (colon && !str_eq(colon + 1, name))
			strbuf_appendf(text, " %s", name);
		strbuf_append_char(text, '\n');
	}
}

char *task_bridge_hosts(const struct task_state *task, size_t index, const char *hostname)
{
	const struct container_state *container = &task->containers[index];
	const struct text_list *links = &container->spec->links;
	struct strbuf text = STRBUF_INIT;

	if (container->connection.address)
		strbuf_appendf(&text, "%s\t%s\n", container->connection.address, hostname);
	if (container->connection.ipv6_address)
		strbuf_appendf(&text, "%s\t%s\n", container->connection.ipv6_address, hostname);
	for (size_t i = 0; i < links->count; i++)
		append_link(&text, task, links->items[i]);
	return strbuf_take(&text);
}

char *task_hosts_text(const struct task_spec *task, const struct container_spec *container,
		      const char *hostname, const char *own_lines)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_append(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (task->network_mode == NETWORK_MODE_AWSVPC) {
		for (size_t i = 0; i < task->eni_count; i++) {
			const struct eni_spec *eni = &task->enis[i];
			const char *name = str_is_empty(eni->private_dns_name)
						   ? hostname
						   : eni->private_dns_name;

			for (size_t j = 0; j < eni->ipv4_count; j++)
				strbuf_appendf(&text, "%s\t%s\n", eni->ipv4[j].address, name);
			if (eni->ipv4_count == 0) {
				for (size_t j = 0; j < eni->ipv6_count; j++)
					strbuf_appendf(&text, "%s\t%s\n", eni->ipv6[j].address,
						       name);
			}
		}
	} else if (own_lines) {
		strbuf_append(&text, own_lines);
	} else if (hostname) {
		strbuf_appendf(&text, "127.0.1.1\t%s\n", hostname);
	}
	if (container) {
		for (size_t i = 0; i < container->docker.extra_hosts.count; i++)
			append_extra_host(&text, container->docker.extra_hosts.items[i]);
	} else {
		for (size_t c = 0; c < task->container_count; c++) {
			for (size_t i = 0; i < task->containers[c].docker.extra_hosts.count; i++)
				append_extra_host(&text,
						  task->containers[c].docker.extra_hosts.items[i]);
		}
	}
	for (size_t i = 0; task->service_connect && i < task->service_connect->name_count; i++)
		strbuf_appendf(&text, "%s\t%s\n", task->service_connect->names[i].address,
			       task->service_connect->names[i].host);
	return strbuf_take(&text);
}

static void append_servers(struct strbuf *text, const struct text_list *servers)
{
	for (size_t i = 0; i < servers->count; i++)
		strbuf_appendf(text, "nameserver %s\n", servers->items[i]);
}

static void append_search(struct strbuf *text, const struct text_list *domains)
{
	if (domains->count == 0)
		return;
	strbuf_append(text, "search");
	for (size_t i = 0; i < domains->count; i++)
		strbuf_appendf(text, " %s", domains->items[i]);
	strbuf_append_char(text, '\n');
}

char *task_resolv_text(const struct task_spec *task, const struct container_spec *container,
		       const char *host_text)
{
	static const struct text_list none = { NULL, 0 };
	const struct text_list *servers = &none, *search = &none, *options = &none;
	struct strbuf text = STRBUF_INIT;

	if (container) {
		servers = &container->docker.dns;
		search = &container->docker.dns_search;
		options = &container->docker.dns_options;
	} else if (task->eni_count > 0) {
		servers = &task->enis[0].dns_servers;
		search = &task->enis[0].dns_search;
	}
	if (servers->count == 0 && search->count == 0)
		return xstrdup(host_text);
	append_servers(&text, servers);
	append_search(&text, search);
	if (options->count > 0) {
		strbuf_append(&text, "options");
		for (size_t i = 0; i < options->count; i++)
			strbuf_appendf(&text, " %s", options->items[i]);
		strbuf_append_char(&text, '\n');
	}
	/* A search list of one's own with the host's servers. */
	for (const char *line = host_text; servers->count == 0 && *line;) {
		const char *end = strchr(line, '\n');
		size_t length = end ? (size_t)(end - line) : strlen(line);

		if (str_starts_with(line, "nameserver"))
			strbuf_appendf(&text, "%.*s\n", (int)length, line);
		line += length + (end ? 1 : 0);
	}
	return strbuf_take(&text);
}

static int write_text(int directory, const char *name, const char *text, struct error *err)
{
	return file_write_atomic(directory, name, text, strlen(text), 0644, false, err);
}

int task_files_write(const char *directory, const struct task_spec *task,
		     const struct container_spec *container, const char *own_lines,
		     struct error *err)
{
	_cleanup_free_ char *hostname = task_hostname(task, container);
	_cleanup_free_ char *hosts = task_hosts_text(task, container, hostname, own_lines);
	_cleanup_free_ char *host_resolv = NULL;
	_cleanup_free_ char *resolv = NULL;
	_cleanup_free_ char *hostname_line = xasprintf("%s\n", hostname);
	_cleanup_close_ int fd = -1;
	int r;

	if (file_read(AT_FDCWD, RESOLV_CONF, FILE_LIMIT, &host_resolv, NULL, NULL) < 0)
		host_resolv = xstrdup("");
	resolv = task_resolv_text(task, container, host_resolv);
	r = file_mkdirs(directory, 0755, err);
	if (r < 0)
		return r;
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "open %s", directory);
	r = write_text(fd, "hosts", hosts, err);
	if (r == 0)
		r = write_text(fd, "hostname", hostname_line, err);
	if (r == 0)
		r = write_text(fd, "resolv.conf", resolv, err);
	return r;
}
