/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_NETNS_FRAGMENTS_H
#define BERTH_TESTS_NETNS_FRAGMENTS_H

/*
 * Packets in two fragments, made by hand, of a protocol that needs no checksum. All of them have
 * the same identification: only their addresses tell them apart.
 */

/* Sends the fragment `part` (0 or 1) from a namespace: 16 times the letter. */
void fragments_send(int netns, const char *source, const char *to, int part, char letter);

/* A socket for packets that are whole again; fragments_receive() waits for PLACE_TIMEOUT_MS. */
int fragments_open(int netns, int family);
/* The letters that came, "" for none; the caller frees. */
char *fragments_receive(int fd, int family);

#endif
