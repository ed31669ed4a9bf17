# SPDX-License-Identifier: Apache-2.0
"""Images come as the pull behaviour says, and go when no task needs them. A pass of the cleanup is each 3 s here, not 10 min."""
import contextlib
import os
import re
import sqlite3

import pytest

from tests.lab import images
from tests.lab.berth import wait_for
from tests.e2e.test_first_task import FOREVER, container

pytestmark = pytest.mark.lab(scale=0.005)
SLOW = 60  # seconds within which all must have happened, on a machine that has much else to do
CLEANUP = {"ECS_IMAGE_CLEANUP_INTERVAL": "10m", "ECS_IMAGE_MINIMUM_CLEANUP_AGE": "1ms",
           "BERTH_IMAGE_CLEANUP_DISK_PERCENT": "0", "ECS_DISABLE_IMAGE_CLEANUP": "false"}


def start(lab, **settings):
    return lab.agent(**dict({"BERTH_TIME_SCALE": "200", "ECS_DISABLE_IMAGE_CLEANUP": "true"}, **settings)).start()


def start_again(agent, how="stop", **settings):
    """Another life of the agent, with other settings. Returns where its log begins."""
    getattr(agent, how)()
    end = len(agent.daemon.text())
    agent.daemon.env.update(settings)
    agent.start()
    return end


def push(lab, name, tag="1", command=("sh", "-c", "exit 0"), **options):
    """An image of its own: another name, another configuration."""
    return lab.registry.image(name, tag, config={"Env": ["PATH=/bin", f"NAME={name}"], "Cmd": list(command)}, **options)


def run(lab, image, command=None):
    app = {"image": image}
    if command:
        app["command"] = command
    return lab.run(lab.define("images", [app], mode="none"), awsvpc=False)[0]


def run_to_the_end(lab, image, code=0):
    """Until it is forgotten, too: only then is the image unused."""
    arn = run(lab, image)
    task = lab.wait_status(arn, "STOPPED", SLOW)
    assert container(task).get("exitCode") == code, task
    wait_for("the task to be cleaned up", lambda: not any(
        known["Arn"] == arn for known in lab.agents[0].introspect("/v1/tasks")["Tasks"]), SLOW)
    return container(task)


def passes(agent, begin=0):
    """[(names removed in order, line of its end)] of the passes since `begin` in the agent's log."""
    found, removed = [], []
    for line in agent.daemon.text()[begin:].splitlines():
        if 'msg="image removed"' in line:
            removed.append(re.search(r'names="?([^"]*?)"? why=', line).group(1))
        elif 'msg="image cleanup done"' in line:
            found.append((removed, line))
            removed = []
    return found


def wait_for_passes(agent, count, begin=0):
    return wait_for(f"{count} passes", lambda: (lambda found: len(found) >= count and found)(passes(agent, begin)), SLOW)


# ---- pulls

def test_once_pulls_what_no_task_pulled_though_it_is_there(lab):
    """eng-17: nor is it pulled because a task used it as it was (eng-15)."""
    image = push(lab, "baked")
    lab.containerd.ctr("images", "pull", "--plain-http", image)
    lab.registry.stop()
    agent = start(lab, ECS_IMAGE_PULL_BEHAVIOR="default")
    assert run_to_the_end(lab, image)["reason"].startswith("CannotPullImageManifestError: ")
    start_again(agent, ECS_IMAGE_PULL_BEHAVIOR="once")
    task = lab.wait_status(run(lab, image), "STOPPED", SLOW)
    assert container(task)["reason"].startswith("CannotPullImageManifestError: ")
    assert "exitCode" not in container(task)


