/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONTROL_IDENTITY_ADMIN_H
#define BERTH_CONTROL_IDENTITY_ADMIN_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/web.h"
#include "control-plane/identity/enroll.h"

/*
 * What an operator does with tokens and identities, over a socket (mode 0600) in the authority's
 * directory: who may open that is who owns the control plane. `berth-control token` and
 * `berth-control identity` are its clients (command.h). Answers are text for a terminal.
 */
struct admin;

struct admin_config {
	struct web *web;
	const struct enroll *enroll; /* borrowed */
	/* Its sessions end. */
	void (*revoked)(void *data, const char *identity);
	void *data;
};

int admin_new(const struct admin_config *config, struct admin **ret, struct error *err);
void admin_free(struct admin *admin);

#endif
