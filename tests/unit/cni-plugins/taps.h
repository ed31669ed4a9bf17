/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_TAPS_H
#define BERTH_TESTS_CNI_PLUGINS_TAPS_H

#include <sys/types.h>

/* Taps: who may open them, and what passes. */

#define TAP_FAR_MAC "02:1f:00:a0:b1:01"

/* Opens the tap "eth0" of a namespace as a process of this user and group would, with no rights
 * beside. 0 with the descriptor, or -errno. */
int tap_open(int netns, uid_t uid, gid_t gid, int *ret_fd);

/* A socket that sends and gets frames on a link, in a namespace (-1: the host). */
int packet_socket_at(int place, const char *link);

/* Frames pass both ways between a tap, where `mac` is, and such a socket on the other side. */
void tap_exchange(int tap, int far, const char *mac);

#endif
