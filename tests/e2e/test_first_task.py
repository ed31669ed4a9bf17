# SPDX-License-Identifier: Apache-2.0
"""A task's life on real parts: containerd, runc, namespaces, a registry, the AWS client."""
import base64
import json
import os
import shutil
import signal
import time
import urllib.request

import pytest

from tests.lab import images
from tests.lab.berth import wait_for

FOREVER = ["sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.1; done"]
WEB = ["sh", "-c", "trap 'exit 42' TERM; httpd -f -p 80 -h /www & while :; do sleep 0.1; done"]


def address(task):
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}["privateIPv4Address"]


def get(url):
    """RUNNING is reported before the program in the container has opened its socket: a refusal is tried again."""
    def once():
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    return wait_for(f"an answer of {url}", once)


def container(task, name="app"):
    return next(found for found in task["containers"] if found["name"] == name)


def main_pid(lab, task_arn, name="app"):
    pid = lab.main_pid(task_arn, name)
    assert pid, f"{name} of {task_arn} has no process"
    return pid


def shared(lab, name):
    """A directory of the host that containers have at /<name>: its path, and what goes into a container and a definition."""
    path = os.path.join(lab.directory, name)
    os.makedirs(path, exist_ok=True)
    return (path, {"mountPoints": [{"sourceVolume": name, "containerPath": f"/{name}"}]},
            {"volumes": [{"name": name, "host": {"sourcePath": path}}]})


def touch(*path):
    with open(os.path.join(*path), "w"):
        pass


def test_awsvpc_task_answers_reports_stops_and_hands_back_its_exit_code(host):
    """eng-1, eng-3, eng-74: PENDING, RUNNING, then the exit code of the handler of SIGTERM."""
    definition = host.define("web", [{"image": host.image, "command": WEB}])
    arn = host.run(definition)[0]
    task = host.wait_ready(arn)
    assert container(task)["lastStatus"] == "RUNNING"
    assert container(task)["imageDigest"].startswith("sha256:")
    assert task["pullStartedAt"] <= task["pullStoppedAt"] <= task["startedAt"]
    assert get(f"http://{address(task)}/") == "hello from berth\n"

    host.stop_task(arn, "enough")
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 42
    assert task["stopCode"] == "UserInitiated"
    assert task["stoppedReason"] == "enough"


def test_all_of_it_with_the_aws_command(host):
    """The acceptance story, by `aws ecs` alone."""
    aws = host.control.aws
    aws("register-task-definition", "--family", "web", "--network-mode", "awsvpc", "--container-definitions", json.dumps(
        [{"name": "app", "image": host.image, "memory": 32, "essential": True, "command": WEB}]))
    answer = aws("run-task", "--task-definition", "web", "--network-configuration",
                 "awsvpcConfiguration={subnets=[subnet-berth]}")
    arn = answer["tasks"][0]["taskArn"]
    host.wait_ready(arn)
    task = aws("describe-tasks", "--tasks", arn)["tasks"][0]
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    assert aws("list-tasks", "--family", "web")["taskArns"] == [arn]
    aws("stop-task", "--task", arn)
    host.wait_status(arn, "STOPPED")
    assert aws("describe-tasks", "--tasks", arn)["tasks"][0]["containers"][0]["exitCode"] == 42


@pytest.mark.parametrize("code", [0, 3])
def test_exit_codes_are_reported(host, code):
    """eng-6, eng-7."""
    definition = host.define("exits", [{"image": host.image, "command": ["sh", "-c", f"exit {code}"]}])
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == code
    assert "reason" not in container(task)
    assert task["stopCode"] == "EssentialContainerExited"


def test_end_by_sigkill_is_128_and_the_signal(host):
    """The one signal from outside that the first process of a pid namespace cannot escape."""
    arn = host.run(host.define("signal", [{"image": host.image, "command": FOREVER}]))[0]
    host.wait_status(arn, "RUNNING")
    os.kill(main_pid(host, arn), signal.SIGKILL)
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 128 + signal.SIGKILL
    assert "reason" not in container(task)


def test_end_by_a_fault_is_128_and_the_signal(host):
    """Nor can it escape one of its own faults. SIGTERM and others that it does not handle do not reach it at all."""
    image = host.registry.image("faulty", layers=[images.layer({"bin/faulty": images.faulty_program()})])
    task = host.wait_status(host.run(host.define("fault", [{"image": image, "command": ["/bin/faulty"]}]))[0], "STOPPED")
    assert container(task)["exitCode"] == 128 + signal.SIGSEGV
    assert "reason" not in container(task)
    assert task["stopCode"] == "EssentialContainerExited"


