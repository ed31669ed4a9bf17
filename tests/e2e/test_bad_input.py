# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said, with what to do, and leaves nothing behind."""
import contextlib
import os
import socket
import subprocess
import threading

import pytest

from tests.lab.berth import program, wait_for
from tests.lab.processes import free_port
from tests.e2e.test_first_task import FOREVER, address, container

UNRESOLVED = "failed to resolve reference"
WRONG = "arm64" if os.uname().machine == "x86_64" else "amd64"


def no_manifest(hint, image):
    return f'CannotPullImageManifestError: The task can’t pull the image. {hint} {UNRESOLVED} "{image}": '


def stopped(host, containers, **more):
    arn = host.run(host.define("bad", containers, **more))[0]
    return host.wait_status(arn, "STOPPED")


def test_unknown_image(host):
    """eng-14, acs-S13."""
    image = f"{host.registry.host}/nowhere:1"
    task = stopped(host, [{"image": image, "command": FOREVER}])
    assert container(task)["reason"] == no_manifest("Check whether the image and its tag exist.", image) + f"{image}: not found"
    assert "exitCode" not in container(task)
    assert task["stopCode"] == "TaskFailedToStart"


def test_registry_that_is_down(lab):
    """It may come back: what is tried five times is said once."""
    image = f"127.0.0.1:{free_port()}/web:1"
    lab.agent(BERTH_TIME_SCALE="10").start()
    task = stopped(lab, [{"image": image, "command": FOREVER}])
    assert container(task)["reason"].startswith(no_manifest("Check that the registry runs and can be reached.", image))
    assert container(task)["reason"].endswith("connect: connection refused")
    assert "exitCode" not in container(task)


def test_registry_that_answers_401(lab):
    from tests.lab.services import Registry
    registry = Registry(os.path.join(lab.directory, "secure"), "someone", "secret", tls=True).start()
    try:
        image = registry.image("private/web")
        lab.agent(BERTH_REGISTRY_CA_FILE=registry.ca).start()
        task = stopped(lab, [{"image": image, "command": FOREVER}])
        assert container(task)["reason"].startswith(
            no_manifest("Check the credentials for this registry in ECS_ENGINE_AUTH_DATA.", image))
        assert container(task)["reason"].endswith("401 Unauthorized")
    finally:
        registry.stop()


def test_registry_that_does_not_answer(lab):
    """A whole pull has its time, however many tries it takes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lab.agent(ECS_IMAGE_PULL_TIMEOUT="1s").start()
        lab.breaks_off_pulls = True
        task = stopped(lab, [{"image": f"127.0.0.1:{silent.getsockname()[1]}/web:1", "command": FOREVER}])
    assert container(task)["reason"] == "DockerTimeoutError: Could not transition to pulled; timed out after waiting 1s"
    assert "exitCode" not in container(task)


def test_command_that_does_not_exist(host):
    """eng-13."""
    task = stopped(host, [{"image": host.image, "command": ["nosuchbinary"]}])
    assert container(task)["reason"].startswith("CannotStartContainerError: ")
    assert "nosuchbinary" in container(task)["reason"]
    assert "executable file not found" in container(task)["reason"]
    assert "exitCode" not in container(task)


def test_image_for_another_architecture(host):
    image = host.registry.image("foreign", architecture=WRONG)
    task = stopped(host, [{"image": image, "command": FOREVER}])
    assert container(task)["reason"].startswith(f"CannotPullContainerError: {image}: ")
    assert WRONG in container(task)["reason"]


def test_user_that_the_image_does_not_have(host):
    task = stopped(host, [{"image": host.image, "command": FOREVER, "user": "nobody-here"}])
    assert container(task)["reason"].startswith("CannotCreateContainerError: ")
    assert "nobody-here" in container(task)["reason"]
    assert "exitCode" not in container(task)


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
    assert len(arns) == 11
    assert [failure["reason"] for failure in failures] == ["RESOURCE:ENI"]
    assert "No address is left in subnet subnet-berth (10.99.0.0/28)" in failures[0]["detail"]
    tasks = [lab.wait_status(arn, "RUNNING") for arn in arns]
    assert {address(task) for task in tasks} == {f"10.99.0.{host}" for host in range(4, 15)}
    lab.stop_task(arns[0])
    lab.wait_status(arns[0], "STOPPED")
    again = lab.control.call("RunTask", cluster="default", taskDefinition=definition, networkConfiguration=network)
    assert len(again["tasks"]) == 1
    assert address(lab.wait_status(again["tasks"][0]["taskArn"], "RUNNING")) == address(tasks[0])


def test_task_larger_than_the_host(host):
    definition = host.define("huge", [{"image": host.image, "memory": 60_000_000, "command": FOREVER}])
    answer = host.control.call("RunTask", cluster="default", taskDefinition=definition,
                               networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-berth"]}})
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "RESOURCE:MEMORY"


@contextlib.contextmanager
def small_disk(where):
    """At the end nothing may use it any more."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "berth-test", where], check=True)
    try:
        yield where
    except BaseException:
        subprocess.run(["umount", "-l", where], check=True)
        raise
    subprocess.run(["umount", where], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)


