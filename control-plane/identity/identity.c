/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/identity.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "control-plane/identity/admin.h"

struct identity {
	struct authority *authority;
	struct enroll enroll;
	struct admin *admin;
};

int identity_new(const struct identity_config *config, struct identity **ret, struct error *err)
{
	struct identity *identity = xcalloc(1, sizeof(*identity));
	_cleanup_str_list_ struct str_list names = STR_LIST_INIT;
	struct authority_config authority = {
		.directory = config->directory,
		.now_ms = clock_wall_ms(),
	};
	struct admin_config admin = {
		.web = config->web,
		.enroll = &identity->enroll,
		.revoked = config->revoked,
		.data = config->data,
	};
	int r;

	identity_server_names(config, &names);
	authority.names = (const char *const *)names.items;
	authority.name_count = names.count;
	r = authority_open(&authority, &identity->authority, err);
	if (r == 0) {
		identity->enroll = (struct enroll){ .store = config->store,
						    .authority = identity->authority,
						    .life_ms = config->life_ms };
		r = admin_new(&admin, &identity->admin, err);
	}
	if (r < 0) {
		identity_free(identity);
		return r;
	}
	log_info("agents are enrolled by tokens", "directory", config->directory, "authority",
		 authority_fingerprint(identity->authority));
	*ret = identity;
	return 0;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	admin_free(identity->admin);
	authority_free(identity->authority);
	free(identity);
}

void identity_listener(const struct identity *identity, struct web_listener_config *config)
{
	config->cert_file = authority_server_cert_file(identity->authority);
	config->key_file = authority_server_key_file(identity->authority);
	config->client_ca_file = authority_ca_file(identity->authority);
}

bool identity_http_request(const struct identity *identity, struct web_request *request)
{
	return enroll_http_request(&identity->enroll, request);
}