def test_once_pulls_once_on_this_host(lab):
    """eng-18: also in another life of the agent; but again when the image was removed."""
    image = push(lab, "once")
    agent = start(lab, ECS_IMAGE_PULL_BEHAVIOR="once")
    run_to_the_end(lab, image)
    lab.registry.stop()
    assert "reason" not in run_to_the_end(lab, image)
    begin = start_again(agent, "kill", **CLEANUP)
    assert "reason" not in run_to_the_end(lab, image)
    wait_for("the image to be removed", lambda: [image] in [removed for removed, _ in passes(agent, begin)], SLOW)
    task = lab.wait_status(run(lab, image), "STOPPED", SLOW)
    assert container(task)["reason"].startswith("CannotPullImageManifestError: ")
    lab.registry.start()
    run_to_the_end(lab, image)


def test_prefer_cached_takes_what_is_there(lab):
    """eng-19: without a registry, and with the digest that it has here."""
    image = push(lab, "cached")
    lab.containerd.ctr("images", "pull", "--plain-http", image)
    digest = next(line.split()[2] for line in lab.containerd.ctr("images", "ls").stdout.splitlines() if image in line)
    lab.registry.stop()
    start(lab, ECS_IMAGE_PULL_BEHAVIOR="prefer-cached")
    app = run_to_the_end(lab, image)
    assert app["imageDigest"] == digest
    assert "reason" not in app


def test_a_tag_that_moved_is_pulled_anew_and_what_it_was_before_goes(lab):
    """eng-21"""
    image = push(lab, "moves", command=["sh", "-c", "exit 3"])
    agent = start(lab)
    first = run_to_the_end(lab, image, 3)
    before = lab.containerd.blobs()
    push(lab, "moves", command=["sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.1; done"])
    arn = run(lab, image)
    second = container(lab.wait_status(arn, "RUNNING", SLOW))
    assert second["imageDigest"] != first["imageDigest"]
    assert second["imageDigest"] in lab.containerd.ctr("images", "ls").stdout
    begin = start_again(agent, **CLEANUP)
    assert wait_for_passes(agent, 2, begin)[0][0] == [""]
    # What is new of the first is gone: its manifest and its configuration; the layer is shared.
    after = lab.containerd.blobs()
    assert len(before - after) == 2 and first["imageDigest"] not in after
    assert lab.containerd.names() == {image}
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED", SLOW))["exitCode"] == 42


# ---- cleanup

def test_five_of_six_unused_images_go_the_least_recently_used_first(lab):
    """eng-88: of six unused images and one that a task runs from. They were used by another life of the agent."""
    agent = start(lab)
    used = push(lab, "used")
    unused = [push(lab, f"unused{number}") for number in range(6)]
    arn = run(lab, used, FOREVER)
    lab.wait_status(arn, "RUNNING", SLOW)
    for image in (*unused, unused[1], unused[0]):
        run_to_the_end(lab, image)
    order = [*unused[2:], unused[1], unused[0]]
    begin = start_again(agent, **CLEANUP)
    removed, line = wait_for_passes(agent, 1, begin)[0]
    assert removed == order[:5]
    assert "removed=5 failed=0" in line
    assert [removed for removed, _ in wait_for_passes(agent, 3, begin)][1:3] == [order[5:], []]
    assert lab.containerd.names() == {used}
    # containerd has collected everything but the manifest, the configuration and the layer of one.
    assert len(lab.containerd.blobs()) == 3
    assert lab.containerd.ctr("snapshots", "ls").stdout.count("berth-hold-") == 1
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED", SLOW))["exitCode"] == 42
    wait_for("the last image to go", lambda: not lab.containerd.names() and not lab.containerd.blobs(), SLOW)


def test_an_image_is_used_until_its_task_is_forgotten_whoever_lives_meanwhile(lab):
    """Not at STOPPED; and after the agent was killed as well."""
    agent = start(lab, ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION="15s", **CLEANUP)
    image = push(lab, "held")
    arn = run(lab, image, FOREVER)
    lab.wait_status(arn, "RUNNING", SLOW)
    begin = start_again(agent, "kill")
    assert [removed for removed, _ in wait_for_passes(agent, 2, begin)[:2]] == [[], []]
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED", SLOW))["exitCode"] == 42
    done = len(passes(agent, begin))
    assert wait_for_passes(agent, done + 1, begin)[done][0] == []
    assert lab.containerd.names() == {image}
    wait_for("the image to go", lambda: not lab.containerd.names(), SLOW)
    assert not agent.introspect("/v1/tasks")["Tasks"]


