/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_IMDS_H
#define BERTH_AGENT_AWS_IMDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"

/*
 * The instance metadata service of EC2, version 2: every question carries a token that was asked
 * for with PUT, and is asked for again before it ends. Where the service does not know tokens
 * (403, 404, 405), or they do not come back, version 1 is spoken, unless that is switched off.
 *
 * An answer takes five attempts and five seconds at most. Never through a proxy.
 */
struct imds;
struct imds_call;

struct imds_config {
	const char *endpoint; /* NULL or "": http://169.254.169.254, or the IPv6 one */
	bool ipv6;            /* without an endpoint: http://[fd00:ec2::254] */
	bool v1_disabled;
	double time_scale; /* >= 1: divides the waits between attempts, for tests; 0: 1 */
};

/* The host says that it is one of EC2's, so that there is somebody to ask. Costs one small file. */
bool imds_is_likely(void);

int imds_new(struct loop *loop, const struct imds_config *config, struct imds **ret,
	     struct error *err);
void imds_free(struct imds *imds); /* cancels what runs, without callbacks */

struct imds_answer {
	int error;  /* 0; -ENOENT: 404; -EPROTO: another status; else -errno: nobody answered */
	int status; /* 0: nobody answered */
	const char *body; /* NUL-terminated, never NULL; valid during the callback, as all of this
			   */
	size_t size;
	struct error err; /* "read instance metadata /latest/meta-data/mac: HTTP 404" */
};

typedef void imds_callback(void *data, const struct imds_answer *answer);

/*
 * GET of `path`, such as "/latest/meta-data/mac". The callback comes once, later. *ret_call (may be
 * NULL) is valid until then.
 */
void imds_get(struct imds *imds, const char *path, imds_callback *callback, void *data,
	      struct imds_call **ret_call);
void imds_cancel(struct imds_call *call); /* NULL does nothing */

#endif
