/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CNI_PLUGINS_RESULT_H
#define BERTH_CNI_PLUGINS_RESULT_H

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "cni-plugins/version.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result of an ADD, in the shape of CNI 1.1.0; read from and written to every version that we
 * speak. */

#define CNI_ABSENT (-1)

struct cni_interface {
	char *name;
	char *mac;         /* NULL: absent, like those below */
	char *sandbox;     /* the namespace's path for a container's end; absent for a host's end */
	char *socket_path; /* 1.1.0 */
	char *pci_id;      /* 1.1.0 */
	int64_t mtu;       /* 1.1.0; 0: absent */
};

struct cni_ip {
	struct ip_prefix address;
	struct ip_address gateway; /* family 0: absent */
	int interface; /* index into interfaces, or CNI_ABSENT; when read, as it was given: it may
			  lead nowhere */
};

struct cni_route {
	struct ip_prefix destination;
	struct ip_address gateway;                   /* family 0: absent */
	int64_t mtu, advmss, priority, table, scope; /* 1.1.0; CNI_ABSENT */
};

struct cni_dns {
	struct str_list nameservers;
	struct str_list search;
	struct str_list options;
	char *domain; /* NULL: absent */
};

struct cni_result {
	struct cni_interface *interfaces;
	size_t interface_count;
	struct cni_ip *ips;
	size_t ip_count;
	struct cni_route *routes;
	size_t route_count;
	struct cni_dns dns;
};

#define CNI_RESULT_INIT                                                                            \
	{                                                                                          \
		0                                                                                  \
	}

/* Append copies; the result owns its strings. Return the new index. */
int cni_result_add_interface(struct cni_result *result, const char *name, const char *mac,
			     const char *sandbox, int64_t mtu);
int cni_result_add_ip(struct cni_result *result, const struct ip_prefix *address,
		      const struct ip_address *gateway, int interface);
int cni_result_add_route(struct cni_result *result, const struct ip_prefix *destination,
			 const struct ip_address *gateway);

/*
 * Reads a result or a prevResult. Its cniVersion counts, `version` where it has none. At most 256
 * of each list. *ret must be fresh (CNI_RESULT_INIT); untouched on failure.
 */
int cni_result_parse(const struct json_at *at, enum cni_version version, struct cni_result *ret,
		     struct error *err);

/* Reads a "dns" object (also of a configuration) into a fresh *ret. Absent: empty. */
int cni_dns_parse(const struct json_at *object, struct cni_dns *ret, struct error *err);

/* The task's end of this name; NULL when there is none. */
const struct cni_interface *cni_result_task_end(const struct cni_result *result, const char *name);

/* Compact JSON in exactly this version; the caller frees. */
char *cni_result_dump(const struct cni_result *result, enum cni_version version);
json_t *cni_result_to_json(const struct cni_result *result, enum cni_version version);

void cni_result_copy(struct cni_result *to, const struct cni_result *from); /* `to` fresh */
/* Moves `from` to `to` when that has no nameservers; frees it otherwise. */
void cni_dns_take_if_none(struct cni_dns *to, struct cni_dns *from);
void cni_dns_free(struct cni_dns *dns);
void cni_result_free(struct cni_result *result); /* fresh again */
#define _cleanup_cni_result_ __attribute__((cleanup(cni_result_free)))

#endif
