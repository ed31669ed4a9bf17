/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_VERSION_H
#define BERTH_BASE_VERSION_H

/* "0.1.0", and the commit it was built from: eight hex digits, zeros when unknown. Static. */
const char *berth_version(void);
const char *berth_commit(void);

#endif
