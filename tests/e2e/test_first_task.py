# SPDX-License-Identifier: Apache-2.0
"""A task's life on real parts: containerd, runc, namespaces, a registry, the AWS client."""
import json
import os
import signal
import time
import urllib.request

import pytest

from tests.lab.berth import wait_for

FOREVER = ["sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.1; done"]
WEB = ["sh", "-c", "trap 'exit 42' TERM; httpd -f -p 80 -h /www & while :; do sleep 0.1; done"]


def address(task):
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}["privateIPv4Address"]


def get(url, seconds=5):
    """RUNNING is reported before the program in the container has opened its socket: a refusal is tried again."""
    def once():
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return answer.read().decode()
    return wait_for(f"an answer of {url}", once, seconds)


def container(task, name="app"):
    return next(found for found in task["containers"] if found["name"] == name)


def main_pid(lab, task_arn, name="app"):
    pid = lab.agents[0].process(task_arn, name)
    assert pid, f"{name} of {task_arn} has no process"
    return pid


def test_awsvpc_task_answers_reports_stops_and_hands_back_its_exit_code(host):
    """eng-1, eng-3, eng-74: PENDING, RUNNING, then the exit code of the handler of SIGTERM."""
    definition = host.define("web", [{"image": host.image, "command": WEB}])
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "RUNNING")
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
    host.wait_status(arn, "RUNNING")
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


