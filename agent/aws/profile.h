/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_AWS_PROFILE_H
#define BERTH_AGENT_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A profile of the files that AWS's tools share, ~/.aws/credentials and ~/.aws/config:
 *
 *	[default]
 *	aws_access_key_id = AKID...
 *
 * In the second one the headings are [default] and [profile NAME]. Comments begin with # or ;
 * at the start of a line. Zeroed: an empty one.
 */
struct profile {
	bool found;
	char *access_key, *secret, *token;
	char *role_arn;          /* to be assumed with ... */
	char *source_profile;    /* ... the keys of this profile, or ... */
	char *credential_source; /* ... those from Environment, Ec2InstanceMetadata, EcsContainer */
	char *web_identity_token_file; /* or with this token */
	char *role_session_name;
	char *external_id;
	int64_t duration_s;       /* 0: not said */
	char *credential_process; /* never run */
	char *sso_start_url;      /* not spoken */
};

enum profile_file { PROFILE_CREDENTIALS, PROFILE_CONFIG };

/*
 * Adds to `profile` what `text` has of the profile `name`; what it has already stays, so the
 * credentials file is read before the configuration. `text` is torn apart, and wiped.
 */
void profile_read(char *text, size_t size, enum profile_file file, const char *name,
		  struct profile *profile);
/* The memory is wiped; `profile` is zeroed. */
void profile_free(struct profile *profile);

#define _cleanup_profile_ __attribute__((cleanup(profile_free)))

#endif
