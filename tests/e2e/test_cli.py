# SPDX-License-Identifier: Apache-2.0
"""berth, the operator's command, beside a running agent."""
import json
import os
import subprocess
import time

import pytest

from tests.e2e.test_first_task import shared, touch
from tests.lab.berth import environment, program, wait_for
from tests.lab.processes import Daemon

TALK = ["sh", "-c", "echo one; sleep 0.2; echo two; sleep 0.2; echo oops >&2; trap 'echo bye; exit 3' TERM; "
                    "while :; do sleep 0.1; done"]


def command(host, *arguments):
    return [program("berth"), arguments[0], "--config", "", *arguments[1:]]


def berth(host, *arguments, code=0, **more):
    """Runs `berth ...` with the agent's settings; returns standard output and standard error."""
    settings = dict(host.agents[0].settings, **more)
    done = subprocess.run(command(host, *arguments), env=environment(**settings), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


@pytest.fixture
def talking(host):
    """A task that has said all that it says before it is stopped."""
    if not os.path.exists(program("berth")):
        pytest.skip(f"{program('berth')} is not built")
    arn = host.run(host.define("talk", [{"image": host.image, "command": TALK}]))[0]
    host.wait_ready(arn)
    host.arn, host.id = arn, arn.split("/")[-1]
    wait_for("the last words", lambda: berth(host, "logs", host.id)[1] == "oops\n")
    return host


def test_ps_lists_tasks_and_containers(talking):
    lines = [line.split() for line in berth(talking, "ps")[0].splitlines()]
    assert lines[0] == ["TASK", "CONTAINER", "STATUS", "SINCE", "ADDRESS", "PORTS", "IMAGE"]
    assert len(lines) == 2
    assert lines[1][:3] == [talking.id, "app", "RUNNING"] and lines[1][3].endswith("s")
    assert lines[1][4].startswith("10.99.0.") and lines[1][5:] == ["-", talking.image]


def test_ps_as_json_is_what_the_agent_answers(talking):
    assert json.loads(berth(talking, "ps", "--json")[0]) == talking.agents[0].introspect("/v1/tasks")


def test_ps_without_tasks_and_without_agent(host):
    assert berth(host, "ps")[0] == "TASK  CONTAINER  STATUS  SINCE  ADDRESS  PORTS  IMAGE\n"
    host.agents[0].stop()
    out, errors = berth(host, "ps", code=1)
    assert out == "" and "Connection refused" in errors


def test_logs_keep_the_two_streams_apart(talking):
    assert berth(talking, "logs", talking.id) == ("one\ntwo\n", "oops\n")
    assert berth(talking, "logs", talking.arn, "app") == ("one\ntwo\n", "oops\n")
    assert berth(talking, "logs", talking.id[:20], "--tail", "2") == ("two\n", "oops\n")
    assert berth(talking, "logs", "-n", "0", talking.id) == ("", "")
    out, _ = berth(talking, "logs", "-t", talking.id)
    assert out.splitlines()[0].startswith(time.strftime("%Y-")) and out.splitlines()[0].endswith("Z one")


def test_logs_as_json_are_the_records(talking):
    records = [json.loads(line) for line in berth(talking, "logs", "--json", talking.id)[0].splitlines()]
    assert [(record["stream"], record["log"]) for record in records] == [
        ("stdout", "one\n"), ("stdout", "two\n"), ("stderr", "oops\n")]


def test_logs_say_what_is_wrong(talking):
    assert 'knows no task "nope"' in berth(talking, "logs", "nope", code=1)[1]
    assert 'no container "db", but: app' in berth(talking, "logs", talking.id, "db", code=1)[1]
    assert "ECS_DATADIR is not the agent's" in berth(talking, "logs", talking.id, "--data-dir", "/nowhere", code=1)[1]
    assert "--tail takes a number" in berth(talking, "logs", talking.id, "--tail", "few", code=2)[1]
    assert "usage: berth logs" in berth(talking, "logs", code=2)[1]


def test_logs_follow_until_the_task_has_stopped(talking):
    follow = Daemon("berth logs", command(talking, "logs", "-f", "-n", "1", talking.id),
                    os.path.join(talking.directory, "followed"), environment(**talking.agents[0].settings)).start()
    wait_for("the present log", lambda: follow.text() == "oops\n")
    assert follow.alive()
    talking.stop_task(talking.arn)
    talking.wait_status(talking.arn, "STOPPED")
    assert follow.process.wait(60) == 0
    assert follow.text() == "oops\nbye\n"


def test_logs_follow_through_rotation(host):
    """Every line once and in order, though files are rotated away many times meanwhile."""
    count = 3000
    gate, mount, volume = shared(host, "gate")
    arn = host.run(host.define("many", [{
        "image": host.image, **mount,
        "command": ["sh", "-c", f"for i in $(seq {count}); do echo line $i; done; until [ -e /gate/open ]; do sleep 0.1; done"],
        "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "20k", "max-file": "50"}}}], **volume))[0]
    task_id = arn.split("/")[-1]
    wait_for("the log", lambda: berth(host, "logs", "-n", "1", task_id)[0])
    follow = Daemon("berth logs", command(host, "logs", "-f", task_id), os.path.join(host.directory, "followed"),
                    environment(**host.agents[0].settings)).start()
    wait_for("the last line", lambda: follow.text().endswith(f"line {count}\n"))
    touch(gate, "open")
    assert follow.process.wait(60) == 0
    assert follow.text().splitlines() == [f"line {i}" for i in range(1, count + 1)]
    host.wait_status(arn, "STOPPED")


def checks(host, code=0, **settings):
    answer = json.loads(berth(host, "doctor", "--json", code=code, **settings)[0])
    assert answer["healthy"] == (code == 0)
    return {check["name"]: check for check in answer["checks"]}


def test_doctor_finds_all_parts(host):
    """All but the rules, which berth-init has not set here: test_systemd.py has a whole host."""
    found = checks(host, 1)
    assert [name for name, check in found.items() if check["status"] != "ok"] == ["rules"]
    assert "berth-init pre-start" in found["rules"]["advice"]
    assert found["registration"]["found"] == host.agents[0].metadata()["ContainerInstanceArn"]


@pytest.mark.parametrize("name, settings, text", [
    ("agent", {"BERTH_INTROSPECTION_PORT": "1"}, "systemctl start berth"),
    ("containerd", {"BERTH_CONTAINERD_ADDRESS": "/nowhere/c.sock"}, "systemctl start containerd"),
    ("runtime", {"BERTH_RUNTIME": "no-such-runtime"}, "BERTH_RUNTIME"),
    ("programs", {"BERTH_LIBEXEC_DIR": "/nowhere"}, "BERTH_LIBEXEC_DIR"),
    ("plugins", {"ECS_CNI_PLUGINS_PATH": "/nowhere:/neither"}, "ECS_CNI_PLUGINS_PATH"),
    ("disk", {"ECS_DATADIR": "/nowhere"}, "ECS_DATADIR"),
])
def test_doctor_names_the_part_that_fails(host, name, settings, text):
    found = checks(host, 1, **settings)
    assert found[name]["status"] == "failed"
    assert text in found[name]["advice"]
    told = berth(host, "doctor", code=1, **settings)[0]
    assert f"failed   {name} " in told and f"-> {found[name]['advice']}" in told


def test_doctor_asks_for_the_plugins_that_the_settings_need(host):
    """Of a directory that holds all but those of the shape ec2, and ecs-tunnel, which no agent runs."""
    ours, some = os.path.dirname(program("ecs-bridge")), os.path.join(host.directory, "plugins")
    os.mkdir(some)
    for name in ("ecs-eni", "ecs-bridge", "ecs-ipam", "ecs-portmap", "aws-appmesh", "ecs-serviceconnect"):
        os.symlink(os.path.join(ours, name), os.path.join(some, name))
    assert checks(host, 1, ECS_CNI_PLUGINS_PATH=some)["plugins"]["status"] == "ok"
    failed = checks(host, 1, ECS_CNI_PLUGINS_PATH=some, BERTH_TASK_NETWORK_SHAPE="ec2", BERTH_ENI_DRIVER="eni")["plugins"]
    assert failed["found"] == f"not in {some}, or not executable: vpc-eni, vpc-branch-eni"
    assert checks(host, 1, ECS_CNI_PLUGINS_PATH=f"{some}:{ours}", BERTH_TASK_NETWORK_SHAPE="ec2",
                  BERTH_ENI_DRIVER="eni")["plugins"]["status"] == "ok"


@pytest.mark.parametrize("arguments", [["ps"], ["logs"], ["doctor"], ["version"], []])
def test_help(arguments):
    done = subprocess.run([program("berth"), *arguments, "--help"], text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert done.stdout.startswith(" ".join(["usage: berth", *arguments]))


def test_version_and_wrong_usage():
    done = subprocess.run([program("berth"), "version"], text=True, stdout=subprocess.PIPE)
    assert done.returncode == 0 and done.stdout.startswith("berth 0.")
    for arguments in ([], ["nope"], ["ps", "--nope"], ["ps", "more"], ["doctor", "more"]):
        done = subprocess.run([program("berth"), *arguments], text=True, stderr=subprocess.PIPE)
        assert done.returncode == 2 and "usage: berth" in done.stderr, arguments