def test_end_by_a_signal_is_128_and_the_signal(host):
    definition = host.define("signal", [{"image": host.image, "command": ["sh", "-c", "while :; do sleep 0.1; done"]}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    # SIGKILL is the one signal from outside that the first process of a pid namespace cannot escape.
    os.kill(main_pid(host, arn), signal.SIGKILL)
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 128 + signal.SIGKILL
    assert "reason" not in container(task)


def test_sigkill_after_the_stop_timeout(host):
    """eng-4: SIGTERM is ignored; 137 once the grace is over."""
    definition = host.define("stubborn", [{"image": host.image, "stopTimeout": 2,
                                           "command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    time.sleep(0.3)  # the shell sets its trap
    began = time.monotonic()
    host.stop_task(arn)
    task = host.wait_status(arn, "STOPPED")
    assert 1.9 < time.monotonic() - began < 4
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
    command = ["sh", "-c", "ls /sys/class/net > /out/links; exit 5"]
    shared = os.path.join(host.directory, "out")
    os.mkdir(shared)
    definition = host.define("modes", [{"image": host.image, "command": command,
                                        "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]}],
                             mode=mode, volumes=[{"name": "out", "host": {"sourcePath": shared}}])
    arn = host.run(definition, awsvpc=False)[0]
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 5, task
    with open(os.path.join(shared, "links")) as file:
        links = set(file.read().split())
    if mode == "host":
        assert links == set(os.listdir("/sys/class/net"))
    else:
        assert links <= {"lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0"} and "eth0" not in links


def test_bridge_mode_is_refused_with_a_reason(host):
    definition = host.define("bridge", [{"image": host.image, "command": FOREVER}], mode="bridge")
    answer = host.control.call("RunTask", cluster="default", taskDefinition=definition)
    if answer["failures"]:
        assert answer["failures"][0]["reason"]
        return
    task = host.wait_status(answer["tasks"][0]["taskArn"], "STOPPED")
    assert "bridge is not supported" in task["stoppedReason"]


def test_non_essential_exit_leaves_the_task_running(host):
    """eng-9."""
    definition = host.define("two", [{"image": host.image, "command": FOREVER},
                                     {"name": "job", "essential": False, "image": host.image,
                                      "command": ["sh", "-c", "exit 1"]}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    task = wait_for("the job's exit", lambda: (lambda task: container(task, "job")["lastStatus"] == "STOPPED" and task)(
        host.task(arn)), 35)
    assert container(task, "job")["exitCode"] == 1
    assert task["lastStatus"] == "RUNNING"


def test_depends_on_success_orders_the_start(host):
    """eng-25: the dependent starts when the other has ended well."""
    shared = os.path.join(host.directory, "order")
    os.mkdir(shared)
    mount = {"mountPoints": [{"sourceVolume": "order", "containerPath": "/order"}]}
    definition = host.define("order", [
        dict({"image": host.image, "command": ["sh", "-c", "test -e /order/first && exit 7; exit 1"],
              "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]}, **mount),
        dict({"name": "first", "essential": False, "image": host.image,
              "command": ["sh", "-c", "sleep 0.5; touch /order/first"]}, **mount)],
        volumes=[{"name": "order", "host": {"sourcePath": shared}}])
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
              "wget -q -O /out/stats $ECS_CONTAINER_METADATA_URI_V4/stats; "
              "wget -q -O /out/task-stats $ECS_CONTAINER_METADATA_URI_V4/task/stats; "
              "wget -q -O /out/credentials http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; "
              "env > /out/env; cat /etc/resolv.conf /etc/hosts /etc/hostname > /out/names; touch /out/done; "
              "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    shared = os.path.join(host.directory, "out")
    os.mkdir(shared)
    definition = host.define(
        "curious",
        [{"image": host.image, "command": ["sh", "-c", script],
          "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}],
          "healthCheck": {"command": ["CMD-SHELL", "test -e /out/done"], "interval": 5, "timeout": 2, "retries": 3}}],
        volumes=[{"name": "out", "host": {"sourcePath": shared}}],
        taskRoleArn="arn:aws:iam::111122223333:role/app")
    arn = host.run(definition)[0]
    task = host.wait_status(arn, "RUNNING")
    wait_for("what the container wrote", lambda: os.path.exists(os.path.join(shared, "done")))

    def read(name):
        with open(os.path.join(shared, name)) as file:
            return json.load(file)

    seen = read("container")
    assert seen["Name"] == "app" and seen["KnownStatus"] in ("CREATED", "RUNNING")
    assert seen["Networks"][0]["NetworkMode"] == "awsvpc"
    assert seen["Networks"][0]["IPv4Addresses"] == [address(task)]
    whole = read("task")
    assert whole["TaskARN"] == arn and whole["Family"] == "curious"
    assert [found["Name"] for found in whole["Containers"]] == ["app"] or \
        {found["Name"] for found in whole["Containers"]} == {"app", "~internal~ecs~pause"}
    assert read("stats")["memory_stats"]["usage"] > 0
    assert len(read("task-stats")) >= 1
    keys = read("credentials")
    assert keys["AccessKeyId"] and keys["SecretAccessKey"] and keys["Token"] and keys["Expiration"]
    assert keys["RoleArn"] == "arn:aws:iam::111122223333:role/app"
    with open(os.path.join(shared, "names")) as file:
        names = file.read()
    assert "nameserver" in names and address(task) in names

    wait_for("HEALTHY", lambda: host.task(arn)["healthStatus"] == "HEALTHY", 60)
    assert host.control.metrics(arn)


def test_registry_over_tls_with_basic_auth(lab):
    """Credentials from ECS_ENGINE_AUTH_DATA, a CA of one's own, and no secret in any argv or log."""
    from tests.lab.services import Registry
    registry = Registry(os.path.join(lab.directory, "secure"), "someone", "hunter2-secret", tls=True).start()
    try:
        image = registry.image("private/web")
        auth = {registry.host: {"username": "someone", "password": "hunter2-secret"}}
        agent = lab.agent(ECS_ENGINE_AUTH_TYPE="docker", ECS_ENGINE_AUTH_DATA=json.dumps(auth),
                          BERTH_REGISTRY_CA_FILE=registry.ca).start()
        arn = lab.run(lab.define("private", [{"image": image, "command": ["sh", "-c", "exit 9"]}]))[0]
        task = lab.wait_status(arn, "STOPPED")
        assert container(task)["exitCode"] == 9, task
        assert "hunter2-secret" not in agent.daemon.text()
    finally:
        registry.stop()


def test_crun_runs_tasks_too(lab):
    image = lab.registry.image("web")
    lab.agent(BERTH_RUNTIME="crun").start()
    arn = lab.run(lab.define("web", [{"image": image, "command": WEB}]))[0]
    task = lab.wait_status(arn, "RUNNING")
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    lab.stop_task(arn)
    assert container(lab.wait_status(arn, "STOPPED"))["exitCode"] == 42


def test_logs_rotate_as_json_lines(host):
    definition = host.define("talks", [{"image": host.image, "command": [
        "sh", "-c", "for i in $(seq 1 3000); do echo line $i of many that fill the file; done; sleep 3"],
        "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "64k", "max-file": "3"}}}])
    arn = host.run(definition)[0]
    host.wait_status(arn, "RUNNING")
    directory = os.path.join(host.agents[0].data, "tasks", arn.split("/")[-1])

    def logs():
        return sorted(os.path.join(where, name) for where, _, names in os.walk(directory) for name in names
                      if name.startswith("json.log"))
    wait_for("rotated files", lambda: len(logs()) >= 3)
    time.sleep(0.5)
    assert len(logs()) == 3
    for path in logs():
        assert os.path.getsize(path) <= 65 * 1024 + 200
        with open(path) as file:
            for line in file:
                entry = json.loads(line)
                assert set(entry) >= {"log", "stream", "time"} and entry["stream"] == "stdout"
    host.wait_status(arn, "STOPPED")
