/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_CREDENTIALS_H
#define BERTH_AGENT_AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/aws/credential_chain.h"
#include "base/error.h"
#include "base/sigv4.h"

/*
 * What the agent signs with: keys, and the time.
 *
 * Keys are looked for when it is made (see credential_chain.h), and again while they are used:
 * those of a file after a minute, as files are rotated; those that expire five minutes before, or
 * after an hour. While nobody signs nothing is done. Keys that cannot be renewed are used until
 * they expire.
 *
 * The time is this host's, corrected by what the control plane says it is: a signature with a
 * wrong time is refused.
 */
struct aws_credentials;

/* `sources` is copied, what it points to borrowed. */
struct aws_credentials *aws_credentials_new(const struct credential_sources *sources);
void aws_credentials_free(struct aws_credentials *credentials);

/*
 * *ret is valid until the next call. -EAGAIN: somebody is still being asked; soon
 * there will be an answer. -ENOKEY: there are none, and err says where was looked.
 */
int aws_credentials_get(struct aws_credentials *credentials, struct sigv4_credentials *ret,
			struct error *err);

/* For who judges whether the agent is well. */
struct aws_credentials_state {
	bool good;        /* there are keys now, which have not expired */
	int64_t since_ms; /* monotonic: good, or not */
	bool ends;        /* they expire ... */
	int64_t left_ms;  /* ... after so long */
};
/* As aws_credentials_get(), which see for `err`. */
struct aws_credentials_state aws_credentials_state(struct aws_credentials *credentials,
						   struct error *err);

/* The control plane does not take these keys (any more): look again before they are used. */
void aws_credentials_refused(struct aws_credentials *credentials);

/* Now, for signatures. */
int64_t aws_credentials_wall_ms(const struct aws_credentials *credentials);
/* A server's Date header, or NULL, of an answer that came just now. Returns true when the
 * correction changed by so much that what was refused for its time may be tried again. */
bool aws_credentials_heard_date(struct aws_credentials *credentials, const char *date);
/* What the server's clock is ahead of this host's by; 0: not worth a correction. */
int64_t aws_credentials_skew_ms(const struct aws_credentials *credentials);

#endif
