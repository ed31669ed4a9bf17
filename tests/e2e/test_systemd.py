# SPDX-License-Identifier: Apache-2.0
"""The units under a real systemd: what is killed, restarted and stopped, and a task that goes on all the while."""
import os
import shutil
import signal

import pytest

from tests.e2e.systemd_host import SYSTEMD, CannotBoot, SystemdHost, programs
from tests.lab import skips
from tests.lab.processes import catches, wait_for

FOREVER = ["sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.1; done"]


def boot(**settings):
    if os.geteuid() != 0:
        pytest.skip("a machine in a container needs root")
    for tool in ("runc", "containerd", "ctr", "docker-registry", "nft", SYSTEMD):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for built, _ in programs():
        if not os.path.exists(built):
            pytest.skip(f"{built} is not built")
    try:
        return SystemdHost(settings).start()
    except CannotBoot as error:
        skips.no_kernel(str(error))


@pytest.fixture
def machine():
    host = boot()
    yield host
    host.close()


@pytest.fixture
def running(machine):
    """A machine whose agent runs one task, as `machine.arn`; `machine.before` are the task's processes."""
    machine.image = machine.lab()
    machine.systemctl("start", "berth")
    wait_for("the agent to be connected", machine.connected, every=0.05)
    machine.arn = machine.run_task(machine.image, FOREVER)
    machine.wait_status(machine.arn, "RUNNING")
    machine.before = first_process(machine)
    wait_for("its handler of SIGTERM", lambda: catches(machine.before[1]))
    return machine


def first_process(machine):
    """The eldest, as start time and pid: another process never has both, and pids start again from below."""
    return min((began, pid) for pid, began in machine.processes(machine.arn).items())


def rules(machine):
    return [line for line in machine.run("nft", "list", "tables").splitlines() if "berth-init" in line]


def knows_the_task(machine):
    return machine.arn.split("/")[-1] in machine.run("berth", "ps")


def back(machine, but):
    """The pid of an agent that is another one than `but`, is connected and knows the task."""
    def check():
        pids = machine.pids("berth-agent")
        return len(pids) == 1 and pids[0] != but and machine.connected() and knows_the_task(machine) and pids[0]
    try:
        return wait_for("the agent to be back", check, every=0.05)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{machine.log()}") from error