@pytest.mark.lab(scale=0.1)
def test_full_disk_under_the_data_directory(lab):
    """Nothing is acknowledged or begun that is not saved; when there is room again, everything goes on."""
    image = lab.registry.image("web")
    agent = lab.agent()
    with small_disk(agent.data):
        agent.start()
        filler = os.path.join(agent.data, "filler")
        fill(filler)
        arn = lab.run(lab.define("full", [{"image": image, "command": ["sh", "-c", "exit 4"]}]))[0]
        # The control plane sends again what is not acknowledged: each 10 s, which are 1 s here.
        wait_for("the same payload for the third time", lambda: agent.daemon.text().count('msg="payload"') >= 3)
        assert "the state cannot be saved" in agent.daemon.text() and "is the disk full" in agent.daemon.text()
        task = lab.task(arn)
        assert task.get("connectivity") != "CONNECTED", "it is when the agent has acknowledged the task"
        assert task["lastStatus"] in ("PROVISIONING", "PENDING") and "pullStartedAt" not in task
        assert "PULL_IMAGE" not in agent.daemon.text()
        os.unlink(filler)
        task = lab.wait_status(arn, "STOPPED")
        assert container(task)["exitCode"] == 4, task
        wait_for("the clean-up", lambda: not agent.introspect("/v1/tasks")["Tasks"])
        assert agent.stop() == 0


def test_containerd_that_is_not_running(lab):
    lab.registry.image("web")
    lab.containerd.stop()
    lab.agent().start()
    task = stopped(lab, [{"image": f"{lab.registry.host}/web:1", "command": FOREVER}])
    assert container(task)["reason"].startswith(
        f"CannotPullContainerError: containerd does not answer at {lab.containerd.address} (")
    assert "systemctl start containerd" in container(task)["reason"]


def test_two_agents_on_one_data_directory(host):
    first = host.agents[0]
    second = host.agent("second", ECS_DATADIR=first.data, BERTH_RUN_DIR=first.run)
    second.may_fail = True
    second.daemon.start()
    assert second.daemon.process.wait(60) == 5
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


def test_control_plane_that_breaks_off_its_answers(lab):
    """Three attempts, then an end with a sentence: berth-init starts it again. See tests/conformance for other nonsense."""
    broken = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve():
        while True:
            try:
                peer, _ = broken.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                asked.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/x-amz-json-1.1"
                             b"\r\n\r\n{\"containerInst")
    threading.Thread(target=serve, daemon=True).start()
    agent = lab.agent(ECS_BACKEND_HOST=f"http://127.0.0.1:{broken.getsockname()[1]}", BERTH_TIME_SCALE="50")
    agent.daemon.start()
    agent.may_fail = True
    assert agent.daemon.process.wait(60) == 1
    assert len(asked) == 3 and all(request.startswith(b"POST / HTTP/1.1\r\n") for request in asked)
    last = agent.daemon.text().splitlines()[-1]
    assert 'msg="this host cannot be registered"' in last and "transfer closed with" in last
    broken.close()