def test_an_image_that_is_young_or_excluded_stays(lab):
    agent = start(lab)
    kept, goes = push(lab, "kept"), push(lab, "goes")
    for image in (kept, goes):
        run_to_the_end(lab, image)
    begin = start_again(agent, **dict(CLEANUP, ECS_EXCLUDE_UNTRACKED_IMAGE=kept))
    assert [removed for removed, _ in wait_for_passes(agent, 2, begin)[:2]] == [[goes], []]
    assert lab.containerd.names() == {kept}
    begin = start_again(agent, **dict(CLEANUP, ECS_IMAGE_MINIMUM_CLEANUP_AGE="1h", ECS_EXCLUDE_UNTRACKED_IMAGE=""))
    assert wait_for_passes(agent, 1, begin)[0][0] == []
    assert lab.containerd.names() == {kept}


def wrapped_ctr(lab, text):
    """A ctr that does as `text` says before it does what it is asked for. `$HERE` is a directory of its own."""
    here = os.path.join(lab.directory, "ctr")
    os.mkdir(here)
    path = os.path.join(here, "ctr")
    with open(path, "w") as script:
        script.write(f'#!/bin/sh\nHERE={here}\n{text}\nexec ctr "$@"\n')
    os.chmod(path, 0o755)
    return path, here


def set_known(agent, arn, known):
    """Writes a task's status into the store of an agent that does not run; returns what was there."""
    task_id = arn.split("/")[-1]
    with contextlib.closing(sqlite3.connect(os.path.join(agent.data, "agent.db"))) as store, store:
        before = store.execute("SELECT known FROM task WHERE id = ?", (task_id,)).fetchone()[0]
        store.execute("UPDATE task SET known = ? WHERE id = ?", (known, task_id))
    return before


def test_while_a_saved_task_cannot_be_read_no_image_goes(lab):
    """It may run from any of them."""
    agent = start(lab, **CLEANUP)
    arn = run(lab, push(lab, "damaged"), FOREVER)
    lab.wait_status(arn, "RUNNING", SLOW)
    assert 'msg="image cleanup is on"' in agent.daemon.text()
    agent.kill()
    known = set_known(agent, arn, "NONSENSE")
    begin = start_again(agent)
    assert 'msg="image cleanup is on"' not in agent.daemon.text()[begin:]
    assert "cannot be read" in agent.daemon.text()[begin:]
    agent.kill()
    set_known(agent, arn, known)
    begin = start_again(agent)
    assert 'msg="image cleanup is on"' in agent.daemon.text()[begin:]
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED", SLOW))["exitCode"] == 42


def touch(directory, name):
    with open(os.path.join(directory, name), "w"):
        pass


def test_a_busy_or_missing_image_does_not_stop_the_pass(lab):
    busy, missing, other, last = (push(lab, name) for name in ("busy", "missing", "other", "last"))
    ctr, here = wrapped_ctr(lab, 'case "$*" in *" images rm "*/busy:*) [ -e $HERE/free ] || {\n'
                                 'echo "ctr: unable to delete it: device or resource busy" >&2; exit 1; };; esac')
    agent = start(lab, BERTH_CTR=ctr)
    for image in (busy, missing, other, last):
        run_to_the_end(lab, image)
    lab.containerd.ctr("images", "rm", missing)
    begin = start_again(agent, **dict(CLEANUP, ECS_NUM_IMAGES_DELETE_PER_CYCLE="2"))
    removed, line = wait_for_passes(agent, 1, begin)[0]
    assert removed == [missing, other]
    assert "removed=2 failed=1" in line
    assert "device or resource busy" in agent.daemon.text()[begin:]
    assert busy in lab.containerd.names()
    touch(here, "free")
    wait_for("all to go", lambda: not lab.containerd.names() and not lab.containerd.blobs(), SLOW)


