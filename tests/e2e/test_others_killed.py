# SPDX-License-Identifier: Apache-2.0
"""containerd, the control plane or the task's own processes are killed, at the worst moments that each of them has."""
import contextlib
import os
import signal

import pytest

from tests.e2e.test_first_task import FOREVER, container, main_pid
from tests.lab.berth import wait_for
from tests.lab.wire import DOWN, UP, Wire


class Marked:
    """A task whose container marks each start, and ends when it is told to (5), or is stopped (42)."""

    def __init__(self, lab):
        self.lab, self.directory = lab, os.path.join(lab.directory, "marks")
        os.mkdir(self.directory)
        os.mkfifo(os.path.join(self.directory, "go"))
        self.go = os.open(os.path.join(self.directory, "go"), os.O_RDWR | os.O_CLOEXEC)
        self.definition = lab.define("marked", [{
            "image": lab.registry.image("web"), "mountPoints": [{"sourceVolume": "marks", "containerPath": "/marks"}],
            "command": ["sh", "-c", "trap 'exit 42' TERM; echo x >> /marks/started; read word < /marks/go; exit 5"]}],
            volumes=[{"name": "marks", "host": {"sourcePath": self.directory}}])
        self.arn = None

    def run(self):
        self.arn = self.lab.run(self.definition)[0]
        return self.arn

    def starts(self):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.directory, "started")) as file:
            return len(file.read().split())
        return 0

    def wait_started(self):
        self.lab.wait_status(self.arn, "RUNNING", 60)
        wait_for("the container's mark", self.starts, 30)

    def tell(self):
        os.write(self.go, b"go\n")

    def stopped(self, seconds=60):
        """Its container, once the agent has cleaned up after it. It was started once."""
        task = self.lab.wait_status(self.arn, "STOPPED", seconds)
        wait_for("the clean-up", lambda: not self.lab.agents[0].introspect("/v1/tasks")["Tasks"], 60)
        assert self.starts() == 1
        os.close(self.go)
        return container(task)


def logged(agent, text):
    wait_for(f"the agent to log {text}", lambda: text in agent.daemon.text(), 30, every=0.002)


def works(lab):
    arn = lab.run(lab.define("works", [{"image": lab.registry.image("web"), "command": ["sh", "-c", "exit 3"]}]))[0]
    assert container(lab.wait_status(arn, "STOPPED", 60)).get("exitCode") == 3


# ---- containerd ----

def killed_during_a_pull(lab):
    """The ARN of a task whose image was just being pulled when containerd died."""
    registry = lab.registry.daemon
    image = lab.registry.image("late")
    os.kill(registry.pid, signal.SIGSTOP)
    try:
        arn = lab.run(lab.define("late", [{"image": image, "command": FOREVER}]))[0]
        logged(lab.agents[0], f'msg="effect" effect="PULL_IMAGE" task="{arn.split("/")[-1]}"')
        lab.containerd.daemon.kill()
    finally:
        os.kill(registry.pid, signal.SIGCONT)
    logged(lab.agents[0], "an image could not be pulled, and is tried again")
    return arn


def test_containerd_killed_during_a_pull(host):
    """eng-81: when it is there again, so is the image."""
    arn = killed_during_a_pull(host)
    host.containerd.start()
    task = host.wait_status(arn, "RUNNING", 60)
    assert "reason" not in container(task)
    host.stop_task(arn)
    host.wait_status(arn, "STOPPED", 60)


def test_containerd_that_stays_away(lab):
    """The pull fails with what happened, after five tries; later ones work again."""
    agent = lab.agent(BERTH_TIME_SCALE="20").start()
    arn = killed_during_a_pull(lab)
    task = lab.wait_status(arn, "STOPPED", 60)
    assert container(task)["reason"].startswith("CannotPull") and "exitCode" not in container(task)
    assert "containerd" in container(task)["reason"]
    assert agent.daemon.text().count("an image could not be pulled, and is tried again") == 4
    lab.containerd.start()
    works(lab)


def test_a_task_is_stopped_while_its_pull_waits(host):
    arn = killed_during_a_pull(host)
    host.stop_task(arn)
    task = host.wait_status(arn, "STOPPED", 60)
    assert "exitCode" not in container(task)
    host.containerd.start()
    works(host)


@pytest.mark.parametrize("moment", ["CREATE_CONTAINER", "START_CONTAINER", "STOP_CONTAINER", "REMOVE_CONTAINER"])
def test_containerd_killed_when_it_is_not_needed(host, moment):
    """Once the image is there a container lives and ends without it."""
    task = Marked(host)
    task_id = task.run().split("/")[-1]
    if moment in ("STOP_CONTAINER", "REMOVE_CONTAINER"):
        task.wait_started()
        host.stop_task(task.arn)
    logged(host.agents[0], f'msg="effect" effect="{moment}" task="{task_id}"')
    host.containerd.daemon.kill()
    if moment in ("CREATE_CONTAINER", "START_CONTAINER"):
        task.wait_started()
        host.stop_task(task.arn)
    assert task.stopped().get("exitCode") == 42
    host.containerd.start()
    works(host)


