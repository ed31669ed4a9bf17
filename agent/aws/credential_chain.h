/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_CREDENTIAL_CHAIN_H
#define BERTH_AGENT_AWS_CREDENTIAL_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/aws/credential_set.h"
#include "agent/aws/imds.h"
#include "base/error.h"
#include "base/http.h"
#include "base/loop.h"

/*
 * Where the keys of this host may come from. The first source that has both keys is taken:
 *
 *	keys that were configured
 *	web identity: AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
 *	the shared files: AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE
 *	    (~/.aws/config), profile AWS_PROFILE or default: keys, or a role to assume
 *	a container's endpoint: AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI
 *	the instance's role
 *	the file that the activation of an external instance keeps
 *
 * On an external instance: keys, that last file, the shared files.
 */
struct credential_sources {
	struct loop *loop;
	struct http_client *http;   /* to AWS: by a proxy, if there is one */
	struct http_client *direct; /* to this host, and what stands for it: never by a proxy */
	struct imds *imds;          /* NULL: no instance metadata */
	bool external;
	const char *region;
	const char *access_key, *secret, *token; /* "": not configured */
	const char *rotating_file, *rotating_profile;
	char *const *environment; /* for AWS_* */
	int64_t skew_ms;          /* to be added to this host's clock */
};

struct credential_fetch;

struct credential_result {
	struct credential_set *set; /* NULL: none; what is taken out of it belongs to the taker */
	bool is_fixed;              /* of the configuration: will never be another */
	const char *from;           /* "the role of this instance" */
	struct error err;           /* without a set: every source, and why it had none */
};

typedef void credential_callback(void *data, const struct credential_result *result);

/*
 * Looks once. The callback comes once, from within when nobody had to be asked; then NULL is
 * returned. Else the fetch is valid until the callback. `sources` is borrowed meanwhile.
 */
struct credential_fetch *credential_fetch(const struct credential_sources *sources,
					  credential_callback *callback, void *data);
void credential_fetch_cancel(struct credential_fetch *fetch); /* NULL does nothing */

#endif
