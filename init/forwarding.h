/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_INIT_FORWARDING_H
#define BERTH_INIT_FORWARDING_H

#include "base/error.h"
#include "init/settings.h"

/*
 * net.ipv4.ip_forward, without which a task's interface leads nowhere. Where it was off, that is
 * written down in the run directory, which is gone after a boot, as is the setting.
 */
int forwarding_on(const struct init_settings *settings, struct error *err);

/* Off again where it was off before, unless a task of awsvpc mode runs on: that needs it. */
int forwarding_restore(const struct init_settings *settings, struct error *err);

#endif
