/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AGENT_LICENSE_H
#define BERTH_AGENT_LICENSE_H

/* The licence of Berth: the file LICENSE of its source. Static. */
const char *license_text(void);

#endif