def test_agent_starts_while_containerd_is_dead(host):
    """What runs is adopted, and can be stopped."""
    task = Marked(host)
    task.run()
    task.wait_started()
    before = main_pid(host, task.arn)
    host.agents[0].kill()
    host.containerd.daemon.kill()
    host.agents[0].start()
    assert main_pid(host, task.arn) == before
    host.stop_task(task.arn)
    assert task.stopped().get("exitCode") == 42
    host.containerd.start()
    works(host)


# ---- the control plane ----

@pytest.fixture
def wired(lab):
    """An agent whose line to the control plane can be cut."""
    wire = Wire(lab.control.port)
    lab.agent(ECS_BACKEND_HOST=wire.url, BERTH_TIME_SCALE="10").start()
    lab.wire = wire
    yield lab
    wire.close()


def kill_control(lab):
    """What is held on the line is lost with it."""
    lab.control.daemon.kill()
    lab.wire.cut()
    lab.control.start()


@pytest.mark.lab(state="file")
@pytest.mark.parametrize("way", [DOWN, UP])
@pytest.mark.parametrize("moment", ["run", "end", "stop"])
def test_control_plane_killed_with_a_message_on_the_way(wired, moment, way):
    """
    eng-83, acs-M4. The message that is lost: a payload to run or to stop (down), its acknowledgement (up); at the end the
    report (up), or the answer to it (down).
    """
    lab, agent, task = wired, wired.agents[0], Marked(wired)
    if moment == "run":
        lab.wire.hold(way)
    task.run()
    if moment == "run":
        assert lab.wire.caught.wait(30)
        if way == UP:
            logged(agent, 'msg="payload"')
        kill_control(lab)
        lab.wire.mend()
    task.wait_started()
    if moment == "stop":
        lab.wire.hold(way)
        lab.stop_task(task.arn)
        assert lab.wire.caught.wait(30)
        if way == UP:
            logged(agent, 'msg="container ended"')
        kill_control(lab)
        lab.wire.mend()
    elif moment == "end":
        # What comes next shall be the report of the end, not the answer to that of the start.
        wait_for("the report of the start to be taken",
                 lambda: not agent.introspect("/berth/v1/tasks")["Tasks"][0].get("WaitsFor"), 30)
        lab.wire.hold(way)
        task.tell()
        if way == UP:
            logged(agent, 'msg="container ended"')
        else:
            # On a busy host the task's end may be a report of its own, which is behind this one.
            wait_for("the container's end", lambda: container(lab.task(task.arn))["lastStatus"] == "STOPPED", 30)
        assert lab.wire.caught.wait(30)
        kill_control(lab)
        lab.wire.mend()
    else:
        task.tell()
    assert task.stopped().get("exitCode") == (42 if moment == "stop" else 5)


@pytest.mark.lab(state="file")
def test_stop_before_the_agent_is_back(wired):
    """
    acs-S11. The control plane was killed before it knew that the agent has the task: for it, the task never ran. The agent
    stops it when it comes back and finds that nobody wants it.
    """
    lab, task = wired, Marked(wired)
    lab.wire.hold(UP)
    task.run()
    wait_for("the container's mark", task.starts, 30)
    kill_control(lab)
    lab.stop_task(task.arn)
    assert lab.task(task.arn)["desiredStatus"] == "STOPPED"
    lab.wire.mend()
    assert task.stopped()["lastStatus"] == "STOPPED"
    assert 'exit_code=42' in lab.agents[0].daemon.text()


# ---- the task's own processes ----

def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def kill(*pids):
    """In this order, each gone before the next."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        wait_for(f"the end of process {pid}", lambda pid=pid: not os.path.exists(f"/proc/{pid}"), 30)


VANISHED = "ContainerVanishedError"


# Who is killed while the agent is away; code and reason of the container; whether the task ends by itself.
@pytest.mark.parametrize("victims, code, reason, ends", [
    (["app"], 137, None, True),
    (["monitor", "app"], None, VANISHED, True),
    (["monitor"], None, VANISHED, False),
    (["pause"], 42, None, True),
    (["pause", "app"], 137, None, True),
    (["pause", "monitor", "app"], None, VANISHED, True),
], ids=["container", "monitor-container", "monitor", "pause", "pause-container", "pause-monitor-container"])
def test_killed_while_the_agent_is_away(host, victims, code, reason, ends):
    """eng-75, eng-80, eng-98: what is known is reported as it was, what is not is not made up, and nothing stays."""
    task, agent = Marked(host), host.agents[0]
    task.run()
    task.wait_started()
    app = main_pid(host, task.arn)
    pids = {"app": app, "monitor": parent(app), "pause": agent.process(task.arn, "~internal~ecs~pause")}
    agent.kill()
    kill(*(pids[name] for name in victims))
    agent.start()
    if not ends:
        assert main_pid(host, task.arn) == app
        assert host.task(task.arn)["lastStatus"] == "RUNNING"
        host.stop_task(task.arn)
    seen = task.stopped()
    assert seen.get("exitCode") == code
    assert seen.get("reason", "").startswith(reason) if reason else "reason" not in seen
    whole = host.task(task.arn)
    if "pause" in victims:
        assert "the pause container" in whole["stoppedReason"], whole["stoppedReason"]
