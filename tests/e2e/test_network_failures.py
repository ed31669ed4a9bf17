# SPDX-License-Identifier: Apache-2.0
"""A task's network fails to come about: the task is stopped with the reason, and nothing of it is left."""
import json
import os
import signal
import subprocess

import pytest

from tests.e2e.test_first_task import FOREVER
from tests.lab import control_groups, leaks
from tests.lab.berth import program, wait_for

PAUSE = "~internal~ecs~pause"
OWN = os.path.dirname(program("ecs-eni"))
SUBNET = "10.98.0.0/24"

# What the plugin in the middle does on ADD, and what the task's reason then says.
SCRIPTS = {
    "an error object": ("""echo '{"cniVersion":"1.0.0","code":100,"msg":"no more ports"}'; exit 1""", "no more ports"),
    "garbage": ("echo garbage; exit 1", "garbage"),
    "nothing": ("exit 1", "exit status 1"),
    "an error object as success": ("""echo '{"cniVersion":"1.0.0","code":100,"msg":"half done"}'""", "half done"),
    "garbage as success": ("echo garbage", "no JSON"),
    "nothing as success": (":", "no JSON"),
    "its death": ("kill -9 $$", "signal 9"),
}
# The deadline is a minute.
if os.environ.get("BERTH_LONG"):
    SCRIPTS["silence"] = ("sleep 90 & sleep 90", "did not end within its deadline")


