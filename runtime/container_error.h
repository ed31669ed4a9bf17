/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RUNTIME_CONTAINER_ERROR_H
#define BERTH_RUNTIME_CONTAINER_ERROR_H

#include "base/error.h"

/*
 * What the OCI runtime said, as one sentence: the message of its last JSON line of level error, or
 * else the last line of plain text. Pure. Returns -ENOENT (the command is not in the image),
 * -EACCES (it cannot be executed), -EEXIST (the id is taken), -ENOSPC, else -EIO; the text is "OCI
 * runtime create failed: <message>", and for a wrong command says what to do.
 */
int container_error_from_log(const char *what, const char *log, struct error *err);

#endif