def test_sigkill_after_the_stop_timeout(host):
    """eng-4: SIGTERM is ignored, as the first process of a pid namespace does by itself; 137 once the grace is over."""
    definition = host.define("stubborn", [{"image": host.image, "stopTimeout": 2,
                                           "command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    began = time.monotonic()
    host.stop_task(arn)
    task = host.wait_status(arn, "STOPPED")
    assert 1.9 < time.monotonic() - began < 20, "by itself it would be 30 s"
    assert container(task)["exitCode"] == 137


def test_memory_limit_kills_and_is_named(host):
    """eng-12, acs-S15."""
    definition = host.define("hungry", [{"image": host.image, "memory": 16,
                                         "command": ["sh", "-c", "exec dd if=/dev/zero of=/dev/shm/x bs=1M count=60"]}])
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 137
    assert container(task)["reason"].startswith("OutOfMemoryError: Container killed due to memory usage")


@pytest.mark.parametrize("mode", ["host", "none"])
def test_host_and_none_modes(host, mode):
    out, mount, volume = shared(host, "out")
    command = ["sh", "-c", "ls /sys/class/net > /out/links; ls -l /proc/self/ns/net > /out/namespace; exit 5"]
    definition = host.define("modes", [{"image": host.image, "command": command, **mount}], mode=mode, **volume)
    arn = host.run(definition, awsvpc=False)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 5, task
    with open(os.path.join(out, "links")) as links, open(os.path.join(out, "namespace")) as namespace:
        links, namespace = set(links.read().split()), namespace.read().split()[-1]
    if mode == "host":
        assert namespace == os.readlink("/proc/self/ns/net") and "lo" in links
    else:
        assert namespace.startswith("net:[") and namespace != os.readlink("/proc/self/ns/net")
        assert links <= {"lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"}


def test_non_essential_exit_leaves_the_task_running(host):
    """eng-9."""
    definition = host.define("two", [{"image": host.image, "command": FOREVER},
                                     {"name": "job", "essential": False, "image": host.image,
                                      "command": ["sh", "-c", "exit 1"]}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    task = wait_for("the job's exit", lambda: (lambda task: container(task, "job")["lastStatus"] == "STOPPED" and task)(
        host.task(arn)))
    assert container(task, "job")["exitCode"] == 1
    assert task["lastStatus"] == "RUNNING"


def test_depends_on_success_orders_the_start(host):
    """eng-25: the dependent starts when the other has ended well."""
    _, mount, volume = shared(host, "order")
    definition = host.define("order", [
        dict({"image": host.image, "command": ["sh", "-c", "test -e /order/first && exit 7; exit 1"],
              "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]}, **mount),
        dict({"name": "first", "essential": False, "image": host.image,
              "command": ["sh", "-c", "sleep 0.5; touch /order/first"]}, **mount)], **volume)
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 7
    assert container(task, "first")["exitCode"] == 0


def test_failed_dependency_gives_143(host):
    """eng-26, acs-S14."""
    definition = host.define("broken", [
        {"image": host.image, "command": FOREVER, "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]},
        {"name": "first", "essential": False, "image": host.image, "command": ["sh", "-c", "exit 1"]}])
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 143
    assert container(task)["reason"].startswith("CannotStartContainerError: ")


def test_health_metrics_and_credentials_reach_where_they_should(host):
    """eng-37, acs-T13: the control plane sees HEALTHY and figures; the task sees its metadata and credentials."""
    script = ("wget -q -O /out/container $ECS_CONTAINER_METADATA_URI_V4; "
              "wget -q -O /out/task $ECS_CONTAINER_METADATA_URI_V4/task; "
              "until wget -q -O /out/stats $ECS_CONTAINER_METADATA_URI_V4/stats; do sleep 0.1; done; "  # from when it is RUNNING
              "wget -q -O /out/task-stats $ECS_CONTAINER_METADATA_URI_V4/task/stats; "
              "wget -q -O /out/credentials http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; "
              "env > /out/env; cat /etc/resolv.conf /etc/hosts /etc/hostname > /out/names; touch /out/done; "
              "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    out, mount, volume = shared(host, "out")
    definition = host.define(
        "curious",
        [{"image": host.image, "command": ["sh", "-c", script], **mount,
          "healthCheck": {"command": ["CMD-SHELL", "test -e /out/done"], "interval": 5, "timeout": 2, "retries": 3}}],
        **volume,
        taskRoleArn="arn:aws:iam::111122223333:role/app")
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "RUNNING")
    wait_for("what the container wrote", lambda: os.path.exists(os.path.join(out, "done")))

    def read(name):
        with open(os.path.join(out, name)) as file:
            return json.load(file)

    seen = read("container")
    assert seen["Name"] == "app" and seen["KnownStatus"] in ("CREATED", "RUNNING")
    assert seen["Networks"][0]["NetworkMode"] == "awsvpc"
    assert seen["Networks"][0]["IPv4Addresses"] == [address(task)]
    whole = read("task")
    assert whole["TaskARN"] == arn and whole["Family"] == "curious"
    assert {found["Name"] for found in whole["Containers"]} == {"app", "~internal~ecs~pause"}
    assert read("stats")["memory_stats"]["usage"] > 0
    assert len(read("task-stats")) >= 1
    keys = read("credentials")
    assert keys["AccessKeyId"] and keys["SecretAccessKey"] and keys["Token"] and keys["Expiration"]
    assert keys["RoleArn"] == "arn:aws:iam::111122223333:role/app"
    with open(os.path.join(out, "names")) as file:
        names = file.read()
    assert "nameserver" in names and address(task) in names

    wait_for("HEALTHY", lambda: host.task(arn)["healthStatus"] == "HEALTHY", 120)
    figures = wait_for("metrics", lambda: host.control.metrics(arn), 120)
    assert [found["containerName"] for found in figures["containers"]] == ["app"]


def test_registry_over_tls_with_basic_auth(lab):
    """Credentials from ECS_ENGINE_AUTH_DATA, a CA of one's own, and no secret in an argv, an environment or the log."""
    from tests.lab.services import Registry
    registry = Registry(os.path.join(lab.directory, "secure"), "someone", "hunter2-secret", tls=True).start()
    try:
        image = registry.image("private/web")
        auth = {registry.host: {"username": "someone", "password": "hunter2-secret"}}
        # The client of containerd, which tells what it was given.
        ctr, told = os.path.join(lab.directory, "ctr"), os.path.join(lab.directory, "told")
        with open(ctr, "w") as script:
            script.write(f"#!/bin/sh\necho \"$@\" >>{told}\nenv >>{told}\nexec {shutil.which('ctr')} \"$@\"\n")
        os.chmod(ctr, 0o755)
        agent = lab.agent(ECS_ENGINE_AUTH_TYPE="docker", ECS_ENGINE_AUTH_DATA=json.dumps(auth), BERTH_CTR=ctr,
                          BERTH_REGISTRY_CA_FILE=registry.ca).start()
        arn = lab.run(lab.define("private", [{"image": image, "command": ["sh", "-c", "exit 9"]}]))[0]
        task = lab.wait_status(arn, "STOPPED")
        assert container(task)["exitCode"] == 9, task
        with open(told) as file:
            seen = file.read()
        assert "images pull" in seen and registry.host in seen
        for secret in ("hunter2-secret", base64.b64encode(b"someone:hunter2-secret").decode()):
            assert secret not in seen
            assert secret not in agent.daemon.text()
    finally:
        registry.stop()


def test_crun_runs_tasks_too(lab):
    image = lab.registry.image("web")
    lab.agent(BERTH_RUNTIME="crun").start()
    arn = lab.run(lab.define("web", [{"image": image, "command": WEB}]))[0]
    task = lab.wait_ready(arn)
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED"))["exitCode"] == 42


def test_logs_rotate_as_json_lines(host):
    gate, mount, volume = shared(host, "gate")
    definition = host.define("talks", [{"image": host.image, **mount, "command": [
        "sh", "-c", "for i in $(seq 1 3000); do echo line $i of many that fill the file; done; "
                    "until [ -e /gate/open ]; do sleep 0.1; done"],
        "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "64k", "max-file": "3"}}}], **volume)
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    directory = os.path.join(host.agents[0].data, "tasks", arn.split("/")[-1])

    def logs():
        return sorted(os.path.join(where, name) for where, _, names in os.walk(directory) for name in names
                      if name.startswith("json.log"))
    def lines(path):
        with open(path) as file:
            return [json.loads(line) for line in file]
    wait_for("the last line", lambda: lines(logs()[0])[-1]["log"].startswith("line 3000 "))
    assert len(logs()) == 3
    entries = []
    for path in reversed(logs()):  # the oldest has the highest number
        assert os.path.getsize(path) <= 64 * 1024 + 150, "it is full once a line has reached the bound"
        entries += lines(path)
    assert all(set(entry) >= {"log", "stream", "time"} and entry["stream"] == "stdout" for entry in entries)
    numbers = [int(entry["log"].split()[1]) for entry in entries]
    assert numbers == list(range(numbers[0], 3001)), "nothing is lost between files"
    touch(gate, "open")
    host.wait_status(arn, "STOPPED")
