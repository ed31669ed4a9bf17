# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said, with what to do, and leaves nothing behind."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from tests.lab.berth import program, wait_for
from tests.lab.processes import free_port
from tests.e2e.test_first_task import FOREVER, container

WRONG = "arm64" if os.uname().machine == "x86_64" else "amd64"


def stopped(host, containers, **more):
    arn = host.run(host.define("bad", containers, **more))[0]
    return host.wait_status(arn, "STOPPED", 40)


def test_unknown_image(host):
    """eng-14, acs-S13."""
    task = stopped(host, [{"image": f"{host.registry.host}/nowhere:1", "command": FOREVER}])
    assert container(task)["reason"].startswith("CannotPull"), task
    assert "not found" in container(task)["reason"]
    assert "exitCode" not in container(task)
    assert task["stopCode"] == "TaskFailedToStart"


def test_registry_that_is_down(host):
    task = stopped(host, [{"image": f"127.0.0.1:{free_port()}/web:1", "command": FOREVER}])
    assert container(task)["reason"].startswith("CannotPull")
    assert "refused" in container(task)["reason"]


def test_registry_that_answers_401(lab):
    from tests.lab.services import Registry
    registry = Registry(os.path.join(lab.directory, "secure"), "someone", "secret", tls=True).start()
    try:
        image = registry.image("private/web")
        lab.agent(BERTH_REGISTRY_CA_FILE=registry.ca).start()
        task = stopped(lab, [{"image": image, "command": FOREVER}])
        assert container(task)["reason"].startswith("CannotPull")
        assert "401" in container(task)["reason"] or "nauthorized" in container(task)["reason"]
    finally:
        registry.stop()


def test_command_that_does_not_exist(host):
    """eng-13."""
    task = stopped(host, [{"image": host.image, "command": ["nosuchbinary"]}])
    assert container(task)["reason"].startswith("CannotStartContainerError: ")
    assert "nosuchbinary" in container(task)["reason"]
    assert "exitCode" not in container(task)


def test_image_for_another_architecture(host):
    image = host.registry.image("foreign", architecture=WRONG)
    task = stopped(host, [{"image": image, "command": FOREVER}])
    assert container(task)["reason"].startswith("Cannot")
    assert WRONG in container(task)["reason"]


def test_user_that_the_image_does_not_have(host):
    task = stopped(host, [{"image": host.image, "command": FOREVER, "user": "nobody-here"}])
    assert "nobody-here" in container(task)["reason"]


@pytest.mark.lab(subnet="10.99.0.0/28")
def test_address_pool_that_is_exhausted(lab):
    """The subnet has eleven addresses for tasks: what is too much is a failure of RunTask, and one freed can be had again."""
    image = lab.registry.image("web")
    lab.agent().start()
    definition = lab.define("full", [{"image": image, "memory": 6, "cpu": 1, "command": FOREVER}])
    network = {"awsvpcConfiguration": {"subnets": ["subnet-berth"]}}
    arns, failures = [], []
    for _ in range(2):
        answer = lab.control.call("RunTask", cluster="default", taskDefinition=definition, count=10,
                                  networkConfiguration=network)
        arns += [task["taskArn"] for task in answer["tasks"]]
        failures += answer["failures"]
    assert 9 <= len(arns) <= 13
    assert failures and all(failure["reason"] for failure in failures)
    for arn in arns:
        lab.wait_status(arn, "RUNNING", 60)
    lab.stop_task(arns[0])
    lab.wait_status(arns[0], "STOPPED", 60)
    again = lab.control.call("RunTask", cluster="default", taskDefinition=definition, networkConfiguration=network)
    assert len(again["tasks"]) == 1
    lab.wait_status(again["tasks"][0]["taskArn"], "RUNNING", 60)


def test_task_larger_than_the_host(host):
    definition = host.define("huge", [{"image": host.image, "memory": 60_000_000, "command": FOREVER}])
    answer = host.control.call("RunTask", cluster="default", taskDefinition=definition,
                               networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-berth"]}})
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "RESOURCE:MEMORY"


def test_full_disk_under_the_data_directory(lab):
    """Nothing is acknowledged that is not saved; when there is room again, everything goes on."""
    image = lab.registry.image("web")
    agent = lab.agent()
    small = agent.data
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "berth-test", small], check=True)
    try:
        agent.start()
        filler = os.path.join(small, "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        arn = lab.run(lab.define("full", [{"image": image, "command": ["sh", "-c", "exit 4"]}]))[0]
        wait_for("the agent to say so", lambda: "is the disk full" in agent.daemon.text() or
                 lab.task(arn)["lastStatus"] == "STOPPED", 30)
        os.unlink(filler)
        task = lab.wait_status(arn, "STOPPED", 60)
        app = container(task)
        assert app.get("exitCode") == 4 or "space" in app.get("reason", ""), task
        wait_for("the clean-up", lambda: not agent.introspect("/v1/tasks")["Tasks"], 30)
        agent.stop()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_containerd_that_is_not_running(lab):
    lab.registry.image("web")
    lab.containerd.stop()
    lab.agent().start()
    task = stopped(lab, [{"image": f"{lab.registry.host}/web:1", "command": FOREVER}])
    assert container(task)["reason"].startswith("CannotPull")
    assert "containerd" in container(task)["reason"]


def test_two_agents_on_one_data_directory(host):
    first = host.agents[0]
    second = host.agent("second", ECS_DATADIR=first.data, BERTH_RUN_DIR=first.run)
    second.may_fail = True
    second.daemon.start()
    assert second.daemon.process.wait(10) == 5
    assert str(first.daemon.pid) in second.daemon.text()
    assert first.connected()


@pytest.mark.parametrize("name,value,hint", [
    ("ECS_RESERVED_PORTS", "[22,99999]", "65535"),
    ("BERTH_ENI_DRIVER", "magic", "veth"),
    ("ECS_INSTANCE_ATTRIBUTES", "{not json", "JSON"),
])
def test_invalid_setting_is_named_with_what_is_allowed(name, value, hint):
    done = subprocess.run([program("berth-agent"), "--config", "", "--check-config"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"], name: value})
    assert name in done.stdout
    assert hint.lower() in done.stdout.lower()
    assert done.returncode == 1


def test_truncated_and_malformed_frames_from_a_control_plane(lab):
    """See tests/conformance for each exchange: here the agent only has to live on beside a peer that talks nonsense."""
    garbage = socket.socket()
    garbage.bind(("127.0.0.1", 0))
    garbage.listen()
    asked = []

    def serve():
        while True:
            try:
                peer, _ = garbage.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(2)
                try:
                    asked.append(peer.recv(65536))
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/x-amz-json-1.1"
                                 b"\r\n\r\n{\"containerInst")
                except OSError:
                    pass
    threading.Thread(target=serve, daemon=True).start()
    agent = lab.agent(ECS_BACKEND_HOST=f"http://127.0.0.1:{garbage.getsockname()[1]}", BERTH_TIME_SCALE="50")
    agent.daemon.start()
    agent.may_fail = True
    wait_for("a call", lambda: len(asked) >= 1)
    wait_for("another, or an end with a sentence",
             lambda: len(asked) >= 2 or (not agent.daemon.alive() and "registered" in agent.daemon.text()))
    assert agent.daemon.alive() or agent.daemon.process.returncode in (1, 5)
    garbage.close()
