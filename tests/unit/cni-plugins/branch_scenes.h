/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_CNI_PLUGINS_BRANCH_SCENES_H
#define BERTH_TESTS_CNI_PLUGINS_BRANCH_SCENES_H

#include <stdbool.h>

#include "cni-plugins/branch.h"
#include "live.h"

/*
 * ecs-branch-eni on the real kernel. The trunk "trunk0" is one end of a pair; at the other, in a
 * namespace of its own, is the VPC: 10.0.1.1 and fd00:1::1 behind the tag 101.
 *
 * Where the kernel has links of 802.1Q the program itself is run. Where it has none, something else
 * stands in for the branch, and the plugin's code runs in the test's process: a macvlan link for
 * the type vlan, which has no tag, but a group of its number; a pair for the others, because a
 * macvlan link can be no bridge's port.
 */
struct branch_scene {
	const struct branch_maker *stand_in; /* NULL: the program */
	int vpc;
	const char *wire;   /* the link that has the VPC's addresses */
	const char *ifname; /* of what is run; NULL: "eth0" */
};

void branch_scene_begin(struct branch_scene *scene, const struct branch_maker *stand_in);
void branch_scene_end(struct branch_scene *scene);

/* The usual configuration, with more behind it; the caller frees. */
char *branch_config_of(const char *more);

/* Runs one command, which may fail; the answer is the caller's (NULL for none). */
json_t *branch_any(const struct branch_scene *scene, const char *command, const struct task *task,
		   const char *config);
/* Runs one command; the answer is the caller's (NULL for none), who must have wanted success. */
json_t *branch_good(const struct branch_scene *scene, const char *command, const struct task *task,
		    const char *config, const char *args);
void branch_refused(const struct branch_scene *scene, const char *command, const struct task *task,
		    const char *config, const char *args, int code, const char *text);

/* ---- what holds for both ---- */

void branch_scene_shape(const struct branch_scene *scene);
void branch_scene_router(const struct branch_scene *scene);
void branch_scene_ipv6_only(const struct branch_scene *scene);
void branch_scene_versions(const struct branch_scene *scene);
void branch_scene_add_twice(const struct branch_scene *scene);
/* Of the type that `more` says; `text`: what the second one is refused with. */
void branch_scene_two_attachments(const struct branch_scene *scene, const char *more,
				  const char *text);
void branch_scene_del_in_any_state(const struct branch_scene *scene);
void branch_scene_failures(const struct branch_scene *scene);
void branch_scene_check(const struct branch_scene *scene);
void branch_scene_args(const struct branch_scene *scene);
/* `far`: the name of the link on the trunk's side by which frames of the tag are seen, in `place`.
 */
void branch_scene_tap(const struct branch_scene *scene, int place, const char *far);
void branch_scene_macvtap(const struct branch_scene *scene, int place, const char *far);

#endif