def test_a_task_that_comes_while_its_image_is_removed_pulls_again(lab):
    image = push(lab, "contested")
    ctr, here = wrapped_ctr(lab, 'case "$*" in *" images rm "*) touch $HERE/holding\n'
                                 'while [ ! -e $HERE/go ]; do sleep 0.02; done;; esac')
    agent = start(lab, BERTH_CTR=ctr, **CLEANUP)
    run_to_the_end(lab, image)
    wait_for("the removal", lambda: os.path.exists(os.path.join(here, "holding")), SLOW)
    arn = run(lab, image, FOREVER)
    line = f'msg="effect" effect="PULL_IMAGE" task="{arn.split("/")[-1]}"'
    wait_for("the pull", lambda: line in agent.daemon.text(), SLOW)
    touch(here, "go")
    lab.wait_status(arn, "RUNNING", SLOW)
    assert [image] in [removed for removed, _ in passes(agent)]
    done = len(passes(agent))
    assert wait_for_passes(agent, done + 1)[done][0] == []
    assert lab.containerd.names() == {image}
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED", SLOW))["exitCode"] == 42


def test_images_that_no_task_used_go_when_asked_for(lab):
    """In the agent's own namespace of containerd, and not beyond the number of a pass."""
    agent = start(lab)
    small = push(lab, "small")
    big = push(lab, "big", layers=[images.layer({"big": os.urandom(3 << 20)})])
    tracked = push(lab, "tracked")
    run_to_the_end(lab, tracked)
    for image in (small, big):
        lab.containerd.ctr("images", "pull", "--plain-http", image)
    lab.containerd.ctr("images", "pull", "--plain-http", small, namespace="elsewhere")
    begin = start_again(agent, **CLEANUP)
    assert [removed for removed, _ in wait_for_passes(agent, 2, begin)[:2]] == [[tracked], []]
    begin = start_again(agent, ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP="true", ECS_NUM_IMAGES_DELETE_PER_CYCLE="1",
                        NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE="1ms")
    assert [removed for removed, _ in wait_for_passes(agent, 3, begin)[:3]] == [[small], [big], []]
    assert not lab.containerd.names()
    assert lab.containerd.names("elsewhere") == {small}


def used_percent(path):
    found = os.statvfs(path)
    used = found.f_blocks - found.f_bfree
    return 100 * used / (used + found.f_bavail)


@pytest.mark.lab(scale=0.005, containerd_size="128m")
def test_a_full_disk_is_emptied_until_it_is_not_full(lab):
    """Whatever the age and the number, the least recently used first, and no more than it needs."""
    agent = start(lab)
    unused = [push(lab, f"large{number}", layers=[images.layer({"large": os.urandom(8 << 20)})]) for number in range(5)]
    for image in unused:
        run_to_the_end(lab, image)
    assert 50 < used_percent(lab.containerd.root) < 90
    begin = start_again(agent, **dict(CLEANUP, ECS_IMAGE_MINIMUM_CLEANUP_AGE="1h", ECS_NUM_IMAGES_DELETE_PER_CYCLE="1",
                                      BERTH_IMAGE_CLEANUP_DISK_PERCENT="50"))
    removed, _ = wait_for_passes(agent, 1, begin)[0]
    assert 2 <= len(removed) < 5
    assert removed == unused[:len(removed)]
    assert used_percent(lab.containerd.root) <= 50
    assert "disk is full" in agent.daemon.text()[begin:]
    # One less would not have done: each is 8 MB of 128 packed, and as much unpacked.
    assert used_percent(lab.containerd.root) + 100 * 16 / 128 > 50
    assert wait_for_passes(agent, 2, begin)[1][0] == []
    assert lab.containerd.names() == set(unused[len(removed):])
