/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_SERVICE_CONNECT_H
#define BERTH_WIRE_SERVICE_CONNECT_H

#include "wire/task.h"

struct arena;

/* A port on which the task's relay is reached. */
struct service_connect_ingress {
	const char *listener;    /* its name; may be NULL */
	uint16_t listener_port;  /* 0: the agent picks one */
	uint16_t intercept_port; /* what comes in for it goes to the listener; 0: none */
	uint16_t host_port;      /* bridge: published there; 0: the agent picks one */
};

struct service_connect_name {
	const char *host;
	const char *address;
};

/* The config of an attachment of the type serviceconnectdetail. */
struct service_connect_spec {
	const char *container; /* the relay: one of the task's */
	const struct service_connect_ingress *ingress;
	size_t ingress_count;
	const char *egress_listener; /* its name; NULL: there is no egress */
	uint16_t egress_port;        /* 0: the agent picks one */
	/* The addresses of which the relay is asked, "127.255.0.0/16"; one of them may be NULL. */
	const char *virtual_ipv4, *virtual_ipv6;
	const struct service_connect_name *names; /* for the hosts files */
	size_t name_count;
};

/*
 * -EINVAL unless the attachment names one container of the task and its ServiceConnectConfig is
 * usable with the task's network mode. *ret lives in the arena, written on success.
 */
int service_connect_decode(const struct task_attachment *attachment, const struct task_spec *task,
			   struct arena *arena, const struct service_connect_spec **ret,
			   struct error *err);

#endif