def end(machine):
    """The task can still be stopped and hands back its exit code; then nothing of it, or of the service, is left."""
    assert first_process(machine) == machine.before
    machine.call("StopTask", cluster="default", task=machine.arn)
    task = machine.wait_status(machine.arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 42
    wait_for("the task to be cleaned up", lambda: not machine.left_of_tasks(), every=0.05)
    machine.systemctl("stop", "berth")
    assert machine.show("ActiveState") == "inactive"
    assert rules(machine) == []
    assert machine.pids("berth-init") + machine.pids("berth-agent") == []
    assert machine.left_of_tasks() == []


def test_units_are_clean(machine):
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    assert machine.run(*verify, "/etc/systemd/system/berth.service", "/etc/systemd/system/berth.slice") == ""
    machine.run("sh", "-c", "sed s/KillMode/KilMode/ /etc/systemd/system/berth.service > /run/wrong.service")
    assert "KilMode" in machine.run(*verify, "/run/wrong.service", check=False), "the check must see a mistake"


def test_a_task_runs_and_all_is_gone_at_the_end(running):
    assert running.show("Slice") == "berth.slice"
    assert '"healthy":true' in running.run("berth", "doctor", "--json")
    assert len(rules(running)) == 2
    assert running.pids("berth-init") == [int(running.show("MainPID"))]
    reload(running)
    end(running)


def reload(machine):
    """The agent reads its file again. What systemd read of it into the environment does not stand in the way."""
    agent, name = machine.pids("berth-agent"), "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION"
    for before, after in (("2s", "1s"), ("1s", "3s")):
        machine.run("sed", "-i", f"s/^{name}=.*/{name}={after}/", "/etc/ecs/ecs.config")
        machine.systemctl("reload", "berth")
        wait_for("the change", lambda: f"{name}: {before} -> {after}" in machine.log(), every=0.1)  # noqa: B023
    assert machine.pids("berth-agent") == agent


def test_killed_agent_is_started_again_beside_the_running_task(running):
    """By berth-init, which itself goes on: systemd does not come into it."""
    supervisor, agent = running.pids("berth-init"), running.pids("berth-agent")
    running.run("kill", "-KILL", str(agent[0]))
    back(running, agent[0])
    assert running.pids("berth-init") == supervisor
    assert running.show("NRestarts") == "0"
    assert len(rules(running)) == 2
    end(running)


def test_killed_supervisor_is_started_again_beside_the_running_task(running):
    """The agent ends with it, so that there are never two; systemd starts both, and prepares the host again."""
    agent = running.pids("berth-agent")[0]
    running.run("kill", "-KILL", running.show("MainPID"))
    wait_for("the agent to end", lambda: running.pids("berth-agent") == [])
    assert first_process(running) == running.before
    back(running, agent)
    assert running.show("NRestarts") == "1"
    assert len(rules(running)) == 2
    end(running)


def test_restart_leaves_the_task_alone(running):
    agent = running.pids("berth-agent")[0]
    running.systemctl("restart", "berth")
    back(running, agent)
    assert running.show("Result") == "success"
    end(running)


def test_stop_leaves_the_task_running_and_start_adopts_it(running):
    """The host is restored by post-stop all the same."""
    localnet = ["cat", "/proc/sys/net/ipv4/conf/all/route_localnet"]
    agent = running.pids("berth-agent")[0]
    assert running.run(*localnet) == "1\n"
    running.systemctl("stop", "berth")
    assert running.show("Result") == "success"
    assert running.pids("berth-init") + running.pids("berth-agent") == []
    assert rules(running) == []
    assert running.run(*localnet) == "0\n"
    assert first_process(running) == running.before
    running.systemctl("start", "berth")
    back(running, agent)
    end(running)


def test_an_exit_while_the_service_is_stopped_is_reported_after_start(running):
    running.systemctl("stop", "berth")
    os.kill(running.before[1], signal.SIGTERM)
    wait_for("the container's end", lambda: not running.processes(running.arn))
    running.systemctl("start", "berth")
    assert running.wait_status(running.arn, "STOPPED")["containers"][0]["exitCode"] == 42


def test_containers_inherit_no_restriction_of_the_unit(running):
    """Filters and flags that a unit sets reach every descendant: a container would have less than its definition says."""
    with open(f"/proc/{running.before[1]}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert status["NoNewPrivs"] == "0"
    assert status["Seccomp_filters"] == "1", "the container's own, and no other"


def test_a_terminal_exit_is_not_started_again():
    """cfg-I12: the agent exits with 5, berth-init too, and systemd leaves it at that."""
    machine = boot(BERTH_AGENT="/run/agent")
    try:
        machine.run("sh", "-c", "printf '#!/bin/sh\\nexit 5\\n' > /run/agent; chmod 755 /run/agent")
        machine.systemctl("start", "berth", check=False)
        wait_for("the end", lambda: machine.show("ActiveState") == "failed")
        assert (machine.show("SubState"), machine.show("ExecMainStatus"), machine.show("NRestarts")) == ("failed", "5", "0")
        assert rules(machine) == []
    finally:
        machine.close()


def test_a_host_that_cannot_be_prepared_is_tried_again():
    machine = boot(BERTH_METADATA_PORT="70000")
    try:
        machine.systemctl("start", "berth", check=False)
        wait_for("the failure", lambda: machine.show("SubState") == "auto-restart")
        wait_for("its cause", lambda: "BERTH_METADATA_PORT must be a port from 1 to 65535" in machine.log(), every=0.1)
    finally:
        machine.close()
