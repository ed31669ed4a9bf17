/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_IDENTITY_H
#define BERTH_CONTROL_IDENTITY_IDENTITY_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "base/web.h"
#include "control-plane/identity/enroll.h"
#include "control-plane/store/store.h"

/* All of it, for who wires: authority, enrolment and the operator's socket. */
struct identity;

#define IDENTITY_LIFE_DEFAULT_MS (INT64_C(90) * 24 * 3600 * 1000)

struct identity_config {
	const char *directory;
	const char *listen;           /* the numeric address that is listened on */
	const char *advertise;        /* URL; NULL: none */
	const struct str_list *names; /* further names and addresses of the server */
	int64_t life_ms;              /* of agents' certificates */
	struct store *store;          /* borrowed, as the next */
	struct web *web;
	void (*revoked)(void *data, const char *identity);
	void *data;
};

int identity_new(const struct identity_config *config, struct identity **ret, struct error *err);
void identity_free(struct identity *identity);

/* What a listener serves TLS with, and whom it asks for certificates of. */
void identity_listener(const struct identity *identity, struct web_listener_config *config);
/* False: the request is none of its. */
bool identity_http_request(const struct identity *identity, struct web_request *request);

/*
 * What a server is called by those who come to it: what is given, itself as "localhost", the host's
 * name, the host of `advertise`, and the address that it listens on, or all of the host's when that
 * is the wildcard.
 */
void identity_server_names(const struct identity_config *config, struct str_list *ret);
/* A DNS name or a numeric address. */
bool identity_is_name(const char *text);

#endif
