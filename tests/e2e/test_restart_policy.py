# SPDX-License-Identifier: Apache-2.0
"""Restart policies: the same container runs again, and nobody but its counter tells."""
import os
import time

import pytest

from tests.lab.berth import wait_for
from tests.e2e.test_first_task import container, main_pid

SCALE = "60"  # the shortest period that the API takes, a minute, is a second here


@pytest.fixture
def scaled(lab):
    lab.image = lab.registry.image("web")
    lab.agent(BERTH_TIME_SCALE=SCALE).start()
    return lab


def run(lab, script, ignored=(), **more):
    """A task of one container with a restart policy, and a directory of the host in it."""
    shared = os.path.join(lab.directory, "shared")
    os.makedirs(shared, exist_ok=True)
    definition = lab.define("again", [dict({
        "image": lab.image, "command": ["sh", "-c", script],
        "restartPolicy": {"enabled": True, "ignoredExitCodes": list(ignored), "restartAttemptPeriod": 60},
        "mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}, **more)],
        volumes=[{"name": "shared", "host": {"sourcePath": shared}}])
    return lab.run(definition)[0], shared


def introspected(lab, arn):
    task = next(task for task in lab.agents[0].introspect("/v1/tasks")["Tasks"] if task["Arn"] == arn)
    return task["Containers"][0]


def lines(path):
    try:
        with open(path) as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


def test_a_container_is_restarted_with_what_it_has_written(scaled):
    """eng-41, eng-43: same id, the count in the metadata, its files are still there; an ignored code ends it."""
    arn, shared = run(scaled, "echo x >> /runs; cat /runs > /shared/runs; while [ ! -e /shared/go ]; do sleep 0.1; done; "
                              "rm /shared/go; [ $(wc -l < /runs) -lt 3 ] && exit 1; exit 3", ignored=[3])
    task = scaled.wait_status(arn, "RUNNING")
    runtime_id, seen = container(task)["runtimeId"], set()
    for count in (1, 2, 3):
        wait_for(f"run {count}", lambda: lines(f"{shared}/runs") == count)
        if count > 1:
            wait_for("its count", lambda: introspected(scaled, arn)["RestartCount"] == count - 1)
        seen.add(main_pid(scaled, arn))
        assert container(scaled.task(arn))["lastStatus"] == "RUNNING"
        # It must have lasted: a second, which is its period here.
        started = os.stat(f"{shared}/runs").st_mtime
        wait_for("a second", lambda: time.time() - started > 1.2)
        open(f"{shared}/go", "w").close()
    task = scaled.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 3 and container(task)["runtimeId"] == runtime_id
    assert len(seen) == 3, "each run is a process of its own"


def test_one_that_fails_at_once_stays_down(scaled):
    """eng-42"""
    arn, shared = run(scaled, "echo x >> /shared/runs; exit 4")
    assert container(scaled.wait_status(arn, "STOPPED"))["exitCode"] == 4
    assert lines(f"{shared}/runs") == 1


def test_a_stop_is_no_reason_to_restart(scaled):
    """eng-44"""
    arn, shared = run(scaled, "echo x >> /shared/runs; trap 'exit 9' TERM; while :; do sleep 0.1; done")
    scaled.wait_status(arn, "RUNNING")
    wait_for("its mark", lambda: lines(f"{shared}/runs"))
    scaled.wait_ready(arn)
    scaled.stop_task(arn)
    assert container(scaled.wait_status(arn, "STOPPED"))["exitCode"] == 9
    assert lines(f"{shared}/runs") == 1


def test_what_ends_while_the_agent_is_down_is_restarted_when_it_is_back(scaled):
    """eng-45"""
    arn, shared = run(scaled, "echo x >> /shared/runs; [ $(wc -l < /shared/runs) -eq 2 ] && { trap 'exit 9' TERM; "
                              "while :; do sleep 0.1; done; }; sleep 2; exit 1")
    scaled.wait_status(arn, "RUNNING")
    wait_for("its mark", lambda: lines(f"{shared}/runs"))
    pid = main_pid(scaled, arn)
    agent = scaled.agents[0]
    agent.kill()
    wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))
    agent.start()
    wait_for("the second run", lambda: lines(f"{shared}/runs") == 2)
    assert introspected(scaled, arn)["RestartCount"] == 1
    scaled.wait_ready(arn)
    scaled.stop_task(arn)
    assert container(scaled.wait_status(arn, "STOPPED"))["exitCode"] == 9


@pytest.mark.parametrize("after", ["effect", "effect done"])
def test_an_agent_killed_in_the_middle_restarts_once(scaled, after):
    arn, shared = run(scaled, "echo x >> /shared/runs; [ $(wc -l < /shared/runs) -ge 2 ] && { trap 'exit 9' TERM; "
                              "while :; do sleep 0.1; done; }; sleep 2; exit 1")
    scaled.wait_status(arn, "RUNNING")
    agent = scaled.agents[0]
    line = f'msg="{after}" effect="RESTART_CONTAINER"'
    wait_for(line, lambda: line in agent.daemon.text(), every=0.001)
    agent.kill()
    agent.start()
    wait_for("the second run", lambda: lines(f"{shared}/runs") >= 2)
    wait_for("its count", lambda: introspected(scaled, arn)["RestartCount"] == 1)
    scaled.wait_ready(arn)
    scaled.stop_task(arn)
    assert container(scaled.wait_status(arn, "STOPPED"))["exitCode"] == 9
    assert lines(f"{shared}/runs") == 2, "restarted twice"
