/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/result.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

static void *grow(void *items, size_t count, size_t size)
{
	return xreallocarray(items, count + 1, size);
}

int cni_result_add_interface(struct cni_result *result, const char *name, const char *mac,
			     const char *sandbox, int64_t mtu)
{
	result->interfaces =
		grow(result->interfaces, result->interface_count, sizeof(*result->interfaces));
	result->interfaces[result->interface_count] = (struct cni_interface){
		.name = xstrdup(name),
		.mac = xstrdup_null(mac),
		.sandbox = xstrdup_null(sandbox),
		.mtu = mtu,
	};
	return (int)result->interface_count++;
}

int cni_result_add_ip(struct cni_result *result, const struct ip_prefix *address,
		      const struct ip_address *gateway, int interface)
{
	result->ips = grow(result->ips, result->ip_count, sizeof(*result->ips));
	result->ips[result->ip_count] =
		(struct cni_ip){ .address = *address, .interface = interface };
	if (gateway)
		result->ips[result->ip_count].gateway = *gateway;
	return (int)result->ip_count++;
}

int cni_result_add_route(struct cni_result *result, const struct ip_prefix *destination,
			 const struct ip_address *gateway)
{
	result->routes = grow(result->routes, result->route_count, sizeof(*result->routes));
	result->routes[result->route_count] = (struct cni_route){
		.destination = *destination,
		.mtu = CNI_ABSENT,
		.advmss = CNI_ABSENT,
		.priority = CNI_ABSENT,
		.table = CNI_ABSENT,
		.scope = CNI_ABSENT,
	};
	if (gateway)
		result->routes[result->route_count].gateway = *gateway;
	return (int)result->route_count++;
}

const struct cni_interface *cni_result_task_end(const struct cni_result *result, const char *name)
{
	for (size_t i = 0; i < result->interface_count; i++)
		if (result->interfaces[i].sandbox && str_eq(result->interfaces[i].name, name))
			return &result->interfaces[i];
	return NULL;
}

static void copy_list(struct str_list *to, const struct str_list *from)
{
	for (size_t i = 0; i < from->count; i++)
		str_list_add(to, from->items[i]);
}

void cni_result_copy(struct cni_result *to, const struct cni_result *from)
{
	for (size_t i = 0; i < from->interface_count; i++) {
		const struct cni_interface *interface = &from->interfaces[i];
		int index = cni_result_add_interface(to, interface->name, interface->mac,
						     interface->sandbox, interface->mtu);

		to->interfaces[index].socket_path = xstrdup_null(interface->socket_path);
		to->interfaces[index].pci_id = xstrdup_null(interface->pci_id);
	}
	for (size_t i = 0; i < from->ip_count; i++)
		cni_result_add_ip(to, &from->ips[i].address, &from->ips[i].gateway,
				  from->ips[i].interface);
	for (size_t i = 0; i < from->route_count; i++) {
		int index = cni_result_add_route(to, &from->routes[i].destination,
						 &from->routes[i].gateway);

		to->routes[index] = from->routes[i];
	}
	copy_list(&to->dns.nameservers, &from->dns.nameservers);
	copy_list(&to->dns.search, &from->dns.search);
	copy_list(&to->dns.options, &from->dns.options);
	to->dns.domain = xstrdup_null(from->dns.domain);
}

void cni_dns_take_if_none(struct cni_dns *to, struct cni_dns *from)
{
	if (to->nameservers.count == 0) {
		cni_dns_free(to);
		*to = *from;
		*from = (struct cni_dns){ 0 };
	}
	cni_dns_free(from);
}

void cni_dns_free(struct cni_dns *dns)
{
	str_list_free(&dns->nameservers);
	str_list_free(&dns->search);
	str_list_free(&dns->options);
	free(dns->domain);
	*dns = (struct cni_dns){ 0 };
}

void cni_result_free(struct cni_result *result)
{
	for (size_t i = 0; i < result->interface_count; i++) {
		free(result->interfaces[i].name);
		free(result->interfaces[i].mac);
		free(result->interfaces[i].sandbox);
		free(result->interfaces[i].socket_path);
		free(result->interfaces[i].pci_id);
	}
	free(result->interfaces);
	free(result->ips);
	free(result->routes);
	cni_dns_free(&result->dns);
	*result = (struct cni_result){ 0 };
}
