/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with a web and an HTTP client on loopback, and a peer that speaks raw bytes; for the tests
 * of http and web. */
#ifndef BERTH_TESTS_UNIT_BASE_NET_PLACE_H
#define BERTH_TESTS_UNIT_BASE_NET_PLACE_H

#include "unit.h"

#include "base/http.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/web.h"

struct net_place {
	struct loop *loop;
	struct web *web;
	struct web_listener *listener;
	struct http_client *client;
	bool late; /* the deadline of a wait has passed */
};

struct net_place *net_place_new(void);
/* Listens on 127.0.0.1 with what `config` says besides. */
void net_place_listen(struct net_place *place, struct web_listener_config config);
void net_place_free(struct net_place *place);

/* Runs the loop until *flag is not 0; fails after 20 s. */
void net_wait(struct net_place *place, const int *flag);
/* Runs what is ready. */
void net_settle(struct net_place *place);

/* "http://127.0.0.1:<port><path>"; the caller frees. */
char *net_url(struct net_place *place, const char *scheme, const char *path);

/* A blocking connection to the listener. */
int raw_connect(struct net_place *place);
void raw_send(int fd, const char *text);
/* What comes until the peer ends, or until `until` was seen (NULL: not looked for). The caller
 * frees. */
char *raw_read(struct net_place *place, int fd, const char *until);
/* Closes with a TCP reset. */
void raw_reset(int fd);

/* Writes a key and a self-signed certificate for localhost and 127.0.0.1 into the directory. */
void make_certificate(const char *directory, char **ret_cert, char **ret_key);

#endif
