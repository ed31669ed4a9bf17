/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_TUNNEL_SCENES_H
#define BERTH_TESTS_CNI_PLUGINS_TUNNEL_SCENES_H

#include "cni-plugins/task_tunnel.h"
#include "live.h"

/*
 * ecs-tunnel on the real kernel. Two hosts that reach each other: the test's own, 192.168.88.1, and
 * "far", 192.168.88.2. On that one the test makes the other end of the tunnel 1a2b3c by hand:
 * "wire" has the addresses 10.99.0.1, and 169.254.175.253 with the MAC of a tunnel's gateway.
 *
 * Where the kernel has geneve links the program itself is run. Where it has none, VXLAN stands in,
 * and the plugin's code runs in the test's process.
 */
struct tunnel_scene {
	const struct task_tunnel_maker *maker;
	bool stand_in;
	int far;
};

void tunnel_scene_begin(struct tunnel_scene *scene, const struct task_tunnel_maker *maker,
			bool stand_in);
void tunnel_scene_end(struct tunnel_scene *scene);

/* The other end of a tunnel, made by hand on the far host; up. */
void tunnel_far_end(const struct tunnel_scene *scene, const char *name, uint32_t vni,
		    uint16_t port);

/* Whether a task reaches the wire, which has forgotten the MAC that the last tunnel had: a real
 * peer takes some seconds to notice. */
bool tunnel_reaches_far(const struct tunnel_scene *scene, const struct task *task);

/* The usual configuration, with more behind it; the caller frees. */
char *tunnel_config_of(const char *more);

struct tunnel_step {
	const char *command;
	const struct task *task;
	const char *config;
	const char *ifname; /* NULL: "eth0" */
	const char *args;
	bool on_far; /* the program runs there */
};

/* Runs one command; the answer, whichever it is, is the caller's. */
json_t *tunnel_any(const struct tunnel_scene *scene, struct tunnel_step step);
/* Runs one command; the answer is the caller's (NULL for none), who must have wanted success. */
json_t *tunnel_good(const struct tunnel_scene *scene, struct tunnel_step step);
void tunnel_refused(const struct tunnel_scene *scene, struct tunnel_step step, int code,
		    const char *text);

/* ---- what holds for both ---- */

void tunnel_scene_shape(const struct tunnel_scene *scene);
void tunnel_scene_both_ends(const struct tunnel_scene *scene);
void tunnel_scene_not_primary(const struct tunnel_scene *scene);
void tunnel_scene_versions(const struct tunnel_scene *scene);
void tunnel_scene_add_twice(const struct tunnel_scene *scene);
/* Of the type that `more` says. */
void tunnel_scene_two_attachments(const struct tunnel_scene *scene, const char *more);
void tunnel_scene_del_in_any_state(const struct tunnel_scene *scene);
void tunnel_scene_failures(const struct tunnel_scene *scene);
void tunnel_scene_check(const struct tunnel_scene *scene);
void tunnel_scene_args(const struct tunnel_scene *scene);
void tunnel_scene_tap(const struct tunnel_scene *scene);
void tunnel_scene_tap_takes_the_tunnel(const struct tunnel_scene *scene);

#endif