class Chain:
    """Three plugins for each task's interface: ecs-eni, one that fails as it is told, one that hands on. Each notes its call."""

    def __init__(self, lab):
        self.lab, self.directory = lab, os.path.join(lab.directory, "plugins")
        self.log = os.path.join(self.directory, "log")
        self.config = os.path.join(lab.directory, "net.d")
        for directory in (self.directory, self.config):
            os.mkdir(directory)
        self.write("first", f"exec {OWN}/ecs-eni")
        self.write("last", self.only_add("cat >/dev/null; exit 1"))
        with open(os.path.join(self.config, "10-chain.conflist"), "w") as file:
            json.dump({"cniVersion": "1.0.0", "name": "chain", "plugins": [
                {"type": "first", "driver": "veth", "eni": "eni-0123456789abcdef0", "mac": "02:11:22:33:44:55",
                 "ipam": {"type": "ecs-ipam", "ipv4-subnet": SUBNET}},
                {"type": "middle"}, {"type": "last"}]}, file)
        lab.image = lab.registry.image("web")
        self.agent = lab.agent(BERTH_CNI_CONFIG_DIR=self.config, ECS_CNI_PLUGINS_PATH=f"{self.directory}:{OWN}").start()
        self.definition = lab.define("fails", [{"image": lab.image, "command": FOREVER}])

    @staticmethod
    def only_add(script):
        return f"[ $CNI_COMMAND != ADD ] || {{ {script}; }}"

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, script):
        """In the place of the one that was there, which may be being executed."""
        with open(self.path(name) + ".new", "w") as file:
            file.write(f'#!/bin/sh\necho "$CNI_COMMAND {name}" >> {self.log}\n{script}\n')
        os.chmod(self.path(name) + ".new", 0o755)
        os.rename(self.path(name) + ".new", self.path(name))

    def calls(self):
        try:
            with open(self.log) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def run(self):
        return self.lab.run(self.definition)[0]

    def reason(self, arn):
        """Of a task that never started; nothing of it is left."""
        task = self.lab.wait_status(arn, "STOPPED", 120)
        assert task["containers"][0].get("exitCode") is None
        wait_for("the clean-up", lambda: not self.agent.introspect("/v1/tasks")["Tasks"])
        wait_for("nothing to be left", lambda: self.left(arn) == [])
        return task["stoppedReason"]

    def left(self, arn):
        leases = subprocess.run(["find", os.path.join(self.agent.run, "ipam"), "-path", "*/leases/*"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True).stdout.split()
        return leases + leaks.of_task(self.agent, arn.split("/")[-1])

    def forget(self):
        if os.path.exists(self.log):
            os.unlink(self.log)


@pytest.fixture
def chain(lab):
    return Chain(lab)


UNDONE = ["DEL last", "DEL middle", "DEL first"]


def test_a_plugin_that_cannot_do_it_stops_the_task(chain):
    """net-T27 for what ran; with BERTH_LONG also one that says nothing until its deadline."""
    for what, (script, words) in SCRIPTS.items():
        chain.forget()
        chain.write("middle", chain.only_add(script))
        reason = chain.reason(chain.run())
        assert "ContainerNetworkingError" in reason and words in reason, (what, reason)
        assert chain.calls() == ["ADD first", "ADD middle"] + UNDONE, what
    # And the agent's network works.
    chain.write("middle", f"cat > {chain.directory}/said; " + chain.only_add(
        f"""/usr/bin/python3 -c 'import json; print(json.dumps(json.load(open("{chain.directory}/said"))["prevResult"]))'"""))
    chain.write("last", f"cat > {chain.directory}/said; " + chain.only_add(
        f"""/usr/bin/python3 -c 'import json; print(json.dumps(json.load(open("{chain.directory}/said"))["prevResult"]))'"""))
    chain.forget()
    arn = chain.run()
    chain.lab.wait_ready(arn)
    assert chain.calls() == ["ADD first", "ADD middle", "ADD last"]
    chain.lab.stop_task(arn)
    chain.lab.wait_status(arn, "STOPPED")
    assert chain.calls() == ["ADD first", "ADD middle", "ADD last"] + UNDONE


def test_a_plugin_that_cannot_be_started_stops_the_task(chain):
    """net-T27: one that is missing, or no program, is found before anything is done; one that is being written, when it is due."""
    reason = chain.reason(chain.run())
    assert "ContainerNetworkingError" in reason and "plugin middle is in none of the directories" in reason
    chain.write("middle", ":")
    os.chmod(chain.path("middle"), 0o644)
    reason = chain.reason(chain.run())
    assert "ContainerNetworkingError" in reason and "cannot be executed" in reason
    assert chain.calls() == []

    chain.write("middle", ":")
    with open(chain.path("middle"), "a"):
        arn = chain.run()
        wait_for("the first plugin to be undone", lambda: "DEL first" in chain.calls(), 30)
    reason = chain.reason(arn)
    assert "ContainerNetworkingError" in reason and "Text file busy" in reason
    assert chain.calls()[0] == "ADD first" and "ADD middle" not in chain.calls()
    assert [call for call in chain.calls() if call != "DEL middle"][-2:] == ["DEL last", "DEL first"]


def pause_of(chain, arn):
    return control_groups.first_process(f"{chain.agent.cgroup}/{arn.split('/')[-1]}/{PAUSE}")


@pytest.mark.parametrize("goes_on", [True, False])
def test_the_holder_of_the_namespace_dies_while_it_is_provided(chain, goes_on):
    """net-T30: whether the plugin that is at work then succeeds or not"""
    gate = os.path.join(chain.directory, "gate")
    os.mkfifo(gate)
    hand_on = """python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["prevResult"]))'"""
    chain.write("middle", chain.only_add(f"read word < {gate}; " + ("/usr/bin/" + hand_on if goes_on else "exit 1")))
    chain.write("last", chain.only_add("/usr/bin/" + hand_on))
    arn = chain.run()
    wait_for("the plugin to be at work", lambda: "ADD middle" in chain.calls())
    pid = wait_for("the holder", lambda: pause_of(chain, arn))
    os.kill(pid, signal.SIGKILL)
    wait_for("its death", lambda: "pause process of a task has ended" in chain.agent.daemon.text())
    with open(gate, "w") as file:
        file.write("go\n")
    reason = chain.reason(arn)
    assert "ContainerNetworkingError" in reason and "holds the task's network namespace" in reason
    assert chain.calls()[-3:] == UNDONE
