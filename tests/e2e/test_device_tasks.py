# SPDX-License-Identifier: Apache-2.0
"""
Tasks whose interfaces are devices of the host (BERTH_ENI_DRIVER=eni). One end of a veth plays the device, and the other the
wire to the rest of the subnet.
"""
import contextlib
import json
import os
import sqlite3
import subprocess

import pytest

from tests.e2e.test_first_task import FOREVER, WEB, address, get
from tests.lab.berth import wait_for
from tests.lab.devices import Devices

GATEWAY = "10.99.0.1/24"


@pytest.fixture
def devices():
    made = Devices()
    yield made
    made.close()


@pytest.fixture
def moving(devices, lab):
    """A host whose agent counts veths as devices; it ends before they do."""
    lab.image = lab.registry.image("web")
    lab.agent(BERTH_ENI_DRIVER="eni", BERTH_ENI_LINK_KINDS="veth").start()
    return lab


def links(*netns):
    """By their MACs."""
    done = subprocess.run([*netns, "ip", "-j", "address"], check=True, stdout=subprocess.PIPE)
    return {link["address"]: link for link in json.loads(done.stdout) if "address" in link}


def inside(pid):
    return ("nsenter", "-t", str(pid), "-n")


def announced(host, arn):
    """The MAC of a task's interface, once the agent has heard of it."""
    mac = {detail["name"]: detail["value"] for detail in host.task(arn)["attachments"][0]["details"]}["macAddress"]
    agent = host.agents[0]
    wait_for("the announcement", lambda: mac in records(agent))
    return mac


def records(agent):
    with contextlib.closing(sqlite3.connect(f"file:{agent.data}/agent.db?mode=ro", uri=True)) as state:
        return dict(state.execute("SELECT mac, sent FROM attachment"))


def wire(devices, mac):
    """The other end of the device becomes the subnet's router."""
    peer = devices.names[mac] + "p"
    for command in (f"addr add {GATEWAY} dev {peer}", f"link set {peer} up"):
        subprocess.run(["ip", *command.split()], check=True)


def test_a_device_that_appears_after_its_announcement_is_the_tasks(moving, devices):
    """net-T25: and its containers share it."""
    definition = moving.define("web", [{"image": moving.image, "command": WEB},
                                       {"name": "sidecar", "image": moving.image, "command": FOREVER}])
    arn = moving.run(definition)[0]
    mac = announced(moving, arn)
    assert records(moving.agents[0]) == {mac: 0}
    devices.plug(mac)
    wire(devices, mac)
    task = moving.wait_ready(arn)
    link = links(*inside(moving.main_pid(arn)))[mac]
    assert link["ifname"] == "eth0" and "UP" in link["flags"] and mac not in links()
    assert (link["addr_info"][0]["local"], link["addr_info"][0]["prefixlen"]) == (address(task), 24)
    assert get(f"http://{address(task)}/") == "hello from berth\n"

    namespaces = {os.stat(f"/proc/{moving.main_pid(arn, name)}/ns/net").st_ino for name in ("app", "sidecar")}
    assert len(namespaces) == 1 and os.stat("/proc/self/ns/net").st_ino not in namespaces

    moving.stop_task(arn)
    moving.wait_status(arn, "STOPPED")
    # It is the host's again, under a name that tells whose it was, and without what the task had on it.
    back = links()[mac]
    wait_for("the record to go with the task", lambda: records(moving.agents[0]) == {})
    assert back["ifname"] == "eni" + mac.replace(":", "")[4:] and back["addr_info"] == [] and "UP" not in back["flags"]


def test_a_device_that_was_there_first_is_the_tasks_too(moving, devices):
    """And the one of another task stays with that, when both come at once."""
    definition = moving.define("web", [{"image": moving.image, "command": FOREVER}])
    arns = moving.run(definition, count=3)
    macs = {arn: announced(moving, arn) for arn in arns}
    devices.plug(*macs.values())
    for arn, mac in macs.items():
        moving.wait_ready(arn)
        assert links(*inside(moving.main_pid(arn)))[mac]["ifname"] == "eth0"


def test_a_device_is_unplugged_while_it_is_in_the_task(moving, devices):
    """net-T35: the task goes on without, is stopped, and nothing of it is left."""
    arn = moving.run(moving.define("web", [{"image": moving.image, "command": FOREVER}]))[0]
    mac = announced(moving, arn)
    devices.plug(mac)
    moving.wait_ready(arn)
    pid = moving.main_pid(arn)
    assert mac in links(*inside(pid))
    devices.unplug(mac)
    wait_for("the device to be gone", lambda: mac not in links(*inside(pid)))
    assert moving.task(arn)["lastStatus"] == "RUNNING" and moving.main_pid(arn) == pid
    moving.stop_task(arn)
    task = moving.wait_status(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 42
    assert "could not be removed" not in moving.agents[0].daemon.text()
    # A later task gets its own.
    arn = moving.run(moving.define("web", [{"image": moving.image, "command": FOREVER}]))[0]
    mac = announced(moving, arn)
    devices.plug(mac)
    moving.wait_ready(arn)


def test_a_device_that_never_appears_stops_its_task(moving, devices):
    """With the reason, and nothing of it is kept; when the device comes at last, it stays the host's."""
    arn = moving.run(moving.define("web", [{"image": moving.image, "command": FOREVER}]))[0]
    mac = announced(moving, arn)
    task = moving.wait_status(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert f"device with mac address {mac} not found" in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]
    wait_for("the announcement to be forgotten", lambda: records(moving.agents[0]) == {})
    devices.plug(mac)
    other = moving.run(moving.define("web", [{"image": moving.image, "command": FOREVER}]))[0]
    devices.plug(announced(moving, other))
    moving.wait_ready(other)
    assert links()[mac]["ifname"] == devices.names[mac]


def test_an_agent_that_was_killed_finds_the_device_that_came_meanwhile(moving, devices):
    agent = moving.agents[0]
    arn = moving.run(moving.define("web", [{"image": moving.image, "command": FOREVER}]))[0]
    mac = announced(moving, arn)
    agent.kill()
    devices.plug(mac)
    agent.start()
    moving.wait_ready(arn)
    assert mac in links(*inside(moving.main_pid(arn)))
